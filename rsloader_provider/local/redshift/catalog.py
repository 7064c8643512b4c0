"""The system catalog's local part in one database: prepared at its first use, and written to when a COPY ends.

Its rows are written in a session of their own, so that they survive the rollback of the load that they tell about.
"""

import asyncio
import contextlib
from importlib import resources
from typing import TYPE_CHECKING, Self

from rsloader_provider.local.redshift.backend import Answer, Backend
from rsloader_provider.local.redshift.postgres import SUPERUSER
from rsloader_provider.local.redshift.sql_text import Fragment, join, render

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rsloader_provider.local.redshift.copy_load import LoadReport
    from rsloader_provider.local.redshift.copy_options import CopyOptions


class Catalog:
    """A superuser's session in one database, which all client sessions there share, one statement at a time.

    Args:
        socket: PostgreSQL's socket.
        database: The database.
        backend: The session.
        home: The catalog that numbers queries, for all databases; None if it is this one.
    """

    def __init__(self, socket: "Path", database: str, backend: Backend, home: "Catalog | None"):
        self._socket = socket
        self._database = database
        self._backend = backend
        self._home = home
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, socket: "Path", database: str, home: "Catalog | None" = None) -> Self:
        """Open a session in a database, and create the local part of its system catalog as far as it is not there yet.

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
        """Return an id that no other query has, in whichever database."""
        if self._home is not None:
            return await self._home.next_query_id()
        async with self._lock:
            answer = await self._backend.call("SELECT nextval('local_redshift.query_id')")
        return int(answer.rows[0][0] or 0)

    async def recognises(self, type_name: str, text: str) -> bool:
        """Tell whether PostgreSQL reads a text as a value of a type."""
        async with self._lock:
            answer = await self._backend.call(
                render("SELECT pg_input_is_valid({text}, {type_name})", text=text, type_name=type_name)
            )
        return answer.rows[0][0] == "t"

    async def record(self, copy: "CopyOptions", report: "LoadReport", *, user: str, pid: int, status: str) -> None:
        """Write the end of a COPY to the load history, and what it refused to the load errors.

        Args:
            copy: The statement.
            report: What became of it.
            user: The session's user.
            pid: The session.
            status: `completed` or `aborted`.
        """
        times = render("localtimestamp - make_interval(secs => {seconds})", seconds=report.seconds)
        user_id = render("(SELECT oid FROM pg_catalog.pg_roles WHERE rolname = {user})", user=user)
        statements = [
            render(
                "INSERT INTO local_redshift.load VALUES ({user_id}, {query_id}, 0, {pid}, {status}, {table}, "
                "{started}, localtimestamp, {source}, {format}, {rows}, {objects}, {bytes}, {errors})",
                user_id=user_id,
                query_id=report.query_id,
                pid=pid,
                status=status,
                table=copy.table_name,
                started=times,
                source=copy.source,
                format=copy.format,
                rows=report.rows,
                objects=report.objects,
                bytes=report.bytes_read,
                errors=len(report.errors),
            )
        ]
        statements += [
            render(
                "INSERT INTO local_redshift.load_error VALUES ({user_id}, {query_id}, 0, {pid}, {table_id}, {started}, "
                "{file}, {line}, {column}, {type}, {length}, {position}, {raw_line}, {value}, {code}, {reason})",
                user_id=user_id,
                query_id=report.query_id,
                pid=pid,
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
        async with self._lock:
            await self._backend.call(join("; ", statements))

    async def close(self) -> None:
        """End the session."""
        with contextlib.suppress(OSError):
            await self._backend.close()


async def _open_session(socket: "Path", database: str) -> Backend:
    backend = await Backend.connect(socket, {"user": SUPERUSER, "database": database})
    # What is written here depends on nothing read, and must not fail because somebody else writes too.
    await backend.call("SET default_transaction_isolation = 'read committed'")
    return backend


def _script(name: str) -> Fragment:
    text = resources.files("rsloader_provider.local.redshift").joinpath(name).read_text()
    return Fragment(text.rstrip().removesuffix(";"))
