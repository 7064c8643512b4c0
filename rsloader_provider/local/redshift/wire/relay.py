"""What passes between PostgreSQL and the client: PostgreSQL's messages in Redshift's words, and when they are sent."""

import struct
from typing import TYPE_CHECKING

from rsloader_provider.local.redshift.errors import PostgresError, as_redshift_reports
from rsloader_provider.local.redshift.wire import protocol
from rsloader_provider.local.redshift.wire.protocol import Message

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from rsloader_provider.local.redshift.wire.backend import Backend

_FLUSH = Message(b"H", b"")
_UNFLUSHED_BYTES = 1 << 18
_JSONB, _SUPER = struct.pack("!i", 3802), struct.pack("!i", 4000)


class Relay:
    """The way from PostgreSQL to a client.

    Attributes:
        held: The output waits for something that will follow the statement.
        rows: How many rows the last statement returned.

    Args:
        backend: The client's PostgreSQL session.
        writer: The client.
        notice_tag: Is told every command tag.
    """

    def __init__(self, backend: "Backend", writer: "asyncio.StreamWriter", notice_tag: "Callable[[str], None]"):
        self._backend = backend
        self._writer = writer
        self._notice_tag = notice_tag
        self._output = bytearray()
        self.held = False
        self.rows = 0

    def emit(self, *messages: Message) -> None:
        """Put messages into the client's output."""
        for message in messages:
            self._output += message.encode()

    async def flush(self) -> None:
        """Send the output, unless it is held."""
        if self._output and not self.held:
            self._writer.write(bytes(self._output))
            self._output.clear()
            await self._writer.drain()

    def mark(self) -> int:
        """Return a place in the output for `rewind`."""
        return len(self._output)

    def rewind(self, mark: int = 0) -> None:
        """Take back what has been put into the output since and has not been sent."""
        del self._output[mark:]

    def pass_message(self, message: Message) -> None:
        """Put one of PostgreSQL's messages into the client's output, in Redshift's words."""
        if message.kind == b"C":
            tag = protocol.read_text(message.body)[0]
            self._notice_tag(tag)
            if tag.startswith("SELECT "):
                self.rows = int(tag.removeprefix("SELECT "))
                message = protocol.command_complete("SELECT")  # Redshift does not count what it selects
        elif message.kind == b"E":
            error = as_redshift_reports(protocol.parse_error(message.body), self._backend.pid)
            if not isinstance(error, PostgresError):
                message = protocol.error_response(error)
        elif message.kind == b"T" and _JSONB in message.body:
            message = _with_super(message)
        self.emit(message)

    async def pass_on(self, message: Message, *answers: bytes) -> bytes:
        """Send a message to PostgreSQL, and its answer to the client up to the first message of the expected kinds.

        Raises:
            PostgresError: The answer was an error, which is still to be sent to the client.
        """
        self._backend.send(message, _FLUSH)
        return await self.until(*answers)

    async def pass_on_query(self, query: Message) -> None:
        """Do the same with a simple query, of which the whole answer is sent.

        Raises:
            PostgresError: As above.
        """
        self._backend.send(query)
        await self.until_ready()

    async def until_ready(self) -> None:
        """Send the client all that PostgreSQL says before it is ready again.

        Raises:
            PostgresError: As above.
        """
        try:
            await self.until(b"Z")
        except PostgresError as error:
            if error.severity != "FATAL":
                await self.until(b"Z")
            raise

    async def until(self, *answers: bytes) -> bytes:
        """Send the client what PostgreSQL says, up to the first message of these kinds; returns its kind.

        Raises:
            PostgresError: PostgreSQL reported an error, which is still to be sent to the client.
        """
        while (answer := await self._backend.receive()).kind not in answers:
            if answer.kind == b"E":
                raise protocol.parse_error(answer.body)
            if answer.kind != b"Z":
                self.pass_message(answer)
            if len(self._output) > _UNFLUSHED_BYTES:
                await self.flush()
        if answer.kind != b"Z":
            self.pass_message(answer)
        return answer.kind


def _with_super(description: Message) -> Message:
    """Return a RowDescription in which jsonb goes by the number of SUPER, which drivers take for text."""
    body = bytearray(description.body)
    position = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        position = body.index(0, position) + 1
        if body[position + 6 : position + 10] == _JSONB:
            body[position + 6 : position + 10] = _SUPER
        position += 18
    return Message(b"T", bytes(body))
