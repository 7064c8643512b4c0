"""COPY: what it reads, how it reads it, and what it writes down."""

import gzip
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

import pytest
import redshift_connector
from support.redshift_fixtures import BUCKET, Client, Landing, copy_sql, new_table, server_error

COLUMNS = "id int, name varchar(10), day date, at timestamp, amount decimal(8,2), paid boolean"
HEADER = "id|name|day|at|amount|paid\n"


@pytest.fixture
def table(client: Client) -> str:
    return new_table(client, COLUMNS)


def rows(client: Client, table: str) -> list[list[object]]:
    return client.run(f"SELECT * FROM {table} ORDER BY 1")


def test_a_manifest_of_csv_objects_is_loaded(client: Client, table: str, landing: Landing) -> None:
    """The statement that this project is about."""
    first = landing.put("1.csv", HEADER + '1|abc|2024-01-02|2024-01-02 03:04:05|1.5|t\n2|"x|""y""\n"|||2|0\n')
    second = landing.put("2.csv", HEADER + "3||2024-02-03|2024-02-03 03:04:05.25|1.559|true")
    manifest = landing.manifest(
        {
            "url": first,
            "mandatory": True,
            "meta": {"content_length": 1},
        },  # ignored for text, so a wrong one does no harm
        second,
    )
    client.copy(
        f"public.{table}", manifest, "MANIFEST FORMAT AS CSV DELIMITER '|' IGNOREHEADER 1 COMPUPDATE OFF STATUPDATE ON"
    )
    assert client.cursor.rowcount == -1
    assert rows(client, table) == [
        [1, "abc", date(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5), Decimal("1.50"), True],
        [2, 'x|"y"\n', None, None, Decimal("2.00"), False],
        [3, "", date(2024, 2, 3), datetime(2024, 2, 3, 3, 4, 5, 250000), Decimal("1.55"), True],
    ]
    assert client.run("SELECT pg_last_copy_count()") == [[3]]


def test_an_object_listed_twice_is_loaded_twice(client: Client, landing: Landing) -> None:
    """Redshift does not de-duplicate a manifest; whoever writes it must."""
    table = new_table(client, "id int")
    url = landing.put("1.csv", "1\n")
    client.copy(table, landing.manifest(url, url), "MANIFEST CSV")
    assert rows(client, table) == [[1], [1]]


def test_an_object_that_is_not_mandatory_may_be_missing(client: Client, landing: Landing) -> None:
    table = new_table(client, "id int")
    manifest = landing.manifest(landing.put("1.csv", "1\n"), {"url": landing.url("missing.csv")})
    client.copy(table, manifest, "MANIFEST CSV")
    assert rows(client, table) == [[1]]


@pytest.mark.parametrize(
    "key",
    [
        "a b.csv",
        "a+b.csv",
        "a%2Bb.csv",
        'it\'s "quoted".csv',
        "Zoë/日本.csv",
        "two\nlines.csv",
        "back\\slash.csv",
        "a?b#c&d.csv",
    ],
)
def test_a_key_may_hold_anything(client: Client, landing: Landing, key: str) -> None:
    """A key is data, not a URL to be decoded; a loader must be able to prove that it leaves keys alone."""
    table = new_table(client, "id int")
    url = landing.put(key, "x\n")
    with pytest.raises(redshift_connector.Error):
        client.copy(table, landing.manifest(url), "MANIFEST CSV")
    client.rollback()
    assert client.value("SELECT rtrim(filename) FROM stl_load_errors WHERE query = pg_last_copy_id()") == url
    landing.put(key, "1\n")
    client.copy(table, url, "CSV")
    assert rows(client, table) == [[1]]


def test_a_prefix_loads_every_object_below_it(client: Client, landing: Landing) -> None:
    table = new_table(client, "id int")
    for number in range(3):
        landing.put(f"in/{number}.csv", f"{number}\n")
    landing.put("other.csv", "9\n")
    client.copy(table, landing.url("in/"))
    assert rows(client, table) == [[0], [1], [2]]


def test_a_prefix_without_objects_is_an_error(client: Client, landing: Landing) -> None:
    table = new_table(client, "id int")
    with pytest.raises(redshift_connector.ProgrammingError) as raised:
        client.copy(table, landing.url("nothing/"))
    assert server_error(raised.value)["M"] == f"The specified S3 prefix '{landing.prefix}nothing/' does not exist"


