"""More than one database on one server: made, set, entered, renamed and dropped in Redshift's words."""

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import redshift_connector
from support.redshift_fixtures import Client, Landing, connect_psycopg, new_table, server_error

from rsloader_provider.local.redshift import LocalRedshift

if TYPE_CHECKING:
    import psycopg

_numbers = itertools.count(1)


class Databases:
    """Creates databases and opens sessions in them; all are dropped at the end."""

    def __init__(self, redshift: LocalRedshift):
        self._redshift = redshift
        self.administrator = Client(redshift)
        self.administrator.connection.autocommit = True
        self._clients: list[Client] = [self.administrator]

    def create(self, options: str = "") -> str:
        name = f"sales{next(_numbers)}"
        self.administrator.run(f"CREATE DATABASE {name} {options}")
        return name

    def enter(self, database: str, **login: str) -> Client:
        client = Client(self._redshift, database=database, **login)
        self._clients.append(client)
        return client

    def leave(self) -> None:
        for client in self._clients[1:]:
            client.close()
        del self._clients[1:]

    def drop_all(self) -> None:
        self.leave()
        for name in self.administrator.run("SELECT datname FROM pg_database WHERE datname LIKE 'sales%%'"):
            self.administrator.run(f"DROP DATABASE {name[0]} FORCE")
        self.administrator.close()


@pytest.fixture
def databases(snapshot_redshift: LocalRedshift) -> Iterator[Databases]:
    databases = Databases(snapshot_redshift)
    yield databases
    databases.drop_all()


@pytest.mark.parametrize(
    ("options", "level", "shown"),
    [
        ("", "repeatable read", "Snapshot Isolation"),
        ("ISOLATION LEVEL SNAPSHOT", "repeatable read", "Snapshot Isolation"),
        ("ISOLATION LEVEL SERIALIZABLE", "serializable", "Serializable"),
        ("WITH OWNER = loader CONNECTION LIMIT UNLIMITED COLLATE CASE_SENSITIVE", "repeatable read", None),
        ("OWNER loader CONNECTION LIMIT 20 COLLATE CS ISOLATION LEVEL SERIALIZABLE", "serializable", "Serializable"),
    ],
)
def test_a_database_has_its_isolation_level(databases: Databases, options: str, level: str, shown: str | None) -> None:
    name = databases.create(options)
    client = databases.enter(name)
    assert client.value("SHOW transaction_isolation") == level
    found = client.run("SELECT isolation_level FROM stv_db_isolation_level WHERE db_name = %s", name)
    assert [row[0].rstrip() for row in found] == [shown or "Snapshot Isolation"]


def test_an_isolation_level_changes_for_later_sessions(databases: Databases) -> None:
    name = databases.create()
    earlier = databases.enter(name)
    databases.administrator.run(f"ALTER DATABASE {name} ISOLATION LEVEL SERIALIZABLE")
    assert earlier.value("SHOW transaction_isolation") == "repeatable read"
    assert databases.enter(name).value("SHOW transaction_isolation") == "serializable"
    databases.administrator.run(f"ALTER DATABASE {name} ISOLATION LEVEL SNAPSHOT")
    assert databases.enter(name).value("SHOW transaction_isolation") == "repeatable read"


def test_the_isolation_level_is_that_of_the_transactions(databases: Databases) -> None:
    """Two that each read what the other writes: a cycle, which SERIALIZABLE ends with 1023 and SNAPSHOT lets pass."""
    outcomes = {}
    for level in ("SNAPSHOT", "SERIALIZABLE"):
        name = databases.create(f"ISOLATION LEVEL {level}")
        one, two = databases.enter(name), databases.enter(name)
        tables = [new_table(one, "id int") for _ in range(2)]
        for client, (written, read) in ((one, tables), (two, tables[::-1])):
            client.run(f"SELECT count(*) FROM {read}")
            client.run(f"INSERT INTO {written} VALUES (1)")
        one.commit()
        try:
            two.commit()
            outcomes[level] = "both"
        except redshift_connector.ProgrammingError as error:
            outcomes[level] = server_error(error)["M"]
    assert outcomes == {"SNAPSHOT": "both", "SERIALIZABLE": "1023"}


def test_a_load_is_recorded_in_the_database_that_it_loads(databases: Databases, landing: Landing) -> None:
    """And no two queries have the same number, in whichever databases they run."""
    url = landing.put("1.csv", "1\n2\n")
    ids = []
    names = [databases.create(), databases.create()]
    clients = [databases.enter(name) for name in names] + [databases.enter("dev")]
    for client in clients:
        table = new_table(client, "id int")
        client.copy(table, url)
        client.commit()
        ids.append(client.value("SELECT pg_last_copy_id()"))
    assert len(set(ids)) == 3
    for client, query_id in zip(clients, ids, strict=True):
        found = client.run(f"SELECT query_id, trim(database_name) FROM sys_load_history WHERE query_id IN {tuple(ids)}")
        assert found == [[query_id, client.value("SELECT current_database()")]]


