"""What `rsloader permissions` prints is enough for a whole load, and not a bit of it is too much.

The local AWS enforces IAM's policies here, and the loader connects to the local Redshift as a plain user.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import count
from typing import Any

import boto3
import pytest
import redshift_connector
from boto3.dynamodb.conditions import Key
from support.loader_services import aws_client_arguments, make_tables
from support.objects import a_config

from rsloader_provider.aws.dynamodb.protection import protect_tables
from rsloader_provider.aws.dynamodb.tables import ATTENTION_INDEX, TableNames, create_tables
from rsloader_provider.aws.kms import KmsKeys
from rsloader_provider.aws.redshift.data_api import DataApiWarehouse
from rsloader_provider.aws.redshift.transports import WarehouseByTransport
from rsloader_provider.aws.redshift.warehouse import RedshiftWarehouse
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import (
    AccessDeniedError,
    ConnectionLostError,
    ObjectsMissingError,
    RenamedLoadError,
    RsloaderError,
    concerning,
)
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, Notification
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.permissions import (
    Installation,
    PolicyStatement,
    operator_policy,
    reader_policies,
    render_policy,
    setup_policy,
    worker_policy,
)
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.data_api_address import DataApiAddress
from rsloader_provider.core.redshift.names import TableName, history_table
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.operate.batches import reprocess_batch
from rsloader_provider.loader.operate.deletions import delete_batches, read_deleted, restore_batches
from rsloader_provider.loader.operate.forget_objects import forget_objects
from rsloader_provider.loader.operate.move_objects import reprocess_objects
from rsloader_provider.loader.operate.recovery.rebuild import rebuild_ledger
from rsloader_provider.loader.operate.recovery.rename import rename_load
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.discover import Found, look_for_work
from rsloader_provider.loader.run.load_batch import Outcome, load_batch
from rsloader_provider.loader.run.load_secrets import encrypt_secret
from rsloader_provider.loader.run.take_over import Work
from rsloader_provider.loader.services import Services
from rsloader_provider.loader.setup import create_histories, grants_for_loads
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift
from rsloader_provider.wiring import Wiring

NAMES = TableNames("iam_")
INSTALLATION = Installation(NAMES.files, NAMES.batches, ATTENTION_INDEX, "us-east-1", "123456789012")
LANDING, LOADER = "iam-landing", "iam-loader"
LONG_KEY = "x" * 1015
"""With bucket and prefix over 1,024 bytes, so that its claim is looked up and not met on the walk."""

_numbers = count(1)


class Account:
    """An AWS account whose policies hold, and a Redshift that belongs to it."""

    def __init__(self, aws: LocalAws, redshift: LocalRedshift):
        self.aws, self.redshift = aws, redshift
        arguments = aws_client_arguments(aws.endpoint_url)
        self.s3, self.iam, self.sns = (boto3.client(name, **arguments) for name in ("s3", "iam", "sns"))
        for bucket in (LANDING, LOADER):
            self.s3.create_bucket(Bucket=bucket)
        make_tables(aws.endpoint_url, NAMES.prefix)
        self.kms = boto3.client("kms", **arguments)
        self.kms_key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.topic = self.sns.create_topic(Name="loads")["TopicArn"]
        self.run(render(sql.CreateHistorySchema()))

    @cached_property
    def own_services(self) -> Services:
        """The loader with all rights of the account."""
        return self.services({}, self.login)

    def login(self, user: str | None = None, password: str | None = None) -> Any:
        server = self.redshift
        return redshift_connector.connect(
            host=server.host,
            port=server.port,
            database=server.database,
            user=user or server.user,
            password=password or server.password,
            ssl=False,
        )

    def run(self, *statements: str) -> Any:
        """Run statements as the superuser; gives the last one's rows."""
        connection = self.login()
        connection.autocommit = True
        cursor = connection.cursor()
        for each in statements:
            cursor.execute(each)
        rows = cursor.fetchall() if cursor.description else ()
        connection.close()
        return rows

    def user(self, policy: tuple[PolicyStatement, ...], name: str | None = None) -> dict[str, str]:
        """Make an IAM user who has a policy and nothing else; gives the user's key."""
        name = name or f"user{next(_numbers)}"
        self.iam.create_user(UserName=name)
        if policy:
            self.allow(name, policy)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    def allow(self, name: str, policy: tuple[PolicyStatement, ...]) -> None:
        """Let a user do what a policy says, and nothing else."""
        document = json.dumps(render_policy(policy))
        self.iam.put_user_policy(UserName=name, PolicyName="loads", PolicyDocument=document)

    def services(self, key: dict[str, str], connect: Callable[[], Any]) -> Services:
        arguments = aws_client_arguments(self.aws.endpoint_url) | key

        def client(service: str) -> Any:
            if service == "dynamodb":
                return boto3.resource(service, **arguments).meta.client
            return boto3.client(service, **arguments)

        return Wiring(
            client=client, connect=lambda _: connect(), names=NAMES, session=lambda _: boto3.Session()
        ).services()

    def config(self, **settings: Any) -> LoadConfig:
        """A load with a prefix and a table of its own, whose history is there."""
        number = next(_numbers)
        defaults = {
            "load": f"load_{number}",
            "source": f"s3://{LANDING}/load_{number}/",
            "manifests": f"s3://{LOADER}/manifests/",
            "failed_manifests": f"s3://{LOADER}/failed/",
            "batch": {"max_files": 3},
            "notify": {"success": self.topic, "failure": self.topic},
            "targets": [{"table": f"s{number}.orders"}],
        }
        config = a_config(**defaults | settings)
        self.run(
            f"CREATE SCHEMA s{number}",
            f"CREATE TABLE s{number}.orders (id int)",
            render(sql.CreateHistory(TableName(f"s{number}", "orders"))),
        )
        return config

    def reading_with(self, config: LoadConfig, key: dict[str, str]) -> LoadConfig:
        """The same load, whose objects Redshift reads with a key that is encrypted in the load file."""
        secret = encrypt_secret(
            KmsKeys(self.kms), load=config.load, key=self.kms_key, secret=key["aws_secret_access_key"]
        )
        access = {"access_key_id": key["aws_access_key_id"], "secret_access_key": secret}
        settings = config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return LoadConfig.model_validate(settings | {"copy": settings["copy"] | access})

    def put(self, config: LoadConfig, *names: str) -> None:
        for name in names:
            self.s3.put_object(
                Bucket=LANDING, Key=config.sources[0].pattern + name, Body=f"{next(_numbers)}\n".encode()
            )

    def lose(self, batch: Batch) -> None:
        """Delete all of a batch but the claims of its objects."""
        client = boto3.resource("dynamodb", **aws_client_arguments(self.aws.endpoint_url)).Table(NAMES.batches)
        for item in client.query(KeyConditionExpression=Key("load").eq(batch.load))["Items"]:
            if batch.batch in item["batch"]:
                client.delete_item(Key={"load": batch.load, "batch": item["batch"]})

    def data_api_services(self, key: dict[str, str], place: DataApiAddress) -> Services:
        """Services that reach Redshift by the Data API only."""
        arguments = aws_client_arguments(self.aws.endpoint_url) | key

        def client(_: str | None) -> Any:
            return boto3.client("redshift-data", **arguments)

        warehouse = WarehouseByTransport(RedshiftWarehouse(_no_driver), DataApiWarehouse(client, lambda _: place))
        return replace(self.services(key, self.login), warehouse=warehouse)

    def rows(self, config: LoadConfig) -> int:
        return int(self.run(f"SELECT count(*) FROM {config.targets[0].table}")[0][0])


