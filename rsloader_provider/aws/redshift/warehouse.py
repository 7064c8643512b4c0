"""Redshift through redshift_connector: a statement in, rows or one of our errors out."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, overload

from rsloader_provider.aws.redaction import redacted, shown_cause
from rsloader_provider.aws.redshift.errors import Answer, error_of, unconnected
from rsloader_provider.core.errors import ConnectionLostError, RsloaderError
from rsloader_provider.core.redshift.render import render
from rsloader_provider.core.redshift.sql import Command, Copy, Query, Statement

Row = TypeVar("Row")


class RedshiftSession:
    """One session in autocommit: transactions are the statements' business.

    Args:
        connection: An open connection of redshift_connector.
        secrets: What no error may repeat, beside the password that the driver logged in with.
    """

    def __init__(self, connection: Any, secrets: Collection[str] = ()):
        connection.autocommit = True
        self._connection = connection
        self._secrets = {*secrets}

    @overload
    def execute(self, statement: Query[Row]) -> list[Row]: ...

    @overload
    def execute(self, statement: Command) -> None: ...

    def execute(self, statement: Statement) -> list[Any] | None:
        if isinstance(statement, Copy) and statement.access_key is not None:
            # Redshift's words may quote the statement, now or when somebody asks for its errors.
            self._secrets.update(statement.access_key.secrets)
        cursor = self._connection.cursor()
        # With question marks for parameters, the driver leaves percent signs in people's SQL alone.
        cursor.paramstyle = "qmark"
        try:
            cursor.execute(render(statement))
            rows = cursor.fetchall() if cursor.description else ()
        except _driver_errors() as error:
            secrets = {*self._secrets, *_password(self._connection)}
            raise _error_of(error, statement, secrets) from shown_cause(error, secrets)
        return [statement.read(values) for values in rows] if isinstance(statement, Query) else None


class RedshiftWarehouse:
    """Opens sessions.

    Args:
        connect: Opens a connection of redshift_connector by the name of an Airflow connection, and raises
            what the driver raises, or one of our errors.
        secrets: Gives what no error of such a connection may repeat.
    """

    def __init__(self, connect: Callable[[str], Any], secrets: Callable[[str], Collection[str]] = lambda _: ()):
        self._connect = connect
        self._secrets = secrets

    @contextmanager
    def connect(self, conn_id: str) -> Iterator[RedshiftSession]:
        secrets = self._secrets(conn_id)
        try:
            connection = self._connect(conn_id)
        except _driver_errors() as error:
            raise unconnected(_answer(error), str(error), conn_id, secrets) from shown_cause(error, secrets)
        try:
            yield RedshiftSession(connection, secrets)
        finally:
            # A connection that broke cannot be closed either, and is as good as closed.
            with suppress(*_driver_errors()):
                connection.close()


def _driver_errors() -> tuple[type[Exception], ...]:
    from redshift_connector.error import Error  # noqa: PLC0415 (slow, and a connection has imported it already)

    return Error, OSError


def _password(connection: Any) -> tuple[str, ...]:
    """Give the password that the driver keeps, which may be a temporary one that is in no Airflow connection."""
    password = getattr(connection, "password", None)
    if isinstance(password, bytes):
        return (password.decode(errors="replace"),)
    return (password,) if isinstance(password, str) else ()


def _answer(error: BaseException) -> Answer | None:
    """Give what the server answered, or None when it did not: then the outcome is unknown."""
    if not error.args or not isinstance(error.args[0], dict):
        return None
    fields = {name: "" if value is None else str(value) for name, value in error.args[0].items()}
    return Answer(fields.get("C", ""), fields.get("M", ""), fields.get("D", ""))


def _error_of(error: BaseException, statement: Statement, secrets: Collection[str]) -> RsloaderError:
    if (answer := _answer(error)) is not None:
        return error_of(answer, statement, secrets)
    what = type(statement).__name__
    return ConnectionLostError(f"The connection to Redshift broke during {what}: {redacted(str(error), secrets)}")
