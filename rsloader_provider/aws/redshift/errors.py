"""What Redshift says of a statement or a log-in as one of the loader's errors, whichever way it was asked."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from rsloader_provider.aws.redaction import redacted
from rsloader_provider.core.errors import (
    AccessDeniedError,
    BadDataError,
    ConfigurationError,
    NotSetUpError,
    ObjectsMissingError,
    RsloaderError,
    SerializationError,
    StatementError,
    TransientError,
)
from rsloader_provider.core.redshift.names import TableName, history_table
from rsloader_provider.core.redshift.sql import (
    Copy,
    DropTable,
    FindLoaded,
    LockHistory,
    ReadBatchHistory,
    ReadHistory,
    RecordLoaded,
    Statement,
)

_LOAD_ERRORS = re.compile("stl_load_errors|sys_load_error_detail")
"""The views that COPY names for the rows that it refused: the first on a cluster, the second on Serverless."""

_LINE_ENDS = re.compile(r"[ \t]*[\r\n]+[ \t]*")
_S3_ANSWER = re.compile(r"S3ServiceException:.*?,\s*Status (?P<status>\d{3})(?:,\s*Error (?P<code>\w+))?", re.DOTALL)
_WRONG_KEY = {"InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"}
_RENEW = (
    "Correct the connection in Airflow. Or write the key's id into the load file, with the text that `rsloader "
    "encrypt` prints for its secret."
)
_ROLE_REFUSED = re.compile("not authorized to (?:assume|get credentials of role)", re.IGNORECASE)
_CANCELED = "57014"
_REDSHIFTS_OWN = {"XX000", ""}
"""The SQLSTATE of errors that PostgreSQL does not have: with COPY, nearly always files that it cannot read. The Data
API gives no SQLSTATE."""

_PASSING = {"08", "40", "53", "57"}
"""Classes of SQLSTATE: connection, transaction rolled back (a deadlock for one), resources, an operator's hand."""

_OF_HISTORY = (FindLoaded, RecordLoaded, ReadHistory, ReadBatchHistory)


@dataclass(frozen=True, slots=True)
class Answer:
    """What Redshift answered in place of a result.

    Attributes:
        sqlstate: Five characters; empty when it is not known.
        message: What is wrong. Only this and the SQLSTATE decide which error it is.
        detail: More about it, which may hold loaded data.
    """

    sqlstate: str
    message: str
    detail: str = ""


def error_of(answer: Answer, statement: Statement, secrets: Collection[str]) -> RsloaderError:
    """Tell why a statement failed, and what to do about it.

    Args:
        answer: Redshift's answer.
        statement: What was asked.
        secrets: What the error may not repeat.
    """
    what = type(statement).__name__
    sqlstate, message = answer.sqlstate, answer.message
    # The server's own words decide which error it is; only redacted words leave this function.
    said, detail = _one_line(redacted(message, secrets)), _one_line(redacted(answer.detail, secrets))
    words = f"{what}: {said} {detail}".strip()
    # The detail may hold loaded data, so only the message may decide which error it is.
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
            "--print-sql` shows how the table must be."
        )
    if sqlstate == "42501" or message.startswith("permission denied"):
        return AccessDeniedError(f"{words}. Grant it to the user of the Airflow connection.")
    if isinstance(statement, Copy) and sqlstate in _REDSHIFTS_OWN and not _S3_ANSWER.search(message):
        return BadDataError(words)
    if isinstance(statement, DropTable) and "depend" in message:
        return StatementError(
            f"{words}. Mode swap puts a new table in the place of this one, and views that depend on it would still "
            "read the old one. Create those views WITH NO SCHEMA BINDING, or use mode replace.",
            redacted(sqlstate, secrets),
        )
    sqlstate = redacted(sqlstate, secrets)
    known = f" ({sqlstate})" if sqlstate else ""
    if sqlstate == _CANCELED and isinstance(statement, LockHistory):
        return TransientError(f"{words}{known}: another load into the same table is still at work.")
    if sqlstate[:2] in _PASSING and sqlstate != _CANCELED:
        return TransientError(f"{words}{known}")
    remedy = " Correct `copy` or `targets` in the load file, or the table." if isinstance(statement, Copy) else ""
    return StatementError(f"{words}{known}.{remedy}", sqlstate)


def unconnected(answer: Answer | None, said: str, conn_id: str, secrets: Collection[str]) -> RsloaderError:
    """Tell why there is no session.

    Args:
        answer: Redshift's answer; None when it gave none.
        said: What is known without an answer.
        conn_id: The Airflow connection.
        secrets: What the error may not repeat.
    """
    if answer is None:
        return TransientError(f"Connection {conn_id}: Redshift cannot be reached: {_one_line(redacted(said, secrets))}")
    message = _one_line(redacted(answer.message, secrets))
    if answer.sqlstate[:2] == "28":
        return AccessDeniedError(f"Connection {conn_id}: {message}. Correct its login or password in Airflow.")
    if answer.sqlstate == "3D000":
        return ConfigurationError(f"Connection {conn_id}: {message}. Correct its database (`schema`) in Airflow.")
    return TransientError(f"Connection {conn_id}: {message}")


def _one_line(text: str) -> str:
    return _LINE_ENDS.sub(" ", text)


def _target(statement: Any) -> TableName:
    target: TableName = statement.target if hasattr(statement, "target") else statement.key.target
    return target


def _refused_by_aws(message: str, words: str, copy: Copy) -> RsloaderError | None:
    """Read what COPY passes on of S3's and IAM's answers; None when it is neither's."""
    reader = copy.options.reader
    if _ROLE_REFUSED.search(message):
        return AccessDeniedError(f"{words}. Attach {reader} to the cluster or workgroup, and let Redshift assume it.")
    found = _S3_ANSWER.search(message)
    if found is None:
        return None
    status, code = found["status"], found["code"]
    if code == "ExpiredToken":
        return TransientError(
            f"{words}. Redshift reads with {reader}, which expired. Each attempt asks for new ones. That helps if the "
            "connection has a role and COPY ends while they are valid. A session token that is written into the "
            "connection must be replaced."
        )
    if code in _WRONG_KEY:
        return AccessDeniedError(f"{words}. Redshift reads with {reader}: S3 does not know that key. {_RENEW}")
    if status == "403":
        return AccessDeniedError(
            f"{words}. Redshift reads with {reader}: allow it s3:GetObject and s3:ListBucket on the source and on "
            "`manifests`, and kms:Decrypt where the objects are encrypted."
        )
    if code == "NoSuchBucket":
        return NotSetUpError(f"{words}. Create the bucket, or correct its name in the load file.")
    if code == "NoSuchKey" and not message.startswith("Problem reading manifest file"):
        return ObjectsMissingError(words, ())
    # Every attempt writes the manifest, so one that was deleted is there again for the next.
    if code == "NoSuchKey" or status.startswith("5"):
        return TransientError(words)
    return None
