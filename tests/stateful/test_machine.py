"""Whatever workers, people, Airflow and accidents do at once, in any order: each object once, and nothing is stuck."""

import logging

import boto3
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from stateful.machine import LoadMachine
from support.fakes.ledger import MemoryLedger
from support.loader_services import aws_client_arguments, make_tables
from support.objects import counting_randomness

from rsloader_provider.aws.dynamodb.ledger import DynamoLedger
from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.local.aws import LocalAws

REPEATABLE = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
"""The same stories in every run; `make stateful` tells new ones."""


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of loads would fill the report of a failure."""
    caplog.set_level(logging.CRITICAL)


class OnTheFake(LoadMachine):
    def make_ledger(self) -> MemoryLedger:
        return MemoryLedger(counting_randomness())


def test_on_the_fake_ledger():
    run_state_machine_as_test(OnTheFake, settings=settings(REPEATABLE, max_examples=150, stateful_step_count=40))


def test_on_dynamodb(local_aws: LocalAws):
    make_tables(local_aws.endpoint_url, "machine_")
    client = boto3.resource("dynamodb", **aws_client_arguments(local_aws.endpoint_url)).meta.client
    ledger = DynamoLedger(client, TableNames("machine_"), counting_randomness())

    class OnDynamo(LoadMachine):
        def make_ledger(self) -> DynamoLedger:
            return ledger

    # A story that fails here is not shortened: that would take minutes.
    told = settings(REPEATABLE, max_examples=6, stateful_step_count=25, phases=[Phase.generate])
    run_state_machine_as_test(OnDynamo, settings=told)