def test_delimited_text_knows_no_quotes(client: Client, landing: Landing) -> None:
    table = new_table(client, "id int, name varchar(20)")
    url = landing.put("1.txt", '1|say "hi"\n2|back\\slash\n3|\\N\n4|\n')
    client.copy(table, url, "")
    assert rows(client, table) == [[1, 'say "hi"'], [2, "back\\slash"], [3, None], [4, ""]]


def test_the_exact_way_reads_what_the_quick_way_reads(client: Client, landing: Landing) -> None:
    """One bad record makes COPY decode everything a second time, in Python. Both decoders must agree."""
    good = '1,"a ""b"", c\nd"\r\n2,\\N\n3, x \n"4",""\n5,Zoë\n'
    table = new_table(client, "id int, name varchar(20)")
    client.copy(table, landing.put("good.csv", good))
    quick = rows(client, table)
    client.run(f"DELETE FROM {table}")
    client.copy(table, landing.put("bad.csv", good + "bad,row\n"), "CSV MAXERROR 2")
    assert rows(client, table) == quick == [[1, 'a "b", c\nd'], [2, None], [3, " x "], [4, ""], [5, "Zoë"]]


@pytest.mark.parametrize(
    ("options", "content", "expected"),
    [
        ("CSV QUOTE AS '%'", "1,%a,b%\n", [1, "a,b"]),
        ("CSV DELIMITER AS '\\t' QUOTE '\\''", "1\t'a\tb'\n", [1, "a\tb"]),
        ("FORMAT CSV NULL AS 'nil'", "1,nil\n", [1, None]),
        ("FORMAT AS CSV IGNOREHEADER AS 2", "\ufeffx\ny\n1,a\n", [1, "a"]),
        ("DELIMITER ';' IGNOREHEADER 1 REGION 'us-east-1'", "h\n1;a\n", [1, "a"]),
        ("DELIMITER '|'", "1|a|\r\n", [1, "a"]),
        ("DELIMITER '\\001'", "1\x01a\n", [1, "a"]),
    ],
)
def test_options_are_obeyed(
    client: Client, landing: Landing, options: str, content: str, expected: list[object]
) -> None:
    table = new_table(client, "id int, name varchar(20)")
    client.copy(table, landing.put("1", content), options)
    assert rows(client, table) == [expected]


def test_compressed_objects_are_loaded(client: Client, landing: Landing) -> None:
    """A gzip file may be several, one after the other."""
    table = new_table(client, "id int")
    many = "".join(f"{number}\n" for number in range(200_000))
    url = landing.put("1.gz", gzip.compress(many.encode()) + gzip.compress(b"200000\n"))
    client.copy(table, url, "CSV GZIP")
    assert client.run(f"SELECT count(*), sum(id) FROM {table}") == [[200_001, sum(range(200_001))]]


@pytest.mark.parametrize("content", [b"1\n", gzip.compress(b"1\n2\n", mtime=0)[:-9]])
def test_an_object_that_is_not_gzip_fails_the_copy(client: Client, landing: Landing, content: bytes) -> None:
    table = new_table(client, "id int")
    with pytest.raises(redshift_connector.ProgrammingError) as raised:
        client.copy(table, landing.put("1.gz", content), "CSV GZIP")
    assert server_error(raised.value)["M"].startswith("failed to inflate input file")


def test_an_empty_object_loads_nothing(client: Client, landing: Landing) -> None:
    table = new_table(client, "id int")
    manifest = landing.manifest(landing.put("1.csv", ""), landing.put("2.csv", "1\n"))
    client.copy(table, manifest, "MANIFEST CSV IGNOREHEADER 0")
    assert rows(client, table) == [[1]]
    client.copy(table, landing.put("3.gz", ""), "CSV GZIP")
    assert client.run("SELECT pg_last_copy_count()") == [[0]]


def test_a_column_list_leaves_the_others_to_their_defaults(client: Client, landing: Landing) -> None:
    table = new_table(client, "id bigint IDENTITY(10,5), \"Name\" varchar(10), note varchar(10) DEFAULT 'none'")
    client.copy(f'{table} ("Name")', landing.put("1.csv", "a\nb\n"))
    assert rows(client, table) == [[10, "a", "none"], [15, "b", "none"]]
    client.copy(table, landing.put("2.csv", "c,d\n"))  # without a list: all columns but the identity
    assert rows(client, table)[2][1:] == ["c", "d"]


