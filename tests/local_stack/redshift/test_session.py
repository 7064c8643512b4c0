"""What a client sees of the local Redshift apart from COPY: log-in, both protocols, SQL, locks, cancelling, faults."""

import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
import pytest
import redshift_connector
from support.redshift_fixtures import Client, Landing, connect_psycopg, copy_sql, new_table, server_error

from rsloader_provider.local.redshift import LocalRedshift


def test_the_driver_takes_it_for_redshift(client: Client) -> None:
    """redshift_connector fails on PostgreSQL's version number, and PostgreSQL on its start-up parameters."""
    assert client.run("SELECT 1") == [[1]]
    assert client.connection.parameter_statuses
    assert dict(client.connection.parameter_statuses)[b"server_version"] == b"8.0.2"
    assert client.cursor.rowcount == -1, "Redshift does not count what it selects"


def test_a_wrong_password_is_refused(snapshot_redshift: LocalRedshift) -> None:
    with pytest.raises(redshift_connector.InterfaceError) as raised:
        Client(snapshot_redshift, password="wrong")
    assert server_error(raised.value)["C"] == "28000"


def test_an_unknown_database_is_refused(snapshot_redshift: LocalRedshift) -> None:
    with pytest.raises(psycopg.OperationalError, match='database "nowhere" does not exist'):
        psycopg.connect(
            host=snapshot_redshift.host,
            port=snapshot_redshift.port,
            dbname="nowhere",
            user=snapshot_redshift.user,
            password=snapshot_redshift.password,
        )


def test_a_user_may_only_do_what_they_are_granted(client: Client, connect: Callable[..., Client]) -> None:
    table = new_table(client, "id int")
    loader = connect(user="loader", password="loader's secret")
    with pytest.raises(redshift_connector.ProgrammingError) as raised:
        loader.run(f"SELECT * FROM {table}")
    assert server_error(raised.value)["C"] == "42501"
    loader.rollback()
    client.run(f"GRANT INSERT ON {table} TO loader")
    client.commit()
    loader.run(f"INSERT INTO {table} VALUES (1)")
    loader.commit()


def test_one_execute_takes_one_statement(client: Client) -> None:
    with pytest.raises(redshift_connector.ProgrammingError) as raised:
        client.run("SELECT 1; COPY t FROM 's3://b/k' IAM_ROLE default")
    assert server_error(raised.value)["C"] == "42601"


def test_a_simple_query_takes_several_statements_that_stand_or_fall_together(
    simple: "psycopg.Connection[Any]", client: Client, landing: Landing
) -> None:
    table = new_table(client, "id int")
    copy = copy_sql(table, landing.put("1.csv", "1\n"))
    with pytest.raises(psycopg.errors.DivisionByZero):
        simple.execute(f"INSERT INTO {table} VALUES (7); {copy}; SELECT 1/0")
    assert client.value(f"SELECT count(*) FROM {table}") == 0
    simple.execute(f"INSERT INTO {table} VALUES (7); {copy}")
    client.rollback()
    assert client.value(f"SELECT count(*) FROM {table}") == 2


def test_statements_with_parameters_pass_through(simple: "psycopg.Connection[Any]", client: Client) -> None:
    """Ten times, because psycopg prepares a statement under a name after the fifth."""
    table = new_table(client, "id int, name varchar(10)")
    for number in range(10):
        cursor = simple.execute(f"INSERT INTO {table} VALUES (%s, %s)", (number, "it's"))
        assert cursor.rowcount == 1
    with simple.transaction():
        simple.execute(f"UPDATE {table} SET name = %s WHERE id < %s", ("x", 3))
        simple.execute(f"DELETE FROM {table} WHERE id = %s", (9,))
    assert simple.execute(f"SELECT name, count(*) FROM {table} GROUP BY 1 ORDER BY 2").fetchall() == [
        ("x", 3),
        ("it's", 6),
    ]


def test_a_pipeline_is_served(simple: "psycopg.Connection[Any]", client: Client) -> None:
    table = new_table(client, "id int")
    with simple.pipeline(), simple.transaction():
        for number in range(20):
            simple.execute(f"INSERT INTO {table} VALUES (%s)", (number,))
        answer = simple.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert answer == (20,)
    assert client.value(f"SELECT count(*) FROM {table}") == 20


def test_a_large_result_arrives_whole(client: Client) -> None:
    found = client.run("SELECT n, repeat('x', 100) FROM generate_series(1, 20000) AS n")
    assert len(found) == 20_000
    assert found[-1] == [20_000, "x" * 100]


def test_a_backslash_escapes_in_a_literal(client: Client) -> None:
    r"""`'it\'s'` is one literal on Redshift. Quoting for PostgreSQL would let a key break out of its literal."""
    assert client.run("SELECT 'it\\'s', 'a\\\\b', 'tab\\tend'") == [["it's", "a\\b", "tab\tend"]]


