"""Redshift's errors, as the loader tells them."""

import re
import traceback
from typing import Any

import pytest
from redshift_connector.error import InterfaceError, OperationalError, ProgrammingError

from rsloader_provider.aws.redshift.warehouse import RedshiftSession, RedshiftWarehouse
from rsloader_provider.core.config import CopyOptions
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
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.access_key import AccessKey
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render

TABLE = TableName("public", "orders")
ROLE = "arn:aws:iam::123456789012:role/redshift-reads-landing"
COPY = sql.Copy(TABLE, None, "s3://loader/m", CopyOptions(format="csv", iam_role=ROLE))
COPY_AS_DEFAULT = sql.Copy(TABLE, None, "s3://loader/m", CopyOptions(format="csv"))
LOCK = sql.LockHistory(TABLE)
PRE_SQL = sql.UserStatement("SELECT 1")


class FailingConnection:
    """A connection of the driver whose every statement fails."""

    autocommit = False

    def __init__(self, error: Exception):
        self.error = error

    def cursor(self) -> Any:
        return self

    def execute(self, text: str) -> None:
        raise self.error


def answer(sqlstate: str, message: str, detail: str = "") -> ProgrammingError:
    """What the driver raises when the server answered."""
    return ProgrammingError({"S": "ERROR", "C": sqlstate, "M": message, "D": detail})


def s3(status: int, code: str, before: str = "") -> ProgrammingError:
    return answer(
        "XX000", f"{before}S3ServiceException:Because.,Status {status},Error {code},Rid A,ExtRid B,CanRetry 1"
    )


NO_MANIFEST = "Problem reading manifest file - "
CYCLE = "Serializable isolation violation on table - 100, transactions forming the cycle are: 1, 2 (pid:3)"


@pytest.mark.parametrize(
    ("raised", "statement", "kind", "said"),
    [
        (answer("XX000", "1023", CYCLE), COPY, SerializationError, "isolation violation"),
        (answer("22000", "Invalid value", "1023 is out of range"), PRE_SQL, StatementError, "1023 is out of range"),
        (answer("40P01", "deadlock detected"), LOCK, TransientError, "deadlock"),
        (answer("40001", "could not serialize access"), PRE_SQL, TransientError, "serialize"),
        (answer("57014", "canceled on user's request"), LOCK, TransientError, "still at work"),
        (answer("57014", "canceled on user's request"), COPY, StatementError, "57014"),
        (answer("57P01", "terminated by administrator"), COPY, TransientError, "administrator"),
        (
            answer("XX000", "Load into table 'orders' failed.  Check 'stl_load_errors' system table for details."),
            COPY, BadDataError, "orders",
        ),
        (
            answer("XX000", "Load into table 'orders' failed. Check 'sys_load_error_detail' system table for details."
                   " [ErrorId: 1-656a6401-67bc80cb02ba7898069d8916]"),
            COPY, BadDataError, "orders",
        ),
        (answer("XX000", "Mandatory url is not present in manifest file."), COPY, ObjectsMissingError, "Mandatory"),
        (s3(503, "SlowDown"), COPY, TransientError, "503"),
        (s3(500, "InternalError", NO_MANIFEST), COPY, TransientError, "500"),
        (s3(403, "AccessDenied"), COPY, AccessDeniedError, ROLE),
        (s3(403, "AccessDenied"), COPY_AS_DEFAULT, AccessDeniedError, "the default role of the cluster"),
        (s3(404, "NoSuchKey", NO_MANIFEST), COPY, TransientError, "manifest"),
        (s3(404, "NoSuchKey"), COPY, ObjectsMissingError, "NoSuchKey"),
        (s3(404, "NoSuchBucket"), COPY, NotSetUpError, "Create the bucket"),
        (s3(301, "PermanentRedirect"), COPY, StatementError, "301"),
        (s3(503, "SlowDown"), PRE_SQL, StatementError, "503"),
        (answer("XX000", f"Not authorized to get credentials of role {ROLE}"), COPY, AccessDeniedError, "Attach"),
        (
            answer("XX000", f"User arn:aws:redshift:x is not authorized to assume IAM Role {ROLE}"),
            COPY, AccessDeniedError, "Attach",
        ),
        (answer("42P01", 'relation "rsloader.x" does not exist'), LOCK, NotSetUpError, "rsloader setup"),
        (answer("42P01", 'relation "x" does not exist'), PRE_SQL, NotSetUpError, "Create the table"),
        (answer("3F000", 'schema "x" does not exist'), COPY, NotSetUpError, "Create the table"),
        (answer("XX000", "Cannot COPY into nonexistent table x"), COPY, NotSetUpError, "Create the table"),
        (answer("42501", "permission denied for relation x"), LOCK, AccessDeniedError, "Grant it"),
        (answer("42601", "syntax error"), PRE_SQL, StatementError, "42601"),
        (InterfaceError("BrokenPipe: server socket closed"), COPY, ConnectionLostError, "server socket closed"),
        (OSError("timed out"), sql.Commit(), ConnectionLostError, "timed out"),
    ],
)  # fmt: skip
def test_an_answer_of_redshift_is_told_by_what_to_do_about_it(
    raised: Exception, statement: sql.Statement, kind: type[RsloaderError], said: str
):
    with pytest.raises(RsloaderError, match=said) as told:
        RedshiftSession(FailingConnection(raised)).execute(statement)
    assert type(told.value) is kind


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (answer("28000", "password authentication failed"), AccessDeniedError, "login or password"),
        (InterfaceError({"C": "28P01", "M": "no such user"}), AccessDeniedError, "no such user"),
        (answer("3D000", 'database "dve" does not exist'), ConfigurationError, "dve.*Correct its database"),
        (answer("53300", "too many connections"), TransientError, "too many"),
        (OperationalError("timeout"), TransientError, "cannot be reached"),
        (ConnectionRefusedError("refused"), TransientError, "cannot be reached"),
    ],
)
def test_a_connection_that_does_not_come_about_is_named(raised: Exception, kind: type[RsloaderError], said: str):
    def connect(_: str) -> Any:
        raise raised

    with (
        pytest.raises(RsloaderError, match=rf"Connection redshift_default: .*{said}") as told,
        RedshiftWarehouse(connect).connect("redshift_default"),
    ):
        pass
    assert type(told.value) is kind


