"""Clients that do not speak the protocol, or stop speaking it: an end for their session, and no harm to another."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any, Self

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.redshift_fixtures import Client

from rsloader_provider.local.redshift import LocalRedshift
from rsloader_provider.local.redshift.session.server import Server, Settings


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def startup(body: bytes, version: int = 196608) -> bytes:
    return struct.pack("!ii", len(body) + 8, version) + body


SYNC = message(b"S")
LOGIN = startup(b"user\0awsuser\0database\0dev\0\0")
PASSWORD = message(b"p", b"open-sesame\0")


class RawClient:
    """A client that sends whatever bytes it is told to."""

    def __init__(self, redshift: LocalRedshift):
        self._socket = socket.create_connection((redshift.host, redshift.port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def log_in(self) -> Self:
        self.send(LOGIN + PASSWORD)
        self.answers(until=b"Z")
        return self

    def send(self, content: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # closed by the server; what it answered is still to be read
            self._socket.sendall(content)

    def say_no_more(self) -> None:
        with contextlib.suppress(OSError):  # closed by the server
            self._socket.shutdown(socket.SHUT_WR)

    def answers(self, until: bytes | None = None) -> list[tuple[bytes, bytes]]:
        """Read messages up to the first of a kind, or up to the end; a server that does neither fails the test."""
        found: list[tuple[bytes, bytes]] = []
        while not found or found[-1][0] != until:
            header = self._read(5)
            if len(header) < 5:
                break
            found.append((header[:1], self._read(struct.unpack_from("!i", header, 1)[0] - 4)))
        return found

    def read_to_the_end(self) -> None:
        while self._read(4096):
            pass

    def _read(self, length: int) -> bytes:
        content = b""
        try:
            while len(content) < length and (piece := self._socket.recv(length - len(content))):
                content += piece
        except ConnectionError:
            pass  # as good an end as any
        return content


def errors(answers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """The severity and the SQLSTATE of every error among the answers."""
    found = []
    for kind, body in answers:
        if kind == b"E":
            fields = {field[:1]: field[1:].decode() for field in body.split(b"\0") if field}
            found.append((fields[b"S"], fields[b"C"]))
    return found


@pytest.fixture
def raw(snapshot_redshift: LocalRedshift) -> Iterator[RawClient]:
    with RawClient(snapshot_redshift) as client:
        yield client


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", id="another protocol"),
        pytest.param(struct.pack("!i", -1), id="negative length"),
        pytest.param(struct.pack("!ii", 7, 196608), id="too short"),
        pytest.param(struct.pack("!i", 2**31 - 1), id="huge length"),
        pytest.param(startup(b"user\0awsuser\0\0", version=2 << 16), id="version 2"),
        pytest.param(startup(b"user\0awsuser"), id="no terminator"),
        pytest.param(startup(b""), id="no parameters"),
        pytest.param(startup(b"user\0\xff\xfe\0\0"), id="not UTF-8"),
        pytest.param(LOGIN + message(b"Q", b"SELECT 1\0"), id="a query in place of the password"),
        pytest.param(LOGIN + message(b"p", b"open-sesame"), id="a password without an end"),
        pytest.param(LOGIN + b"p" + struct.pack("!i", -5), id="a password of negative length"),
    ],
)
def test_a_start_that_is_none_is_a_protocol_error(raw: RawClient, client: Client, content: bytes) -> None:
    raw.send(content)
    assert errors(raw.answers()) == [("FATAL", "08P01")]
    assert client.run("SELECT 1") == [[1]]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"Q" + struct.pack("!i", -1), id="negative length"),
        pytest.param(b"Q" + struct.pack("!i", 3), id="a length less than its own"),
        pytest.param(b"Q" + struct.pack("!i", 2**31 - 1) + b"x" * 1000, id="huge length"),
        pytest.param(message(b"?"), id="unknown kind"),
        pytest.param(message(b"\0", b"x"), id="zero kind"),
        pytest.param(message(b"Q", b"SELECT 1"), id="a query without an end"),
        pytest.param(message(b"Q"), id="an empty query message"),
        pytest.param(message(b"P", b"name\0SELECT 1"), id="a Parse without an end"),
        pytest.param(message(b"B", b"portal"), id="a Bind without an end"),
        pytest.param(message(b"E", b"portal"), id="an Execute without an end"),
    ],
)
def test_a_message_that_is_none_ends_the_session(raw: RawClient, client: Client, content: bytes) -> None:
    raw.log_in().send(content)
    assert errors(raw.answers()) == [("FATAL", "08P01")]
    assert client.run("SELECT 1") == [[1]]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(message(b"B", b"\0nowhere\0\0\0\0\0\0\0") + SYNC, "26000", id="Bind of an unknown statement"),
        pytest.param(message(b"E", b"nowhere\0\0\0\0\0") + SYNC, "34000", id="Execute of an unknown portal"),
        pytest.param(message(b"D", b"Pnowhere\0") + SYNC, "34000", id="Describe of an unknown portal"),
        pytest.param(message(b"D", b"Snowhere\0") + SYNC, "26000", id="Describe of an unknown statement"),
        pytest.param(message(b"D", b"?x\0") + SYNC, "08P01", id="Describe of neither"),
        pytest.param(message(b"C", b"?x\0") + SYNC, "08P01", id="Close of neither"),
        pytest.param(
            message(b"P", b"\0SELECT 1\0\0\0") + message(b"B", b"\0\0\0\1") + SYNC,
            "08P01",
            id="a Bind that is too short",
        ),
        pytest.param(message(b"Q", b"SELECT '\xff'\0"), "22021", id="a query that is not UTF-8"),
        pytest.param(message(b"P", b"\0SELECT '\xff'\0\0\0") + SYNC, "22021", id="a Parse that is not UTF-8"),
    ],
)
def test_a_message_that_asks_for_nonsense_is_an_error_and_the_session_goes_on(
    raw: RawClient, content: bytes, code: str
) -> None:
    raw.log_in().send(content)
    assert errors(raw.answers(until=b"Z")) == [("ERROR", code)]
    raw.send(message(b"Q", b"SELECT 1\0"))
    assert [kind for kind, _ in raw.answers(until=b"Z")] == [b"T", b"D", b"C", b"Z"]


@pytest.mark.parametrize(
    "half", [LOGIN[:20], LOGIN, LOGIN + PASSWORD[:7]], ids=["start", "password", "half a password"]
)
def test_a_client_that_leaves_before_it_is_in_harms_nobody(raw: RawClient, client: Client, half: bytes) -> None:
    raw.send(half)
    raw.say_no_more()
    raw.read_to_the_end()
    assert client.run("SELECT 1") == [[1]]


@pytest.mark.parametrize(
    "half", [b"Q", b"Q\0\0", message(b"Q", b"SELECT 1\0")[:-3], message(b"P", b"\0SELECT 1\0\0\0")]
)
def test_a_session_ends_with_a_client_that_leaves_in_the_middle(raw: RawClient, client: Client, half: bytes) -> None:
    raw.log_in().send(message(b"Q", b"BEGIN; CREATE TABLE never_made (id int); SELECT pg_backend_pid()\0"))
    pid = int(next(body for kind, body in raw.answers(until=b"Z") if kind == b"D")[6:])
    raw.send(half)
    raw.say_no_more()
    raw.read_to_the_end()
    client.connection.autocommit = True
    deadline = time.monotonic() + 10
    while client.run("SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid):
        assert time.monotonic() < deadline, "the session is still there"
    assert client.run("SELECT 1 FROM pg_class WHERE relname = 'never_made'") == []


def test_a_silent_client_is_not_waited_for() -> None:
    """Neither before its first packet nor when its password is due."""

    async def stay_silent_after(port: int, first: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first)
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return answer

    async def run() -> list[bytes]:
        async with Server(Settings(login_seconds=0.1)) as server:
            return await asyncio.gather(*(stay_silent_after(server.port, first) for first in (b"", LOGIN[:9], LOGIN)))

    for answer in asyncio.run(run()):
        assert b"C08P01\0" in answer
        assert b"canceling authentication due to timeout" in answer


@pytest.mark.parametrize("protocol", ["simple", "extended"])
def test_an_error_that_comes_only_with_the_commit_is_reported(simple: "psycopg.Connection[Any]", protocol: str) -> None:
    simple.execute(
        "CREATE TEMP TABLE checked (id int); "
        "CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'at the last moment'; END $$; "
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON checked DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse(); "
        "CREATE FUNCTION pg_temp.put() RETURNS int LANGUAGE sql AS $$ INSERT INTO checked VALUES (1) RETURNING 1 $$"
    )
    for statement in ("SELECT pg_temp.put()", "INSERT INTO checked VALUES (1)"):
        with pytest.raises(psycopg.errors.RaiseException, match="at the last moment"):
            simple.execute(statement, None if protocol == "simple" else (), prepare=protocol == "extended")
        assert simple.execute("SELECT count(*) FROM checked").fetchone() == (0,)


bodies = st.binary(max_size=60) | st.builds(
    lambda words, rest: b"\0".join(words) + b"\0" + rest,
    st.lists(st.sampled_from([b"", b"a", b"SELECT 1", b"BEGIN", b"COPY t FROM 's3://b/k'", b"TRUNCATE t"]), max_size=3),
    st.binary(max_size=12),
)
kinds = st.sampled_from([bytes([kind]) for kind in b"QPBDCEHSXdcfp"]) | st.binary(min_size=1, max_size=1)
messages = st.builds(message, kinds, bodies)
fuzz = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class TestRandomBytes:
    """Whatever is sent, the session ends when its client says no more, and another one answers."""

    @fuzz
    @given(content=st.binary(max_size=200) | bodies.map(startup) | st.binary(max_size=50).map(lambda end: LOGIN + end))
    def test_at_the_start(self, snapshot_redshift: LocalRedshift, client: Client, content: bytes) -> None:
        with RawClient(snapshot_redshift) as raw:
            raw.send(content)
            raw.say_no_more()
            raw.read_to_the_end()
        assert client.run("SELECT 1") == [[1]]

    @fuzz
    @given(content=st.lists(messages, max_size=6).map(b"".join) | st.binary(max_size=200))
    def test_after_the_log_in(self, snapshot_redshift: LocalRedshift, client: Client, content: bytes) -> None:
        with RawClient(snapshot_redshift) as raw:
            raw.log_in().send(content)
            raw.say_no_more()
            raw.read_to_the_end()
        assert client.run("SELECT 1") == [[1]]
