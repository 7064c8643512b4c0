"""redshift_connector, as a stranger's program uses it: the extended protocol, and no autocommit unless asked for."""

import datetime
import decimal
import json
import os
import re
import tempfile
import uuid
from typing import Any

import redshift_connector

PLACE = json.loads(os.environ["LOCAL_REDSHIFT"])
TABLE = f"orders_{uuid.uuid4().hex}"
COLUMNS = "id integer NOT NULL, name varchar(40), price decimal(8, 2), ordered date"


def connect() -> Any:
    login = {name: PLACE[name] for name in ("host", "port", "database", "user", "password")}
    return redshift_connector.connect(iam=False, ssl=PLACE["tls"], **login)


def rows_of(cursor: Any, sql: str, parameters: Any = None) -> list[list[Any]]:
    cursor.execute(sql, parameters)
    return [list(row) for row in cursor.fetchall()]


def logs_in_and_asks_the_version(connection: Any) -> None:
    with connection.cursor() as cursor:
        ((version,),) = rows_of(cursor, "SELECT version()")
    assert re.match(r"PostgreSQL 8\.0\.2 on .*, Redshift 1\.0\.\d+$", version), version


def creates_a_table(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {TABLE} ({COLUMNS}, PRIMARY KEY (id)) DISTKEY (id) SORTKEY (ordered)")
    connection.commit()


def copies_with_a_role(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"COPY {TABLE} FROM '{PLACE['orders']}' IAM_ROLE default CSV IGNOREHEADER 1")
        assert cursor.rowcount == -1, "as on Redshift"
        assert rows_of(cursor, "SELECT pg_last_copy_count()") == [[3]]
    connection.commit()


def copies_with_an_access_key(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"COPY {TABLE} (id, name) FROM '{PLACE['more']}' "
            f"CREDENTIALS 'aws_access_key_id={PLACE['key_id']};aws_secret_access_key={PLACE['key']}' DELIMITER '|'"
        )
        assert rows_of(cursor, "SELECT pg_last_copy_count()") == [[2]]
    connection.commit()


def reads_the_rows_back(connection: Any) -> None:
    with connection.cursor() as cursor:
        found = rows_of(cursor, f"SELECT * FROM {TABLE} ORDER BY id")
        assert [column[0] for column in cursor.description] == ["id", "name", "price", "ordered"]
    assert found == [
        [1, "tea", decimal.Decimal("1.50"), datetime.date(2026, 1, 1)],
        [2, 'a "big" pot', decimal.Decimal("20.00"), datetime.date(2026, 1, 2)],
        [3, "", None, None],
        [4, "ünï", None, None],
        [5, "milk", None, None],
    ], found


def passes_parameters(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} VALUES (%s, %s, %s, %s)", (6, "it's", decimal.Decimal("0.10"), None))
        cursor.executemany(f"INSERT INTO {TABLE} (id, name) VALUES (%s, %s)", [(7, "x"), (8, None)])
        found = rows_of(cursor, f"SELECT id, name FROM {TABLE} WHERE id > %s ORDER BY id", (5,))
        assert found == [[6, "it's"], [7, "x"], [8, None]], found
        for number in (1, 2, 3):  # the driver keeps the prepared statement
            assert rows_of(cursor, f"SELECT count(*) FROM {TABLE} WHERE id <= %s", (number,)) == [[number]]
        cursor.execute(f"UPDATE {TABLE} SET name = %s WHERE id > %s", ("y", 6))
        assert cursor.rowcount == 2
        cursor.execute(f"DELETE FROM {TABLE} WHERE id = %s", (8,))
    connection.commit()


def inserts_a_file_of_this_machine(connection: Any) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file, connection.cursor() as cursor:
        file.write("id,name\n101,a\n102,b\n103,c\n")
        file.flush()
        cursor.insert_data_bulk(file.name, f"public.{TABLE}", [0, 1], ["id", "name"], ",", batch_size=2)
        assert rows_of(cursor, f"SELECT id, name FROM {TABLE} WHERE id > 100 ORDER BY id") == [
            [101, "a"],
            [102, "b"],
            [103, "c"],
        ]
    connection.rollback()


def rolls_back(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {TABLE}")
        cursor.execute(f"COPY {TABLE} FROM '{PLACE['orders']}' IAM_ROLE default CSV IGNOREHEADER 1")
        assert rows_of(cursor, f"SELECT count(*) FROM {TABLE}") == [[3]]
    connection.rollback()
    with connection.cursor() as cursor:
        assert rows_of(cursor, f"SELECT count(*) FROM {TABLE}") == [[7]]
    connection.rollback()


def sees_the_text_of_an_error(connection: Any) -> None:
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT * FROM nowhere_at_all")
        except redshift_connector.ProgrammingError as error:
            assert error.args[0]["C"] == "42P01", error
            assert error.args[0]["M"] == 'relation "nowhere_at_all" does not exist', error
        else:
            raise AssertionError("no error")
        connection.rollback()
        try:
            cursor.execute("SELECT 1; SELECT 2")
        except redshift_connector.ProgrammingError as error:
            assert error.args[0]["C"] == "42601", error
        else:
            raise AssertionError("two statements in one")
    connection.rollback()


def finds_the_bad_row_in_stl_load_errors(connection: Any) -> None:
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"COPY {TABLE} FROM '{PLACE['broken']}' IAM_ROLE default CSV")
        except redshift_connector.ProgrammingError as error:
            expected = f"Load into table '{TABLE}' failed.  Check 'stl_load_errors' system table for details."
            assert error.args[0]["M"] == expected, error
        else:
            raise AssertionError("no error")
    connection.rollback()
    with connection.cursor() as cursor:
        found = rows_of(
            cursor,
            "SELECT trim(filename), line_number, trim(colname), trim(raw_field_value), err_code, trim(err_reason) "
            "FROM stl_load_errors WHERE filename = %s ORDER BY starttime DESC LIMIT 1",
            (PLACE["broken"],),
        )
    reason = "Invalid digit, Value 'o', Pos 0, Type: Integer"
    assert found == [[PLACE["broken"], 2, "id", "one", 1207, reason]], found
    connection.rollback()


def reads_a_large_result(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE large (id integer, words varchar(100))")
        cursor.execute(f"COPY large FROM '{PLACE['large']}' IAM_ROLE default CSV")
        cursor.execute("SELECT id, words FROM large")
        total, count = 0, 0
        while batch := cursor.fetchmany(10_000):
            total += sum(row[0] for row in batch)
            count += len(batch)
    assert (count, total) == (PLACE["large_rows"], PLACE["large_sum"])
    connection.rollback()


def works_in_autocommit() -> None:
    with connect() as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"COPY {TABLE} FROM '{PLACE['orders']}' IAM_ROLE default CSV IGNOREHEADER 1")
            cursor.execute(f"TRUNCATE {TABLE}")
            cursor.execute(f"COPY {TABLE} FROM '{PLACE['orders']}' IAM_ROLE default CSV IGNOREHEADER 1")
            assert rows_of(cursor, f"SELECT count(*) FROM {TABLE}") == [[3]]
            cursor.execute(f"DROP TABLE {TABLE}")


with connect() as shared:
    for step in (
        logs_in_and_asks_the_version,
        creates_a_table,
        copies_with_a_role,
        copies_with_an_access_key,
        reads_the_rows_back,
        passes_parameters,
        inserts_a_file_of_this_machine,
        rolls_back,
        sees_the_text_of_an_error,
        finds_the_bad_row_in_stl_load_errors,
        reads_a_large_result,
    ):
        step(shared)
        print(step.__name__)
works_in_autocommit()
print(works_in_autocommit.__name__)