def test_a_database_is_renamed_and_dropped(databases: Databases) -> None:
    name = databases.create()
    client = databases.enter(name)
    client.run("CREATE TABLE t AS SELECT 7 AS n")
    client.commit()
    databases.leave()
    databases.administrator.run(f"ALTER DATABASE {name} RENAME TO {name}_new")
    assert databases.enter(f"{name}_new").value("SELECT n FROM t") == 7
    databases.leave()
    databases.administrator.run(f"ALTER DATABASE {name}_new OWNER TO loader")
    databases.administrator.run(f"ALTER DATABASE {name}_new CONNECTION LIMIT 5")
    databases.administrator.run(f"DROP DATABASE {name}_new")
    with pytest.raises(redshift_connector.ProgrammingError, match="does not exist"):
        databases.enter(f"{name}_new")


def test_a_database_that_was_not_dropped_goes_on(
    databases: Databases, connect: Callable[..., Client], landing: Landing
) -> None:
    name = databases.create()
    client = databases.enter(name)
    loader = connect(user="loader", password="loader's secret")
    loader.connection.autocommit = True
    for statement in (f"DROP DATABASE {name}", f"ALTER DATABASE {name} RENAME TO other"):
        with pytest.raises(redshift_connector.ProgrammingError) as raised:
            loader.run(statement)
        assert server_error(raised.value)["C"] == "42501"
    table = new_table(client, "id int")
    client.copy(table, landing.put("1.csv", "1\n"))
    client.commit()
    assert client.value("SELECT count(*) FROM sys_load_history") == 1
    databases.administrator.run(f"DROP DATABASE {name} FORCE")
    with pytest.raises((redshift_connector.Error, OSError)):
        client.run("SELECT 1")


def test_the_database_that_the_server_was_started_with_stays(databases: Databases) -> None:
    """Queries are numbered in it, and temporary passwords are kept."""
    other = databases.enter(databases.create())
    other.connection.autocommit = True
    for statement in ("DROP DATABASE dev FORCE", "ALTER DATABASE dev RENAME TO prod"):
        with pytest.raises(redshift_connector.ProgrammingError) as raised:
            other.run(statement)
        assert server_error(raised.value)["C"] == "42501"


def test_through_the_simple_protocol(
    databases: Databases, snapshot_redshift: LocalRedshift, simple: "psycopg.Connection[Any]"
) -> None:
    name = f"sales{next(_numbers)}"
    simple.execute(f"CREATE DATABASE {name} ISOLATION LEVEL SERIALIZABLE")
    with connect_psycopg(snapshot_redshift, database=name) as connection:
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("serializable",)
    simple.execute(f"DROP DATABASE {name}")


def test_many_may_enter_a_new_database_at_once(databases: Databases) -> None:
    """The first one in finds the system views there, and so do those who come at the same time."""
    name = databases.create()
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(databases.enter(name).run("SELECT * FROM stl_load_errors")))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [[]] * 5


def test_a_database_is_not_made_within_a_transaction(client: Client) -> None:
    for statement in ("CREATE DATABASE inside", "DROP DATABASE inside"):
        with pytest.raises(redshift_connector.ProgrammingError) as raised:
            client.run(statement)
        assert server_error(raised.value)["C"] == "25001"
        client.rollback()


def test_only_who_may_create_databases_does(connect: Callable[..., Client]) -> None:
    loader = connect(user="loader", password="loader's secret")
    loader.connection.autocommit = True
    for statement in ("CREATE DATABASE theirs", "ALTER DATABASE dev ISOLATION LEVEL SERIALIZABLE"):
        with pytest.raises(redshift_connector.ProgrammingError) as raised:
            loader.run(statement)
        assert server_error(raised.value)["C"] == "42501"
    assert loader.run("SELECT db_name FROM stv_db_isolation_level") == []


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("CREATE DATABASE", "42601"),
        ("CREATE DATABASE x ISOLATION LEVEL CHAOS", "42601"),
        ("CREATE DATABASE x TEMPLATE dev", "42601"),
        ("CREATE DATABASE x CONNECTION LIMIT", "42601"),
        ("ALTER DATABASE x", "42601"),
        ("ALTER DATABASE x RENAME TO y z", "42601"),
        ("DROP DATABASE x CASCADE", "42601"),
        ("CREATE DATABASE x COLLATE CASE_INSENSITIVE", "0A000"),
        ("ALTER DATABASE x COLLATE CI", "0A000"),
        ("CREATE DATABASE x FROM ARN 'arn:aws:glue:…' WITH NO DATA CATALOG SCHEMA", "0A000"),
        ("ALTER DATABASE x INTEGRATION REFRESH ALL TABLES", "0A000"),
    ],
)
def test_what_redshift_refuses_or_cannot_be_done_here_is_refused(client: Client, statement: str, code: str) -> None:
    client.connection.autocommit = True
    with pytest.raises(redshift_connector.ProgrammingError) as raised:
        client.run(statement)
    assert server_error(raised.value)["C"] == code


def test_the_template_is_not_entered(databases: Databases) -> None:
    """A session in it would be in the way of every CREATE DATABASE."""
    with pytest.raises(redshift_connector.ProgrammingError, match="not currently accepting connections"):
        databases.enter("template1")
