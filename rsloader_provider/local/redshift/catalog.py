"""The system catalog's local part: prepared at the start, and written to when a COPY ends.

Its rows are written in a session of their own, so that they survive the rollback of the load that they tell about.
"""

import asyncio
import contextlib
from importlib import resources
from typing import TYPE_CHECKING, Self

from rsloader_provider.local.redshift.backend import Backend
from rsloader_provider.local.redshift.postgres import SUPERUSER
from rsloader_provider.local.redshift.sql_text import Fragment, identifier, join, render

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rsloader_provider.local.redshift.copy_load import LoadReport
    from rsloader_provider.local.redshift.copy_options import CopyOptions

_ADMINISTRATION = "template1"  # a database that is always there to connect to


class Catalog:
    """A superuser's session that all client sessions share, one statement at a time."""

    def __init__(self, backend: Backend):
        self._backend = backend
        self._lock = asyncio.Lock()

    @classmethod
    async def prepare(cls, socket: "Path", database: str, owner: str, users: "Mapping[str, str]") -> Self:
        """Create the database, its users and the catalog, as far as they are not there yet.

        Args:
            socket: PostgreSQL's socket.
            database: The database.
            owner: The user who owns it and may do anything, like Redshift's first user.
            users: All users and their passwords; only their names matter here.
        """
        administration = await Backend.connect(socket, {"user": SUPERUSER, "database": _ADMINISTRATION})
        existing = (await administration.call("SELECT rolname FROM pg_catalog.pg_roles")).rows
        for user in users:
            if [user] not in existing:
                # On Redshift anybody may lock a table that they may write to; pg_maintain stands for that.
                await administration.call(
                    render(
                        "CREATE ROLE {user} LOGIN {rights}; GRANT pg_maintain TO {user}",
                        user=identifier(user),
                        rights=Fragment("SUPERUSER" if user == owner else "NOSUPERUSER"),
                    )
                )
        databases = (await administration.call("SELECT datname FROM pg_catalog.pg_database")).rows
        if [database] not in databases:
            # Much faster than CREATE DATABASE, and nothing else needs the one that initdb made.
            await administration.call(render("ALTER DATABASE postgres RENAME TO {name}", name=identifier(database)))
        await administration.call(
            render("ALTER DATABASE {name} OWNER TO {owner}", name=identifier(database), owner=identifier(owner))
        )
        await administration.close()
        backend = await Backend.connect(socket, {"user": SUPERUSER, "database": database})
        statements = resources.files("rsloader_provider.local.redshift").joinpath("catalog.sql").read_text()
        await backend.call(
            render(
                "SET standard_conforming_strings = on; SET client_min_messages = warning; "
                "SET allow_system_table_mods = on; {catalog}; GRANT CREATE ON SCHEMA public TO public; "
                "RESET standard_conforming_strings; RESET allow_system_table_mods",
                catalog=Fragment(statements.rstrip().removesuffix(";")),
            )
        )
        return cls(backend)

    async def next_query_id(self) -> int:
        """Return an id that no other query has."""
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
