"""A client's session: its messages go to PostgreSQL and the answers come back, one message at a time.

The session waits for the answer to each message before it looks at the next one. So it always knows where both sides
stand, and may put statements of its own between the client's: a lock before a write, a COMMIT after a TRUNCATE, the
whole of a COPY. A pipelining client is served correctly, only not faster.

Redshift locks a table for writing before it reads, and PostgreSQL does not; outside a transaction block a lock needs a
transaction, which the session then opens and ends itself ("implicit" below).
"""

import asyncio
import contextlib
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from rsloader_provider.local.redshift import protocol
from rsloader_provider.local.redshift.backend import FAILED, IDLE, IN_TRANSACTION, Backend
from rsloader_provider.local.redshift.copy_load import CopyLoad
from rsloader_provider.local.redshift.errors import (
    PostgresError,
    RedshiftError,
    as_redshift_reports,
    protocol_violation,
)
from rsloader_provider.local.redshift.protocol import Message
from rsloader_provider.local.redshift.sql_text import render
from rsloader_provider.local.redshift.statements import NOTHING, Role, Statement, understand
from rsloader_provider.local.redshift.tokens import split_statements

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor

    from rsloader_provider.local.redshift.catalog import Catalog
    from rsloader_provider.local.redshift.catalogs import Catalogs
    from rsloader_provider.local.redshift.faults import Fault, Faults

_SYNC = Message(b"S", b"")
_FLUSH = Message(b"H", b"")
_IGNORED = b"Hdcf"  # Flush, because every answer is flushed, and what is left of a COPY that failed
_UNFLUSHED_BYTES = 1 << 18


class Disconnected(Exception):  # noqa: N818 - an end, not an error
    """The session is over: one side has gone, or a fault has broken the connection."""