def test_redshifts_own_functions_are_there(client: Client) -> None:
    getdate, sysdate, pid = client.run("SELECT getdate(), sysdate, pg_backend_pid()")[0]
    assert isinstance(getdate, datetime)
    assert getdate.tzinfo is None
    assert getdate >= sysdate
    assert isinstance(pid, int)


@pytest.mark.parametrize(
    "definition",
    [
        "(id bigint IDENTITY(1,1) NOT NULL, a varchar(max) ENCODE zstd DISTKEY, b int SORTKEY PRIMARY KEY)",
        "(a varchar ENCODE lzo UNIQUE, b int NOT NULL, UNIQUE (a, b), PRIMARY KEY (a, b)) DISTKEY(a) SORTKEY(a, b)",
        "(a nvarchar(9), b int REFERENCES public.x (id), FOREIGN KEY (b) REFERENCES x (id)) INTERLEAVED SORTKEY(a)",
        "(a text DEFAULT 'x', b int DEFAULT 0) BACKUP NO DISTSTYLE AUTO SORTKEY AUTO ENCODE AUTO",
        "(id int GENERATED BY DEFAULT AS IDENTITY(-3,-2), a character varying(MAX), b int) COMPOUND SORTKEY(a)",
    ],
)
def test_table_definitions_are_redshifts(client: Client, definition: str) -> None:
    """Keys are hints: Redshift enforces none of them, so a test that relies on one must fail here too."""
    client.run("CREATE TEMP TABLE defined " + definition)
    client.run("INSERT INTO defined (a, b) VALUES ('x', 1)")
    client.run("INSERT INTO defined (a, b) VALUES ('x', 1)")
    assert client.value("SELECT count(*) FROM defined") == 2


def test_more_definitions_are_redshifts(client: Client) -> None:
    client.run("CREATE TEMP TABLE made DISTSTYLE EVEN SORTKEY (n) AS SELECT 1 AS n")
    client.run("CREATE TEMP TABLE IF NOT EXISTS liked (LIKE made)")
    client.run("ALTER TABLE made ADD COLUMN name varchar(max) ENCODE lzo DEFAULT 'x'")
    assert client.run("SELECT * FROM made") == [[1, "x"]]
    table = new_table(client, "id int")
    client.run(f"CREATE VIEW view_{table} AS SELECT * FROM public.{table} WITH NO SCHEMA BINDING")
    assert client.run(f"SELECT * FROM view_{table}") == []


def test_a_primary_keys_columns_refuse_null(client: Client) -> None:
    client.run("CREATE TEMP TABLE keyed (a int, b int, PRIMARY KEY (a))")
    with pytest.raises(redshift_connector.ProgrammingError) as raised:
        client.run("INSERT INTO keyed (b) VALUES (1)")
    assert server_error(raised.value)["C"] == "23502"


def test_a_constraint_that_postgresql_would_enforce_is_refused(client: Client) -> None:
    table = new_table(client, "id int")
    with pytest.raises(redshift_connector.ProgrammingError) as raised:
        client.run(f"ALTER TABLE {table} ADD CONSTRAINT one UNIQUE (id)")
    assert server_error(raised.value)["C"] == "0A000"


def test_truncate_commits_what_came_before_it(client: Client, connect: Callable[..., Client]) -> None:
    """Which is why an atomic replace must be a DELETE."""
    table, other = new_table(client, "id int"), new_table(client, "id int")
    client.run(f"INSERT INTO {table} VALUES (1)")
    client.commit()
    client.run(f"INSERT INTO {other} VALUES (1)")
    client.run(f"TRUNCATE {table}")
    client.rollback()
    assert connect().run(f"SELECT (SELECT count(*) FROM {table}), (SELECT count(*) FROM {other})") == [[0, 1]]


