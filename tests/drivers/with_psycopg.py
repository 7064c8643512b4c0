"""psycopg 3, as a stranger's program uses it: either protocol, pipelines and cursors of the server's."""

import datetime
import decimal
import json
import os
import threading
import uuid
from typing import Any

import psycopg

PLACE = json.loads(os.environ["LOCAL_REDSHIFT"])
TABLE = f"orders_{uuid.uuid4().hex}"
COLUMNS = "id integer NOT NULL, name varchar(40), price decimal(8, 2), ordered date"


def connect(**more: Any) -> "psycopg.Connection[Any]":
    login = {name: PLACE[name] for name in ("host", "port", "user", "password")}
    encryption = {"sslmode": "verify-full", "sslrootcert": PLACE["ca"]} if PLACE["tls"] else {"sslmode": "prefer"}
    # Redshift calls UTF-8 `UNICODE`, and psycopg has to be told what that is.
    return psycopg.connect(dbname=PLACE["database"], client_encoding="utf8", **encryption, **login, **more)


def logs_in_and_asks_the_version(connection: "psycopg.Connection[Any]") -> None:
    assert connection.info.server_version == 80002
    assert "Redshift" in connection.execute("SELECT version()").fetchall()[0][0]


def creates_a_table(connection: "psycopg.Connection[Any]") -> None:
    connection.execute(f"CREATE TABLE {TABLE} ({COLUMNS}, PRIMARY KEY (id)) DISTSTYLE EVEN COMPOUND SORTKEY (id, name)")
    connection.commit()


def copies_with_a_role(connection: "psycopg.Connection[Any]") -> None:
    connection.execute(f"COPY {TABLE} FROM '{PLACE['orders']}' IAM_ROLE default CSV IGNOREHEADER 1")
    assert connection.execute("SELECT pg_last_copy_count()").fetchall() == [(3,)]
    connection.commit()


def copies_with_an_access_key_in_a_prepared_statement(connection: "psycopg.Connection[Any]") -> None:
    connection.execute(
        f"COPY {TABLE} (id, name) FROM '{PLACE['more']}' "
        f"ACCESS_KEY_ID '{PLACE['key_id']}' SECRET_ACCESS_KEY '{PLACE['key']}' DELIMITER '|'",
        prepare=True,
    )
    assert connection.execute("SELECT pg_last_copy_count()", prepare=True).fetchall() == [(2,)]
    connection.commit()


def reads_the_rows_back_as_text_and_binary(connection: "psycopg.Connection[Any]") -> None:
    expected = [
        (1, "tea", decimal.Decimal("1.50"), datetime.date(2026, 1, 1)),
        (2, 'a "big" pot', decimal.Decimal("20.00"), datetime.date(2026, 1, 2)),
        (3, "", None, None),
        (4, "ünï", None, None),
        (5, "milk", None, None),
    ]
    for binary in (False, True):
        with connection.cursor(binary=binary) as cursor:
            found = cursor.execute(f"SELECT * FROM {TABLE} ORDER BY id").fetchall()
        assert found == expected, (binary, found)
    connection.commit()


def passes_parameters(connection: "psycopg.Connection[Any]") -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} VALUES (%s, %s, %s, %s)", (6, "it's", decimal.Decimal("0.10"), None))
        cursor.executemany(f"INSERT INTO {TABLE} (id, name) VALUES (%s, %s)", [(7, "x"), (8, None)])  # a pipeline
        for number in range(1, 12):  # psycopg prepares a statement when it comes again
            count = cursor.execute(f"SELECT count(*) FROM {TABLE} WHERE id <= %s", (number,)).fetchall()
            assert count == [(min(number, 8),)], (number, count)
        cursor.execute(f"DELETE FROM {TABLE} WHERE id = %s", (8,))
        assert cursor.rowcount == 1
    connection.commit()


def rolls_back(connection: "psycopg.Connection[Any]") -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(f"DELETE FROM {TABLE}")
        connection.execute(f"COPY {TABLE} FROM '{PLACE['orders']}' IAM_ROLE default CSV IGNOREHEADER 1")
        assert connection.execute(f"SELECT count(*) FROM {TABLE}").fetchall() == [(3,)]
    assert connection.execute(f"SELECT count(*) FROM {TABLE}").fetchall() == [(7,)]
    connection.commit()


