"""Redshift through the Redshift Data API: a statement in, rows or one of our errors out.

A session of the Data API is one session of Redshift, so it holds a transaction over several statements. Every statement
is sent with a token of its own: when botocore sends it again because an answer was lost, it runs once all the same.

Once there is a session, an unknown outcome of a statement is a ConnectionLostError, and the session is not used any
more. The next attempt ends it by its process id, as it does with a session of the driver.

Sources: https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html (limits),
https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_ExecuteStatement.html (sessions, tokens),
https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-calling-considerations-long-polling.html
"""

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, overload

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential

from rsloader_provider.aws.errors import as_loader_errors
from rsloader_provider.aws.redaction import redacted, shown_cause
from rsloader_provider.aws.redshift.data_api_failures import failure_of
from rsloader_provider.aws.redshift.data_api_rows import rows_of
from rsloader_provider.aws.redshift.errors import Answer, error_of, unconnected
from rsloader_provider.core.errors import (
    ConfigurationError,
    ConnectionLostError,
    RsloaderError,
    StatementError,
    TransientError,
)
from rsloader_provider.core.redshift.data_api_address import DataApiAddress
from rsloader_provider.core.redshift.render import render
from rsloader_provider.core.redshift.sql import Command, Commit, Query, Rollback, Statement

Row = TypeVar("Row")

KEEP_ALIVE_SECONDS = 900
"""How long a session may idle between two statements before AWS ends it, and with it an open transaction.

Long enough for the longest pause of a load or an audit: a call to DynamoDB or S3 that botocore tries nine times. Not
longer, because the session of a dead worker holds its locks that long, unless the next attempt ends it first. AWS
allows up to a day.
"""

_MOST_STATEMENT_BYTES = 100_000
_WAIT_TO_SUBMIT_SECONDS = 2
"""How long ExecuteStatement may wait for the statement's end: most end by then, and those that do not are known soon
enough to be cancelled."""
_WAIT_TO_DESCRIBE_SECONDS = 20
_LONGEST_PAUSE_SECONDS = 3.0
_LOOKS_AT_A_CANCELLED = 5

_FINISHED, _ABORTED = "FINISHED", "ABORTED"
_ENDED = {_FINISHED, _ABORTED, "FAILED"}
_UNANSWERED = (BotoCoreError, ClientError, ResponseParserError)
_PLACE_REMEDY = "Correct `cluster_identifier`, `serverless_work_group`, `secret_arn` or `region` in its extra."


