"""A client's session: its messages go to PostgreSQL and the answers come back, one message at a time.

The session waits for the answer to each message before it looks at the next one. So it always knows where both sides
stand, and may put statements of its own between the client's: a lock before a write, a COMMIT after a TRUNCATE, the
whole of a COPY. A pipelining client is served correctly, only not faster.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from rsloader_provider.local.redshift.copy.load import CopyLoad
from rsloader_provider.local.redshift.errors import (
    PostgresError,
    RedshiftError,
    as_redshift_reports,
    protocol_violation,
)
from rsloader_provider.local.redshift.session.history import SessionHistory
from rsloader_provider.local.redshift.session.prepared import Prepared
from rsloader_provider.local.redshift.session.statements import Role, Statement, understand
from rsloader_provider.local.redshift.session.transaction import Transaction
from rsloader_provider.local.redshift.sql.table_append import run_append
from rsloader_provider.local.redshift.sql.tokens import split_statements
from rsloader_provider.local.redshift.wire import protocol
from rsloader_provider.local.redshift.wire.backend import FAILED, IN_TRANSACTION, Backend
from rsloader_provider.local.redshift.wire.protocol import Message
from rsloader_provider.local.redshift.wire.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor

    from rsloader_provider.local.redshift.catalog.catalog import Catalog
    from rsloader_provider.local.redshift.catalog.catalogs import Catalogs
    from rsloader_provider.local.redshift.catalog.query_log import Query
    from rsloader_provider.local.redshift.faults import Fault, Faults

_SYNC = Message(b"S", b"")
_IGNORED = b"Hdcf"  # Flush, because every answer is flushed, and what is left of a COPY that failed


class Disconnected(Exception):  # noqa: N818 - an end, not an error
    """The session is over: one side has gone, or a fault has broken the connection."""


@dataclass(frozen=True)
class Surroundings:
    """What a session shares with others.

    Attributes:
        catalog: Where loads and queries in the session's database are recorded.
        catalogs: The catalogs of all databases.
        faults: Faults ordered by tests.
        threads: Where S3 is read.
        s3_endpoint: The local S3; None means AWS itself.
    """

    catalog: "Catalog"
    catalogs: "Catalogs"
    faults: "Faults"
    threads: "Executor"
    s3_endpoint: str | None


class Session:
    """One client after its log-in.

    Args:
        reader: The client.
        writer: The client.
        backend: The client's PostgreSQL session, idle.
        user: The client's user.
        surroundings: What it shares with other sessions.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        backend: Backend,
        user: str,
        surroundings: Surroundings,
    ):
        self._reader = reader
        self._writer = writer
        self._backend = backend
        self._user = user
        self._shared = surroundings
        self._transaction = Transaction(backend)
        self._relay = Relay(backend, writer, self._transaction.notice)
        self._prepared = Prepared(backend, self._relay, self._make_ready)
        self._skipping = False  # after an error, until the client's Sync
        self._after: list[Fault] = []
        self._history = SessionHistory(backend, surroundings.catalog, user)
        self._handlers: dict[bytes, Callable[[bytes], Awaitable[object]]] = {
            b"Q": self._on_query,
            b"P": self._on_parse,
            b"B": self._on_bind,
            b"D": lambda body: self._relay.pass_on(Message(b"D", body), b"T", b"n"),
            b"C": lambda body: self._relay.pass_on(Message(b"C", body), b"3"),
            b"E": self._on_execute,
        }

    async def run(self) -> None:
        """Serve the client until it leaves."""
        try:
            while True:
                message = await self._next_message()
                if message.kind == b"S":
                    await self._on_sync()
                elif message.kind == b"X":
                    return
                elif message.kind in self._handlers:
                    if not self._skipping:
                        await self._answering_errors(partial(self._handlers[message.kind], message.body))
                elif message.kind not in _IGNORED:
                    raise protocol_violation(f"invalid frontend message type {message.kind[0]}")
        except (Disconnected, asyncio.IncompleteReadError, OSError):
            return
        except RedshiftError as error:
            self._relay.emit(protocol.error_response(error))
            with contextlib.suppress(OSError):
                await self._relay.flush()
        finally:
            self._writer.close()
            await self._backend.close()

    async def _next_message(self) -> Message:
        """Wait for the client; meanwhile pass on what PostgreSQL says unasked, such as the session's termination."""
        await self._relay.flush()
        client = asyncio.ensure_future(protocol.read_message(self._reader))
        try:
            while not client.done():
                await asyncio.wait({client, self._backend.ahead()}, return_when=asyncio.FIRST_COMPLETED)
                if self._backend.ahead().done():
                    self._relay.pass_message(await self._backend.receive())
                    await self._relay.flush()
            return client.result()
        finally:
            client.cancel()

    async def _answering_errors(self, act: "Callable[[], Awaitable[object]]") -> None:
        """Do something for the client; an error is reported to it, and fails the transaction if there is one."""
        had_failed = self._backend.status == FAILED
        try:
            await act()
        except RedshiftError as error:
            self._skipping = True
            if not isinstance(error, PostgresError) and (had_failed or self._backend.status != FAILED):
                error = await self._transaction.fail(error)
            self._relay.emit(protocol.error_response(as_redshift_reports(error, self._backend.pid)))
            if error.severity == "FATAL":
                await self._relay.flush()
                raise Disconnected from error

    # -- the two protocols

    async def _on_query(self, body: bytes) -> None:
        await self._answering_errors(partial(self._run_query, body))
        await self._finish()

    async def _run_query(self, body: bytes) -> None:
        sql, _ = protocol.read_text(body)
        statements: list[Statement] = []
        for text in split_statements(sql) or [sql]:
            async with self._history.logging_refusals(text):
                statements.append(understand(text))
        if len(statements) > 1 and all(statement.role is not Role.TRANSACTION for statement in statements):
            await self._transaction.open()  # several statements of one message succeed or fail together
        for statement in statements:
            async with self._history.logging_refusals(statement.text):
                await self._make_ready(statement)
            query = Message(b"Q", protocol.text(statement.sql))
            await self._perform(statement, partial(self._relay.pass_on_query, query))

    async def _on_parse(self, body: bytes) -> None:
        _, position = protocol.read_text(body)
        async with self._history.logging_refusals(protocol.read_text(body, position)[0]):
            await self._prepared.parse(body)

    async def _on_bind(self, body: bytes) -> None:
        _, position = protocol.read_text(body)
        async with self._history.logging_refusals(self._prepared.text(protocol.read_text(body, position)[0])):
            await self._prepared.bind(body)

    async def _on_execute(self, body: bytes) -> None:
        statement = self._prepared.statement(protocol.read_text(body)[0])
        await self._perform(statement, partial(self._relay.pass_on, Message(b"E", body), b"C", b"I", b"s"))
        if statement.role in (Role.COPY, Role.APPEND):
            # Not at the client's Sync: outside a transaction block a COPY commits even if its client has gone.
            await self._answering_errors(self._transaction.end)

    async def _on_sync(self) -> None:
        self._backend.send(_SYNC)
        # What PostgreSQL checks only when it commits fails here.
        await self._answering_errors(self._relay.until_ready)
        await self._finish()

    async def _finish(self) -> None:
        """End what the client's Sync or Query ends, and report readiness."""
        await self._answering_errors(self._transaction.end)
        for fault in self._after:
            await self._answering_errors(partial(self._happen, fault))
        self._after.clear()
        self._relay.held = self._skipping = False
        self._transaction.settle()
        self._history.settle()
        self._relay.emit(Message(b"Z", self._backend.status))

    # -- one statement

    async def _make_ready(self, statement: Statement) -> None:
        """Do what has to be done before PostgreSQL takes the snapshot that a statement will see."""
        await self._transaction.lock_written_table(statement)
        if statement.role is Role.LOCK:
            await self._transaction.open()  # outside a transaction block it has no effect, and is not an error
        await self._history.make_ready(statement)

    async def _perform(self, statement: Statement, pass_on: "Callable[[], Awaitable[object]]") -> None:
        """Run a statement, with the faults that wait for it, and log it."""
        if statement.role is Role.FAULT:
            self._shared.faults.order(statement.text)
            self._relay.emit(protocol.command_complete("LOCAL FAULT"))
            return
        query = await self._history.begin(statement.text, statement.kind)
        self._relay.rows = 0
        try:
            await self._run(statement, query, pass_on)
        except RedshiftError as error:
            await self._history.failed(query, statement.text, error)
            raise
        await self._history.succeeded(query, self._relay.rows)
        if statement.role is not Role.TRANSACTION and not statement.asks_what_was_last:
            self._history.last_query_id = query.query_id

    async def _run(self, statement: Statement, query: "Query", pass_on: "Callable[[], Awaitable[object]]") -> None:
        faults = self._shared.faults
        self._relay.held = self._relay.held or faults.awaits("after", statement.text)
        fault = faults.take("before", statement.text)
        if fault is not None and fault.action == "echo":
            raise RedshiftError(f'syntax error at or near "{statement.text}"', code="42601")
        if fault is not None:
            await self._happen(fault)
        match statement.role:
            case Role.COPY:
                await self._copy(statement, query)
            case Role.APPEND:
                await self._append(statement)
            case Role.LOCK:
                await self._lock(pass_on)
            case Role.TRUNCATE:
                await pass_on()
                if self._backend.status == IN_TRANSACTION and not self._transaction.implicit:
                    await self._backend.call("COMMIT")
                    self._transaction.settle()
            case Role.TRANSACTION if statement.database is not None:
                async with self._shared.catalogs.carrying_out(statement.database):
                    await pass_on()
            case Role.ALONE:
                self._transaction.refuse("ALTER TABLE ALTER COLUMN")
                await pass_on()
            case _:
                await pass_on()
        if (late := faults.take("after", statement.text)) is not None:
            self._after.append(late)
        if fault is not None and fault.action == "ghost":
            # The client is gone; this is where its last message takes effect.
            self._backend.send(_SYNC)
            await self._relay.until(b"Z")
            await self._answering_errors(self._transaction.end)
            raise Disconnected

    async def _happen(self, fault: "Fault") -> None:
        match fault.action:
            case "sleep":
                await asyncio.sleep(fault.seconds)
            case "error":
                if fault.side == "after":
                    self._relay.rewind()  # the error comes in place of the answer
                raise RedshiftError("ordered by LOCAL FAULT", code=fault.sqlstate)
            case "drop":
                self._writer.transport.abort()
                raise Disconnected
            case "ghost":
                self._writer.transport.abort()
                await asyncio.sleep(fault.seconds)

    async def _lock(self, pass_on: "Callable[[], Awaitable[object]]") -> None:
        """Let the client lock, and find out afterwards whether it may: asking first would take a snapshot."""
        mark = self._relay.mark()
        await pass_on()
        forbidden = await self._shared.catalog.forbidden_lock(self._backend.pid, self._user)
        if forbidden is not None:
            self._relay.rewind(mark)
            raise RedshiftError(f"permission denied for relation {forbidden}", code="42501")

    async def _append(self, statement: Statement) -> None:
        if statement.append is None:
            raise RedshiftError("not an ALTER TABLE APPEND", code="42601")
        self._transaction.refuse("ALTER TABLE APPEND")
        await self._transaction.open()
        await run_append(self._backend, statement.append)
        self._relay.emit(protocol.command_complete("ALTER TABLE"))

    async def _copy(self, statement: Statement, query: "Query") -> None:
        if statement.copy is None:
            raise RedshiftError("not a COPY", code="42601")
        await self._transaction.open()
        load = CopyLoad(
            self._backend,
            statement.copy,
            s3_endpoint=self._shared.s3_endpoint,
            threads=self._shared.threads,
            query_id=query.query_id,
            fault=self._shared.faults.s3_answer,
            recognise=self._recogniser(),
        )
        record = partial(self._shared.catalog.record, statement.copy, load.report, query)
        try:
            await load.run()
        except RedshiftError:
            if load.report.table_id:  # it had begun to load, which makes it the last COPY
                self._history.last_copy_id, self._history.last_copy_rows = load.report.query_id, 0
            await record(status="aborted")
            raise
        await record(status="completed")
        self._history.last_copy_id, self._history.last_copy_rows = load.report.query_id, load.report.rows
        self._relay.emit(*map(protocol.info, load.report.notices(statement.copy.table_name)))
        self._relay.emit(protocol.command_complete("COPY"))

    def _recogniser(self) -> "Callable[[str, str], bool]":
        """Return a function that a loading thread may ask whether PostgreSQL reads a text as a type."""
        loop = asyncio.get_running_loop()

        @lru_cache(maxsize=100_000)
        def recognise(type_name: str, text: str) -> bool:
            # PostgreSQL also takes words, such as "tomorrow".
            if not any(character.isdigit() for character in text):
                return False
            return asyncio.run_coroutine_threadsafe(self._shared.catalog.recognises(type_name, text), loop).result()

        return recognise
