"""A session of the Redshift Data API: what is sent, what its answers mean, and what is known when there is none."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from rsloader_provider.aws.redshift.data_api import DataApiWarehouse
from rsloader_provider.aws.redshift.transports import WarehouseByTransport
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
from rsloader_provider.core.redshift.data_api_address import DataApiAddress
from rsloader_provider.core.redshift.names import LoadKey, TableName

PLACE = DataApiAddress("dev", cluster="acme", user="loader")
SESSION = "12345678-1234-1234-1234-123456789012"
TABLE = TableName("public", "orders")
COPY = sql.Copy(TABLE, None, "s3://loader/m", CopyOptions(format="csv"))
LOCK = sql.LockHistory(TABLE)
PRE_SQL = sql.UserStatement("SELECT 1")
DENIED = "User: u is not authorized to perform: redshift-data:{} on resource: r"


def id_of(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012}"


@dataclass
class Aws:
    """boto3's own client with answers that were written down; what is asked besides is an error of its own."""

    client: Any
    stubber: Stubber
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    after_pause: Callable[[], None] = lambda: None
    statements: int = 0

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.after_pause()

    def takes(self, status: str = "FINISHED", *, rows: bool = False) -> str:
        """ExecuteStatement is answered."""
        self.statements += 1
        answer = {"Id": id_of(self.statements), "SessionId": SESSION, "Status": status, "HasResultSet": rows}
        self.stubber.add_response("execute_statement", answer)
        return id_of(self.statements)

    def describes(self, status: str, error: str | None = None) -> None:
        """DescribeStatement is answered."""
        more = {} if error is None else {"Error": error}
        self.stubber.add_response("describe_statement", {"Id": id_of(self.statements), "Status": status, **more})

    def refuses(self, operation: str, code: str, message: str = "because", status: int = 400) -> None:
        self.stubber.add_client_error(operation, code, message, http_status_code=status)

    def connect(self, *secrets: str, client: Any = None) -> Any:
        return DataApiWarehouse(
            lambda _: client or self.client, lambda _: PLACE, lambda _: secrets, sleep=self.sleep
        ).connect("redshift_default")

    def of(self, operation: str) -> list[dict[str, Any]]:
        """What was sent to an operation."""
        return [parameters for name, parameters in self.sent if name == operation]


def run(session: Any, *statements: sql.Statement) -> None:
    for each in statements:
        session.execute(each)