def waits_for_a_lock(observer: Client, pid: int) -> bool:
    """Wait until a session waits for a lock; tells whether it ever did."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = observer.run("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", pid)
        observer.rollback()
        if found and found[0][0] == "Lock":
            return True
    return False


@pytest.mark.parametrize(
    "writer", ["INSERT INTO {table} VALUES (2)", "DELETE FROM {table}", "UPDATE {table} SET id = 3", "COPY"]
)
@pytest.mark.parametrize("in_transaction", [True, False])
def test_a_second_writer_waits_for_the_first(
    client: Client,
    connect: Callable[..., Client],
    landing: Landing,
    writer: str,
    in_transaction: bool,
) -> None:
    """Redshift serialises writes to one table, and a writer that waited sees what it waited for."""
    table = new_table(client, "id int")
    sql = copy_sql(table, landing.put("1.csv", "9\n")) if writer == "COPY" else writer.format(table=table)
    client.run(f"INSERT INTO {table} VALUES (1)")
    second = connect()
    pid = second.value("SELECT pg_backend_pid()")
    second.rollback()
    second.connection.autocommit = not in_transaction

    def write() -> None:
        second.run(sql)
        if in_transaction:
            second.commit()

    thread = threading.Thread(target=write)
    thread.start()
    assert waits_for_a_lock(connect(), pid)
    client.commit()
    thread.join(10)
    expected = {"I": [[1], [2]], "D": [], "U": [[3]], "C": [[1], [9]]}[writer[0]]
    assert client.run(f"SELECT id FROM {table} ORDER BY 1") == expected


def test_readers_do_not_wait_for_writers(client: Client, connect: Callable[..., Client]) -> None:
    table = new_table(client, "id int")
    client.run(f"INSERT INTO {table} VALUES (1)")
    assert connect().run(f"SELECT * FROM {table}") == []


def test_lock_comes_before_the_snapshot(client: Client, connect: Callable[..., Client]) -> None:
    """The fact on which exactly-once rests: what is read after a LOCK includes what the LOCK waited for."""
    table = new_table(client, "id int")
    client.run(f"LOCK {table}")
    client.run(f"INSERT INTO {table} VALUES (1)")
    second = connect()
    pid = second.value("SELECT pg_backend_pid()")
    second.rollback()
    found: list[Any] = []

    def read() -> None:
        second.run(f"LOCK TABLE {table}")
        found.extend(second.run(f"SELECT * FROM {table}"))

    thread = threading.Thread(target=read)
    thread.start()
    assert waits_for_a_lock(connect(), pid)
    client.commit()
    thread.join(10)
    assert found == [[1]]


def test_a_session_can_cancel_another_ones_statement(client: Client, connect: Callable[..., Client]) -> None:
    table = new_table(client, "id int")
    client.run(f"LOCK {table}")
    second = connect()
    pid = second.value("SELECT pg_backend_pid()")
    errors: list[BaseException] = []

    def write() -> None:
        try:
            second.run(f"INSERT INTO {table} VALUES (1)")
        except redshift_connector.Error as error:
            errors.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    observer = connect()
    assert waits_for_a_lock(observer, pid)
    assert observer.value("SELECT pg_cancel_backend(%s)", pid) is True
    thread.join(10)
    assert server_error(errors[0])["C"] == "57014"


def test_a_cancel_request_is_forwarded(snapshot_redshift: LocalRedshift, client: Client) -> None:
    table = new_table(client, "id int")
    client.run(f"LOCK {table}")
    with connect_psycopg(snapshot_redshift) as connection:
        pid = connection.info.backend_pid
        errors: list[BaseException] = []

        def write() -> None:
            try:
                connection.execute(f"INSERT INTO {table} VALUES (1)")
            except psycopg.Error as error:
                errors.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        assert waits_for_a_lock(Client(snapshot_redshift), pid)
        connection.cancel_safe()
        thread.join(10)
        assert isinstance(errors[0], psycopg.errors.QueryCanceled)


def test_a_terminated_session_breaks_and_gives_up_its_locks(client: Client, connect: Callable[..., Client]) -> None:
    """How a new attempt gets rid of a dead one that still holds the history's lock."""
    table = new_table(client, "id int")
    stale = connect()
    stale.run(f"LOCK {table}")
    pid = stale.value("SELECT pg_backend_pid()")
    assert client.value("SELECT pg_terminate_backend(%s)", pid) is True
    client.commit()
    client.run(f"INSERT INTO {table} VALUES (1)")
    with pytest.raises((redshift_connector.Error, OSError)):
        stale.run("SELECT 1")


@pytest.mark.parametrize(("autocommit", "loaded"), [(True, 1), (False, 0)])
def test_a_copy_whose_client_has_gone(
    client: Client, connect: Callable[..., Client], landing: Landing, autocommit: bool, loaded: int
) -> None:
    """In autocommit it goes on and commits; within a transaction it is rolled back, as there is nobody to commit."""
    table = new_table(client, "id int")
    copy = copy_sql(table, landing.put("1.csv", "1\n"))
    gone = connect()
    gone.connection.autocommit = autocommit
    pid = gone.value("SELECT pg_backend_pid()")
    client.run(f"LOCK {table}")

    def load() -> None:
        with pytest.raises((redshift_connector.Error, OSError)):
            gone.run(copy)

    thread = threading.Thread(target=load)
    thread.start()
    observer = connect()
    assert waits_for_a_lock(observer, pid)
    gone.connection._usock.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    client.commit()
    deadline = time.monotonic() + 10
    while observer.run("SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid) and time.monotonic() < deadline:
        observer.rollback()
    assert client.value(f"SELECT count(*) FROM {table}") == loaded


def test_loading_does_not_hold_up_other_sessions(
    client: Client, connect: Callable[..., Client], landing: Landing
) -> None:
    """Reading from S3 and decoding must not block the proxy's event loop."""
    table = new_table(client, "id int, name varchar(20)")
    content = "".join(f"{number},abc\n" for number in range(150_000)) + "x,bad\n"  # bad, so decoded in Python too
    url = landing.put("1.csv", content)
    loading = connect()
    thread = threading.Thread(target=lambda: loading.copy(table, url, "CSV MAXERROR 2"))
    thread.start()
    answers = 0
    while thread.is_alive():
        client.run("SELECT 1")
        answers += 1
    assert loading.value(f"SELECT count(*) FROM {table}") == 150_000
    assert answers > 10
