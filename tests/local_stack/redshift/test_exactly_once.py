"""The four ways in which a load can go wrong at its end, as the design's facts tell them.

Each runs one batch and one retry, with and without a LOCK on the history as the first statement, under both isolation
levels. Without the LOCK the local Redshift must show the duplicates that Redshift would: they are why it is there.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import redshift_connector
from support.redshift_fixtures import Client, Landing, copy_sql, new_table, server_error

from rsloader_provider.local.redshift import LocalRedshift

VIOLATION = "Serializable isolation violation on table - "


@dataclass
class Loader:
    """A loader of one batch as our product is one, reduced to its transaction."""

    redshift: LocalRedshift
    table: str
    history: str
    source: str
    lock: bool
    clients: list[Client] = field(default_factory=list)

    def attempt(self, met: threading.Barrier | None = None) -> str:
        """Load once; returns `loaded`, `skipped`, `lost` (no answer) or `1023`.

        Args:
            met: Where concurrent loaders wait for each other after they have looked into the history; only loaders
                that take no lock can meet there.
        """
        client = Client(self.redshift)
        self.clients.append(client)
        try:
            if self.lock:
                client.run(f"LOCK TABLE {self.history}")
            if client.run(f"SELECT 1 FROM {self.history} WHERE batch = 'B1'"):
                client.rollback()
                return "skipped"
            if met is not None and not self.lock:
                met.wait(10)
            client.run(copy_sql(self.table, self.source, "MANIFEST CSV"))
            client.run(f"INSERT INTO {self.history} SELECT 'B1', pg_last_copy_count()")
            client.commit()
        except (redshift_connector.Error, OSError) as error:
            if isinstance(error, redshift_connector.Error) and isinstance(error.args[0], dict):
                answer = server_error(error)
                assert (answer["C"], answer["M"], answer["D"][: len(VIOLATION)]) == ("XX000", "1023", VIOLATION)
                client.rollback()
                return "1023"
            return "lost"
        return "loaded"

    def times_loaded(self) -> int:
        client = Client(self.redshift)
        self.clients.append(client)
        return int(client.value(f"SELECT count(*) FROM {self.table}"))


@pytest.fixture(params=["snapshot", "serializable"])
def isolation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[True, False], ids=["locked", "unlocked"])
def loader(request: pytest.FixtureRequest, isolation: str, landing: Landing) -> Iterator[Loader]:
    redshift: LocalRedshift = request.getfixturevalue(f"{isolation}_redshift")
    client = Client(redshift)
    table, history = new_table(client, "id int"), new_table(client, "batch varchar(64), copied bigint")
    source = landing.manifest(landing.put("1.csv", "1\n"))
    loader = Loader(redshift, table, history, source, lock=request.param, clients=[client])
    yield loader
    for each in loader.clients:
        try:
            each.close()
        except (redshift_connector.Error, OSError):
            continue


def order(loader: Loader, fault: str) -> None:
    """Order a fault for the next COMMIT, in autocommit: the driver would otherwise open a block and have to end it."""
    loader.clients[0].rollback()
    loader.clients[0].connection.autocommit = True
    loader.clients[0].run(f"LOCAL FAULT {fault} '^commit'")


def test_the_isolation_level_is_the_one_asked_for(loader: Loader, isolation: str) -> None:
    expected = {"snapshot": "repeatable read", "serializable": "serializable"}[isolation]
    assert loader.clients[0].value("SHOW transaction_isolation") == expected


def test_a_connection_that_drops_before_commit_has_loaded_nothing(loader: Loader) -> None:
    order(loader, "drop BEFORE")
    assert (loader.attempt(), loader.times_loaded()) == ("lost", 0)
    assert (loader.attempt(), loader.times_loaded()) == ("loaded", 1)


def test_a_connection_that_drops_after_commit_has_loaded(loader: Loader) -> None:
    order(loader, "drop AFTER")
    assert (loader.attempt(), loader.times_loaded()) == ("lost", 1)
    assert (loader.attempt(), loader.times_loaded()) == ("skipped", 1)


def test_a_commit_that_lands_late_is_waited_for_only_under_a_lock(loader: Loader, isolation: str) -> None:
    """The client died, its COMMIT is still on its way, and the retry has already begun."""
    order(loader, "ghost:0.6 BEFORE")
    assert loader.attempt() == "lost"
    retry = loader.attempt()
    expected = "skipped" if loader.lock else {"snapshot": "loaded", "serializable": "1023"}[isolation]
    assert (retry, loader.times_loaded()) == (expected, 2 if retry == "loaded" else 1)


def test_three_loaders_at_once_load_once_only_under_a_lock(loader: Loader, isolation: str) -> None:
    met = threading.Barrier(3)
    outcomes: list[str] = []
    threads = [threading.Thread(target=lambda: outcomes.append(loader.attempt(met))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    expected = ["loaded", "skipped", "skipped"]
    if not loader.lock:
        expected = {"snapshot": ["loaded"] * 3, "serializable": ["1023", "1023", "loaded"]}[isolation]
    assert sorted(outcomes) == expected
    assert loader.times_loaded() == expected.count("loaded")


def test_reading_before_the_lock_brings_the_duplicates_back(snapshot_redshift: LocalRedshift, landing: Landing) -> None:
    """Why pre-SQL runs after the LOCK: a SELECT takes the snapshot, and a lock cannot renew it."""
    first, second = Client(snapshot_redshift), Client(snapshot_redshift)
    history = new_table(first, "batch varchar(64)")
    second.run("SELECT count(*) FROM pg_class")
    first.run(f"INSERT INTO {history} VALUES ('B1')")
    first.commit()
    second.run(f"LOCK TABLE {history}")
    assert second.run(f"SELECT * FROM {history}") == []
    first.close()
    second.close()
