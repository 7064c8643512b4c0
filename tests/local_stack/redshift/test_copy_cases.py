"""COPY, option by option: the bytes in S3, the statement, and the rows or the refusal, through two drivers.

redshift_connector speaks the extended protocol and psycopg, without parameters, the simple one.
"""

import bz2
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import psycopg
import pyarrow as pa
import pytest
import redshift_connector
import zstandard
from pyarrow import orc, parquet
from support.lzop_file import lzop
from support.redshift_fixtures import BUCKET, Client, Landing, copy_sql, new_table, server_error

Run = Callable[[str], list[list[Any]]]
ID_NAME = "id int, name varchar(20)"
FAILED = "Load into table '{table}' failed.  Check 'stl_load_errors' system table for details."


@dataclass(frozen=True)
class Case:
    """One COPY.

    Attributes:
        about: What it shows; the test's id.
        options: The COPY's options; `{prefix}` stands for the case's prefix in S3.
        content: The object's bytes, or several objects' by name; the COPY reads all of them but jsonpaths files.
        rows: The table's rows afterwards, sorted.
        columns: The table.
        into: The COPY's column list.
        error: What the server answers, from its beginning; None if the COPY succeeds.
        refused: The load-error rows: line, column, value, code, and the reason's beginning.
    """

    about: str
    options: str
    content: bytes | dict[str, bytes]
    rows: list[list[Any]] | None = None
    columns: str = ID_NAME
    into: str = ""
    error: str | None = None
    refused: tuple[tuple[int, str, str, int, str], ...] = ()


def text(value: str) -> bytes:
    return value.encode()


def avro(records: list[dict[str, Any]], *fields: tuple[str, Any]) -> bytes:
    file = io.BytesIO()
    schema = {"type": "record", "name": "r", "fields": [{"name": name, "type": kind} for name, kind in fields]}
    fastavro.writer(file, fastavro.parse_schema(schema), records)
    return file.getvalue()


def parquet_of(**columns: Any) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


def orc_of(**columns: Any) -> bytes:
    file = io.BytesIO()
    orc.write_table(pa.table(columns), file)
    return file.getvalue()


TWO = [[1, "a"], [2, "b"]]
LINES = b"1,a\n2,b\n"
INTS = pa.array([1, 2], pa.int32())
DAYS = "id int, day date"
TIMES = "id int, at timestamp"
NINE = datetime(2024, 1, 2, 9, 5, 6)

