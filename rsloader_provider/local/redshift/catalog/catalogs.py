"""The catalogs of all databases, and what all databases have in common: users and passwords."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from rsloader_provider.local.redshift.catalog.catalog import Catalog
from rsloader_provider.local.redshift.errors import RedshiftError
from rsloader_provider.local.redshift.postgres import SUPERUSER
from rsloader_provider.local.redshift.sql.database_statements import set_isolation
from rsloader_provider.local.redshift.sql.quoting import Fragment, identifier, render
from rsloader_provider.local.redshift.wire.backend import Backend
from rsloader_provider.local.redshift.wire.passwords import StoredPassword, hashed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from rsloader_provider.local.redshift.sql.database_statements import DatabaseChange

_TEMPLATE = "template1"  # always there to connect to


class Catalogs:
    """One catalog for each database, opened when the first client enters it.

    Args:
        socket: PostgreSQL's socket.
        database: The database that the server was started with.
        home: Its catalog.
    """

    def __init__(self, socket: "Path", database: str, home: Catalog):
        self._socket = socket
        self._database = database
        self._home = home
        self._opened = {database: home}
        self._opening = asyncio.Lock()

    @classmethod
    async def prepare(cls, socket: "Path", database: str, owner: str, users: "Mapping[str, str]") -> Self:
        """Create the first database, its users and its catalog, where they do not exist yet.

        A user who exists already, in a data directory that was kept, keeps their password.

        Args:
            socket: PostgreSQL's socket.
            database: The database.
            owner: The user who owns it and may do anything, like Redshift's first user.
            users: All users and their passwords.
        """
        administration = await Backend.connect(socket, {"user": SUPERUSER, "database": _TEMPLATE})
        existing = (await administration.call("SELECT rolname FROM pg_catalog.pg_roles")).rows
        for user, password in users.items():
            if [user] not in existing:
                # On Redshift anybody may lock a table that they may write to; pg_maintain stands for that.
                await administration.call(
                    render(
                        "CREATE ROLE {user} LOGIN {rights} PASSWORD {password} IN ROLE pg_maintain",
                        user=identifier(user),
                        rights=Fragment("SUPERUSER" if user == owner else "NOSUPERUSER"),
                        password=hashed(password, user),
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
        return cls(socket, database, await Catalog.open(socket, database))

    async def of(self, database: str) -> Catalog:
        """Return a database's catalog.

        Raises:
            RedshiftError: There is no such database, or nobody may enter it.
        """
        if database == _TEMPLATE:  # a session in it would block every CREATE DATABASE
            raise RedshiftError(
                f'database "{database}" is not currently accepting connections', code="55000", severity="FATAL"
            )
        if database not in self._opened:
            async with self._opening:
                if database not in self._opened:
                    self._opened[database] = await Catalog.open(self._socket, database, self._home)
        return self._opened[database]

    @contextlib.asynccontextmanager
    async def carrying_out(self, change: "DatabaseChange") -> "AsyncIterator[None]":
        """Do what a change of a database needs, around the statement that makes the change.

        Raises:
            RedshiftError: The database may not be changed like that.
        """
        if change.vacates == self._database:
            raise RedshiftError(f'database "{change.vacates}" may not be dropped or renamed', code="42501")
        catalog = self._opened.pop(change.vacates, None) if change.vacates else None
        if catalog is not None and change.vacates is not None:
            try:
                async with catalog.vacated():
                    yield
            except Exception:
                self._opened.setdefault(change.vacates, catalog)
                raise
            return
        yield
        if change.isolation is not None:
            await self._home.call(set_isolation(*change.isolation))

    async def passwords_of(self, name: str) -> list[StoredPassword]:
        """Return the passwords that admit a client of this name now: its own, if it has one, and temporary ones."""
        answer = await self._home.call(
            render(
                "SELECT rolname, rolpassword FROM pg_catalog.pg_authid WHERE rolname = {name} AND rolcanlogin "
                "AND rolpassword IS NOT NULL AND (rolvaliduntil IS NULL OR rolvaliduntil > clock_timestamp()) "
                "UNION ALL SELECT user_name, password_md5 FROM local_redshift.temporary_password "
                "WHERE login_name = {name} AND valid_until > clock_timestamp()",
                name=name,
            )
        )
        return [StoredPassword(str(user), str(md5)) for user, md5 in answer.rows]

    async def close(self) -> None:
        """End all sessions."""
        for catalog in self._opened.values():
            await catalog.close()