def sends_several_statements_at_once(connection: "psycopg.Connection[Any]") -> None:
    cursor = connection.execute(
        f"DELETE FROM {TABLE} WHERE id <= 3; "
        f"COPY {TABLE} FROM '{PLACE['orders']}' IAM_ROLE default CSV IGNOREHEADER 1; "
        f"SELECT count(*) FROM {TABLE}"
    )
    messages = [cursor.statusmessage]
    while cursor.nextset():
        messages.append(cursor.statusmessage)
    assert messages[:2] == ["DELETE 3", "COPY"], messages
    assert cursor.fetchall() == [(7,)]
    connection.commit()


def sees_the_text_of_an_error(connection: "psycopg.Connection[Any]") -> None:
    try:
        connection.execute("SELECT * FROM nowhere_at_all")
    except psycopg.errors.UndefinedTable as error:
        assert error.diag.message_primary == 'relation "nowhere_at_all" does not exist', error
    else:
        raise AssertionError("no error")
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    connection.rollback()


def finds_the_bad_row_in_stl_load_errors(connection: "psycopg.Connection[Any]") -> None:
    try:
        connection.execute(f"COPY {TABLE} FROM '{PLACE['broken']}' IAM_ROLE default CSV")
    except psycopg.errors.InternalError_ as error:
        expected = f"Load into table '{TABLE}' failed.  Check 'stl_load_errors' system table for details."
        assert error.diag.message_primary == expected, error
    else:
        raise AssertionError("no error")
    connection.rollback()
    found = connection.execute(
        "SELECT trim(filename), line_number, trim(colname), trim(raw_field_value), err_code, trim(err_reason) "
        "FROM stl_load_errors WHERE filename = %s ORDER BY starttime DESC LIMIT 1",
        (PLACE["broken"],),
    ).fetchall()
    reason = "Invalid digit, Value 'o', Pos 0, Type: Integer"
    assert found == [(PLACE["broken"], 2, "id", "one", 1207, reason)], found
    connection.commit()


def reads_a_large_result(connection: "psycopg.Connection[Any]") -> None:
    """Whole, row by row, and through a cursor of the server's."""
    connection.execute("CREATE TEMP TABLE large (id integer, words varchar(100))")
    connection.execute(f"COPY large FROM '{PLACE['large']}' IAM_ROLE default CSV")
    expected = (PLACE["large_rows"], PLACE["large_sum"])
    whole = connection.execute("SELECT id, words FROM large").fetchall()
    assert (len(whole), sum(row[0] for row in whole)) == expected
    with connection.cursor() as cursor:
        streamed = [row[0] for row in cursor.stream("SELECT id, words FROM large")]
    assert (len(streamed), sum(streamed)) == expected
    with connection.cursor(name="on_the_server") as cursor:
        cursor.itersize = 10_000
        fetched = [row[0] for row in cursor.execute("SELECT id, words FROM large")]
    assert (len(fetched), sum(fetched)) == expected
    connection.rollback()


def works_in_autocommit() -> None:
    with connect(autocommit=True) as connection:
        connection.execute(f"TRUNCATE {TABLE}")
        connection.execute(f"COPY {TABLE} FROM '{PLACE['orders']}' IAM_ROLE default CSV IGNOREHEADER 1")
        assert connection.execute(f"SELECT count(*) FROM {TABLE}").fetchall() == [(3,)]
        connection.execute(f"DROP TABLE {TABLE}")


def cancels_a_statement() -> None:
    with connect(autocommit=True) as connection:
        connection.execute("SET statement_timeout = 60000")
        timer = threading.Timer(0.3, connection.cancel_safe)
        timer.start()
        try:
            connection.execute("SELECT pg_sleep(30)")
        except psycopg.errors.QueryCanceled:
            timer.join()
        else:
            raise AssertionError("not cancelled")


with connect() as shared:
    for step in (
        logs_in_and_asks_the_version,
        creates_a_table,
        copies_with_a_role,
        copies_with_an_access_key_in_a_prepared_statement,
        reads_the_rows_back_as_text_and_binary,
        passes_parameters,
        rolls_back,
        sends_several_statements_at_once,
        sees_the_text_of_an_error,
        finds_the_bad_row_in_stl_load_errors,
        reads_a_large_result,
    ):
        step(shared)
        print(step.__name__)
for alone in (works_in_autocommit, cancels_a_statement):
    alone()
    print(alone.__name__)
