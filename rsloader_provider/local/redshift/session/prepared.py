"""The extended protocol's statements and portals: which of the client's statements each of them is."""

from typing import TYPE_CHECKING

from rsloader_provider.local.redshift.errors import RedshiftError
from rsloader_provider.local.redshift.session.statements import NOTHING, Statement, understand
from rsloader_provider.local.redshift.sql.tokens import split_statements
from rsloader_provider.local.redshift.wire import protocol
from rsloader_provider.local.redshift.wire.protocol import Message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rsloader_provider.local.redshift.wire.backend import Backend
    from rsloader_provider.local.redshift.wire.relay import Relay

_FLUSH = Message(b"H", b"")


class Prepared:
    """A session's prepared statements and portals.

    Args:
        backend: The client's PostgreSQL session.
        relay: The way to the client.
        make_ready: Called with a statement before PostgreSQL parses or runs it; for both it takes a snapshot.
    """

    def __init__(
        self,
        backend: "Backend",
        relay: "Relay",
        make_ready: "Callable[[Statement], Awaitable[None]]",
    ):
        self._backend = backend
        self._relay = relay
        self._make_ready = make_ready
        self._statements: dict[str, Statement] = {}
        self._portals: dict[str, Statement] = {}
        self._unnamed = Message(b"P", b"\0\0\0\0")  # the Parse of the unnamed statement, to be repeated if need be
        self._unnamed_call = 0  # how many calls there had been then

    def statement(self, portal: str) -> Statement:
        """Return what a portal was bound to."""
        return self._portals.get(portal, NOTHING)

    def text(self, name: str) -> str:
        """Return the text of a prepared statement; empty if there is none of the name."""
        return self._statements.get(name, NOTHING).text

    async def parse(self, body: bytes) -> None:
        """Answer a Parse.

        Raises:
            RedshiftError: It holds several statements, or Redshift or PostgreSQL refuses the statement.
        """
        name, position = protocol.read_text(body)
        sql, position = protocol.read_text(body, position)
        statements = split_statements(sql) or [sql]  # which takes off a semicolon at the end
        if len(statements) > 1:
            raise RedshiftError("cannot insert multiple commands into a prepared statement", code="42601")
        statement = understand(statements[0])
        self._statements[name] = statement
        await self._make_ready(statement)
        types = body[position:] if statement.sql else b"\0\0"
        parse = Message(b"P", protocol.text(name) + protocol.text(statement.sql) + types)
        if not name:
            self._unnamed, self._unnamed_call = parse, self._backend.calls
        await self._relay.pass_on(parse, b"1")

    async def bind(self, body: bytes) -> None:
        """Answer a Bind.

        Raises:
            RedshiftError: PostgreSQL refuses the parameters, or a lock.
        """
        portal, position = protocol.read_text(body)
        name, _ = protocol.read_text(body, position)
        statement = self._statements.get(name, NOTHING)
        self._portals[portal] = statement
        await self._make_ready(statement)
        if not name and self._unnamed_call != self._backend.calls:
            await self._parse_unnamed_again()
        await self._relay.pass_on(Message(b"B", body), b"2")

    async def _parse_unnamed_again(self) -> None:
        """Restore the unnamed statement, which PostgreSQL drops at every simple query, ours included."""
        self._unnamed_call = self._backend.calls
        self._backend.send(self._unnamed, _FLUSH)
        while (answer := await self._backend.receive()).kind != b"1":
            if answer.kind == b"E":
                raise protocol.parse_error(answer.body)
