"""Loads over the Redshift Data API, without a connection of the driver: the same rows, errors and histories."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import boto3
import pytest
from support.loader_services import aws_client_arguments, loader_services, make_tables
from support.objects import a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import BadDataError, ConnectionLostError, ObjectsMissingError
from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, load_batch
from rsloader_provider.loader.run.take_over import Work
from rsloader_provider.loader.setup import create_histories
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

PREFIX, BUCKET = "api_", "api-landing"
_numbers = count()


class House:
    """A load into a table of its own over the Data API."""

    def __init__(self, aws: LocalAws, query: Callable[[str], Any]):
        self.aws, self.query = aws, query
        self.sent: list[str] = []
        self.services = loader_services(aws.endpoint_url, PREFIX, connect=_refuse, sent=self.sent)
        self.s3 = boto3.client("s3", **aws_client_arguments(aws.endpoint_url))
        self.name = f"by_api_{next(_numbers)}"
        self.query(f"CREATE TABLE public.{self.name} (id integer)")

    def config(self, **target: Any) -> LoadConfig:
        config = a_config(
            load=self.name,
            source=f"s3://{BUCKET}/{self.name}/",
            manifests=f"s3://{BUCKET}/manifests/",
            targets=[{"table": f"public.{self.name}", "transport": "data_api", **target}],
        )
        create_histories([config], self.services.warehouse, lambda *_: None, lambda *_: None)
        return config

    def buffered(self, config: LoadConfig, *bodies: str) -> Work:
        for number, body in enumerate(bodies):
            key = f"{self.name}/{next(_numbers):08}-{number}.csv"
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())
        (work,) = buffer_objects(config, self.services, run="dag/run", is_active=lambda _: False, max_work=9)
        return work

    def load(self, config: LoadConfig, work: Work, try_number: int = 1) -> Outcome:
        asker = Asker(f"dag/run/load_batch/0/{try_number}", "dag/run")
        return load_batch(config, self.services, work.batch.batch, work.target, asker).outcome

    def rows(self) -> list[int]:
        return sorted(row[0] for row in self.query(f"SELECT id FROM public.{self.name}"))


def _refuse(conn_id: str) -> Any:
    raise AssertionError(f"{conn_id} was reached by the driver")


@pytest.fixture(scope="module")
def query(redshift_login: Callable[..., Any]) -> Iterator[Callable[[str], Any]]:
    connection = redshift_login()
    connection.autocommit = True

    def run(text: str) -> Any:
        cursor = connection.cursor()
        cursor.execute(text)
        return cursor.fetchall() if cursor.description else ()

    yield run
    connection.close()


@pytest.fixture(scope="module")
def prepared(local_aws: LocalAws, redshift: LocalRedshift) -> LocalAws:
    boto3.client("s3", **aws_client_arguments(local_aws.endpoint_url)).create_bucket(Bucket=BUCKET)
    make_tables(local_aws.endpoint_url, PREFIX)
    return local_aws


@pytest.fixture
def house(prepared: LocalAws, query: Callable[[str], Any]) -> House:
    return House(prepared, query)


def test_a_load_costs_these_calls(house: House):
    """docs/redshift-access.md says so: the numbers there are these."""
    config = house.config()
    first = {
        "GetItem": 1,
        "Query": 1,
        "PutObject": 1,
        "UpdateItem": 3,
        "ExecuteStatement": 10,
        "GetStatementResult": 4,
    }
    later = first | {"GetItem": 2, "ExecuteStatement": 9, "GetStatementResult": 3}
    for costs in (first, later):
        work = house.buffered(config, "1\n", "2\n3\n")
        house.sent.clear()
        assert house.load(config, work) is Outcome.LOADED
        assert Counter(house.sent) == costs
    assert house.rows() == [1, 1, 2, 2, 3, 3]


def test_everything_that_a_target_may_ask_for_happens_in_one_transaction(house: House):
    config = house.config(
        mode="replace",
        pre_sql=f"INSERT INTO public.{house.name} VALUES (0)",
        post_sql=[f"INSERT INTO public.{house.name} VALUES (10)", "SELECT 'a%s :b ?' FROM (SELECT 1) t"],
        statement_timeout="10m",
    )
    house.query(f"INSERT INTO public.{house.name} VALUES (4711)")
    assert house.load(config, house.buffered(config, "1\n", "2\n")) is Outcome.LOADED
    assert house.rows() == [1, 2, 10]
    bad = house.buffered(config, "3\n", "no number\n")
    with pytest.raises(BadDataError, match="'no number'"):
        house.load(config, bad)
    assert house.rows() == [1, 2, 10], "the old rows stay"
    assert house.services.ledger.get(config.load, bad.batch.batch).status is BatchStatus.ERROR


@pytest.mark.parametrize(
    ("target", "rows"),
    [
        ({"mode": "append"}, [1, 2, 2, 3]),
        ({"mode": "replace"}, [2, 3]),
        ({"mode": "swap"}, [2, 3]),
        ({"mode": "truncate"}, [2, 3]),
        ({"mode": "merge", "merge_on": ["id"]}, [1, 2, 3]),
    ],
    ids=lambda each: each["mode"] if isinstance(each, dict) else None,
)
def test_each_mode_fills_the_table_as_over_the_driver(house: House, target: dict[str, Any], rows: list[int]):
    """Staging tables and their renaming live in the session."""
    config = house.config(**target)
    for bodies in (("1\n", "2\n"), ("2\n", "3\n")):
        assert house.load(config, house.buffered(config, *bodies)) is Outcome.LOADED
    assert house.rows() == rows


def test_objects_that_are_gone_are_named(house: House):
    config = house.config()
    work = house.buffered(config, "1\n", "2\n")
    (entry, _) = house.services.ledger.entries(work.batch)
    house.s3.delete_object(Bucket=BUCKET, Key=entry.name.partition("/")[2])
    with pytest.raises(ObjectsMissingError, match=entry.url):
        house.load(config, work)


@pytest.mark.parametrize("history", ["table", "none"])
def test_a_commit_that_nobody_heard_of_is_found(house: House, history: str):
    """Redshift breaks the Data API's own connection, once the COMMIT is carried out."""
    config = house.config(history=history)
    work = house.buffered(config, "1\n", "2\n")
    house.query("LOCAL FAULT drop AFTER '^commit'")
    with pytest.raises(ConnectionLostError):
        house.load(config, work)
    assert house.load(config, work, 2) is Outcome.FOUND_LOADED
    assert house.rows() == [1, 2]


def test_an_audit_reads_histories_over_the_same_way(house: House):
    config = house.config()
    work = house.buffered(config, "1\n", "2\n")
    house.load(config, work)
    with Histories(config, house.services.warehouse) as histories:
        ((batch, (row,)),) = histories.stream(work.target)
        assert (batch, row.rows, row.files) == (work.batch.batch, 2, 2)
        assert row.loaded_at.utcoffset() is not None
        assert histories.unreadable == {}


def test_a_result_of_several_pages_is_read_whole(house: House):
    with house.services.warehouse.connect("redshift_default", "data_api") as session:
        rows = session.execute(sql.UserStatement("SELECT g, g * 0.5 FROM generate_series(1, 2500) AS g"))
    assert [row[0] for row in rows] == list(range(1, 2501))
    assert float(rows[-1][1]) == 1250.0
