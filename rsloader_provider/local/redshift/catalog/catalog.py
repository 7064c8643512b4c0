"""The system catalog's local part in one database: prepared at its first use, and written to by the proxy.

Its rows are written in a session of their own, so that they survive the rollback of the load that they tell about.
"""

import asyncio
import contextlib
from importlib import resources
from typing import TYPE_CHECKING, Self

from rsloader_provider.local.redshift.catalog.query_log import Query, QueryLog
from rsloader_provider.local.redshift.catalog.recent_rows import RecentRows
from rsloader_provider.local.redshift.errors import RedshiftError
from rsloader_provider.local.redshift.postgres import SUPERUSER
from rsloader_provider.local.redshift.sql.quoting import Fragment, join, render
from rsloader_provider.local.redshift.wire.backend import Answer, Backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from rsloader_provider.local.redshift.copy.load import LoadReport
    from rsloader_provider.local.redshift.copy.options import CopyOptions

_QUERY_IDS = 1000  # the increment of their sequence


class Catalog:
    """A superuser's session in one database, which all client sessions there share, one statement at a time.

    Args:
        socket: PostgreSQL's socket.
        database: The database.
        backend: The session.
        home: The catalog that numbers queries, for all databases; None if it is this one.

    Attributes:
        recent: The rows that it has written last.
    """

    def __init__(self, socket: "Path", database: str, backend: Backend, home: "Catalog | None"):
        self._socket = socket
        self._database = database
        self._backend = backend
        self._home = home
        self._lock = asyncio.Lock()
        self._log = QueryLog()
        self.recent = RecentRows()
        self._query_ids: Iterator[int] = iter(())

    @classmethod
    async def open(cls, socket: "Path", database: str, home: "Catalog | None" = None) -> Self:
        """Open a session in a database, and create what is missing of the local part of its system catalog.

        Args:
            socket: PostgreSQL's socket.
            database: The database.
            home: The catalog that numbers queries; None for the first one, where temporary passwords are kept too.

        Raises:
            PostgresError: There is no such database.
        """
        backend = await _open_session(socket, database)
        await backend.call(
            render(
                "SET standard_conforming_strings = on; SET client_min_messages = warning; "
                "SET allow_system_table_mods = on; {catalog}; {databases}; {driver_lookups}; {users}; "
                "GRANT CREATE ON SCHEMA public TO public; "
                "RESET standard_conforming_strings; RESET allow_system_table_mods",
                catalog=_script("catalog.sql"),
                databases=_script("databases.sql"),
                driver_lookups=_script("driver_lookups.sql"),
                users=_script("users.sql") if home is None else Fragment(""),
            )
        )
        return cls(socket, database, backend, home)

    @contextlib.asynccontextmanager
    async def vacated(self) -> "AsyncIterator[None]":
        """Leave the database while it is dropped or renamed; come back if that fails."""
        await self.write_queries()
        async with self._lock:
            await self._backend.close()
            try:
                yield
            except Exception:
                self._backend = await _open_session(self._socket, self._database)
                raise

    async def call(self, sql: Fragment) -> Answer:
        """Run a statement as the superuser."""
        async with self._lock:
            return await self._backend.call(sql)

    async def next_query_id(self) -> int:
        """Return an id for a query, unique in all databases and greater than all before it."""
        if self._home is not None:
            return await self._home.next_query_id()
        if (query_id := next(self._query_ids, None)) is not None:
            return query_id
        async with self._lock:
            answer = await self._backend.call("SELECT nextval('local_redshift.query_id')")
            first = int(answer.rows[0][0] or 0)
            self._query_ids = iter(range(first, first + _QUERY_IDS))
            return next(self._query_ids)

    async def forbidden_lock(self, pid: int, user: str) -> str | None:
        """Return a table that a session has locked and that its user may not write to, or None.

        PostgreSQL's own rule for LOCK, asked here because `pg_maintain` has let the user lock anything. A table that
        the session's transaction has created is not known here, and is its own.

        Args:
            pid: The session.
            user: Its user.
        """
        async with self._lock:
            answer = await self._backend.call(
                render(
                    "SELECT c.relname FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation "
                    "WHERE l.pid = {pid} AND l.mode = 'AccessExclusiveLock' AND c.relkind = 'r' "
                    "AND NOT has_table_privilege({user}, c.oid, 'UPDATE, DELETE, TRUNCATE') LIMIT 1",
                    pid=pid,
                    user=user,
                )
            )
        return answer.rows[0][0] if answer.rows else None

    async def log(self, query: Query) -> None:
        """Keep a finished statement for the query history."""
        self._log.add(query)
        if self._log.is_full:
            await self.write_queries()

    async def write_queries(self) -> None:
        """Write the finished statements to the query history."""
        async with self._lock:
            if not (queries := self._log.take()):
                return
            rows = [
                render(
                    "({user}, {query_id}, {transaction_id}, {session_id}, {kind}, {status}, {started}, {ended}, "
                    "{error}, {rows}, {text})",
                    user=query.user,
                    query_id=query.query_id,
                    transaction_id=query.transaction_id,
                    session_id=query.session_id,
                    kind=query.kind,
                    status=query.status,
                    started=query.started.isoformat(),
                    ended=query.ended.isoformat(),
                    error=query.error,
                    rows=query.rows,
                    text=query.text,
                )
                for query in queries
            ]
            await self._write(
                render(
                    "INSERT INTO local_redshift.query SELECT r.oid::integer, q.query_id, q.transaction_id, "
                    "q.session_id, q.query_type, q.status, q.start_time::timestamp, q.end_time::timestamp, "
                    "q.error_message, q.returned_rows, q.query_text "
                    "FROM (VALUES {rows}) AS q (user_name, query_id, transaction_id, session_id, query_type, status, "
                    "start_time, end_time, error_message, returned_rows, query_text) "
                    "LEFT JOIN pg_catalog.pg_roles r ON r.rolname = q.user_name "
                    "RETURNING 'query', to_jsonb(query)",
                    rows=join(", ", rows),
                )
            )

    async def recognises(self, type_name: str, text: str) -> bool:
        """Tell whether PostgreSQL reads a text as a value of a type."""
        async with self._lock:
            answer = await self._backend.call(
                render("SELECT pg_input_is_valid({text}, {type_name})", text=text, type_name=type_name)
            )
        return answer.rows[0][0] == "t"

    async def record(self, copy: "CopyOptions", report: "LoadReport", query: Query, *, status: str) -> None:
        """Write a COPY's end and what it read to the load history, and what it refused to the load errors.

        Args:
            copy: The statement.
            report: What became of it.
            query: The COPY as a query: who ran it, in which session and transaction.
            status: `completed` or `aborted`.
        """
        times = render("localtimestamp - make_interval(secs => {seconds})", seconds=report.seconds)
        user_id = render("(SELECT oid FROM pg_catalog.pg_roles WHERE rolname = {user})", user=query.user)
        statements = [
            render(
                "INSERT INTO local_redshift.load VALUES ({user_id}, {query_id}, {transaction_id}, {pid}, {status}, "
                "{table}, {started}, localtimestamp, {source}, {format}, {rows}, {objects}, {bytes}, {errors}, "
                # The transaction's id, which later tells how it ended; none where nothing was written.
                "(SELECT backend_xid::text::bigint FROM pg_catalog.pg_stat_activity WHERE pid = {pid})) "
                "RETURNING 'load', to_jsonb(load)",
                user_id=user_id,
                query_id=report.query_id,
                transaction_id=query.transaction_id,
                pid=query.session_id,
                status=status,
                table=copy.table_name,
                started=times,
                source=copy.source,
                format="txt" if copy.format in ("text", "fixedwidth") else copy.format,
                rows=report.rows,
                objects=report.objects,
                bytes=report.bytes_read,
                errors=len(report.errors),
            )
        ]
        statements += [
            render(
                "INSERT INTO local_redshift.load_error VALUES ({user_id}, {query_id}, {transaction_id}, {pid}, "
                "{table_id}, {started}, {file}, {line}, {column}, {type}, {length}, {position}, {raw_line}, {value}, "
                "{code}, {reason}) RETURNING 'load_error', to_jsonb(load_error)",
                user_id=user_id,
                query_id=report.query_id,
                transaction_id=query.transaction_id,
                pid=query.session_id,
                table_id=report.table_id,
                started=times,
                file=error.url,
                line=error.line,
                column=error.column,
                type=error.column_type,
                length=error.column_length,
                position=error.position,
                raw_line=error.raw_line[:1024],
                value=error.value[:1024],
                code=int(error.code),
                reason=error.reason,
            )
            for error in report.errors
        ]
        statements += [
            render(
                "INSERT INTO local_redshift.load_file VALUES ({query_id}, {file}, {bytes}, {lines}, {errors}, "
                "{started}, localtimestamp) RETURNING 'load_file', to_jsonb(load_file)",
                query_id=report.query_id,
                file=file.url,
                bytes=file.size_bytes,
                lines=file.lines,
                errors=file.errors,
                started=times,
            )
            for file in report.files
        ]
        async with self._lock:
            await self._write(join("; ", statements))

    async def _write(self, inserts: Fragment) -> None:
        """Write rows; the statement returns each of them with the name of its table."""
        for table, row in (await self._backend.call(inserts)).rows:
            self.recent.add(str(table), str(row))

    async def close(self) -> None:
        """Write what is left, and end the session."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, RedshiftError):
            await self.write_queries()
        with contextlib.suppress(OSError):
            await self._backend.close()


async def _open_session(socket: "Path", database: str) -> Backend:
    backend = await Backend.connect(socket, {"user": SUPERUSER, "database": database})
    # Writes here do not depend on reads, and must not fail because somebody else writes too.
    await backend.call("SET default_transaction_isolation = 'read committed'")
    return backend


def _script(name: str) -> Fragment:
    text = resources.files("rsloader_provider.local.redshift.catalog").joinpath(name).read_text()
    return Fragment(text.rstrip().removesuffix(";"))