@pytest.fixture
def aws() -> Iterator[Aws]:
    client = boto3.client("redshift-data", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stubber:
        made = Aws(client, stubber)
        client.meta.events.register(
            "before-parameter-build.redshift-data", lambda params, model, **_: made.sent.append((model.name, params))
        )
        yield made
        stubber.assert_no_pending_responses()


def test_a_session_begins_with_its_first_statement_and_is_ended(aws: Aws):
    for _ in range(3):
        aws.takes()
    with aws.connect() as session:
        session.execute(sql.Begin())
        session.execute(sql.Commit())
    first, second, last = aws.of("ExecuteStatement")
    assert {name: first[name] for name in first if name != "ClientToken"} == {
        "Sql": "BEGIN",
        "Database": "dev",
        "ClusterIdentifier": "acme",
        "DbUser": "loader",
        "SessionKeepAliveSeconds": 900,
        "WaitTimeSeconds": 2,
    }
    assert (second["Sql"], second["SessionId"], "Database" in second) == ("COMMIT", SESSION, False)
    assert (last["Sql"], last["SessionId"], last["SessionKeepAliveSeconds"]) == ("ROLLBACK", SESSION, 0)
    assert len({each["ClientToken"] for each in aws.of("ExecuteStatement")}) == 3, "a statement's own token each"


def test_rows_come_page_by_page_as_the_driver_gives_them(aws: Aws):
    columns = [{"typeName": name} for name in ("int8", "varchar", "timestamp", "bool", "float8", "varchar", "date")]
    record = [
        {"longValue": 1}, {"stringValue": "2026-01-02"}, {"stringValue": "2026-01-02 03:04:05.6"},
        {"booleanValue": False}, {"doubleValue": 0.5}, {"isNull": True}, {"stringValue": "infinity"},
    ]  # fmt: skip
    aws.takes(rows=True)
    for more in ({"NextToken": "next"}, {}):
        answer = {"Records": [record], "ColumnMetadata": columns, **more}
        aws.stubber.add_response("get_statement_result", answer)
    aws.takes()
    with aws.connect() as session:
        rows = session.execute(PRE_SQL)
    assert rows == [[1, "2026-01-02", datetime(2026, 1, 2, 3, 4, 5, 600000), False, 0.5, None, "infinity"]] * 2
    assert [each.get("NextToken") for each in aws.of("GetStatementResult")] == [None, "next"]


def test_a_copy_of_hours_is_waited_for(aws: Aws):
    aws.takes("STARTED")
    for status in ("SUBMITTED", "PICKED", *["STARTED"] * 8, "FINISHED"):
        aws.describes(status)
    aws.takes()
    with aws.connect() as session:
        session.execute(COPY)
    assert aws.pauses == [0.1, 0.2, 0.4, 0.8, 1.6, *[3.0] * 5]


def test_an_answer_that_is_waited_for_too_often_at_once_is_asked_for_later(aws: Aws):
    """The requests whose answers were lost still wait at AWS."""
    aws.takes("STARTED")
    aws.refuses("describe_statement", "ActiveWaitingRequestsExceededException")
    aws.describes("FINISHED")
    aws.takes()
    with aws.connect() as session:
        session.execute(COPY)
    assert aws.pauses == [0.1]


class OlderClient:
    """boto3 before it knew WaitTimeSeconds, and an AWS that answers at once."""

    def __init__(self, client: Any):
        self._client = client
        shape = SimpleNamespace(members={"Id": None})
        model = SimpleNamespace(operation_model=lambda _: SimpleNamespace(input_shape=shape))
        self.meta = SimpleNamespace(service_model=model)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def test_a_boto3_that_cannot_wait_asks_more_often(aws: Aws):
    aws.stubber.add_response("execute_statement", {"Id": id_of(1), "SessionId": SESSION})
    aws.describes("SUBMITTED")
    aws.describes("FINISHED")
    aws.takes()
    with aws.connect(client=OlderClient(aws.client)) as session:
        session.execute(sql.Begin())
    assert aws.pauses == [0.1]
    assert not any("WaitTimeSeconds" in parameters for _, parameters in aws.sent)


def s3(status: int, code: str, before: str = "") -> str:
    return f"ERROR: {before}S3ServiceException:Because.,Status {status},Error {code},Rid A,ExtRid B,CanRetry 1"


CYCLE = "Serializable isolation violation on table - 100, transactions forming the cycle are: 1, 2 (pid:3)"


@pytest.mark.parametrize(
    ("text", "statement", "kind", "said"),
    [
        (f"ERROR: 1023\n  Detail: {CYCLE}", COPY, SerializationError, "isolation violation"),
        ("ERROR: Invalid value\n  Detail: 1023 is out of range", PRE_SQL, StatementError, "1023 is out of range"),
        (
            "ERROR: Load into table 'orders' failed.  Check 'stl_load_errors' system table for details.",
            COPY, BadDataError, "orders",
        ),
        (
            "ERROR: Load into table 'orders' failed. Check 'sys_load_error_detail' system table for details."
            " [ErrorId: 1-656a6401-67bc80cb02ba7898069d8916]",
            COPY, BadDataError, "orders",
        ),
        ("ERROR: Mandatory url is not present in manifest file.", COPY, ObjectsMissingError, "Mandatory"),
        (s3(503, "SlowDown"), COPY, TransientError, "503"),
        (s3(403, "AccessDenied"), COPY, AccessDeniedError, "the default role of the cluster"),
        (s3(404, "NoSuchKey", "Problem reading manifest file - "), COPY, TransientError, "manifest"),
        (s3(404, "NoSuchKey"), COPY, ObjectsMissingError, "NoSuchKey"),
        (s3(404, "NoSuchBucket"), COPY, NotSetUpError, "Create the bucket"),
        ('ERROR: relation "rsloader.x" does not exist', LOCK, NotSetUpError, "rsloader setup"),
        ('ERROR: relation "x" does not exist', PRE_SQL, NotSetUpError, "Create the table"),
        ('ERROR: schema "x" does not exist', COPY, NotSetUpError, "Create the table"),
        ("ERROR: Cannot COPY into nonexistent table x", COPY, NotSetUpError, "Create the table"),
        (
            'ERROR: column "files" does not exist\n  Position: 25',
            sql.FindLoaded(LoadKey(TABLE, "orders", "b", 1)), NotSetUpError, "lacks a column",
        ),
        ("ERROR: permission denied for relation x", LOCK, AccessDeniedError, "Grant it"),
        ("ERROR: must be owner of relation x", PRE_SQL, AccessDeniedError, "Grant it"),
        ("ERROR: deadlock detected", LOCK, TransientError, "40P01"),
        ("ERROR: could not serialize access due to concurrent update", PRE_SQL, TransientError, "40001"),
        ("ERROR: could not complete because of conflict with concurrent transaction", PRE_SQL, TransientError, "40001"),
        ("ERROR: Query (150) cancelled on user's request", LOCK, TransientError, "still at work"),
        ("ERROR: canceling statement due to user request", COPY, StatementError, "57014"),
        ("ERROR: current transaction is aborted, commands ignored", COPY, StatementError, "25P02"),
        ('ERROR: syntax error at or near "x"\n  Position: 1', PRE_SQL, StatementError, "42601"),
        ("ERROR: numeric field overflow", PRE_SQL, StatementError, r"overflow\.$"),
        ('ERROR: bad value "relation "x" does not exist"', PRE_SQL, StatementError, "bad value"),
        ("Database response exceeded size limit", PRE_SQL, StatementError, "size limit"),
        ("FATAL: terminating connection due to administrator command", COPY, ConnectionLostError, "terminating"),
        ("An I/O error occurred while sending to the backend.", sql.Commit(), ConnectionLostError, "I/O"),
        ("This connection has been closed.", COPY, ConnectionLostError, "closed"),
        ("ERROR: 1023\n  Detail: " + CYCLE, sql.Commit(), SerializationError, "isolation violation"),
        ("Query execution failed unexpectedly.", sql.Commit(), ConnectionLostError, "unexpectedly"),
        ("", sql.Commit(), ConnectionLostError, "Commit"),
    ],
)  # fmt: skip
def test_redshifts_words_are_told_by_what_to_do_about_them(
    aws: Aws, text: str, statement: sql.Statement, kind: type[RsloaderError], said: str
):
    """The Data API gives no SQLSTATE, only the words."""
    aws.takes()
    aws.takes("FAILED")
    aws.describes("FAILED", text)
    if kind is not ConnectionLostError:
        aws.takes()
    with aws.connect() as session:
        session.execute(sql.Begin())
        with pytest.raises(RsloaderError, match=said) as told:
            session.execute(statement)
    assert type(told.value) is kind


@pytest.mark.parametrize(
    ("statement", "kind"), [(COPY, StatementError), (LOCK, TransientError), (sql.Commit(), ConnectionLostError)]
)
def test_a_statement_that_somebody_cancelled_is_in_doubt_if_it_was_the_commit(
    aws: Aws, statement: sql.Statement, kind: type[RsloaderError]
):
    aws.takes()
    aws.takes("STARTED")
    aws.describes("ABORTED")
    if kind is not ConnectionLostError:
        aws.takes()
    with aws.connect() as session:
        session.execute(sql.Begin())
        with pytest.raises(RsloaderError) as told:
            session.execute(statement)
    assert type(told.value) is kind


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ('FATAL: password authentication failed for user "loader"', AccessDeniedError, "authentication"),
        ("User: x is not authorized to perform: redshift:GetClusterCredentials", AccessDeniedError, "GetClusterCred"),
        ('FATAL: database "dve" does not exist', ConfigurationError, "dve.*Correct its database"),
        ('FATAL: connection limit "500" exceeded for non-bootstrap users', TransientError, "limit"),
        ("The connection attempt failed.", TransientError, "cannot be reached"),
    ],
)
def test_a_log_in_that_fails_names_the_connection(aws: Aws, text: str, kind: type[RsloaderError], said: str):
    aws.takes("FAILED")
    aws.describes("FAILED", text)
    with pytest.raises(RsloaderError, match=f"Connection redshift_default: .*{said}") as told, aws.connect() as session:
        session.execute(sql.BackendPid())
    assert type(told.value) is kind


