"""The local Redshift, as the local AWS reaches it.

The local AWS is started first, so it is told later where the local Redshift is. Every cluster and every workgroup then
stands for that one.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg

from rsloader_provider.local.redshift.sql.quoting import identifier, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from rsloader_provider.local.aws.iam.access_keys import AccessKey

_CONNECT_SECONDS = 30


class NoRedshiftError(Exception):
    """The local AWS has not been told where the local Redshift is."""


class RedshiftAddress(NamedTuple):
    """Where the local Redshift is, and how its superuser logs in."""

    host: str
    port: int
    database: str
    user: str
    password: str


class Login(NamedTuple):
    """A user and a password that the database accepts."""

    user: str
    password: str


class RedshiftDatabase:
    """Opens sessions of the local Redshift, and lets others in. Safe for threads.

    Args:
        new_password: Makes a temporary password; given by tests that want to know it.
    """

    def __init__(self, new_password: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> None:
        self._new_password = new_password
        self._address: RedshiftAddress | None = None

    def use(self, address: RedshiftAddress) -> None:
        """Let every cluster and workgroup stand for this database from now on."""
        self._address = address

    @property
    def address(self) -> RedshiftAddress:
        """Where it is.

        Raises:
            NoRedshiftError: The local AWS has not been told.
        """
        if self._address is None:
            raise NoRedshiftError("the local AWS has not been told where Redshift is: use PUT /_local/redshift")
        return self._address

    def connect(self, login: Login, database: str | None = None) -> psycopg.Connection[Any]:
        """Open a session in autocommit; `database` None means the one that the server was started with.

        Raises:
            psycopg.Error: The database refused.
        """
        return psycopg.connect(
            host=self.address.host,
            port=self.address.port,
            user=login.user,
            password=login.password,
            dbname=database or self.address.database,
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
            gssencmode="disable",
            client_encoding="utf8",
        )

    def user_of(self, key: AccessKey | None) -> str:
        """Return the database user that an access key stands for: its holder; the superuser for the account's own.

        Raises:
            NoRedshiftError: The local AWS has not been told where it is.
        """
        superuser = self.address.user
        return key.holder.partition(":")[2] if key and key.holder else superuser

    def let_in(self, user: str, *, seconds: int, create: bool) -> str:
        """Give a database user a temporary password, with which it logs in as `IAM:user`, `IAMA:user` or `IAMR:user`.

        Args:
            user: The user. If it does not exist at the log-in, the log-in fails.
            seconds: How long the password is valid.
            create: Create the user, with no rights but the public's, if it does not exist.

        Raises:
            psycopg.Error: The database refused.
        """
        password = self._new_password()
        with self._administration() as connection:
            if create and not connection.execute("SELECT FROM pg_user WHERE usename = %s", (user,)).fetchone():
                # Another request may create it first.
                with contextlib.suppress(psycopg.errors.DuplicateObject):
                    connection.execute(render("CREATE USER {user} PASSWORD DISABLE", user=identifier(user)).encode())
            connection.execute("SELECT local_redshift.grant_temporary_password(%s, %s, %s)", (user, password, seconds))
        return password

    def cancel(self, pid: int) -> None:
        """Cancel what a session is doing; does nothing to an idle one."""
        with self._administration() as connection:
            connection.execute("SELECT pg_cancel_backend(%s)", (pid,))

    def _administration(self) -> psycopg.Connection[Any]:
        return self.connect(Login(self.address.user, self.address.password))