def _no_driver(conn_id: str) -> Any:
    raise AssertionError(f"{conn_id} is reached by the driver")


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with LocalAws(enforce_iam=True) as aws, LocalRedshift(s3_endpoint=aws.endpoint_url) as redshift:
        aws.use_redshift(
            host=redshift.host, port=redshift.port, database=redshift.database, user=redshift.user,
            password=redshift.password,
        )  # fmt: skip
        yield Account(aws, redshift)


def load_all(config: LoadConfig, services: Services) -> list[Work]:
    """What a DAG run does: look, buffer, load."""
    assert look_for_work(config, services) is Found.NEW_OR_DUE
    work = buffer_objects(config, services, run="dag/run", is_active=lambda _: False, max_work=100)
    for each in work:
        result = load_batch(config, services, each.batch.batch, each.target, Asker("dag/run/load_batch/0/1", "dag/run"))
        assert result.outcome is Outcome.LOADED
    return work


def whole_life(account: Account, config: LoadConfig, services: Services) -> None:
    """One batch is loaded, and another fails because of an object that was deleted."""
    account.put(config, "1.csv", "2.csv", LONG_KEY)
    assert len(load_all(config, services)) == 1
    assert account.rows(config) == 3
    account.put(config, "3.csv", "4.csv", "5.csv")
    (work,) = buffer_objects(config, services, run="dag/run", is_active=lambda _: False, max_work=100)
    account.s3.delete_object(Bucket=LANDING, Key=config.sources[0].pattern + "4.csv")
    with pytest.raises(ObjectsMissingError, match=r"4\.csv"):
        load_batch(config, services, work.batch.batch, work.target, Asker("dag/run/load_batch/0/1", "dag/run"))