@pytest.mark.parametrize(
    ("type_", "value", "code", "reason"),
    [
        ("int", "1x", 1207, "Invalid digit, Value 'x', Pos 1, Type: Integer"),
        ("int", "0x1F", 1207, "Invalid digit, Value 'x', Pos 1, Type: Integer"),
        ("smallint", "70000", 1204, "Overflow, Value '70000' is out of range for smallint"),
        ("decimal(4,2)", "1.2.3", 1207, "Invalid digit, Value '1', Pos 0, Type: Decimal"),
        ("decimal(4,2)", "123.4", 1204, "Overflow, Value '123.4' is out of range for numeric(4,2)"),
        ("float8", "NaN?", 1208, "Invalid double format or value"),
        ("boolean", "on", 1210, "Unknown boolean format"),
        ("date", "02.01.2024", 1205, "Invalid Date Format - length must be 10 or more"),
        ("date", "2024-13-45", 1205, "Invalid Date Format - length must be 10 or more"),
        ("timestamp", "2024-01-02T03:04:05", 1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"),
        ("varchar(3)", "Zoë", 1204, "String length exceeds DDL length"),
        (
            "char(3)",
            "ë",
            1220,
            "Multibyte character not supported for CHAR (Hint: try using VARCHAR). Invalid char: c3 ab",
        ),
        ("int NOT NULL", "", 1213, "Missing data for not-null field"),
    ],
)
def test_a_bad_field_is_reported_with_its_place(
    client: Client, landing: Landing, type_: str, value: str, code: int, reason: str
) -> None:
    """The operator's error message is made from these rows: file, line, column and value."""
    table = new_table(client, f"id int, field {type_}")
    good = {"boolean": "t", "date": "2024-01-02", "timestamp": "2024-01-02 03:04:05"}.get(type_, "1")
    url = landing.put("1.csv", f"id,field\n1,{good}\n2,{value}\n")
    with pytest.raises(redshift_connector.ProgrammingError) as raised:
        client.copy(table, url, "CSV IGNOREHEADER 1")
    message = f"Load into table '{table}' failed.  Check 'stl_load_errors' system table for details."
    assert (server_error(raised.value)["C"], server_error(raised.value)["M"]) == ("XX000", message)
    client.rollback()
    assert client.run(
        "SELECT rtrim(filename), line_number, rtrim(colname), rtrim(raw_line), rtrim(raw_field_value), err_code, "
        "rtrim(err_reason) FROM stl_load_errors WHERE query = pg_last_copy_id()"
    ) == [[url, 3, "field", f"2,{value}".replace("ë", "."), value, code, reason]]
    assert client.run(
        "SELECT rtrim(file_name), line_number, rtrim(column_name), error_code, rtrim(error_message) "
        "FROM sys_load_error_detail WHERE query_id = pg_last_copy_id()"
    ) == [[url, 3, "field", code, reason]]


@pytest.mark.parametrize(
    ("options", "line", "code", "reason"),
    [
        ("CSV", b"1", 1201, "Delimiter not found"),
        ("CSV", b"1,a,b", 1202, "Extra column(s) found"),
        ("CSV", b'1,"a"b', 1214, "Invalid quote formatting for CSV"),
        ("CSV", b'1,"a', 1214, "Invalid quote formatting for CSV"),
        ("DELIMITER ','", b"1,a,b", 1202, "Extra column(s) found"),
        (
            "CSV",
            b"1,a\xff",
            1220,
            "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: ff (error 3)",
        ),
    ],
)
def test_a_bad_record_is_reported_with_its_line(
    client: Client, landing: Landing, options: str, line: bytes, code: int, reason: str
) -> None:
    table = new_table(client, "id int, name varchar(20)")
    first = landing.put("1.csv", "1,a\n")
    second = landing.put("2.csv", b"2,b\n" + line + b"\n")
    with pytest.raises(redshift_connector.ProgrammingError):
        client.copy(table, landing.manifest(first, second), f"MANIFEST {options}")
    client.rollback()
    found = client.run(
        "SELECT rtrim(filename), line_number, err_code, rtrim(err_reason) FROM stl_load_errors "
        "WHERE query = pg_last_copy_id()"
    )
    assert found == [[second, 2, code, reason]]


def test_an_open_quote_does_not_swallow_the_next_object(client: Client, landing: Landing) -> None:
    """Two objects with one stray quote each would make one well-formed CSV if they were simply joined."""
    table = new_table(client, "id int, name varchar(100)")
    manifest = landing.manifest(landing.put("1.csv", '1,"a\n'), landing.put("2.csv", '2,b"\n'))
    with pytest.raises(redshift_connector.ProgrammingError):
        client.copy(table, manifest, "MANIFEST CSV")


@pytest.mark.parametrize(("max_errors", "fails"), [(0, True), (1, True), (3, True), (4, False)])
def test_maxerror_is_the_number_that_fails(client: Client, landing: Landing, max_errors: int, fails: bool) -> None:
    """`MAXERROR n` fails at n, and 0 means the same as 1."""
    table = new_table(client, "id int, name varchar(3)")
    url = landing.put("1.csv", "1,a\nx,b\n3,long\n4,c,d\n5,e\n")
    if fails:
        with pytest.raises(redshift_connector.ProgrammingError):
            client.copy(table, url, f"CSV MAXERROR {max_errors}")
        client.rollback()
        assert rows(client, table) == []
    else:
        client.copy(table, url, f"CSV MAXERROR {max_errors}")
        client.commit()
        assert rows(client, table) == [[1, "a"], [5, "e"]]
        notices = [notice[b"M"].decode() for notice in client.connection.notices]
        assert f"Load into table '{table}' completed, 2 record(s) loaded successfully." in notices
    lines = client.run("SELECT line_number FROM stl_load_errors WHERE query = pg_last_copy_id() ORDER BY 1")
    assert lines == [[line] for line in (2, 3, 4)[: max(1, max_errors)]]


def test_errors_outlive_the_rollback_and_are_seen_by_new_sessions(
    client: Client, connect: Callable[..., Client], landing: Landing
) -> None:
    table = new_table(client, "id int")
    with pytest.raises(redshift_connector.ProgrammingError):
        client.copy(table, landing.put("1.csv", "x\n"))
    other = connect()
    url = landing.url("1.csv")
    assert other.run("SELECT line_number FROM stl_load_errors WHERE rtrim(filename) = %s", url) == [[1]]
    client.rollback()
    assert client.run("SELECT line_number FROM stl_load_errors WHERE rtrim(filename) = %s", url) == [[1]]


def test_a_user_sees_only_their_own_loads(client: Client, connect: Callable[..., Client], landing: Landing) -> None:
    table = new_table(client, "id int")
    client.run(f"GRANT INSERT ON {table} TO loader")
    client.commit()
    client.copy(table, landing.put("1.csv", "1\n"))
    client.commit()
    loader = connect(user="loader", password="loader's secret")
    mine = "SELECT count(*) FROM sys_load_history WHERE table_name = %s"
    assert loader.value(mine, table) == 0
    loader.rollback()
    loader.copy(table, landing.url("1.csv"))  # INSERT is all that COPY needs
    loader.commit()
    assert (loader.value(mine, table), client.value(mine, table)) == (1, 2)


def test_the_load_history_tells_how_a_copy_ended(client: Client, landing: Landing) -> None:
    table = new_table(client, "id int")
    url = landing.put("1.csv", "1\n2\n")
    client.copy(table, url)
    first = client.value("SELECT pg_last_copy_id()")
    with pytest.raises(redshift_connector.ProgrammingError):
        client.copy(table, landing.put("bad.csv", "x\n"))
    client.rollback()
    history = client.run(
        "SELECT query_id = %s, status, loaded_rows, source_file_count, source_file_bytes, error_count, data_source "
        "FROM sys_load_history WHERE table_name = %s ORDER BY query_id",
        first,
        table,
    )
    assert history == [[True, "completed", 2, 1, 4, 0, url], [False, "aborted", 0, 1, 2, 1, landing.url("bad.csv")]]


def test_the_last_copy_is_the_sessions_and_not_the_transactions(
    client: Client, connect: Callable[..., Client], landing: Landing
) -> None:
    """A loader reads the count in the load's own transaction and must never read an older load's."""
    last = "SELECT pg_last_copy_id(), pg_last_copy_count()"
    table = new_table(client, "id int")
    assert client.run(last) == [[-1, 0]]
    client.copy(table, landing.put("1.csv", "1\n2\n"))
    first_id, count = client.run(last)[0]
    assert count == 2
    client.rollback()
    assert client.run(last) == [[first_id, 2]], "a rollback does not change what the last COPY was"
    with pytest.raises(redshift_connector.ProgrammingError):
        client.copy(table, landing.put("2.csv", "x\n"))
    client.rollback()
    failed_id, count = client.run(last)[0]
    assert failed_id > first_id
    assert count == 0, "a failed load must not show its predecessor's rows"
    with pytest.raises(redshift_connector.ProgrammingError):
        client.run(f"COPY {table} FROM 's3://{BUCKET}/x' IAM_ROLE default BLAH")
    client.rollback()
    assert client.run(last) == [[failed_id, 0]], "a COPY that never began is not the last one"
    assert connect().run(last) == [[-1, 0]]


def test_a_copy_in_autocommit_commits_itself(simple, client: Client, landing: Landing) -> None:
    table = new_table(client, "id int")
    simple.execute(copy_sql(table, landing.put("1.csv", "1\n")))
    assert simple.info.transaction_status.name == "IDLE"
    assert rows(client, table) == [[1]]
    assert simple.execute("SELECT pg_last_copy_count()").fetchone() == (1,)


def test_a_copy_is_undone_with_its_transaction(client: Client, landing: Landing) -> None:
    table = new_table(client, "id int")
    client.copy(table, landing.put("1.csv", "1\n"))
    client.rollback()
    assert rows(client, table) == []


MISSING = "S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey,Rid "


def test_errors_are_worded_as_redshift_words_them(client: Client, landing: Landing) -> None:
    """A loader tells what went wrong by these texts, and has been tested with them."""
    table = new_table(client, "id int")
    manifest = landing.manifest(landing.url("missing.csv"))
    invalid = landing.put("invalid", "{]")
    cases = [
        (copy_sql("nowhere", manifest, "MANIFEST CSV"), "XX000", "Cannot COPY into nonexistent table nowhere"),
        (copy_sql("no.where", manifest, "MANIFEST CSV"), "XX000", "Cannot COPY into nonexistent table where"),
        (copy_sql(table, manifest, "MANIFEST CSV"), "XX000", "Mandatory url is not present in manifest file."),
        (copy_sql(table, landing.url("m"), "MANIFEST"), "XX000", f"Problem reading manifest file - {MISSING}"),
        (copy_sql(table, invalid, "MANIFEST"), "XX000", "Problem reading manifest file - "),
        (copy_sql(table, manifest, "MANIFEST CSV", role=""), "XX000", "Invalid credentials. Must be of the format: "),
        (copy_sql(f"{table} (nope)", manifest, "MANIFEST CSV"), "42703", 'column "nope" of relation'),
        (copy_sql(table, manifest, "MANIFEST CSV CSV"), "42601", "conflicting or redundant options"),
        (copy_sql(table, manifest, "MANIFEST CVS"), "42601", 'syntax error at or near "CVS"'),
        (copy_sql(table, manifest, "MANIFEST CSV DELIMITER"), "42601", "syntax error at end of input"),
        (copy_sql(table, "s3://no-such-bucket/x"), "XX000", "S3ServiceException:The specified bucket does not exist"),
    ]
    for sql, code, message in cases:
        with pytest.raises(redshift_connector.ProgrammingError) as raised:
            client.run(sql)
        error = server_error(raised.value)
        assert (error["C"], error["M"][: len(message)]) == (code, message)
        with pytest.raises(redshift_connector.ProgrammingError) as raised:
            client.run("SELECT 1")
        assert server_error(raised.value)["C"] == "25P02", "the transaction has failed"
        client.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "COPY {table} FROM 's3://b/k' IAM_ROLE default ENCRYPTED",
        "COPY {table} FROM 'dynamodb://b' IAM_ROLE default",
        "COPY {table} TO STDOUT",
    ],
)
def test_what_is_missing_here_is_refused_and_not_ignored(client: Client, statement: str) -> None:
    """An option without effect would make a test pass that fails on Redshift."""
    table = new_table(client, "id int")
    with pytest.raises(redshift_connector.ProgrammingError) as raised:
        client.run(statement.format(table=table))
    error = server_error(raised.value)
    assert error["C"] == "0A000"
    assert error["M"].endswith("is not supported by the local Redshift")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (503, "S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown,"),
        (404, "S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey,"),
    ],
)
def test_s3_answers_with_an_error_for_as_long_as_a_test_wants(
    client: Client, landing: Landing, status: int, words: str
) -> None:
    """A loader has to be shown that throttling passes, without a real S3 that throttles."""
    table = new_table(client, "id int")
    url = landing.put("1.csv", "1\n")
    client.run(f"LOCAL FAULT s3:{status} FOR 600 '^{url}'")
    with pytest.raises(redshift_connector.ProgrammingError) as raised:
        client.copy(table, url)
    assert server_error(raised.value)["M"].startswith(words)
    client.rollback()
    client.run("LOCAL FAULT CLEAR")
    client.copy(table, url)
    assert rows(client, table) == [[1]]