@pytest.mark.parametrize(
    ("code", "message", "kind", "said"),
    [
        ("AccessDeniedException", DENIED.format("ExecuteStatement"), AccessDeniedError, "ExecuteStatement on resource"),
        ("ValidationException", "Redshift endpoint doesn't exist", ConfigurationError, "`cluster_identifier`"),
        ("ResourceNotFoundException", "no such cluster", NotSetUpError, "`cluster_identifier`"),
        ("ActiveSessionsExceededException", "quota (500)", TransientError, "quota"),
        ("ActiveStatementsExceededException", "quota (500)", TransientError, "quota"),
        ("ThrottlingException", "Rate exceeded", TransientError, "Rate"),
        ("InternalServerException", "oops", TransientError, "oops"),
    ],
)
def test_a_session_that_does_not_begin_says_why(
    aws: Aws, code: str, message: str, kind: type[RsloaderError], said: str
):
    aws.refuses("execute_statement", code, message)
    with pytest.raises(RsloaderError, match=f"onnection redshift_default.*{said}") as told, aws.connect() as session:
        session.execute(sql.BackendPid())
    assert type(told.value) is kind


@pytest.mark.parametrize("operation", ["describe_statement", "get_statement_result"])
def test_a_right_that_is_missing_is_named_before_anything_has_happened(aws: Aws, operation: str):
    action = "".join(map(str.title, operation.split("_")))
    if operation == "describe_statement":
        aws.takes("STARTED")
    else:
        aws.takes(rows=True)
    aws.refuses(operation, "AccessDeniedException", DENIED.format(action))
    with pytest.raises(AccessDeniedError, match=f"redshift-data:{action}"), aws.connect() as session:
        session.execute(sql.BackendPid())


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("execute_statement", "InternalServerException"),
        ("execute_statement", "ThrottlingException"),
        ("execute_statement", "ExpiredTokenException"),
        ("execute_statement", "AccessDeniedException"),
        ("describe_statement", "InternalServerException"),
        ("describe_statement", "ResourceNotFoundException"),
        ("get_statement_result", "ThrottlingException"),
    ],
)
def test_an_outcome_that_nobody_heard_is_unknown_and_the_session_is_not_used_any_more(
    aws: Aws, operation: str, code: str
):
    """Even a refusal: an earlier try of botocore's may have been carried out, and its answer lost."""
    aws.takes()
    if operation == "describe_statement":
        aws.takes("STARTED")
    elif operation == "get_statement_result":
        aws.takes(rows=True)
    aws.refuses(operation, code)
    with aws.connect() as session:
        session.execute(sql.Begin())
        with pytest.raises(ConnectionLostError, match=f"outcome of Commit.*{code}"):
            session.execute(sql.Commit())
        with pytest.raises(ConnectionLostError, match="was lost before Rollback"):
            session.execute(sql.Rollback())