# fmt: off
CASES = [
    # formats
    Case("csv", "CSV", b'1,"a, ""b""\nc"\n2,\n', [[1, 'a, "b"\nc'], [2, ""]]),
    Case("csv: quote", "CSV QUOTE '%'", b"1,%a,b%\n2,b\n", [[1, "a,b"], [2, "b"]]),
    Case("csv: line ends of Windows", "CSV", b'1,"a\r\nb"\r\n2,b\r\n', [[1, "a\r\nb"], [2, "b"]]),
    Case("text", "", b"1|a\n2|b\n", TWO),
    Case("text: octal delimiter", r"DELIMITER '\001'", b"1\x01a\n2\x01b\n", TWO),
    Case("text: tab", r"DELIMITER '\t'", b"1\ta\n2\tb\n", TWO),
    Case("text: several characters", "DELIMITER '|~|'", b"1|~|a\n2|~|b|~|\n", TWO),
    Case("text: several characters, ESCAPE", "DELIMITER '|~|' ESCAPE", b"1|~|a\n2|~|\\b\n", TWO),
    Case("text: several characters, REMOVEQUOTES", "DELIMITER '||' REMOVEQUOTES", b"1||'a'\n2||b\n", TWO),
    Case("csv: several characters", "CSV DELIMITER '||'", b'1||a\n2||"b"\n', TWO),
    Case("text: a delimiter may end a line", "", b"1|a|\n2|b|\n", TWO),
    Case("escape", "ESCAPE", rb"1|a\|b\\c" + b"\n2|d\\\ne\n3|\\N\n", [[1, "a|b\\c"], [2, "d\ne"], [3, None]]),
    Case("removequotes", "REMOVEQUOTES", b"1|\"a|b\"\n2|'c'\n3|d'\n", [[1, "a|b"], [2, "c"], [3, "d'"]]),
    Case("removequotes: nested", "REMOVEQUOTES", b"1|' ' 'Black' ' '\n2|''\n", [[1, " ' 'Black' ' "], [2, ""]]),
    Case(
        "removequotes: no end",
        "REMOVEQUOTES",
        b"1|a\n2|'b\n",
        error=FAILED,
        refused=((2, "", "", 1214, "Delimited value missing end quote"),),
    ),
    Case(
        "removequotes with escape", "REMOVEQUOTES ESCAPE", rb'1|"a\"b|c"' + b"\n2|b\\|c\n", [[1, 'a"b|c'], [2, "b|c"]]
    ),
    Case("fixedwidth", "FIXEDWIDTH 'id:3,name:5'", b"  1a    \n  2bc\n", [[1, "a    "], [2, "bc"]]),
    Case(
        "fixedwidth: too short",
        "FIXEDWIDTH '0:3,1:5'",
        b"  1\n",
        error=FAILED,
        refused=((1, "", "", 1201, "Delimiter not found"),),
    ),
    Case("fixedwidth: another number of columns", "FIXEDWIDTH '0:3'", b"  1\n", error="The number of columns"),
    Case("json auto", "JSON 'auto'", b'{"id": 1, "name": "a"}\n{"name": "b", "id": 2, "more": [1]}', TWO),
    Case("json auto is the default", "FORMAT AS JSON", b'{"id": 1, "name": "a"} {"name": "b", "id": 2}', TWO),
    Case("json auto minds the case", "JSON 'auto'", b'{"ID": 1, "name": "a"}', [[None, "a"]]),
    Case("json auto ignorecase", "JSON 'auto ignorecase'", b'{"ID": 1, "Name": "a"}', [[1, "a"]]),
    Case(
        "json noshred",
        "JSON 'noshred'",
        b'{"a": [1, null, "x"]}\n{"b": 1.50}',
        [[{"a": [1, None, "x"]}], [{"b": 1.5}]],
        columns="document super",
    ),
    Case(
        "json paths",
        "JSON '{prefix}paths.json'",
        {"1.json": b'{"k": {"n": 1}, "l": ["x", "a"]}', "paths.json": b'{"jsonpaths": ["$.k.n", "$.l[1]"]}'},
        [[1, "a"]],
    ),
    Case(
        "json paths: another number",
        "JSON '{prefix}paths.json'",
        {"1.json": b"{}", "paths.json": b'{"jsonpaths": ["$.k"]}'},
        error="Number of jsonpaths and the number of columns should match.",
    ),
    Case("json: nested values as text", "JSON 'auto'", b'{"id": 1, "name": {"a": [1]}}', [[1, '{"a":[1]}']]),
    Case("avro auto", "AVRO 'auto'", avro([{"name": "a", "id": 1}], ("name", "string"), ("id", "int")), [[1, "a"]]),
    Case("avro auto ignorecase", "AVRO 'auto ignorecase'", avro([{"ID": 1}], ("ID", "int")), [[1, None]]),
    Case(
        "avro paths",
        "AVRO '{prefix}paths.json'",
        {"1.avro": avro([{"k": 1, "l": ["x"]}], ("k", "long"), ("l", {"type": "array", "items": "string"})),
         "paths.json": b'{"jsonpaths": ["$.k", "$.l[0]"]}'},
        [[1, "x"]],
    ),
    Case("parquet", "FORMAT AS PARQUET", parquet_of(a=INTS, b=pa.array(["a", "b"])), TWO),
    Case("parquet: fewer columns", "PARQUET", parquet_of(a=INTS), error="Spectrum Scan Error"),
    Case("parquet: fillrecord", "PARQUET FILLRECORD", parquet_of(a=INTS), [[1, None], [2, None]]),
    Case("orc", "FORMAT ORC", orc_of(a=INTS, b=pa.array(["a", "b"])), TWO),
    Case("parquet that is none", "PARQUET", b"PAR1 no", error="Spectrum Scan Error"),
    # compression
    Case("gzip", "CSV GZIP", gzip.compress(b"1,a\n") + gzip.compress(b"2,b\n"), TWO),
    Case("bzip2", "CSV BZIP2", bz2.compress(b"1,a\n") + bz2.compress(b"2,b\n"), TWO),
    Case("zstd", "CSV ZSTD", zstandard.compress(b"1,a\n") + zstandard.compress(b"2,b\n"), TWO),
    Case("lzop", "CSV LZOP", lzop(LINES), TWO),
    Case("gzip: truncated", "CSV GZIP", gzip.compress(LINES)[:-6], error="failed to inflate input file"),
    Case("bzip2: not", "CSV BZIP2", LINES, error="failed to inflate input file"),
    Case("zstd: not", "CSV ZSTD", LINES, error="failed to inflate input file"),
    Case("lzop: not", "CSV LZOP", LINES, error="failed to inflate input file"),
    Case("json in gzip", "JSON GZIP", gzip.compress(b'{"id": 1, "name": "a"}'), [[1, "a"]]),
    # what is loaded
    Case("ignoreheader", "CSV IGNOREHEADER 1", {"1": b"id,name\n1,a\n", "2": b"id,name\n2,b"}, TWO),
    Case("null as", "CSV NULL AS 'nil'", b"1,nil\n2,b\n", [[1, None], [2, "b"]]),
    Case("null as: text that is written so", r"NULL AS '\N'", b"1|\\N\n2|b\n", [[1, None], [2, "b"]]),
    Case("column list", "CSV", b"a,1\nb,2\n", TWO, into="(name, id)"),
    Case("ignoreblanklines", "CSV IGNOREBLANKLINES", b"\n1,a\n\n\n2,b\n\n", TWO),
    Case(
        "a blank line without it", "CSV", b"1,a\n\n", error=FAILED, refused=((2, "", "", 1201, "Delimiter not found"),)
    ),
    Case("fillrecord", "CSV FILLRECORD", b"1,a\n2\n", [[1, "a", None], [2, "", None]], columns=f"{ID_NAME}, n int"),
    Case("explicit_ids", "CSV EXPLICIT_IDS", b"7,a\n9,b\n", [[7, "a"], [9, "b"]],
         columns="id int identity(1,1), name varchar(20)"),
    Case("identity without it", "CSV", b"a\n", [[1, "a"]], columns="id int identity(1,1), name varchar(20)"),
    Case("identity in the column list without it", "CSV", b"1,a\n", columns="id int identity(1,1), name varchar(20)",
         into="(id, name)", error="cannot set identity column"),
    Case("noload", "CSV NOLOAD", LINES, []),
    Case("noload finds errors", "CSV NOLOAD", b"x,a\n", error=FAILED,
         refused=((1, "id", "x", 1207, "Invalid digit, Value 'x', Pos 0, Type: Integer"),)),
    Case("maxerror", "CSV MAXERROR 2", b"1,a\nx,b\n", [[1, "a"]], refused=((2, "id", "x", 1207, "Invalid digit"),)),
    Case("maxerror reached", "CSV MAXERROR 2", b"y,a\nx,b\n", error=FAILED,
         refused=((1, "id", "y", 1207, "Invalid digit"), (2, "id", "x", 1207, "Invalid digit"))),
    Case("ignoreallerrors", "CSV IGNOREALLERRORS", b"y,a\nx,b\n1,a\n", [[1, "a"]],
         refused=((1, "id", "y", 1207, "Invalid digit"), (2, "id", "x", 1207, "Invalid digit"))),
    Case("hints", "CSV COMPUPDATE OFF STATUPDATE ON COMPROWS 100000", LINES, TWO),
    Case("region", "CSV REGION AS 'us-east-1'", LINES, TWO),
    # conversion
    Case("dateformat auto", "CSV DATEFORMAT 'auto'", b"1,2024-01-02\n2,01/02/2024\n3,20240102\n4,J2460312\n",
         [[number, date(2024, 1, 2)] for number in (1, 2, 3, 4)], columns=DAYS),
    Case("dateformat", "CSV DATEFORMAT 'MON-DD-YYYY'", b"1,Jan-02-2024\n2,january-02-2024\n",
         [[1, date(2024, 1, 2)], [2, date(2024, 1, 2)]], columns=DAYS),
    Case("dateformat does not fit", "CSV DATEFORMAT 'DD.MM.YYYY'", b"1,2024-01-02\n", columns=DAYS, error=FAILED,
         refused=((1, "day", "2024-01-02", 1205, "Invalid Date Format"),)),
    Case("a date needs no guess without it", "CSV", b"1,01/02/2024\n", columns=DAYS, error=FAILED,
         refused=((1, "day", "01/02/2024", 1205, "Invalid Date Format"),)),
    Case("no such day", "CSV", b"1,2023-02-29\n", columns=DAYS, error=FAILED,
         refused=((1, "day", "2023-02-29", 1205, "Invalid Date Format"),)),
    Case("acceptanydate", "CSV ACCEPTANYDATE DATEFORMAT 'auto'", b"1,00/00/0000\n2,tomorrow\n",
         [[1, None], [2, None]], columns=DAYS),
    Case("timeformat auto", "CSV TIMEFORMAT 'auto'", b"1,2024-01-02T09:05:06Z\n2,01/02/2024 09:05:06\n",
         [[1, NINE], [2, NINE]], columns=TIMES),
    Case("timeformat epochsecs", "CSV TIMEFORMAT 'epochsecs'", b"1,1704186306\n", [[1, NINE]], columns=TIMES),
    Case("timeformat epochmillisecs", "CSV TIMEFORMAT AS 'epochmillisecs'", b"1,1704186306250\n",
         [[1, NINE.replace(microsecond=250_000)]], columns=TIMES),
    Case("timeformat", "CSV TIMEFORMAT 'DD.MM.YYYY HH:MI:SS'", b"1,02.01.2024 09:05:06\n", [[1, NINE]], columns=TIMES),
    Case("timeformat does not fit", "CSV TIMEFORMAT 'epochsecs'", b"1,x\n", columns=TIMES, error=FAILED,
         refused=((1, "at", "x", 1206, "Invalid timestamp format or value"),)),
    Case("timestamptz", "CSV", b"1,2024-01-02 09:05:06+02\n", [[1, datetime(2024, 1, 2, 7, 5, 6, tzinfo=UTC)]],
         columns="id int, at timestamptz"),
    Case("acceptinvchars", "CSV ACCEPTINVCHARS AS '^'", b"1,a\xff\xe2\x82b\n", [[1, "a^^^b"]]),
    Case("acceptinvchars: a question mark", "CSV ACCEPTINVCHARS", b"1,a\xffb\n", [[1, "a?b"]]),
    Case("invalid characters without it", "CSV", b"1,a\xff\n", error=FAILED,
         refused=((1, "", "", 1220, "String contains invalid or unsupported UTF8 codepoints."),)),
    Case("blanksasnull", "CSV BLANKSASNULL", b"1,  \n2,\n", [[1, None], [2, ""]]),
    Case("emptyasnull", "CSV EMPTYASNULL", b"1,  \n2,\n", [[1, "  "], [2, None]]),
    Case("trimblanks", "CSV TRIMBLANKS", b"1,a  \n2, b\n", [[1, "a"], [2, " b"]]),
    Case("truncatecolumns counts bytes and cuts no character", "CSV TRUNCATECOLUMNS", text("1,aë\n2,ëë\n"),
         [[1, "a"], [2, "ë"]], columns="id int, name varchar(2)"),
    Case("too long without it", "CSV", text("1,ëë\n"), columns="id int, name varchar(3)", error=FAILED,
         refused=((1, "name", "ëë", 1204, "String length exceeds DDL length"),)),
    Case("decimals are cut off", "CSV", b"1,1.259\n2,-1.259\n", [[1, Decimal("1.25")], [2, Decimal("-1.25")]],
         columns="id int, n decimal(6,2)"),
    Case("roundec", "CSV ROUNDEC", b"1,1.255\n2,-1.259\n", [[1, Decimal("1.26")], [2, Decimal("-1.26")]],
         columns="id int, n decimal(6,2)"),
    Case("encoding utf16", "CSV ENCODING UTF16", text("1,ë\n").decode().encode("utf-16"), [[1, "ë"]]),
    Case("encoding utf16le", "CSV ENCODING AS UTF16LE", text("1,ë\n").decode().encode("utf-16-le"), [[1, "ë"]]),
    Case("encoding utf16be", "CSV ENCODING UTF16BE", text("1,ë\n").decode().encode("utf-16-be"), [[1, "ë"]]),
    Case("encoding iso88591", "CSV ENCODING ISO88591", text("1,ë\n").decode().encode("latin-1"), [[1, "ë"]]),
    Case("encoding that is another", "CSV ENCODING UTF16", b"\xff\xfe1\x00\x00\xd8\x00\xd8",
         error="Encoding of the file is not the same as that specified in the COPY command"),
    Case("super from csv", "CSV", b'1,"{""a"": 1}"\n', [[1, {"a": 1}]], columns="id int, document super"),
    Case("every other type", "CSV", b"true,1.5,-2.5e3,12:30:01,00ff\n", [[True, 1.5, -2500.0, "12:30:01", b"\x00\xff"]],
         columns="b bool, r real, d float8, t time, v varbyte(4)"),
]
# fmt: on

