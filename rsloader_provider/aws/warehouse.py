"""Redshift through redshift_connector: a statement in, rows or one of our errors out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from redshift_connector.error import Error as DriverError

from rsloader_provider.core.errors import (
    AccessDeniedError,
    BadDataError,
    ConnectionLostError,
    NotSetUpError,
    ObjectsMissingError,
    RsloaderError,
    SerializationError,
    StatementError,
    TransientError,
)
from rsloader_provider.core.sql import LockHistory, Statement, render


class RedshiftSession:
    """One session in autocommit: transactions are the statements' business.

    Args:
        connection: An open connection of redshift_connector.
    """

    def __init__(self, connection: Any):
        connection.autocommit = True
        self._connection = connection

    def execute(self, statement: Statement) -> Sequence[Sequence[Any]]:
        cursor = self._connection.cursor()
        # In the style of question marks the driver leaves percent signs in people's SQL alone.
        cursor.paramstyle = "qmark"
        try:
            cursor.execute(render(statement))
            return cursor.fetchall() if cursor.description else ()
        except (DriverError, OSError) as error:
            raise _explained(error, statement) from error


class RedshiftWarehouse:
    """Opens sessions.

    Args:
        connect: Opens a connection of redshift_connector by the name of an Airflow connection, and raises
            what the driver raises, or one of our errors.
    """

    def __init__(self, connect: Callable[[str], Any]):
        self._connect = connect

    @contextmanager
    def connect(self, conn_id: str) -> Iterator[RedshiftSession]:
        try:
            connection = self._connect(conn_id)
        except (DriverError, OSError) as error:
            raise _unconnected(error, conn_id) from error
        try:
            yield RedshiftSession(connection)
        finally:
            # A connection that broke cannot be closed either, and is as good as closed.
            with suppress(DriverError, OSError):
                connection.close()


def _answer(error: BaseException) -> dict[str, str] | None:
    """Give what the server answered, or None when it did not: then the outcome is unknown."""
    return error.args[0] if error.args and isinstance(error.args[0], dict) else None


def _explained(error: BaseException, statement: Statement) -> RsloaderError:
    answer = _answer(error)
    what = type(statement).__name__
    if answer is None:
        return ConnectionLostError(f"The connection to Redshift broke during {what}: {error}")
    sqlstate, message, detail = answer.get("C", ""), answer.get("M", ""), answer.get("D", "")
    words = f"{what}: {message} {detail}".strip()
    if message.strip() == "1023" or "1023" in detail[:40]:
        return SerializationError(f"Redshift rolled the transaction back (error 1023): {detail or message}")
    if "stl_load_errors" in message:
        return BadDataError(message)
    if message.startswith("Mandatory url is not present"):
        return ObjectsMissingError(message, ())
    if sqlstate in {"42P01", "3F000"} or "nonexistent table" in message:
        remedy = (
            "Run `rsloader setup` once to create the load history."
            if isinstance(statement, LockHistory)
            else "Create the table, or correct `targets` in the load file."
        )
        return NotSetUpError(f"{words}. {remedy}")
    if sqlstate == "42501" or message.startswith("permission denied"):
        return AccessDeniedError(f"{words}. Grant it to the user of the Airflow connection.")
    if sqlstate[:2] in {"08", "53", "57"} and sqlstate != "57014":
        return TransientError(f"{words} ({sqlstate})")
    return StatementError(f"{words} ({sqlstate})", sqlstate)


def _unconnected(error: BaseException, conn_id: str) -> RsloaderError:
    answer = _answer(error)
    if answer is None:
        return TransientError(f"Connection {conn_id}: Redshift cannot be reached: {error}")
    message = answer.get("M", "")
    if answer.get("C", "")[:2] == "28":
        return AccessDeniedError(f"Connection {conn_id}: {message}. Correct its login or password in Airflow.")
    return TransientError(f"Connection {conn_id}: {message}")