KEY = AccessKey("AKIAIOSFODNN7EXAMPLE", "planted/s3cret", "planted-token'x")
WITH_CONNECTION = sql.Copy(TABLE, None, "s3://loader/m", CopyOptions(format="csv", aws_conn_id="lake"), KEY)
WITH_KEY = sql.Copy(
    TABLE, None, "s3://loader/m",
    CopyOptions(format="csv", access_key_id="AKIAIOSFODNN7EXAMPLE", secret_access_key="kms:aHVudGVyMg=="),
    AccessKey("AKIAIOSFODNN7EXAMPLE", "planted/s3cret"),
)  # fmt: skip
PLANTED = ("planted/s3", "planted-to")


def execute(error: Exception, *statements: sql.Statement) -> RsloaderError:
    """Run statements that all fail, and give the last one's error."""
    session = RedshiftSession(FailingConnection(error))
    for statement in statements:
        with pytest.raises(RsloaderError) as told:
            session.execute(statement)
    return told.value


@pytest.mark.parametrize(
    ("raised", "copy", "kind", "said"),
    [
        (
            s3(403, "InvalidAccessKeyId"),
            WITH_CONNECTION,
            AccessDeniedError,
            r"connection lake .*does not know that key",
        ),
        (s3(403, "SignatureDoesNotMatch"), WITH_KEY, AccessDeniedError, r"copy\.access_key_id.*`rsloader encrypt`"),
        (s3(403, "AccessDenied"), WITH_CONNECTION, AccessDeniedError, r"connection lake .*allow it s3:GetObject"),
        (s3(400, "ExpiredToken"), WITH_CONNECTION, TransientError, r"connection lake .*expired.*replaced"),
    ],
)
def test_what_s3_says_of_a_key_names_the_way_of_access_and_the_remedy(
    raised: Exception, copy: sql.Copy, kind: type[RsloaderError], said: str
):
    error = execute(raised, copy)
    assert type(error) is kind
    assert re.search(said, str(error))


@pytest.mark.parametrize(
    "raised",
    [
        answer("42601", "syntax error", render(WITH_CONNECTION)),
        answer("XX000", f"S3ServiceException:{render(WITH_CONNECTION)},Status 403,Error AccessDenied,Rid A"),
        answer("XX000", "Load into table 'orders' failed. Check 'stl_load_errors'.", render(WITH_CONNECTION)),
        answer("XX000", "1023", render(WITH_CONNECTION)),
        OSError(f"lost while sending {render(WITH_CONNECTION)!r}"),
        answer("42601", f"""syntax error at or near "{render(WITH_CONNECTION).partition("ken''x")[0]}"""),
    ],
    ids=["syntax", "S3", "bad data", "1023", "lost", "cut off"],
)
@pytest.mark.parametrize("later", [(), (sql.FindRowErrors(1, 2),)], ids=["in COPY", "in a later statement"])
def test_a_statement_that_redshift_echoes_is_told_without_its_secrets(raised: Exception, later: tuple[Any, ...]):
    """The driver's own error, which holds them, would stand in the log's traceback as the cause."""
    error = execute(raised, WITH_CONNECTION, *later)
    told = "".join(traceback.format_exception(error))
    assert [secret for secret in PLANTED if secret in told] == []
    assert "RsloaderError" not in told
    assert type(error).__name__ in told


def test_what_led_to_the_drivers_error_is_not_shown_where_it_holds_a_secret():
    lost = OSError("lost")
    lost.__context__ = ValueError(f"cannot send {render(WITH_CONNECTION)!r}")
    told = "".join(traceback.format_exception(execute(lost, WITH_CONNECTION)))
    assert [secret for secret in PLANTED if secret in told] == []


def test_the_drivers_error_stays_the_cause_where_it_holds_no_secret():
    error = execute(answer("42601", "syntax error"), WITH_CONNECTION)
    assert isinstance(error.__cause__, ProgrammingError)
