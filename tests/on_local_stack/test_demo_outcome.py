"""The demo's last line and verdict, read from a table and a ledger that are loaded, without Airflow."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import redshift_connector
from support.checkout import CHECKOUT
from support.loader_services import aws_client_arguments, loader_services, make_tables

from rsloader_provider.aws.dynamodb.tables import DEFAULT_PREFIX
from rsloader_provider.cli.demo.stack import DemoStack, Outcome
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.load_file.reading import read_load_file
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.local import sample
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

SAMPLE = CHECKOUT / "dags" / "loads" / "orders.yaml"


@pytest.fixture(scope="module")
def outcome() -> Iterator[Outcome]:
    """What the demo finds after the sample was loaded: the third batch is loaded because of its age."""
    with LocalAws() as aws, LocalRedshift(s3_endpoint=aws.endpoint_url) as redshift:

        def connect(_: str) -> Any:
            return redshift_connector.connect(
                host=redshift.host, port=redshift.port, database=redshift.database, user=redshift.user,
                password=redshift.password, ssl=False,
            )  # fmt: skip

        services = loader_services(aws.endpoint_url, DEFAULT_PREFIX, connect)
        make_tables(aws.endpoint_url, DEFAULT_PREFIX)
        s3 = boto3.client("s3", **aws_client_arguments(aws.endpoint_url))
        sample.create_buckets(s3)
        sample.drop_files(s3)
        table = TableName("public", "orders")
        with services.warehouse.connect("redshift_default") as session:
            for statement in (
                sql.UserStatement(sample.CREATE_TABLE), sql.CreateHistorySchema(), sql.CreateHistory(table),
            ):  # fmt: skip
                session.execute(statement)
        config = read_load_file(SAMPLE.read_text(), SAMPLE.name)
        for now in (services.now(), services.now() + config.batch.max_age):
            later = replace(services, now=lambda now=now: now)
            for number, work in enumerate(buffer_objects(config, later, run="dag/run", is_active=bool, max_work=9)):
                load_batch(config, later, work.batch.batch, work.target, Asker(f"{now}/{number}", "dag/run"))
        stack: Any = SimpleNamespace(aws=aws, redshift=redshift, airflow=None)
        yield DemoStack(stack, SAMPLE.parent).outcome()


def test_the_demo_ends_with_what_is_in_the_table_and_in_the_ledger(outcome: Outcome):
    assert str(outcome) == "5 objects, 3 batches, 10,000 rows, each loaded once"
    assert outcome.is_exactly_once


@pytest.mark.parametrize(
    "changed",
    [
        {"objects": 4},
        {"batches": 2},
        {"rows": sample.ROWS + 1},
        {"rows": sample.ROWS - 1, "distinct_rows": sample.ROWS - 1},
        {"distinct_rows": sample.ROWS - 1},
        {"by_batch": []},
    ],
)
def test_the_demo_fails_when_anything_is_missing_or_doubled(outcome: Outcome, changed: dict[str, Any]):
    """Its exit code is this verdict."""
    wrong = replace(outcome, **changed)
    assert not wrong.is_exactly_once
    assert "each loaded once" not in str(wrong)