class DataApiSession:
    """One session: it begins with the first statement, and ends when it is closed or has idled too long.

    Args:
        client: A boto3 client of `redshift-data`.
        conn_id: The Airflow connection, for errors.
        place: Where to connect.
        secrets: What no error may repeat.
        sleep: Waits so many seconds.
        keep_alive_seconds: How long it may idle.
    """

    def __init__(
        self,
        client: Any,
        conn_id: str,
        place: DataApiAddress,
        *,
        secrets: Collection[str],
        sleep: Callable[[float], None],
        keep_alive_seconds: int,
    ):
        self._client = client
        self._conn_id = conn_id
        self._place = place
        self._secrets = secrets
        self._sleep = sleep
        self._keep_alive_seconds = keep_alive_seconds
        self._can_wait = _takes_wait_time(client)
        self._session_id: str | None = None
        self._running: str | None = None
        self._is_lost = False

    @overload
    def execute(self, statement: Query[Row]) -> list[Row]: ...

    @overload
    def execute(self, statement: Command) -> None: ...

    def execute(self, statement: Statement) -> list[Any] | None:
        what, text = type(statement).__name__, render(statement)
        if self._is_lost:
            raise ConnectionLostError(f"The session of connection {self._conn_id} was lost before {what}.")
        if (size := len(text.encode())) > _MOST_STATEMENT_BYTES:
            raise StatementError(
                f"{what} has {size:,} bytes of SQL, but the Redshift Data API takes {_MOST_STATEMENT_BYTES:,}. Shorten "
                "it, or write `transport: driver`."
            )
        is_first = self._session_id is None
        with self._heard(statement, is_first=is_first):
            ended = self._end_of(self._submit(text))
            if ended["Status"] == _FINISHED:
                rows = self._rows(ended["Id"]) if ended.get("HasResultSet") else []
                return [statement.read(values) for values in rows] if isinstance(statement, Query) else None
        raise self._failed(ended, statement, is_first=is_first)

    def close(self) -> None:
        """Cancel what is running, roll back what is not committed, and let the session end.

        Does nothing for a lost session. AWS does what cannot be done now, as soon as the session has idled too long.
        """
        if self._session_id is None or self._is_lost:
            return
        self._is_lost = True
        with suppress(*_UNANSWERED):
            if self._running is not None:
                self._client.cancel_statement(Id=self._running)
                self._polls(stop=stop_after_attempt(_LOOKS_AT_A_CANCELLED))(self._describe, self._running)
            self._client.execute_statement(
                Sql=render(Rollback()),
                SessionId=self._session_id,
                SessionKeepAliveSeconds=0,
                ClientToken=str(uuid.uuid4()),
                **self._waiting(_WAIT_TO_SUBMIT_SECONDS),
            )

    def _submit(self, text: str) -> Mapping[str, Any]:
        where = {"SessionId": self._session_id} if self._session_id else self._opening()
        answer = _whole(
            self._client.execute_statement(
                Sql=text, ClientToken=str(uuid.uuid4()), **where, **self._waiting(_WAIT_TO_SUBMIT_SECONDS)
            ),
            "Id",
        )
        self._session_id = answer.get("SessionId", self._session_id)
        self._running = answer["Id"]
        return answer

    def _opening(self) -> dict[str, Any]:
        place = self._place
        names = {
            "Database": place.database,
            "ClusterIdentifier": place.cluster,
            "WorkgroupName": place.workgroup,
            "DbUser": place.user,
            "SecretArn": place.secret_arn,
        }
        given = {name: value for name, value in names.items() if value is not None}
        return {**given, "SessionKeepAliveSeconds": self._keep_alive_seconds}

    def _end_of(self, submitted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Wait for a statement's end, however long that takes: COPY may take hours."""
        # Only DescribeStatement says why a statement failed.
        is_finished = submitted.get("Status") == _FINISHED
        ended: Mapping[str, Any] = submitted if is_finished else self._polls()(self._describe, submitted["Id"])
        self._running = None
        return ended

    def _polls(self, **more: Any) -> Retrying:
        return Retrying(
            retry=retry_if_result(lambda described: described["Status"] not in _ENDED),
            wait=wait_exponential(multiplier=0.1, max=_LONGEST_PAUSE_SECONDS),
            sleep=self._sleep,
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
            **more,
        )

    def _describe(self, statement_id: str) -> Mapping[str, Any]:
        try:
            return _whole(
                self._client.describe_statement(Id=statement_id, **self._waiting(_WAIT_TO_DESCRIBE_SECONDS)), "Status"
            )
        except ClientError as error:
            # Requests whose answers were lost may still be waiting over there.
            if error.response["Error"]["Code"] != "ActiveWaitingRequestsExceededException":
                raise
            return {"Id": statement_id, "Status": "STARTED"}

    def _waiting(self, seconds: int) -> dict[str, int]:
        return {"WaitTimeSeconds": seconds} if self._can_wait else {}

    def _rows(self, statement_id: str) -> list[list[Any]]:
        rows: list[list[Any]] = []
        more: dict[str, str] = {}
        while True:
            page = _whole(self._client.get_statement_result(Id=statement_id, **more), "Records", "ColumnMetadata")
            rows += rows_of(page)
            if not page.get("NextToken"):
                return rows
            more = {"NextToken": page["NextToken"]}

    @contextmanager
    def _heard(self, statement: Statement, *, is_first: bool) -> Iterator[None]:
        try:
            with as_loader_errors(
                f"Connection {self._conn_id}, by the Redshift Data API as `aws_conn_id`", _PLACE_REMEDY
            ):
                try:
                    yield
                except ClientError as error:
                    if error.response["Error"]["Code"] == "ValidationException":
                        message = str(error.response["Error"].get("Message"))
                        cause = shown_cause(error, self._secrets)
                        raise self._invalid(message, statement, is_first=is_first) from cause
                    raise
        except StatementError:
            raise
        except RsloaderError as error:
            said, cause = redacted(str(error), self._secrets), shown_cause(error, self._secrets)
            self._is_lost = True
            if is_first:  # nothing has happened yet that could be in doubt
                raise type(error)(said) from cause
            raise ConnectionLostError(f"The outcome of {type(statement).__name__} is not known. {said}") from cause

    def _invalid(self, message: str, statement: Statement, *, is_first: bool) -> RsloaderError:
        said = redacted(message, self._secrets)
        if is_first:
            return ConfigurationError(f"Connection {self._conn_id}: Redshift Data API: {said} {_PLACE_REMEDY}")
        if said.startswith("Session"):
            return ConnectionLostError(f"Connection {self._conn_id}: the session is over: {said}")
        if isinstance(statement, Commit):
            return ConnectionLostError(f"Connection {self._conn_id}: Redshift Data API: {said}")
        return StatementError(f"{type(statement).__name__}: the Redshift Data API refused it: {said}")

    def _failed(self, ended: Mapping[str, Any], statement: Statement, *, is_first: bool) -> RsloaderError:
        text = str(ended.get("Error", ""))
        failure = failure_of(text)
        if is_first and (failure.is_over or failure.answer.sqlstate[:2] in {"28", "3D"}):
            self._is_lost = True
            return unconnected(failure.answer if failure.answer.sqlstate else None, text, self._conn_id, self._secrets)
        is_aborted = ended["Status"] == _ABORTED
        # Only Redshift itself can say that a COMMIT was not carried out.
        if failure.is_over or (isinstance(statement, Commit) and (is_aborted or not failure.is_redshifts)):
            self._is_lost = True
            said = redacted(text, self._secrets)
            return ConnectionLostError(f"The session broke during {type(statement).__name__}: {said}")
        if is_aborted:
            return error_of(Answer("57014", failure.answer.message or "cancelled"), statement, self._secrets)
        return error_of(failure.answer, statement, self._secrets)


class DataApiWarehouse:
    """Opens sessions.

    Args:
        client: Makes a boto3 client of `redshift-data` for a region; None for the region of the credentials.
        place: Reads an Airflow connection; raises ConfigurationError.
        secrets: Gives what no error of such a connection may repeat.
        sleep: Waits so many seconds.
        keep_alive_seconds: How long a session may idle.
    """

    def __init__(
        self,
        client: Callable[[str | None], Any],
        place: Callable[[str], DataApiAddress],
        secrets: Callable[[str], Collection[str]] = lambda _: (),
        sleep: Callable[[float], None] = time.sleep,
        keep_alive_seconds: int = KEEP_ALIVE_SECONDS,
    ):
        self._client = client
        self._place = place
        self._secrets = secrets
        self._sleep = sleep
        self._keep_alive_seconds = keep_alive_seconds

    @contextmanager
    def connect(self, conn_id: str) -> Iterator[DataApiSession]:
        place = self._place(conn_id)
        session = DataApiSession(
            self._client(place.region),
            conn_id,
            place,
            secrets=self._secrets(conn_id),
            sleep=self._sleep,
            keep_alive_seconds=self._keep_alive_seconds,
        )
        try:
            yield session
        finally:
            session.close()


def _whole(answer: Mapping[str, Any], *members: str) -> Mapping[str, Any]:
    """Give an answer that has what it must have; botocore makes an empty one of a proxy's page that is not JSON.

    Raises:
        TransientError: Something is missing.
    """
    if missing := [name for name in members if name not in answer]:
        raise TransientError(f"AWS's answer has no {' and no '.join(missing)}: something on the way replaced it.")
    return answer


def _takes_wait_time(client: Any) -> bool:
    """Tell whether this boto3 knows long polling; with an older one we ask more often."""
    members: Mapping[str, Any] = client.meta.service_model.operation_model("DescribeStatement").input_shape.members
    return "WaitTimeSeconds" in members