REFUSED_TOGETHER = [
    ("CSV ESCAPE", "CSV is not compatible with ESCAPE"),
    ("CSV REMOVEQUOTES", "CSV is not compatible with REMOVEQUOTES"),
    ("FIXEDWIDTH '0:1' DELIMITER '|'", "FIXEDWIDTH is not compatible with DELIMITER"),
    ("JSON 'auto' ESCAPE", "JSON is not compatible with ESCAPE"),
    ("AVRO 'auto' FILLRECORD", "AVRO is not compatible with FILLRECORD"),
    ("PARQUET GZIP", "GZIP argument is not supported for PARQUET based COPY"),
    ("PARQUET TRUNCATECOLUMNS", "TRUNCATECOLUMNS argument is not supported for PARQUET based COPY"),
    ("ORC MAXERROR 3", "MAXERROR argument is not supported for ORC based COPY"),
    ("PARQUET REGION 'us-east-1'", "REGION argument is not supported for PARQUET based COPY"),
    ("CSV JSON 'auto'", "conflicting or redundant options"),
    ("CSV GZIP ZSTD", "conflicting or redundant options"),
    ("CSV MAXERROR 1 IGNOREALLERRORS", "conflicting or redundant options"),
    ("CSV CSV", "conflicting or redundant options"),
    ("QUOTE '%'", "COPY quote available only in CSV mode"),
    ("CSV DELIMITER ''", "COPY delimiter must not be empty"),
    ("CSV DELIMITER '\\012'", "COPY delimiter must not be empty, nor hold a line end"),
    ("CSV DELIMITER '||' QUOTE '||'", "COPY quote must be a single character"),
    ("CSV DELIMITER '|%|' QUOTE '%'", "COPY quote must not appear in the delimiter specification"),
    ("CSV QUOTE '|' DELIMITER '|'", "COPY quote must not appear in the delimiter specification"),
    ("CSV ACCEPTINVCHARS '??'", "ACCEPTINVCHARS replacement must be a single ASCII character"),
    ("CSV ENCODING EBCDIC", "Invalid encoding 'EBCDIC' for COPY"),
    ("JSON 'automatic'", "Invalid JSON option 'automatic'"),
    ("FIXEDWIDTH 'id'", "Invalid fixedwidth_spec 'id'"),
    ("SHAPEFILE", "COPY option SHAPEFILE is not supported by the local Redshift"),
    ("ENCRYPTED", "COPY option ENCRYPTED is not supported by the local Redshift"),
    ("CSVV", 'syntax error at or near "CSVV"'),
    ("FORMAT AS XML", 'syntax error at or near "XML"'),
]