def without(policy: tuple[PolicyStatement, ...], sid: str, action: str) -> tuple[PolicyStatement, ...]:
    less = (
        replace(each, actions=tuple(a for a in each.actions if a != action)) if each.sid == sid else each
        for each in policy
    )
    return tuple(each for each in less if each.actions)


def test_a_whole_load_runs_with_exactly_the_generated_policy(account: Account, caplog: pytest.LogCaptureFixture):
    config = account.config()
    services = account.services(account.user(worker_policy(config, INSTALLATION)), account.login)
    with caplog.at_level(logging.WARNING, "rsloader_provider"):
        whole_life(account, config, services)
    assert caplog.messages == [], "neither a notification nor a manifest was refused"
    notifications = [batch.notification for batch in services.ledger.batches(config.load) if batch.targets]
    assert notifications == [Notification.SENT, Notification.SENT]
    kept = account.s3.list_objects_v2(Bucket=LOADER, Prefix=f"failed/{config.load}/")["Contents"]
    assert sorted(each["Key"].rpartition(".")[2] for each in kept) == ["json", "manifest"], "with the errors beside it"


NEEDED = {
    "ListSource": {"s3:ListBucket": LANDING},
    "WriteManifests": {"s3:PutObject": "manifests/"},
    "ClaimObjects": dict.fromkeys(("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"), "/iam_files"),
    "KeepBatches": dict.fromkeys(
        ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"), "/iam_batches"
    ),
    "FindBatches": {"dynamodb:Query": "/iam_batches/index/attention"},
}
WARNED = {"KeepFailedManifests": {"s3:PutObject": "failed/"}, "Notify": {"sns:Publish": ":loads"}}


def pairs(table: dict[str, dict[str, str]]) -> list[tuple[str, str, str]]:
    return [(sid, action, resource) for sid, actions in table.items() for action, resource in actions.items()]


def test_the_tables_below_name_every_action_of_the_policy(account: Account):
    """An action that nothing needs is one too many, and would not be noticed otherwise."""
    policy = worker_policy(account.config(), INSTALLATION)
    assert {each.sid: set(each.actions) for each in policy} == {
        sid: set(actions) for sid, actions in (NEEDED | WARNED).items()
    }


@pytest.mark.parametrize(("sid", "action", "resource"), pairs(NEEDED))
def test_without_a_permission_a_load_fails_and_names_it(account: Account, sid: str, action: str, resource: str):
    config = account.config()
    policy = without(worker_policy(config, INSTALLATION), sid, action)
    with pytest.raises(AccessDeniedError) as told:
        whole_life(account, config, account.services(account.user(policy), account.login))
    assert f"{action} on resource: " in str(told.value)
    assert resource in str(told.value)


CLUSTER = DataApiAddress("dev", cluster="acme", user="awsuser")
WORKGROUP = DataApiAddress("dev", workgroup="wg1")


def load_by_data_api(account: Account, place: DataApiAddress, missing: tuple[str, str] = ("", "")) -> None:
    number = next(_numbers)
    config = account.config(targets=[{"table": f"api{number}.orders", "transport": "data_api"}])
    account.run(f"CREATE SCHEMA api{number}", f"CREATE TABLE api{number}.orders (id int)")
    account.run(render(sql.CreateHistory(TableName(f"api{number}", "orders"))))
    policy = without(worker_policy(config, INSTALLATION, {"redshift_default": place}), *missing)
    key = account.user(policy)
    if place.workgroup:
        # The database user of a workgroup is the caller's own.
        (name,) = account.iam.list_users()["Users"][-1:]
        account.run(f'CREATE USER "{name["UserName"]}" PASSWORD DISABLE')
        account.run(*map(render, grants_for_loads([config], name["UserName"])["redshift_default"]))
    whole_life(account, config, account.data_api_services(key, place))
    assert account.rows(config) == 3


