"""The Redshift Data API runs SQL in the local Redshift, and answers as AWS documents it."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from support.aws_fixtures import client, running_aws
from support.redshift_fixtures import Client, Landing, copy_sql, new_table

from rsloader_provider.local.aws.json_service import ServiceError
from rsloader_provider.local.aws.redshift.data.memory import Statements
from rsloader_provider.local.aws.redshift.data.parameters import NumberedSql
from rsloader_provider.local.aws.redshift.data.results import Result
from rsloader_provider.local.aws.redshift.data.sessions import Session, Sessions
from rsloader_provider.local.aws.redshift.data.statements import FINISHED, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rsloader_provider.local.aws import LocalAws
    from rsloader_provider.local.redshift import LocalRedshift

CLUSTER = {"ClusterIdentifier": "any-cluster", "Database": "dev"}


@pytest.fixture(scope="module")
def data(redshift_aws: LocalAws, snapshot_redshift: LocalRedshift) -> Any:
    return client(redshift_aws, "redshift-data")


def ended(data: Any, sql: str | list[str], **options: Any) -> dict[str, Any]:
    """Run SQL to its end, in a cluster unless the options say where, and describe what became of it."""
    asked = options if {"SessionId", "WorkgroupName"} & options.keys() else CLUSTER | options
    if isinstance(sql, list):
        submitted = data.batch_execute_statement(Sqls=sql, **asked)
    else:
        submitted = data.execute_statement(Sql=sql, **asked)
    description: dict[str, Any] = data.describe_statement(Id=submitted["Id"], WaitTimeSeconds=30)
    return description


def fetched(data: Any, statement_id: str) -> list[list[Any]]:
    """The rows of a result, as bare values."""
    pages = data.get_paginator("get_statement_result").paginate(Id=statement_id)
    return [
        [None if "isNull" in field else next(iter(field.values())) for field in record]
        for page in pages
        for record in page["Records"]
    ]


def value(data: Any, sql: str, **options: Any) -> Any:
    description = ended(data, sql, **options)
    assert description["Status"] == "FINISHED", description
    return fetched(data, description["Id"])[0][0]


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def until(happens: Callable[[], Any]) -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + 20
    while not (found := happens()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
    return found


def started(data: Any, statement_id: str) -> Any:
    """Wait until a statement is being run."""
    return until(lambda: data.describe_statement(Id=statement_id)["Status"] == "STARTED")


# -- results


@pytest.mark.parametrize(
    ("sql", "field", "type_name", "precision", "scale"),
    [
        ("1::smallint", {"longValue": 1}, "int2", 5, 0),
        ("-2::integer", {"longValue": -2}, "int4", 10, 0),
        ("9223372036854775807::bigint", {"longValue": 9223372036854775807}, "int8", 19, 0),
        ("1.50::numeric(5,2)", {"stringValue": "1.50"}, "numeric", 5, 2),
        ("0.25::real", {"doubleValue": 0.25}, "float4", 8, 0),
        ("0.1::double precision", {"doubleValue": 0.1}, "float8", 17, 0),
        ("'NaN'::double precision", {"stringValue": "NaN"}, "float8", 17, 0),
        ("true", {"booleanValue": True}, "bool", 1, 0),
        ("false", {"booleanValue": False}, "bool", 1, 0),
        ("'naïve 日本'::varchar(20)", {"stringValue": "naïve 日本"}, "varchar", 20, 0),
        ("''::varchar(20)", {"stringValue": ""}, "varchar", 20, 0),
        ("'ab'::char(4)", {"stringValue": "ab  "}, "bpchar", 4, 0),
        ("null::integer", {"isNull": True}, "int4", 10, 0),
        ("date '2025-01-02'", {"stringValue": "2025-01-02"}, "date", 13, 0),
        ("timestamp '2025-01-02 03:04:05.6'", {"stringValue": "2025-01-02 03:04:05.6"}, "timestamp", 29, 6),
    ],
)
def test_a_value_comes_in_the_field_of_its_type(
    data: Any, sql: str, field: dict[str, Any], type_name: str, precision: int, scale: int
) -> None:
    result = data.get_statement_result(Id=ended(data, f"SELECT {sql} AS it")["Id"])
    assert result["Records"] == [[field]]
    (column,) = result["ColumnMetadata"]
    assert (column["name"], column["label"], column["typeName"]) == ("it", "it", type_name)
    assert (column["precision"], column["scale"]) == (precision, scale)
    assert result["TotalNumRows"] == 1


def test_a_description_tells_the_statements_story(data: Any) -> None:
    sql = "SELECT 'abc', pg_backend_pid()"
    description = ended(data, sql, StatementName="a story")
    assert {
        name: description[name] for name in ("Status", "QueryString", "HasResultSet", "ResultRows", "Database")
    } == {
        "Status": "FINISHED",
        "QueryString": sql,
        "HasResultSet": True,
        "ResultRows": 1,
        "Database": "dev",
    }
    assert description["ClusterIdentifier"] == "any-cluster"
    assert description["Duration"] > 0
    assert description["UpdatedAt"] >= description["CreatedAt"]
    ((text, pid),) = fetched(data, description["Id"])
    assert (text, pid) == ("abc", description["RedshiftPid"])
    assert description["ResultSize"] == len("abc") + len(str(pid))


def test_a_long_result_comes_in_pages(data: Any) -> None:
    description = ended(data, "SELECT g::int FROM generate_series(1, 2500) AS g")
    pages = list(data.get_paginator("get_statement_result").paginate(Id=description["Id"]))
    assert [len(page["Records"]) for page in pages] == [1000, 1000, 500]
    assert {page["TotalNumRows"] for page in pages} == {2500}
    assert fetched(data, description["Id"]) == [[number] for number in range(1, 2501)]
    code, _ = refusal(data.get_statement_result, Id=description["Id"], NextToken="no such page")
    assert code == "ValidationException"


def test_a_page_of_wide_rows_is_short(data: Any) -> None:
    description = ended(data, "SELECT repeat('x', 60000) FROM generate_series(1, 40)")
    page = data.get_statement_result(Id=description["Id"])
    assert len(page["Records"]) == 17
    assert len(fetched(data, description["Id"])) == 40


def test_a_row_of_more_than_64_kilobytes_is_too_large(data: Any) -> None:
    assert ended(data, "SELECT repeat('x', 65536)")["Status"] == "FINISHED"
    too_large = ended(data, "SELECT repeat('x', 65537)")
    assert (too_large["Status"], too_large["HasResultSet"]) == ("FAILED", False)
    assert too_large["Error"] == "Packet for query is too large"


class ManyEqualRows:
    """What the driver gives for a result of one column, without holding its rows."""

    nfields = 1

    def __init__(self, count: int):
        self.ntuples = count

    def ftype(self, _column: int) -> int:
        return 25  # text

    def get_value(self, _row: int, _column: int) -> bytes:
        return WIDE


WIDE = b"x" * 65_536


def test_a_result_of_more_than_500_megabytes_is_too_large() -> None:
    assert Result(ManyEqualRows(7629)).excess() is None  # type: ignore[arg-type]
    assert Result(ManyEqualRows(7630)).excess() == "Database response exceeded size limit"  # type: ignore[arg-type]


def test_a_statement_without_a_result_counts_its_rows(data: Any, client: Client, landing: Landing) -> None:
    table = new_table(client, "a int")
    copied = ended(data, copy_sql(table, landing.put("rows", "1\n2\n3\n")))
    inserted = ended(data, f"INSERT INTO {table} VALUES (4), (5)")
    dropped = ended(data, f"ALTER TABLE {table} RENAME TO {table}_old")
    assert [(each["Status"], each["ResultRows"], each["HasResultSet"]) for each in (copied, inserted, dropped)] == [
        ("FINISHED", 3, False),
        ("FINISHED", 2, False),
        ("FINISHED", 0, False),
    ]
    assert refusal(data.get_statement_result, Id=inserted["Id"]) == (
        "ValidationException",
        "Query does not have result. Please check query status with DescribeStatement.",
    )
    assert fetched(data, ended(data, f"SELECT * FROM {table}_old WHERE false")["Id"]) == []


# -- errors


def test_an_error_reads_as_the_database_gave_it(data: Any, client: Client, landing: Landing) -> None:
    table = new_table(client, "a int")
    missing = ended(data, "SELECT * FROM nowhere")
    assert (missing["Status"], missing["Error"]) == ("FAILED", 'ERROR: relation "nowhere" does not exist')
    failed = ended(data, copy_sql(table, landing.put("bad", "no number\n")))
    assert failed["Error"].startswith(f"ERROR: Load into table '{table}' failed.  Check 'stl_load_errors' system table")
    two = ended(data, "SELECT 1; SELECT 2")
    assert two["Error"] == "ERROR: cannot insert multiple commands into a prepared statement"


def test_a_lost_connection_is_a_failed_statement(data: Any) -> None:
    description = ended(data, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert (description["Status"], description["Error"][:7]) == ("FAILED", "FATAL: ")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"Sql": "SELECT 1"}, "Either ClusterIdentifier, WorkgroupName or SessionId must be provided"),
        (CLUSTER | {"Sql": "SELECT 1", "WorkgroupName": "wg1"}, "Either ClusterIdentifier, WorkgroupName or SessionId"),
        ({"Sql": "SELECT 1", "ClusterIdentifier": "c"}, "Database must be provided"),
        (CLUSTER | {"Sql": "SELECT 1", "SessionId": str(uuid.uuid4())}, "together with SessionId"),
        (CLUSTER | {"Sql": "SELECT 1", "DbUser": "u", "SecretArn": "s"}, "together with SecretArn"),
        (CLUSTER | {"Sql": " "}, "Sql must not be empty"),
        (CLUSTER | {"Sql": "SELECT 1", "WithEvent": True}, "WithEvent is not supported by the local AWS"),
        (CLUSTER | {"Sql": "SELECT 1", "ResultFormat": "CSV"}, "ResultFormat CSV is not supported by the local AWS"),
        (CLUSTER | {"Sql": "SELECT 1", "SecretArn": "nowhere"}, "can't find the specified secret"),
        (CLUSTER | {"Sql": "SELECT :a", "Parameters": [{"name": "b", "value": "1"}]}, "Cannot find parameter: a"),
        (CLUSTER | {"Sql": "SELECT 1", "Parameters": [{"name": "b", "value": "1"}]}, r"Unused parameters: \[b\]"),
        (CLUSTER | {"Sql": "SELECT 1", "SessionKeepAliveSeconds": 86_401}, "SessionKeepAliveSeconds must be"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(data: Any, request_: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words) as caught:
        data.execute_statement(**request_)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_batch_has_at_most_forty_statements(data: Any) -> None:
    assert ended(data, ["SELECT 1"] * 40)["Status"] == "FINISHED"
    assert refusal(data.batch_execute_statement, Sqls=["SELECT 1"] * 41, **CLUSTER)[0] == "ValidationException"


def test_an_operation_that_is_not_there_is_refused(data: Any) -> None:
    code, message = refusal(data.list_databases, **CLUSTER)
    assert (code, message) == (
        "UnknownOperationException",
        "ListDatabases of redshift-data is not supported by the local AWS",
    )


def test_an_unknown_statement_is_not_found(data: Any) -> None:
    unknown = str(uuid.uuid4())
    known = ended(data, ["SELECT 1"])["Id"]
    for call in (data.describe_statement, data.get_statement_result, data.cancel_statement):
        assert refusal(call, Id=unknown) == ("ResourceNotFoundException", "Query does not exist.")
        assert refusal(call, Id="not-an-id")[0] == "ValidationException"
    assert refusal(data.describe_statement, Id=f"{known}:2")[0] == "ResourceNotFoundException"


def test_before_it_is_told_of_a_redshift_it_says_so() -> None:
    with running_aws() as aws:
        execute = client(aws, "redshift-data").execute_statement
        for asked in (CLUSTER, CLUSTER | {"DbUser": "alice"}):
            code, message = refusal(execute, Sql="SELECT 1", **asked)
            assert code == "ValidationException"
            assert message.startswith("Redshift endpoint doesn't exist in this region.")


# -- parameters


def test_parameters_are_values_wherever_a_colon_does_not_mean_something_else(data: Any) -> None:
    columns = """:name, :number::int + 1, ':name', '12:30'::time, ":odd", :name /* :name */"""
    sql = f'SELECT {columns} FROM (SELECT 1 AS ":odd") t'
    parameters = [{"name": "name", "value": "it's; -- :number"}, {"name": "number", "value": "41"}]
    description = ended(data, sql, Parameters=parameters)
    assert description.get("Error") is None
    assert description["QueryParameters"] == parameters
    text = parameters[0]["value"]
    assert fetched(data, description["Id"]) == [[text, 42, ":name", "12:30:00", 1, text]]


def test_a_batch_shares_its_parameters(data: Any, client: Client) -> None:
    table = new_table(client, "a int, b varchar(9)")
    parameters = [{"name": "a", "value": "7"}, {"name": "b", "value": "seven"}]
    sqls = [f"INSERT INTO {table} VALUES (:a, :b)", f"SELECT b FROM {table} WHERE a = :a"]
    description = ended(data, sqls, Parameters=parameters)
    assert fetched(data, description["SubStatements"][1]["Id"]) == [["seven"]]


# -- batches


def test_a_batch_is_one_transaction(data: Any, client: Client) -> None:
    table = new_table(client, "a int")
    good = ended(data, [f"INSERT INTO {table} VALUES (1)", f"SELECT count(*) FROM {table}"])
    assert [sub["Id"] for sub in good["SubStatements"]] == [f"{good['Id']}:1", f"{good['Id']}:2"]
    assert (good["Status"], good["HasResultSet"]) == ("FINISHED", True)
    assert fetched(data, f"{good['Id']}:2") == [[1]]
    assert refusal(data.get_statement_result, Id=good["Id"])[0] == "ValidationException"

    bad = ended(data, [f"INSERT INTO {table} VALUES (2)", "SELECT * FROM nowhere", "SELECT 1"])
    assert (bad["Status"], bad["Error"]) == (
        "FAILED",
        'Query #2 failed with ERROR: relation "nowhere" does not exist',
    )
    assert [(sub["Status"], sub.get("Error")) for sub in bad["SubStatements"]] == [
        ("FINISHED", None),
        ("FAILED", 'ERROR: relation "nowhere" does not exist'),
        ("ABORTED", "Connection or an prior query failed."),
    ]
    assert data.describe_statement(Id=f"{bad['Id']}:2")["Status"] == "FAILED"
    assert client.run(f"SELECT a FROM {table}") == [[1]]


def test_a_batch_in_auto_commit_keeps_what_succeeds(data: Any, client: Client) -> None:
    table = new_table(client, "a int")
    sqls = [f"INSERT INTO {table} VALUES (1)", "SELECT * FROM nowhere", f"INSERT INTO {table} VALUES (3)"]
    description = ended(data, sqls, ExecutionMode="AUTO_COMMIT")
    assert (description["Status"], description["ExecutionMode"]) == ("FAILED", "AUTO_COMMIT")
    assert [sub["Status"] for sub in description["SubStatements"]] == ["FINISHED", "FAILED", "FINISHED"]
    assert client.run(f"SELECT a FROM {table} ORDER BY a") == [[1], [3]]


# -- cancelling and waiting


def test_a_running_statement_is_cancelled(data: Any) -> None:
    statement_id = data.execute_statement(Sql="SELECT pg_sleep(600)", **CLUSTER)["Id"]
    started(data, statement_id)
    assert data.cancel_statement(Id=statement_id)["Status"] is True
    description = data.describe_statement(Id=statement_id, WaitTimeSeconds=30)
    assert description["Status"] == "ABORTED"
    assert refusal(data.cancel_statement, Id=statement_id) == (
        "ValidationException",
        f"Could not cancel a query that is already in ABORTED state with ID: {statement_id}",
    )


def test_a_cancelled_batch_leaves_nothing(data: Any, client: Client) -> None:
    table = new_table(client, "a int")
    sqls = [f"INSERT INTO {table} VALUES (1)", "SELECT pg_sleep(600)", "SELECT 1"]
    statement_id = data.batch_execute_statement(Sqls=sqls, **CLUSTER)["Id"]
    until(lambda: data.describe_statement(Id=f"{statement_id}:2")["Status"] == "STARTED")
    data.cancel_statement(Id=statement_id)
    description = data.describe_statement(Id=statement_id, WaitTimeSeconds=30)
    assert [description["Status"], *(sub["Status"] for sub in description["SubStatements"])] == [
        "ABORTED",
        "FINISHED",
        "ABORTED",
        "ABORTED",
    ]
    assert client.run(f"SELECT a FROM {table}") == []


def test_a_slow_statement_keeps_nobody_waiting(data: Any) -> None:
    slow = [data.execute_statement(Sql="SELECT pg_sleep(600)", **CLUSTER)["Id"] for _ in range(20)]
    for statement_id in slow:
        started(data, statement_id)
    assert value(data, "SELECT 1") == 1
    for statement_id in slow:
        data.cancel_statement(Id=statement_id)
    for statement_id in slow:
        assert data.describe_statement(Id=statement_id, WaitTimeSeconds=30)["Status"] == "ABORTED"


def test_the_answer_may_wait_for_the_end(data: Any) -> None:
    answer = data.execute_statement(Sql="SELECT pg_sleep(0.2)", WaitTimeSeconds=30, **CLUSTER)
    assert (answer["Status"], answer["HasResultSet"]) == ("FINISHED", True)


# -- sessions


def test_a_session_keeps_its_temporary_tables_and_its_transaction(data: Any, client: Client) -> None:
    table = new_table(client, "a int")
    first = ended(data, "CREATE TEMPORARY TABLE mine (a int)", SessionKeepAliveSeconds=60)
    session = {"SessionId": first["SessionId"]}
    pid = value(data, "SELECT pg_backend_pid()", **session)
    assert pid == first["RedshiftPid"]
    ended(data, "INSERT INTO mine VALUES (1)", **session)
    ended(data, "BEGIN", **session)
    ended(data, f"INSERT INTO {table} SELECT a FROM mine", **session)
    assert client.run(f"SELECT * FROM {table}") == []
    client.commit()
    last = ended(data, "COMMIT", **session)
    assert (last["SessionId"], last["Database"], last["ClusterIdentifier"]) == (
        first["SessionId"],
        "dev",
        "any-cluster",
    )
    assert client.run(f"SELECT * FROM {table}") == [[1]]


def test_a_failed_transaction_of_a_session_waits_for_its_rollback(data: Any) -> None:
    session = {"SessionId": ended(data, "BEGIN", SessionKeepAliveSeconds=60)["SessionId"]}
    assert ended(data, "SELECT * FROM nowhere", **session)["Status"] == "FAILED"
    assert ended(data, "SELECT 1", **session)["Error"].startswith("ERROR: current transaction is aborted")
    assert ended(data, "ROLLBACK", **session)["Status"] == "FINISHED"
    assert value(data, "SELECT 1", **session) == 1


def test_a_session_does_one_thing_at_a_time(data: Any) -> None:
    busy = data.execute_statement(Sql="SELECT pg_sleep(600)", SessionKeepAliveSeconds=60, **CLUSTER)
    session = {"SessionId": busy["SessionId"]}
    assert refusal(data.execute_statement, Sql="SELECT 1", **session) == (
        "ValidationException",
        "Session is not available",
    )
    data.cancel_statement(Id=busy["Id"])
    assert data.describe_statement(Id=busy["Id"], WaitTimeSeconds=30)["Status"] == "ABORTED"
    assert value(data, "SELECT 1", **session) == 1


def test_a_session_ends_when_nobody_uses_it(data: Any, client: Client) -> None:
    first = ended(data, "SELECT 1", SessionKeepAliveSeconds=1)
    sql = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
    until(lambda: client.value(sql, first["RedshiftPid"]) == 0 or client.rollback())
    assert refusal(data.execute_statement, Sql="SELECT 1", SessionId=first["SessionId"]) == (
        "ValidationException",
        "Session is not available",
    )


def test_a_session_ends_at_once_if_that_is_wanted_or_its_connection_is_lost(data: Any) -> None:
    for sql, options in (
        ("SELECT 1", {"SessionKeepAliveSeconds": 0}),
        ("SELECT pg_terminate_backend(pg_backend_pid())", {}),
    ):
        session = {"SessionId": ended(data, "SELECT 1", SessionKeepAliveSeconds=60)["SessionId"]}
        ended(data, sql, **session, **options)
        assert refusal(data.execute_statement, Sql="SELECT 1", **session)[1] == "Session is not available"
    unknown = str(uuid.uuid4())
    assert refusal(data.execute_statement, Sql="SELECT 1", SessionId=unknown) == (
        "ValidationException",
        f"Session with Id: {unknown} is invalid",
    )


# -- who runs it


def test_the_statement_runs_as_the_user_that_was_named(data: Any, redshift_aws: LocalAws) -> None:
    sql = "SELECT current_user"
    assert value(data, sql) == "awsuser"
    assert value(data, sql, DbUser="loader") == "loader"
    assert value(data, sql, WorkgroupName="any-workgroup", Database="dev") == "awsuser"
    secrets = client(redshift_aws, "secretsmanager")
    for password, expected in (("loader's secret", "FINISHED"), ("wrong", "FAILED")):
        held = json.dumps({"username": "loader", "password": password})
        secret = secrets.create_secret(Name=f"redshift-{uuid.uuid4()}", SecretString=held)["ARN"]
        description = ended(data, sql, SecretArn=secret)
        assert (description["Status"], description["SecretArn"]) == (expected, secret)
    assert description["Error"] == 'FATAL: password authentication failed for user "loader"'
    assert ended(data, sql, DbUser="nobody-here")["Status"] == "FAILED"


def test_an_iam_user_is_a_database_user_of_the_same_name(data: Any, redshift_aws: LocalAws) -> None:
    iam = client(redshift_aws, "iam")
    iam.create_user(UserName="ida")
    key = iam.create_access_key(UserName="ida")["AccessKey"]
    hers = boto3.client(
        "redshift-data",
        endpoint_url=redshift_aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    assert value(hers, "SELECT current_user") == "ida"
    assert ended(hers, "CREATE USER other PASSWORD DISABLE")["Status"] == "FAILED"


# -- keeping statements


def test_the_same_client_token_means_the_same_statement(data: Any, client: Client) -> None:
    table = new_table(client, "a int")
    asked = CLUSTER | {"Sql": f"INSERT INTO {table} VALUES (1)", "ClientToken": str(uuid.uuid4())}
    first, again = (data.execute_statement(WaitTimeSeconds=30, **asked) for _ in range(2))
    assert first["Id"] == again["Id"]
    assert client.run(f"SELECT a FROM {table}") == [[1]]


def test_statements_are_listed_by_name_and_status(data: Any) -> None:
    name = f"list-{uuid.uuid4()}"
    ids = [ended(data, f"SELECT {number}", StatementName=f"{name}-{number}")["Id"] for number in range(3)]
    failed = ended(data, ["SELECT * FROM nowhere"], StatementName=f"{name}-bad")["Id"]
    pages = data.get_paginator("list_statements").paginate(StatementName=name, PaginationConfig={"PageSize": 2})
    listed = [each for page in pages for each in page["Statements"]]
    assert [each["Id"] for each in listed] == [failed, *reversed(ids)]
    assert (listed[0]["QueryStrings"], listed[1]["QueryString"]) == (["SELECT * FROM nowhere"], "SELECT 2")
    only = data.list_statements(StatementName=name, Status="FAILED", **CLUSTER)["Statements"]
    assert [(each["Id"], each["StatementName"], each["IsBatchStatement"]) for each in only] == [
        (failed, f"{name}-bad", True)
    ]
    assert data.list_statements(StatementName=name, ClusterIdentifier="other")["Statements"] == []


def new_statement() -> Statement:
    queries = [("SELECT 1", NumberedSql("SELECT 1", []))]
    return Statement(queries, is_batch=False, auto_commit=False, values={}, facts={}, client_token=str(uuid.uuid4()))


def test_only_so_many_statements_run_and_are_remembered() -> None:
    statements = Statements()
    running = [statements.add(new_statement()) for _ in range(200)]
    with pytest.raises(ServiceError) as caught:
        statements.add(new_statement())
    assert caught.value.code == "ActiveStatementsExceededException"
    for statement in running:
        statement.turn(FINISHED)
    later = []
    for _ in range(900):
        later.append(statements.add(new_statement()))
        later[-1].turn(FINISHED)
        statements.forget_surplus()
    assert statements.latest() == [*reversed(later), *reversed(running[100:])]
    with pytest.raises(ServiceError, match="Query does not exist"):
        statements.statement(running[0].id)


def test_only_so_many_sessions_are_kept() -> None:
    def never() -> Any:
        raise AssertionError("no session is opened before its first statement runs")

    sessions = Sessions()
    kept = [sessions.begin(Session(never, {}, 60)) for _ in range(100)]
    sessions.begin(Session(never, {}, None))  # one that is not kept does not count
    with pytest.raises(ServiceError) as caught:
        sessions.begin(Session(never, {}, 60))
    assert caught.value.code == "ActiveSessionsExceededException"
    sessions.give_back(kept[0])
    sessions.begin(Session(never, {}, 60))


# -- Airflow's own


@pytest.fixture
def aws_connection(redshift_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    connection = {
        "conn_type": "aws",
        "login": "local",
        "password": "local",
        "extra": {"endpoint_url": redshift_aws.endpoint_url, "region_name": "us-east-1"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_OF_DATA_API", json.dumps(connection))
    return "aws_of_data_api"


def test_airflows_hook_runs_unchanged(data: Any, aws_connection: str, client: Client) -> None:
    from airflow.providers.amazon.aws.hooks.redshift_data import RedshiftDataHook  # noqa: PLC0415

    hook = RedshiftDataHook(aws_conn_id=aws_connection)
    made = hook.execute_query(
        "SELECT :a::int",
        database="dev",
        cluster_identifier="any-cluster",
        db_user="loader",
        parameters=[{"name": "a", "value": "5"}],
        poll_interval=0,
        session_keep_alive_seconds=60,
    )
    assert fetched(data, made.statement_id) == [[5]]
    again = hook.execute_query("SELECT current_user", session_id=made.session_id, poll_interval=0)
    assert fetched(data, again.statement_id) == [["loader"]]
    with pytest.raises(Exception, match='relation "nowhere" does not exist'):
        hook.execute_query("SELECT * FROM nowhere", database="dev", workgroup_name="wg1", poll_interval=0)


def test_airflows_operator_runs_unchanged(data: Any, aws_connection: str, client: Client) -> None:
    from airflow.providers.amazon.aws.operators.redshift_data import RedshiftDataOperator  # noqa: PLC0415

    table = new_table(client, "a int")
    operator = RedshiftDataOperator(
        task_id="load",
        aws_conn_id=aws_connection,
        cluster_identifier="any-cluster",
        database="dev",
        sql=[f"INSERT INTO {table} VALUES (1)", f"SELECT a FROM {table}"],
        poll_interval=1,
        return_sql_result=False,
        wait_for_completion=True,
        deferrable=False,
        durable=False,
    )
    statement_ids = operator.execute({})
    assert fetched(data, statement_ids[1]) == [[1]]