@pytest.fixture(params=["redshift_connector", "psycopg"])
def run(request: pytest.FixtureRequest, client: Client, simple: "psycopg.Connection[Any]") -> Run:
    if request.param == "redshift_connector":
        client.connection.autocommit = True
        return client.run

    def run_simply(sql: str) -> list[list[Any]]:
        cursor = simple.execute(sql)
        return [list(row) for row in cursor.fetchall()] if cursor.description else []

    return run_simply


def message(error: BaseException) -> str:
    if isinstance(error, psycopg.Error):
        return str(error.diag.message_primary)
    return server_error(error)["M"]


def copied(run: Run, table: str, url: str, options: str) -> str | None:
    """COPY; returns what the server answered if it failed."""
    try:
        run(copy_sql(table, url, options))
    except (psycopg.Error, redshift_connector.Error) as error:
        return message(error)
    return None


def comparable(value: Any) -> Any:
    """The drivers differ in what they make of a SUPER, a TIME and a VARBYTE; compared is what the server said."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    if isinstance(value, str) and value.startswith("\\x"):
        return bytes.fromhex(value[2:])
    return value.isoformat() if hasattr(value, "tzinfo") and not isinstance(value, datetime) else value


@pytest.mark.parametrize("case", CASES, ids=[case.about for case in CASES])
def test_a_copy_does_what_redshift_does(run: Run, client: Client, landing: Landing, case: Case) -> None:
    table = new_table(client, case.columns)
    content = case.content if isinstance(case.content, dict) else {"1": case.content}
    for name, body in content.items():
        landing.put(name if name == "paths.json" else f"in/{name}", body)
    options = case.options.replace("{prefix}", f"s3://{BUCKET}/{landing.prefix}")
    answered = copied(run, f"{table} {case.into}", landing.url("in/"), options)
    wanted = case.error and case.error.format(table=table)
    assert (answered is None) == (wanted is None), answered
    assert (answered or "").startswith(wanted or "")
    errors = run(
        "SELECT line_number, rtrim(colname), rtrim(raw_field_value), err_code, rtrim(err_reason) FROM stl_load_errors "
        f"WHERE tbl = '{table}'::regclass::int ORDER BY line_number"
    )
    for row, (*facts, reason) in zip(errors, case.refused, strict=wanted is None or case.error == FAILED):
        assert row[:4] == facts
        assert row[4].startswith(reason)
    rows = [[comparable(value) for value in row] for row in run(f"SELECT * FROM {table} ORDER BY 1")]
    assert rows == [[comparable(value) for value in row] for row in (case.rows or [])]


@pytest.mark.parametrize(("options", "answer"), REFUSED_TOGETHER)
def test_what_redshift_refuses_together_is_refused(
    run: Run, client: Client, landing: Landing, options: str, answer: str
) -> None:
    table = new_table(client, ID_NAME)
    assert (copied(run, table, landing.put("1", LINES), options) or "").startswith(answer)