@dataclass(frozen=True)
class Surroundings:
    """What a session shares with others.

    Attributes:
        catalog: Where loads into the session's database are recorded.
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
        self._statements: dict[str, Statement] = {}
        self._portals: dict[str, Statement] = {}
        self._unnamed = Message(b"P", b"\0\0\0\0")  # the Parse of the unnamed statement, to be repeated if need be
        self._unnamed_call = 0  # how many calls there had been then
        self._locked: set[str] = set()  # what this transaction has locked
        self._output = bytearray()
        self._held = False  # the output waits for a fault that will follow the statement
        self._skipping = False  # after an error, until the client's Sync
        self._implicit = False  # the open transaction is ours, the client knows nothing of it
        self._after: list[Fault] = []
        self._last_copy: tuple[int, int] | None = None  # id and count
        self._last_copy_lost = False  # a rollback took the settings that hold it with it
        self._handlers: dict[bytes, Callable[[bytes], Awaitable[None]]] = {
            b"Q": self._on_query,
            b"P": self._on_parse,
            b"B": self._on_bind,
            b"D": self._on_describe,
            b"C": self._on_close,
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
            self._emit(protocol.error_response(error))
            with contextlib.suppress(OSError):
                await self._flush()
        finally:
            self._writer.close()
            await self._backend.close()

    # -- both sides

    async def _next_message(self) -> Message:
        """Wait for the client; meanwhile pass on what PostgreSQL says unasked, such as the session's termination."""
        await self._flush()
        client = asyncio.ensure_future(protocol.read_message(self._reader))
        try:
            while not client.done():
                await asyncio.wait({client, self._backend.ahead()}, return_when=asyncio.FIRST_COMPLETED)
                if self._backend.ahead().done():
                    self._relay(await self._backend.receive())
                    await self._flush()
            return client.result()
        finally:
            client.cancel()

    def _emit(self, *messages: Message) -> None:
        for message in messages:
            self._output += message.encode()

    async def _flush(self) -> None:
        if self._output and not self._held:
            self._writer.write(bytes(self._output))
            self._output.clear()
            await self._writer.drain()

    def _relay(self, message: Message) -> None:
        """Put one of PostgreSQL's messages into the client's output, in Redshift's words."""
        if message.kind == b"C":
            tag = protocol.read_text(message.body)[0]
            self._notice_tag(tag)
            if tag.startswith("SELECT "):
                message = protocol.command_complete("SELECT")  # Redshift does not count what it selects
        elif message.kind == b"E":
            error = as_redshift_reports(protocol.parse_error(message.body), self._backend.pid)
            if not isinstance(error, PostgresError):
                message = protocol.error_response(error)
        self._emit(message)

    def _notice_tag(self, tag: str) -> None:
        """Keep the transaction status up to date between two Syncs, when PostgreSQL does not report it."""
        if tag in ("BEGIN", "START TRANSACTION"):
            self._backend.status = IN_TRANSACTION
        elif tag in ("COMMIT", "ROLLBACK"):  # the latter may be a rollback to a savepoint, which gives up locks too
            self._locked.clear()
            self._last_copy_lost = self._last_copy_lost or tag == "ROLLBACK"

    async def _pass_on(self, message: Message, *answers: bytes) -> bytes:
        """Send a message to PostgreSQL and its answer to the client, as far as the first of the expected kinds.

        Raises:
            PostgresError: The answer was an error, which is still to be sent to the client.
        """
        self._backend.send(message, _FLUSH)
        return await self._relay_until(*answers)

    async def _relay_until(self, *answers: bytes) -> bytes:
        while (answer := await self._backend.receive()).kind not in answers:
            if answer.kind == b"E":
                raise protocol.parse_error(answer.body)
            if answer.kind != b"Z":
                self._relay(answer)
            if len(self._output) > _UNFLUSHED_BYTES:
                await self._flush()
        if answer.kind != b"Z":
            self._relay(answer)
        return answer.kind

    async def _answering_errors(self, act: "Callable[[], Awaitable[None]]") -> None:
        """Do something for the client; an error is reported to it, and fails the transaction if there is one."""
        had_failed = self._backend.status == FAILED
        try:
            await act()
        except RedshiftError as error:
            self._skipping = self._last_copy_lost = True  # lost at the latest with the rollback that has to follow
            if not isinstance(error, PostgresError) and (had_failed or self._backend.status != FAILED):
                error = await self._fail_transaction(error)
            self._emit(protocol.error_response(as_redshift_reports(error, self._backend.pid)))
            if error.severity == "FATAL":
                await self._flush()
                raise Disconnected from error

    async def _fail_transaction(self, error: RedshiftError) -> RedshiftError:
        """Let PostgreSQL know of an error that it did not find itself; returns the one that it then reports."""
        try:
            await self._backend.call(
                render("SELECT local_redshift.fail({code}, {message})", code=error.code, message=error.message)
            )
        except PostgresError as raised:
            # In a transaction that had failed before, that earlier failure is the answer.
            return error if raised.code == error.code else raised
        return error

    # -- transactions

    async def _open_implicit_transaction(self) -> None:
        if self._backend.status == IDLE:
            await self._backend.call("BEGIN")
            self._implicit = True

    async def _end_implicit_transaction(self) -> None:
        if not self._implicit:
            return
        self._implicit = False
        if self._backend.status == FAILED:
            await self._backend.call("ROLLBACK")
            self._last_copy_lost = True
        elif self._backend.status == IN_TRANSACTION:
            await self._answering_errors(partial(self._call, "COMMIT"))

    async def _call(self, sql: str) -> None:
        await self._backend.call(sql)

    async def _lock_written_table(self, statement: Statement) -> None:
        """Lock what a statement writes to, before PostgreSQL so much as parses it: its own lock would be too weak."""
        if statement.writes is None or statement.writes in self._locked:
            return
        await self._open_implicit_transaction()
        await self._backend.call(render("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE", table=statement.writes))
        self._locked.add(statement.writes)

    # -- the extended protocol

    async def _on_parse(self, body: bytes) -> None:
        name, position = protocol.read_text(body)
        sql, position = protocol.read_text(body, position)
        statements = split_statements(sql) or [sql]  # which takes off a semicolon at the end
        if len(statements) > 1:
            raise RedshiftError("cannot insert multiple commands into a prepared statement", code="42601")
        statement = understand(statements[0])
        self._statements[name] = statement
        await self._lock_written_table(statement)
        types = body[position:] if statement.sql else b"\0\0"
        parse = Message(b"P", protocol.text(name) + protocol.text(statement.sql) + types)
        if not name:
            self._unnamed, self._unnamed_call = parse, self._backend.calls
        await self._pass_on(parse, b"1")

    async def _on_bind(self, body: bytes) -> None:
        portal, position = protocol.read_text(body)
        name, _ = protocol.read_text(body, position)
        statement = self._statements.get(name, NOTHING)
        self._portals[portal] = statement
        await self._lock_written_table(statement)
        if not name and self._unnamed_call != self._backend.calls:
            await self._parse_unnamed_again()
        await self._pass_on(Message(b"B", body), b"2")

    async def _parse_unnamed_again(self) -> None:
        """Restore the unnamed statement, which PostgreSQL drops at every simple query and so at ours."""
        self._unnamed_call = self._backend.calls
        self._backend.send(self._unnamed, _FLUSH)
        while (answer := await self._backend.receive()).kind != b"1":
            if answer.kind == b"E":
                raise protocol.parse_error(answer.body)

    async def _on_describe(self, body: bytes) -> None:
        await self._pass_on(Message(b"D", body), b"T", b"n")

    async def _on_close(self, body: bytes) -> None:
        await self._pass_on(Message(b"C", body), b"3")

    async def _on_execute(self, body: bytes) -> None:
        statement = self._portals.get(protocol.read_text(body)[0], NOTHING)
        await self._perform(statement, partial(self._pass_on, Message(b"E", body), b"C", b"I", b"s"))
        if statement.role is Role.COPY:
            # Not at the client's Sync: outside a transaction block a COPY commits even if its client has gone.
            await self._end_implicit_transaction()

    async def _on_sync(self) -> None:
        self._backend.send(_SYNC)
        # What PostgreSQL checks only when it commits fails here.
        await self._answering_errors(self._relay_until_ready)
        await self._finish()

    # -- the simple protocol

    async def _on_query(self, body: bytes) -> None:
        await self._answering_errors(partial(self._run_query, body))
        await self._finish()

    async def _run_query(self, body: bytes) -> None:
        sql, _ = protocol.read_text(body)
        statements = [understand(text) for text in split_statements(sql)] or [Statement(sql, "")]
        if len(statements) > 1 and all(statement.role is not Role.TRANSACTION for statement in statements):
            await self._open_implicit_transaction()  # several statements of one message stand or fall together
        for statement in statements:
            await self._lock_written_table(statement)
            query = Message(b"Q", protocol.text(statement.sql))
            await self._perform(statement, partial(self._pass_on_query, query))

    async def _pass_on_query(self, query: Message) -> None:
        self._backend.send(query)
        await self._relay_until_ready()

    async def _relay_until_ready(self) -> None:
        try:
            await self._relay_until(b"Z")
        except PostgresError as error:
            if error.severity != "FATAL":
                await self._relay_until(b"Z")
            raise

    # -- either protocol

    async def _perform(self, statement: Statement, pass_on: "Callable[[], Awaitable[object]]") -> None:
        """Run a statement, with the faults that wait for it."""
        faults = self._shared.faults
        if statement.role is Role.FAULT:
            faults.order(statement.text)
            self._emit(protocol.command_complete("LOCAL FAULT"))
            return
        self._held = self._held or faults.awaits("after", statement.text)
        fault = faults.take("before", statement.text)
        if fault is not None:
            await self._happen(fault)
        match statement.role:
            case Role.COPY:
                await self._copy(statement)
            case Role.TRUNCATE:
                await pass_on()
                if self._backend.status == IN_TRANSACTION and not self._implicit:
                    await self._backend.call("COMMIT")
            case Role.TRANSACTION if statement.database is not None:
                async with self._shared.catalogs.carrying_out(statement.database):
                    await pass_on()
            case _:
                await pass_on()
        if (late := faults.take("after", statement.text)) is not None:
            self._after.append(late)
        if fault is not None and fault.action == "ghost":
            # The client is gone; this is where its last message takes effect.
            self._backend.send(_SYNC)
            await self._relay_until(b"Z")
            await self._end_implicit_transaction()
            raise Disconnected

    async def _finish(self) -> None:
        """End what the client's Sync or Query ends, and report readiness."""
        await self._end_implicit_transaction()
        for fault in self._after:
            await self._answering_errors(partial(self._happen, fault))
        self._after.clear()
        self._held = self._skipping = False
        if self._backend.status != IN_TRANSACTION:
            self._locked.clear()
        await self._restore_last_copy()
        self._emit(Message(b"Z", self._backend.status))

    async def _happen(self, fault: "Fault") -> None:
        match fault.action:
            case "sleep":
                await asyncio.sleep(fault.seconds)
            case "error":
                if fault.side == "after":
                    self._output.clear()  # the error comes in place of the answer
                raise RedshiftError("ordered by LOCAL FAULT", code=fault.sqlstate)
            case "drop":
                self._writer.transport.abort()
                raise Disconnected
            case "ghost":
                self._writer.transport.abort()
                await asyncio.sleep(fault.seconds)

    # -- COPY

    async def _copy(self, statement: Statement) -> None:
        if statement.copy is None:
            raise RedshiftError("not a COPY", code="42601")
        await self._open_implicit_transaction()
        load = CopyLoad(
            self._backend,
            statement.copy,
            s3_endpoint=self._shared.s3_endpoint,
            threads=self._shared.threads,
            query_id=await self._shared.catalog.next_query_id(),
            fault=self._shared.faults.s3_answer,
            recognise=self._recogniser(),
        )
        record = partial(
            self._shared.catalog.record, statement.copy, load.report, user=self._user, pid=self._backend.pid
        )
        try:
            await load.run()
        except RedshiftError:
            if load.report.table_id:  # it had begun to load, which makes it the last COPY
                self._last_copy = (load.report.query_id, 0)
            await record(status="aborted")
            raise
        await record(status="completed")
        self._last_copy = (load.report.query_id, load.report.rows)
        await self._set_last_copy()
        self._emit(*map(protocol.info, load.report.notices(statement.copy.table_name)))
        self._emit(protocol.command_complete("COPY"))

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

    async def _set_last_copy(self) -> None:
        if self._last_copy is not None:
            copy_id, count = self._last_copy
            await self._backend.call(
                render(
                    "SELECT set_config('local_redshift.copy_id', {copy_id}, false), "
                    "set_config('local_redshift.copy_count', {count}, false)",
                    copy_id=str(copy_id),
                    count=str(count),
                )
            )

    async def _restore_last_copy(self) -> None:
        """A rollback undoes settings; what the last COPY was is no part of the transaction."""
        if self._last_copy_lost and self._backend.status != FAILED:
            self._last_copy_lost = False
            with contextlib.suppress(PostgresError):
                await self._set_last_copy()