def test_a_session_that_is_over_is_a_lost_connection(aws: Aws):
    aws.takes()
    aws.refuses("execute_statement", "ValidationException", "Session is not available")
    with aws.connect() as session:
        session.execute(sql.Begin())
        with pytest.raises(ConnectionLostError, match="session is over"):
            session.execute(sql.Commit())


def test_a_commit_that_aws_refuses_is_in_doubt(aws: Aws):
    """Only Redshift can say that it did not commit: an earlier try of botocore's may have been carried out."""
    aws.takes()
    aws.refuses("execute_statement", "ValidationException", "the request is odd")
    with aws.connect() as session:
        session.execute(sql.Begin())
        with pytest.raises(ConnectionLostError, match=r"Commit.*is odd"):
            session.execute(sql.Commit())
        with pytest.raises(ConnectionLostError, match="was lost before Rollback"):
            session.execute(sql.Rollback())


def test_sql_that_aws_refuses_is_the_statements_fault(aws: Aws):
    aws.takes()
    aws.refuses("execute_statement", "ValidationException", "Sql is odd")
    aws.takes()
    with aws.connect() as session:
        session.execute(sql.Begin())
        with pytest.raises(StatementError, match=r"UserStatement.*Sql is odd"):
            session.execute(PRE_SQL)


