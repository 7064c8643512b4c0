"""Loads from several sources and into several targets, over the wire."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import redshift_connector
from support.loader_services import aws_client_arguments, loader_services, make_tables
from support.objects import a_config
from support.redshift_fixtures import connect_psycopg

from rsloader_provider.aws.dynamodb.inventory import DynamoInventory
from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import TransientError
from rsloader_provider.core.ledger.batch import BatchStatus, TargetState
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

TABLES = "many_"
DATABASES = {"redshift_default": "dev", "second": "second_database"}
"""The database behind each connection."""


class Account:
    """Two buckets, and two databases with an empty table each."""

    def __init__(self, aws: LocalAws, redshift: LocalRedshift):
        arguments = aws_client_arguments(aws.endpoint_url)
        self.s3 = boto3.client("s3", **arguments)
        self.inventory = DynamoInventory(boto3.resource("dynamodb", **arguments).meta.client, TableNames(TABLES))
        self.services = loader_services(aws.endpoint_url, TABLES, self._login)
        self._redshift = redshift

    def _login(self, conn_id: str) -> Any:
        server = self._redshift
        return redshift_connector.connect(
            host=server.host, port=server.port, database=DATABASES[conn_id], user=server.user,
            password=server.password, ssl=False,
        )  # fmt: skip

    def query(self, conn_id: str, text: str) -> list[tuple[Any, ...]]:
        with connect_psycopg(self._redshift, database=DATABASES[conn_id]) as connection:
            found = connection.execute(text)  # type: ignore[call-overload]
            return sorted(found.fetchall()) if found.description else []

    def put(self, objects: dict[str, str]) -> None:
        """Put objects, by `bucket/key`."""
        for name, content in objects.items():
            bucket, _, key = name.partition("/")
            self.s3.put_object(Bucket=bucket, Key=key, Body=content.encode())

    def run(self, config: LoadConfig) -> None:
        for each in buffer_objects(config, self.services, run="dag/run", is_active=lambda _: False, max_work=99):
            load_batch(config, self.services, each.batch.batch, each.target, Asker("dag/run/load_batch/0/1", "dag/run"))


@pytest.fixture(scope="module")
def account(redshift_aws: LocalAws, snapshot_redshift: LocalRedshift) -> Iterator[Account]:
    make_tables(redshift_aws.endpoint_url, TABLES)
    account = Account(redshift_aws, snapshot_redshift)
    for bucket in ("many", "many-2"):  # with a '/' behind them they sort the other way round
        account.s3.create_bucket(Bucket=bucket)
    account.query("redshift_default", f"CREATE DATABASE {DATABASES['second']}")
    for conn_id in DATABASES:
        account.query(conn_id, render(sql.CreateHistorySchema()))
    yield account
    account.query("redshift_default", "LOCAL FAULT CLEAR")
    account.query("redshift_default", f"DROP DATABASE {DATABASES['second']} FORCE")


def create_table(account: Account, conn_id: str, table: str) -> None:
    account.query(conn_id, f"CREATE TABLE public.{table} (id integer)")
    account.query(conn_id, render(sql.CreateHistory(TableName("public", table))))


def test_two_sources_in_two_buckets_and_then_a_whole_one_are_loaded_once(account: Account):
    """Nested folders, Hive partitions, and a source that later grows to its whole bucket."""
    create_table(account, "redshift_default", "sources")
    config = a_config(
        load="sources",
        source=["s3://many/data/year=*/month=*/", "s3://many-2/in/"],
        batch={"max_files": 4},
        manifests="s3://many/manifests/",
        targets=[{"table": "sources"}],
    )
    taken = ["many/data/year=2025/month=1/1", "many/data/year=2026/month=12/day=1/2", "many-2/in/3", "many-2/in/a/b/4"]
    others = ["many/data/year=2026/5", "many/6", "many-2/7", "many-2/out/8"]
    account.put({name: f"{name[-1]}\n" for name in (*taken, *others)})
    account.run(config)
    account.run(config)
    assert account.query("redshift_default", "SELECT id FROM sources") == [(1,), (2,), (3,), (4,)]
    whole = config.model_copy(update={"sources": a_config(source=["s3://many", "s3://many-2/"]).sources})
    account.run(whole)
    account.run(whole)
    assert account.query("redshift_default", "SELECT id FROM sources") == [(each,) for each in range(1, 9)]
    report = audit_load(whole, account.services, account.inventory)
    assert (report.is_wrong, report.counts["loaded"], report.objects) == (False, 8, 8)


def test_a_target_that_refuses_connections_holds_up_and_repeats_no_other(account: Account):
    """Two databases behind two connections; the first to be asked refuses."""
    for conn_id in DATABASES:
        create_table(account, conn_id, "targets")
    config = a_config(
        load="targets",
        source="s3://many/targets/",
        batch={"max_files": 2},
        manifests="s3://many/manifests/",
        targets=[{"conn_id": conn_id, "table": "targets"} for conn_id in DATABASES],
    )
    account.put({"many/targets/1": "1\n", "many/targets/2": "2\n"})
    refusing, healthy = buffer_objects(config, account.services, run="dag/run", is_active=lambda _: False, max_work=99)
    batch = refusing.batch.batch

    def load(target: str, try_number: int, *, cleared: bool = False) -> str:
        asker = Asker(f"dag/run/load_batch/{target}/{try_number}", "dag/run", cleared=cleared)
        return str(load_batch(config, account.services, batch, target, asker).outcome)

    def rows() -> dict[str, list[Any]]:
        return {
            conn_id: [
                account.query(conn_id, f"SELECT * FROM {table}") for table in ("targets", "rsloader.public__targets")
            ]
            for conn_id in DATABASES
        }

    account.query("redshift_default", "LOCAL FAULT refuse:1 CONNECTION")
    with pytest.raises(TransientError):
        load(refusing.target, 1)
    assert load(healthy.target, 1) == "loaded"
    before = rows()
    assert ([len(each) for each in before["redshift_default"]], [len(each) for each in before["second"]]) == (
        [0, 0],
        [2, 1],
    )
    assert load(healthy.target, 2) == "nothing to do", "Airflow tries it again: not even a retry repeats it"

    assert load(refusing.target, 2, cleared=True) == "loaded"
    after = rows()
    assert after["second"] == before["second"], "rows and history as they were"
    assert [len(each) for each in after["redshift_default"]] == [2, 1]
    stored = account.services.ledger.get("targets", batch)
    assert stored.status is BatchStatus.COMPLETE
    assert {each.state for each in stored.targets.values()} == {TargetState.LOADED}

    assert load(healthy.target, 3, cleared=True) == "loaded", "a person asks for it again"
    again = rows()
    assert again["redshift_default"] == after["redshift_default"]
    assert [len(each) for each in again["second"]] == [4, 2]
