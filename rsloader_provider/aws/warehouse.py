"""Redshift through redshift_connector: a statement in, rows or one of our errors out."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from redshift_connector.error import Error as DriverError

from rsloader_provider.aws.redaction import redacted
from rsloader_provider.core.errors import (
    AccessDeniedError,
    BadDataError,
    ConfigurationError,
    ConnectionLostError,
    NotSetUpError,
    ObjectsMissingError,
    RsloaderError,
    SerializationError,
    StatementError,
    TransientError,
)
from rsloader_provider.core.sql import (
    Copy,
    FindLoaded,
    LockHistory,
    ReadBatchHistory,
    ReadHistory,
    RecordLoaded,
    Statement,
    TableName,
    history_table,
    render,
)

_LOAD_ERRORS = re.compile("stl_load_errors|sys_load_error_detail")
"""Where COPY sends those who want to know which rows it refused: the first on a cluster, the second on Serverless."""

_S3_ANSWER = re.compile(r"S3ServiceException:.*?,\s*Status (?P<status>\d{3})(?:,\s*Error (?P<code>\w+))?", re.DOTALL)
_ROLE_REFUSED = re.compile("not authorized to (?:assume|get credentials of role)", re.IGNORECASE)
_CANCELED = "57014"
_PASSING = {"08", "40", "53", "57"}
"""Classes of SQLSTATE: connection, transaction rolled back (a deadlock for one), resources, an operator's hand."""

_OF_HISTORY = (FindLoaded, RecordLoaded, ReadHistory, ReadBatchHistory)


class RedshiftSession:
    """One session in autocommit: transactions are the statements' business.

    Args:
        connection: An open connection of redshift_connector.
        secrets: What no error may repeat, beside the password that the driver logged in with.
    """

    def __init__(self, connection: Any, secrets: Collection[str] = ()):
        connection.autocommit = True
        self._connection = connection
        self._secrets = secrets

    def execute(self, statement: Statement) -> Sequence[Sequence[Any]]:
        cursor = self._connection.cursor()
        # In the style of question marks the driver leaves percent signs in people's SQL alone.
        cursor.paramstyle = "qmark"
        try:
            cursor.execute(render(statement))
            return cursor.fetchall() if cursor.description else ()
        except (DriverError, OSError) as error:
            raise _explained(error, statement, {*self._secrets, *_password(self._connection)}) from error


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
        except (DriverError, OSError) as error:
            raise _unconnected(error, conn_id, secrets) from error
        try:
            yield RedshiftSession(connection, secrets)
        finally:
            # A connection that broke cannot be closed either, and is as good as closed.
            with suppress(DriverError, OSError):
                connection.close()


def _password(connection: Any) -> tuple[str, ...]:
    """Give the password that the driver keeps, which may be a temporary one that is in no Airflow connection."""
    password = getattr(connection, "password", None)
    if isinstance(password, bytes):
        return (password.decode(errors="replace"),)
    return (password,) if isinstance(password, str) else ()


def _answer(error: BaseException) -> dict[str, str] | None:
    """Give what the server answered, or None when it did not: then the outcome is unknown."""
    if not error.args or not isinstance(error.args[0], dict):
        return None
    return {str(name): "" if value is None else str(value) for name, value in error.args[0].items()}


def _explained(error: BaseException, statement: Statement, secrets: Collection[str]) -> RsloaderError:
    answer = _answer(error)
    what = type(statement).__name__
    if answer is None:
        return ConnectionLostError(f"The connection to Redshift broke during {what}: {redacted(str(error), secrets)}")
    sqlstate, message = answer.get("C", ""), answer.get("M", "")
    # What it is is told by what the server said; what is said of it goes further.
    said, detail = redacted(message, secrets), redacted(answer.get("D", ""), secrets)
    words = f"{what}: {said} {detail}".strip()
    # The detail holds whatever was being loaded, so what an error is may be told from its message only.
    if message.split()[:1] == ["1023"]:
        return SerializationError(f"Redshift rolled the transaction back (error 1023): {detail or said}")
    if _LOAD_ERRORS.search(message):
        return BadDataError(said)
    if message.startswith("Mandatory url is not present"):
        return ObjectsMissingError(said, ())
    if isinstance(statement, Copy) and (refused := _refused_by_aws(message, words, statement)):
        return refused
    if sqlstate in {"42P01", "3F000"} or "nonexistent table" in message:
        remedy = (
            "Run `rsloader setup` once to create the load history."
            if isinstance(statement, (LockHistory, *_OF_HISTORY))
            else "Create the table, or correct `targets` in the load file."
        )
        return NotSetUpError(f"{words}. {remedy}")
    if sqlstate == "42703" and isinstance(statement, _OF_HISTORY):
        return NotSetUpError(
            f"{words}. The load history {history_table(_target(statement))} lacks a column. Add it: `rsloader setup "
            "--print-sql` shows the table as it has to be."
        )
    if sqlstate == "42501" or message.startswith("permission denied"):
        return AccessDeniedError(f"{words}. Grant it to the user of the Airflow connection.")
    sqlstate = redacted(sqlstate, secrets)
    if sqlstate == _CANCELED and isinstance(statement, LockHistory):
        return TransientError(f"{words} ({sqlstate}): another load into the same table is still at work.")
    if sqlstate[:2] in _PASSING and sqlstate != _CANCELED:
        return TransientError(f"{words} ({sqlstate})")
    return StatementError(f"{words} ({sqlstate})", sqlstate)


def _target(statement: Any) -> TableName:
    target: TableName = statement.target if hasattr(statement, "target") else statement.key.target
    return target


def _refused_by_aws(message: str, words: str, copy: Copy) -> RsloaderError | None:
    """Read what COPY passes on of S3's and IAM's answers; None when it is neither's."""
    role = copy.options.iam_role
    named = "the default role of the cluster or workgroup" if role == "default" else f"the role {role}"
    if _ROLE_REFUSED.search(message):
        return AccessDeniedError(
            f"{words}. Attach {named} (`copy.iam_role`) to the cluster or workgroup, and let Redshift assume it."
        )
    found = _S3_ANSWER.search(message)
    if found is None:
        return None
    status, code = found["status"], found["code"]
    if status == "403":
        return AccessDeniedError(
            f"{words}. Redshift reads with {named} (`copy.iam_role`): allow it s3:GetObject and s3:ListBucket on the "
            "source and on `manifests`, and kms:Decrypt where the objects are encrypted."
        )
    if code == "NoSuchBucket":
        return NotSetUpError(f"{words}. Create the bucket, or correct its name in the load file.")
    if code == "NoSuchKey" and not message.startswith("Problem reading manifest file"):
        return ObjectsMissingError(words, ())
    # Every attempt writes the manifest anew, so one that was deleted is there again for the next.
    if code == "NoSuchKey" or status.startswith("5"):
        return TransientError(words)
    return None


def _unconnected(error: BaseException, conn_id: str, secrets: Collection[str]) -> RsloaderError:
    answer = _answer(error)
    if answer is None:
        said = redacted(str(error), secrets)
        return TransientError(f"Connection {conn_id}: Redshift cannot be reached: {said}")
    sqlstate, message = answer.get("C", ""), redacted(answer.get("M", ""), secrets)
    if sqlstate[:2] == "28":
        return AccessDeniedError(f"Connection {conn_id}: {message}. Correct its login or password in Airflow.")
    if sqlstate == "3D000":
        return ConfigurationError(f"Connection {conn_id}: {message}. Correct its database (`schema`) in Airflow.")
    return TransientError(f"Connection {conn_id}: {message}")