@pytest.mark.parametrize("place", [CLUSTER, WORKGROUP], ids=["cluster", "workgroup"])
def test_a_whole_load_over_the_data_api_runs_with_exactly_the_generated_policy(account: Account, place: DataApiAddress):
    load_by_data_api(account, place)


@pytest.mark.parametrize(
    ("place", "sid", "action", "kind"),
    [
        (CLUSTER, "RunSql", "redshift-data:ExecuteStatement", AccessDeniedError),
        (CLUSTER, "LogInToCluster", "redshift:GetClusterCredentials", AccessDeniedError),
        (WORKGROUP, "LogInToWorkgroup", "redshift-serverless:GetCredentials", AccessDeniedError),
        (CLUSTER, "FollowOwnSql", "redshift-data:GetStatementResult", AccessDeniedError),
        # Asked for late, when a statement takes long or has failed: by then its outcome is unknown.
        (CLUSTER, "FollowOwnSql", "redshift-data:DescribeStatement", ConnectionLostError),
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_without_a_permission_of_the_data_api_a_load_fails_and_names_it(
    account: Account, place: DataApiAddress, sid: str, action: str, kind: type[RsloaderError]
):
    with pytest.raises(RsloaderError, match=f"{action} on resource: ") as told:
        load_by_data_api(account, place, (sid, action))
    assert type(told.value) is kind


@pytest.mark.parametrize(("sid", "action", "resource"), pairs(WARNED))
def test_without_a_permission_to_tell_a_load_goes_on_and_the_log_names_it(
    account: Account, sid: str, action: str, resource: str, caplog: pytest.LogCaptureFixture
):
    config = account.config()
    policy = without(worker_policy(config, INSTALLATION), sid, action)
    with caplog.at_level(logging.WARNING, "rsloader_provider"):
        whole_life(account, config, account.services(account.user(policy), account.login))
    said = [each for each in caplog.messages if f"{action} on resource: ".lower() in each.lower()]
    assert said
    assert all(resource in each for each in said)


def test_the_policy_of_one_load_gives_nothing_of_another(account: Account):
    mine, other = account.config(), account.config()
    account.put(other, "1.csv", "2.csv", "3.csv")
    services = account.services(account.user(worker_policy(mine, INSTALLATION)), account.login)
    for use in (
        lambda: list(services.storage.objects(LANDING, other.sources[0].pattern)),
        lambda: list(services.storage.objects(LANDING, "")),
        lambda: services.storage.write(LOADER, f"manifests/{other.load}/x.manifest", b""),
        lambda: services.storage.write(LANDING, f"{mine.sources[0].pattern}x.csv", b""),
        lambda: services.ledger.open_batch(other.load, services.now()),
        lambda: list(services.ledger.claimed_keys(other.load, LANDING)),
        lambda: list(services.ledger.unfinished(other.load)),
    ):
        with pytest.raises(AccessDeniedError):
            use()


def read_with(account: Account, config: LoadConfig, policy: tuple[PolicyStatement, ...]) -> tuple[LoadConfig, Services]:
    """Let Redshift read with the key of a user who has a policy: the local Redshift takes any role for the account."""
    config = account.reading_with(config, account.user(policy))
    return config, account.services(account.user(worker_policy(config, INSTALLATION)), account.login)


def test_redshift_reads_with_exactly_the_generated_policy(account: Account):
    config = account.config()
    whole_life(account, *read_with(account, config, reader_policies(config, INSTALLATION)["default"]))


def test_redshift_reads_below_wildcards(account: Account):
    source = f"s3://{LANDING}/hive-{next(_numbers)}/year=*/"
    config = account.config(source=source, batch={"max_files": 1})
    account.s3.put_object(Bucket=LANDING, Key=config.sources[0].pattern.replace("*", "2026") + "1.csv", Body=b"1\n")
    load_all(*read_with(account, config, reader_policies(config, INSTALLATION)["default"]))
    assert account.rows(config) == 1


def test_without_the_right_to_list_a_missing_object_looks_forbidden(account: Account):
    """The other rights of the reader are taken away below."""
    config = account.config()
    policy = without(reader_policies(config, INSTALLATION)["default"], "TellMissingFromForbidden", "s3:ListBucket")
    with pytest.raises(AccessDeniedError, match=r"allow it .*s3:ListBucket"):
        whole_life(account, *read_with(account, config, policy))


def plain_user(account: Account) -> tuple[str, Callable[[], Any]]:
    name, password = f"loader_{next(_numbers)}", "Loader-s3cret"
    account.run(f"CREATE USER {name} PASSWORD '{password}'")
    return name, lambda: account.login(name, password)


@pytest.mark.parametrize("mode", ["append", "replace", "swap", "truncate", "merge"])
def test_a_plain_user_loads_with_exactly_the_generated_grants(account: Account, mode: str):
    user, login = plain_user(account)
    number = next(_numbers)
    merge_on = {"merge_on": ["id"]} if mode == "merge" else {}
    config = account.config(targets=[{"table": f"plain_{number}.orders", "mode": mode, **merge_on}])
    account.run(f"CREATE SCHEMA plain_{number}", f"CREATE TABLE plain_{number}.orders (id int)")
    account.run(*map(render, grants_for_loads([config], user)["redshift_default"]))
    whole_life(account, config, account.services({}, login))


def test_a_history_of_an_earlier_release_loads_as_it_is_and_its_owner_adds_the_columns_by_setup(account: Account):
    """Its owner is a plain user: schema, history and view were created by a DBA, and may not be created again."""
    user, login = plain_user(account)
    config = account.config()
    target = config.targets[0]
    table = TableName(target.schema_name, target.table_name)
    history = history_table(table)
    old_columns = [
        f'ALTER TABLE {history.schema}."{history.table}" DROP COLUMN "{column}"' for column in sql.ADDED_COLUMNS
    ]
    view = sql.CreateHistoryView((history.table,))
    account.run(*old_columns, *map(render, grants_for_loads([config], user)["redshift_default"]), render(view))
    services = account.services({}, login)
    account.put(config, "1.csv", "2.csv", "3.csv")
    load_all(config, services)
    done: list[TableName] = []
    left: list[str] = []
    for _ in range(2):
        create_histories(
            [config], services.warehouse, lambda _, name: done.append(name), lambda conn_id, _: left.append(conn_id)
        )
    assert (done, left) == ([history] * 2, ["redshift_default"] * 2)
    account.put(config, "4.csv", "5.csv", "6.csv")
    load_all(config, services)
    with services.warehouse.connect("redshift_default") as session:
        rows = session.execute(sql.ReadHistory(table, config.load, "", 9))
    assert [row.names_digest is None for row in rows] == [True, False]
    assert account.run(f"SELECT count(*) FROM rsloader.loads WHERE load = '{config.load}'")[0][0] == 2


def test_the_view_is_over_histories_with_and_without_the_columns(account: Account):
    old, new = (account.config() for _ in range(2))
    names = [history_table(TableName(each.targets[0].schema_name, "orders")) for each in (old, new)]
    account.run(*(f'ALTER TABLE rsloader."{names[0].table}" DROP COLUMN "{name}"' for name in sql.ADDED_COLUMNS))
    for each in (old, new):
        account.put(each, "1.csv", "2.csv", "3.csv")
        load_all(each, account.own_services)
    account.run(render(sql.CreateHistoryView(tuple(name.table for name in names))))
    found = account.run(f"SELECT load FROM rsloader.loads WHERE load IN ('{old.load}', '{new.load}')")
    assert sorted(row[0] for row in found) == sorted([old.load, new.load])


@pytest.mark.parametrize("schema", [None, "own"], ids=["the history's", "the target's"])
def test_without_usage_of_a_schema_the_batch_waits_for_it_and_is_then_loaded(account: Account, schema: str | None):
    """A missing grant is the environment's fault: nobody has to clear anything once it is given. More of them below."""
    user, login = plain_user(account)
    config = account.config()
    schema = schema and config.targets[0].schema_name
    grants = grants_for_loads([config], user)["redshift_default"]
    (missing,) = (each for each in grants if isinstance(each, sql.GrantOnSchema) and each.schema == schema)
    account.run(*(render(each) for each in grants if each is not missing))
    account.put(config, "1.csv", "2.csv", "3.csv")
    services = account.services({}, login)
    with pytest.raises(AccessDeniedError, match="permission denied"):
        load_all(config, services)
    (batch,) = (each for each in services.ledger.batches(config.load) if each.targets)
    assert (batch.status, account.rows(config)) == (BatchStatus.LOCKED, 0)
    account.run(render(missing))
    (work,) = buffer_objects(config, services, run="dag/run2", is_active=lambda _: False, max_work=100)
    load_batch(config, services, work.batch.batch, work.target, Asker("dag/run2/load_batch/0/1", "dag/run2"))
    assert account.rows(config) == 3


def operate_on(account: Account, config: LoadConfig, services: Services) -> None:
    """Everything that takes an object out of a batch, deletes a batch or puts one back, also one that was lost."""
    account.put(config, "1.csv", "2.csv", "3.csv")
    (first,) = buffer_objects(config, services, run="dag/run", is_active=lambda _: False, max_work=9)
    batch, prefix = first.batch, f"s3://{LANDING}/{config.sources[0].pattern}"
    without = [f"s3://{services.ledger.entries(batch)[0].name}"]
    deleted: list[str] = []
    reprocess_batch(config, services, batch.batch, without=without, by="me")
    load_batch(config, services, batch.batch, first.target, Asker("dag/run/load_batch/0/1", "dag/run"))
    assert [*delete_batches(config.load, services, services.now(), by="me", keep=deleted.append)]
    assert [*restore_batches(services, read_deleted(deleted), by="me")]
    account.lose(batch)
    assert rebuild_ledger(config, services, by="me").batches == 1
    assert [*reprocess_objects(config, services, by="me", urls=without)]
    assert [*forget_objects(config, services, by="me", prefix=prefix)]


def test_a_load_is_operated_with_exactly_the_generated_policies(account: Account):
    config = account.config()
    policy = (*worker_policy(config, INSTALLATION), *operator_policy(config, INSTALLATION))
    operate_on(account, config, account.services(account.user(policy), account.login))


@pytest.mark.parametrize(
    ("sid", "action"),
    [
        ("TakeOutObjects", "dynamodb:BatchGetItem"),
        ("TakeOutObjects", "dynamodb:DeleteItem"),
        ("TakeOutObjects", "dynamodb:UpdateItem"),
        ("DeleteBatches", "dynamodb:DeleteItem"),
        ("ListManifests", "s3:ListBucket"),
        ("ReadManifests", "s3:GetObject"),
    ],
)
def test_without_a_permission_operating_fails_and_names_it(account: Account, sid: str, action: str):
    config = account.config()
    policy = (*worker_policy(config, INSTALLATION), *without(operator_policy(config, INSTALLATION), sid, action))
    with pytest.raises(AccessDeniedError, match=f"{action} on resource: "):
        operate_on(account, config, account.services(account.user(policy), account.login))


def test_a_load_is_renamed_with_the_generated_policies_of_both_names_and_as_a_plain_user(account: Account):
    user, login = plain_user(account)
    old = account.config()
    new = old.model_copy(update={"load": f"{old.load}_renamed"})
    account.run(*map(render, grants_for_loads([old], user)["redshift_default"]))
    policy = tuple(
        replace(each, sid=f"{each.sid}{number}")
        for number, config in enumerate((old, new))
        for each in (*worker_policy(config, INSTALLATION), *operator_policy(config, INSTALLATION))
    )
    services = account.services(account.user(policy), login)
    account.put(old, "1.csv", "2.csv", "3.csv")
    load_all(old, services)
    with pytest.raises(RenamedLoadError):
        load_all(new, services)
    rename_load(new, services, old.load, {new.load}, by="me")
    account.put(new, "4.csv", "5.csv", "6.csv")
    load_all(new, services)
    assert account.rows(new) == 6


class Rights:
    """All rights of one load, of which one is missing until it is given: worker, Redshift's reader, Redshift's user."""

    def __init__(self, account: Account, config: LoadConfig, lacking: tuple[str, str]):
        self._account = account
        number = next(_numbers)
        self._reader, self._worker, self._user = (f"{who}_{number}" for who in ("reader", "worker", "loader"))
        self.config = account.reading_with(config, account.user((), self._reader))
        key = account.user((), self._worker)
        password = "Loader-s3cret"
        account.run(f"CREATE USER {self._user} PASSWORD '{password}'")
        self.services = account.services(key, lambda: account.login(self._user, password))
        self._grant(*lacking)

    def give_all(self) -> None:
        self._grant("", "")

    def _grant(self, but_sid: str, but_action: str) -> None:
        reading = reader_policies(self.config, INSTALLATION)["copy.access_key_id"]
        self._account.allow(self._reader, without(reading, but_sid, but_action))
        self._account.allow(self._worker, without(worker_policy(self.config, INSTALLATION), but_sid, but_action))
        grants = grants_for_loads([self.config], self._user)["redshift_default"]
        self._account.run(*(render(each) for each in grants if type(each).__name__ != but_sid))


def load_as_operators_do(config: LoadConfig, services: Services) -> None:
    with concerning(f"load {config.load}"):
        work = buffer_objects(config, services, run="dag/run", is_active=lambda _: False, max_work=100)
    for each in work:
        asker = Asker(f"dag/run/load_batch/0/{next(_numbers)}", "dag/run")
        with concerning(each.batch):
            load_batch(config, services, each.batch.batch, each.target, asker)


@pytest.mark.parametrize(
    ("lacking", "thing", "remedy"),
    [
        (("ListSource", "s3:ListBucket"), f"s3:ListBucket on resource: arn:aws:s3:::{LANDING}", "Allow"),
        (("ReadObjects", "s3:GetObject"), "copy.access_key_id", "allow it s3:GetObject"),
        (("ReadManifests", "s3:GetObject"), "manifest", "allow it s3:GetObject"),
        (("WriteManifests", "s3:PutObject"), f"s3:PutObject on resource: arn:aws:s3:::{LOADER}/manifests/", "Allow"),
        (("ClaimObjects", "dynamodb:PutItem"), "dynamodb:PutItem on resource: ", "Allow"),
        (("KeepBatches", "dynamodb:PutItem"), "table/iam_batches", "Allow"),
        (("DecryptSecrets", "kms:Decrypt"), "copy.secret_access_key: AccessDenied", "Allow kms:Decrypt on the key"),
        (("GrantOnTable", ""), "Copy: permission denied for", "Grant it"),
        (("GiveTable", ""), "LockHistory: permission denied for", "Grant it"),
    ],
    ids=["list", "read", "read manifest", "write manifest", "claim", "keep batches", "kms", "copy", "lock"],
)  # fmt: skip
def test_without_one_permission_the_error_names_all_of_it_the_batch_waits_and_others_go_on(
    account: Account, lacking: tuple[str, str], thing: str, remedy: str
):
    rights = Rights(account, account.config(), lacking)
    config, services = rights.config, rights.services
    account.put(config, "1.csv", "2.csv", "3.csv")
    with pytest.raises(AccessDeniedError) as told:
        load_as_operators_do(config, services)
    said = str(told.value)
    locked = [each.batch for each in services.ledger.batches(config.load) if each.targets]
    assert f"load {config.load}" in said
    assert [batch for batch in locked if batch not in said] == []
    assert thing in said
    assert remedy in said

    other = account.config()
    account.put(other, "1.csv", "2.csv", "3.csv")
    load_all(other, account.own_services)

    rights.give_all()
    load_as_operators_do(config, services)
    assert (account.rows(config), account.rows(other)) == (3, 3), "nobody had to clear anything"
    statuses = [each.status for each in services.ledger.batches(config.load) if each.files]
    assert statuses == [BatchStatus.COMPLETE]


def test_without_sns_the_rows_are_loaded_and_the_log_names_load_topic_and_remedy(
    account: Account, caplog: pytest.LogCaptureFixture
):
    rights = Rights(account, account.config(), ("Notify", "sns:Publish"))
    account.put(rights.config, "1.csv", "2.csv", "3.csv")
    with caplog.at_level(logging.WARNING, "rsloader_provider"):
        load_as_operators_do(rights.config, rights.services)
    assert account.rows(rights.config) == 3
    (said,) = caplog.messages
    assert account.topic in said
    assert "Allow" in said


SETUP = setup_policy(INSTALLATION)


def set_up(account: Account, policy: tuple[PolicyStatement, ...], **without: bool) -> None:
    arguments = aws_client_arguments(account.aws.endpoint_url) | account.user(policy)
    client = boto3.resource("dynamodb", **arguments).meta.client
    create_tables(client, NAMES, created=lambda _: None)
    wanted = {"point_in_time_recovery": True, "deletion_protection": True} | without
    protect_tables(client, NAMES, lambda *_: None, **wanted)


def test_setup_runs_with_exactly_the_printed_policy_and_without_protection_with_less(account: Account):
    set_up(account, SETUP)
    least = tuple(each for each in SETUP if each.sid == "CreateTables")
    set_up(account, least, point_in_time_recovery=False)
    with pytest.raises(AccessDeniedError, match="dynamodb:DescribeContinuousBackups on resource"):
        set_up(account, least)
