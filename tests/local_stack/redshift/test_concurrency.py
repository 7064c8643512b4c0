"""Fifty sessions at once, none of which waits for a table that is another one's."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import redshift_connector
from support.redshift_fixtures import Client, Landing, close_all, connect_psycopg, new_table

from rsloader_provider.local.redshift import LocalRedshift

_LOADERS = 20
_WRITERS = 30
_SECONDS = 60  # nobody waits that long unless for somebody who never comes
_ROWS = 500


@pytest.fixture(scope="module")
def redshift(s3_endpoint: str) -> Iterator[LocalRedshift]:
    """One of its own, because a statement is left asleep in it."""
    with LocalRedshift(s3_endpoint=s3_endpoint) as redshift:
        yield redshift


@pytest.fixture
def open_client(redshift: LocalRedshift) -> Iterator[Callable[[], Client]]:
    clients: list[Client] = []

    def open_one() -> Client:
        clients.append(Client(redshift))
        return clients[-1]

    yield open_one
    close_all(clients)


class Crowd:
    """Sessions that each do something in a transaction, and end it only when all of them have done it.

    If one of them waited for a table of another, it would wait for ever, as the other waits for it.
    """

    def __init__(self, size: int):
        self.everybody = threading.Barrier(size)
        self.outcomes: list[str] = []
        self._threads: list[threading.Thread] = []

    def join(self, client: Client, act: Callable[[Client], None]) -> None:
        def run() -> None:
            try:
                act(client)
                self.everybody.wait(_SECONDS)
                client.commit()
                self.outcomes.append("done")
            except (redshift_connector.Error, OSError, AssertionError, threading.BrokenBarrierError) as error:
                self.outcomes.append(repr(error))
                self.everybody.abort()
                close_all([client])  # so that whoever waits for its table fails too, and not only after a long time

        self._threads.append(threading.Thread(target=run))

    def run(self, meanwhile: Callable[[], None]) -> None:
        for thread in self._threads:
            thread.start()
        while any(thread.is_alive() for thread in self._threads):
            meanwhile()
        for thread in self._threads:
            thread.join(_SECONDS)


@contextlib.contextmanager
def copying(client: Client, table: str, url: str) -> Iterator[threading.Thread]:
    """A COPY that goes on until its connection is broken at the end."""
    started = threading.Event()

    def copy() -> None:
        started.set()
        with pytest.raises((redshift_connector.Error, OSError)):
            client.copy(table, url)

    thread = threading.Thread(target=copy)
    thread.start()
    assert started.wait(_SECONDS)
    try:
        yield thread
    finally:
        client.connection._usock.shutdown(socket.SHUT_RDWR)
        thread.join(_SECONDS)


def test_no_session_waits_for_a_table_of_another(
    redshift: LocalRedshift, open_client: Callable[[], Client], landing: Landing
) -> None:
    url = landing.put("1.csv", "".join(f"{number},name {number}\n" for number in range(_ROWS)))
    columns = "id int, name varchar(20)"
    administrator = open_client()

    holder = open_client()  # a lock on a table of its own, and a COPY that is not committed
    held, locked, asleep = (new_table(administrator, columns) for _ in range(3))
    holder.run(f"LOCK {locked}")
    holder.copy(held, url)

    administrator.run(f"LOCAL FAULT sleep:600 BEFORE '^copy {asleep} '")  # a COPY that takes far longer than the test

    loaded = [new_table(administrator, columns) for _ in range(_LOADERS)]
    written = [new_table(administrator, columns) for _ in range(_WRITERS)]
    administrator.commit()
    crowd = Crowd(_LOADERS + _WRITERS)
    for table in loaded:
        crowd.join(open_client(), lambda client, table=table: client.copy(table, url))  # type: ignore[misc]
    for number, table in enumerate(written):
        read = loaded[number % _LOADERS]

        def read_and_write(client: Client, table: str = table, read: str = read) -> None:
            client.run(f"INSERT INTO {table} VALUES (1, 'x'), (2, 'y')")
            client.run(f"UPDATE {table} SET name = 'z' WHERE id = 2")
            assert client.value(f"SELECT count(*) FROM {read}") == 0, "what is being loaded is not committed yet"
            client.run(f"DELETE FROM {table} WHERE id = 1")

        crowd.join(open_client(), read_and_write)

    with copying(open_client(), asleep, url) as sleeping, connect_psycopg(redshift) as observer:
        waiting: set[object] = set()

        def observe() -> None:
            waiting.update(
                observer.execute("SELECT relation::regclass::text FROM pg_locks WHERE NOT granted").fetchall()
            )

        crowd.run(meanwhile=observe)
        assert crowd.outcomes == ["done"] * (_LOADERS + _WRITERS)
        assert waiting == set()
        assert sleeping.is_alive(), "the others did not wait for it"
    assert [administrator.value(f"SELECT count(*) FROM {table}") for table in loaded] == [_ROWS] * _LOADERS
    assert [administrator.run(f"SELECT * FROM {table}") for table in written] == [[[2, "z"]]] * _WRITERS
    assert administrator.value(f"SELECT count(*) FROM {held}") == 0
    holder.commit()
    administrator.commit()
    assert administrator.value(f"SELECT count(*) FROM {held}") == _ROWS