def test_a_statement_that_is_too_long_says_what_to_do(aws: Aws):
    with aws.connect() as session, pytest.raises(StatementError, match=r"100,001 bytes.*transport: driver"):
        session.execute(sql.UserStatement("x" * 100_001))


def test_no_error_repeats_a_secret(aws: Aws):
    aws.takes("FAILED")
    aws.describes("FAILED", "FATAL: you said s3cret to me")
    aws.refuses("execute_statement", "InternalServerException", "what is s3cret")
    for _ in range(2):
        with pytest.raises(TransientError) as told, aws.connect("s3cret") as session:
            session.execute(PRE_SQL)
        assert "***" in str(told.value)
        assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("code", ["ValidationException", "InternalServerException"])
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
def test_no_traceback_repeats_a_secret(aws: Aws, code: str, is_first: bool):
    """Logs print an error's causes as they are."""
    statements = [PRE_SQL] if is_first else [sql.Begin(), PRE_SQL]
    for _ in statements[1:]:
        aws.takes()
    aws.refuses("execute_statement", code, "Session: what is s3cret")
    with pytest.raises(RsloaderError) as told, aws.connect("s3cret") as session:
        run(session, *statements)
    shown = "".join(traceback.format_exception(told.value)).replace('aws.connect("s3cret")', "")
    assert "***" in shown
    assert [line for line in shown.splitlines() if "s3cret" in line] == []


def test_awss_error_stays_the_cause_where_it_holds_no_secret(aws: Aws):
    aws.refuses("execute_statement", "InternalServerException", "oops")
    with pytest.raises(TransientError) as told, aws.connect("s3cret") as session:
        session.execute(PRE_SQL)
    assert "InternalServerException" in str(told.value.__cause__)


def test_whoever_is_stopped_while_a_statement_runs_cancels_it_and_rolls_back(aws: Aws):
    """Airflow ends a task by a signal: the session would else hold its locks until the COPY is done, and longer."""

    def stop() -> None:
        aws.after_pause = lambda: None
        raise KeyboardInterrupt

    aws.after_pause = stop
    aws.takes()
    copy = aws.takes("STARTED")
    aws.describes("STARTED")
    aws.stubber.add_response("cancel_statement", {"Status": True}, {"Id": copy})
    aws.describes("STARTED")
    aws.describes("ABORTED")
    aws.takes()
    with pytest.raises(KeyboardInterrupt), aws.connect() as session:
        run(session, sql.Begin(), COPY)
    assert aws.of("ExecuteStatement")[-1]["Sql"] == "ROLLBACK"


def test_what_cannot_be_ended_any_more_is_left_to_aws(aws: Aws):
    aws.takes()
    aws.refuses("execute_statement", "ValidationException", "Session is not available")
    with aws.connect() as session:
        session.execute(sql.Begin())


def test_each_target_gets_the_way_that_it_asks_for():
    ways = {name: SimpleNamespace(connect=lambda conn_id, name=name: f"{name} {conn_id}") for name in ("a", "b")}
    warehouse = WarehouseByTransport(ways["a"], ways["b"])
    assert warehouse.connect("x") == "a x"
    assert warehouse.connect("x", "driver") == "a x"
    assert warehouse.connect("x", "data_api") == "b x"
    with pytest.raises(ConfigurationError, match="data_api"):
        WarehouseByTransport(ways["a"], None).connect("x", "data_api")
