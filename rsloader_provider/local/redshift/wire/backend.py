"""One PostgreSQL session, on behalf of one client or of the server itself."""

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING, NamedTuple, Self

from rsloader_provider.local.redshift.wire import protocol
from rsloader_provider.local.redshift.wire.protocol import Message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

IDLE = b"I"
IN_TRANSACTION = b"T"
FAILED = b"E"


class Answer(NamedTuple):
    """What a statement returned: its rows as text, and the command tag such as `INSERT 0 3`."""

    rows: list[list[str | None]]
    tag: str

    @property
    def affected(self) -> int:
        """How many rows the statement wrote or read, from its tag."""
        return int(self.tag.rsplit(" ", 1)[-1])


class Backend:
    """A session of the embedded PostgreSQL.

    Attributes:
        status: IDLE, IN_TRANSACTION or FAILED, as of the last answer.
        pid: The session's process id, which is also the client's.
        calls: How many times `call` was used; each of them makes PostgreSQL forget the unnamed prepared statement.
        greeting: What PostgreSQL said when the session opened, to be repeated to the client.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader = reader
        self._writer = writer
        self._ahead: asyncio.Task[Message] | None = None
        self.status = IDLE
        self.pid = 0
        self.calls = 0
        self.greeting: list[Message] = []

    @classmethod
    async def connect(cls, socket: "Path", parameters: "Mapping[str, str]") -> Self:
        """Open a session.

        Args:
            socket: PostgreSQL's Unix socket.
            parameters: Start-up parameters, `user` and `database` among them.

        Raises:
            PostgresError: PostgreSQL refused it, for example because there is no such database.
        """
        reader, writer = await asyncio.open_unix_connection(str(socket), limit=1 << 20)
        backend = cls(reader, writer)
        writer.write(protocol.startup_packet(parameters))
        while (message := await backend.receive()).kind != b"Z":
            if message.kind == b"E":
                await backend.close()
                raise protocol.parse_error(message.body)
            if message.kind == b"K":
                backend.pid = struct.unpack_from("!i", message.body)[0]
            if message.kind in (b"S", b"K", b"N"):
                backend.greeting.append(message)
        return backend

    def send(self, *messages: Message) -> None:
        """Send messages without waiting for an answer."""
        self._writer.write(b"".join(message.encode() for message in messages))

    async def receive(self) -> Message:
        """Return PostgreSQL's next message."""
        message = await self.ahead()
        self._ahead = None
        if message.kind == b"Z":
            self.status = message.body
        return message

    def ahead(self) -> "asyncio.Task[Message]":
        """Return a task that is done when PostgreSQL has said something; `receive` then returns it."""
        if self._ahead is None:
            self._ahead = asyncio.ensure_future(protocol.read_message(self._reader))
        return self._ahead

    async def call(self, sql: str, feed: "AsyncIterator[bytes] | None" = None) -> Answer:
        """Run SQL in this session and wait for its end.

        Args:
            sql: One or more statements.
            feed: What a `COPY … FROM STDIN` reads. It is asked for the next piece only when PostgreSQL has taken the
                last one. Whatever it raises ends the COPY and is raised here.

        Raises:
            PostgresError: A statement failed.
        """
        self.calls += 1
        self.send(Message(b"Q", protocol.text(sql)))
        rows: list[list[str | None]] = []
        tag = ""
        error: Exception | None = None
        while (message := await self.receive()).kind != b"Z":
            match message.kind:
                case b"D":
                    rows.append(protocol.read_row(message.body))
                case b"C":
                    tag = protocol.read_text(message.body)[0]
                case b"G":
                    error = await self._copy_in(feed)
                case b"E":
                    error = error or protocol.parse_error(message.body)
        if error is not None:
            raise error
        return Answer(rows, tag)

    async def _copy_in(self, feed: "AsyncIterator[bytes] | None") -> Exception | None:
        try:
            if feed is not None:
                async for piece in feed:
                    # An early answer is an error: PostgreSQL ignores the rest, so it is useless to read on.
                    if self.ahead().done():
                        break
                    self._writer.write(b"d" + struct.pack("!i", len(piece) + 4))
                    self._writer.write(piece)
                    await self._writer.drain()
        except Exception as error:  # noqa: BLE001 - raised again by `call`, once PostgreSQL has ended the COPY
            self.send(Message(b"f", protocol.text("the feed ended")))
            return error
        self.send(Message(b"c", b""))
        return None

    async def close(self) -> None:
        """End the session at once; PostgreSQL rolls back what is open."""
        if self._ahead is not None:
            self._ahead.cancel()
            with contextlib.suppress(asyncio.CancelledError, asyncio.IncompleteReadError, OSError):
                await self._ahead
        self._writer.close()
