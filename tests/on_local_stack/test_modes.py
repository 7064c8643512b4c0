"""Modes on the local Redshift, over the wire: what is in the table after each load, and what is refused."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
import psycopg
import pytest
import redshift_connector
from support.loader_services import aws_client_arguments, loader_services, make_tables
from support.objects import a_config
from support.redshift_fixtures import LocalRedshift, connect_psycopg

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import BadDataError, OutOfOrderError, StatementError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.operate.forget_objects import forget_objects
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.local.aws import LocalAws

_numbers = itertools.count(1)
COLUMNS = "id integer NOT NULL, name varchar(9) DEFAULT 'none', note varchar(9) DEFAULT 'new'"


@dataclass
class Place:
    """A table of its own with a load into it; each object is a batch."""

    redshift: LocalRedshift
    endpoint: str
    bucket: str
    name: str
    config: LoadConfig
    batches: list[Batch] = field(default_factory=list)

    def put(self, key: str, body: str) -> None:
        s3 = boto3.client("s3", **aws_client_arguments(self.endpoint))
        s3.put_object(Bucket=self.bucket, Key=f"orders/{key}", Body=body.encode())

    def load(self, key: str, body: str) -> None:
        self.load_again(self.lock(key, body), 1)

    def lock(self, key: str, body: str) -> Batch:
        self.put(key, body)
        self.batches.append(self.next_batch())
        return self.batches[-1]

    def next_batch(self) -> Batch:
        (work,) = buffer_objects(self.config, self.services(), run="dag/run", is_active=lambda _: False, max_work=9)
        return work.batch

    def load_again(self, batch: Batch, number: int) -> None:
        asker = Asker(f"dag/run/load_batch/0/{number}", "dag/run", cleared=number > 1)
        load_batch(self.config, self.services(), batch.batch, self.config.targets[0].name, asker)

    def services(self) -> Any:
        return loader_services(self.endpoint, f"{self.name}_", lambda _: self.connect())

    def connect(self) -> Any:
        where = self.redshift
        return redshift_connector.connect(
            host=where.host, port=where.port, database=where.database, user=where.user, password=where.password,
            ssl=False,
        )  # fmt: skip

    def run(self, text: str) -> list[Any]:
        with connect_psycopg(self.redshift) as connection:
            cursor = connection.execute(text)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def rows(self) -> list[tuple[Any, ...]]:
        return self.run(f"SELECT id, name, note FROM public.{self.name} ORDER BY 1, 2")


Places = Callable[..., Place]


@pytest.fixture
def place(snapshot_redshift: LocalRedshift, redshift_aws: LocalAws) -> Places:
    endpoint = redshift_aws.endpoint_url

    def make(mode: str, **target: Any) -> Place:
        name = f"filled{next(_numbers)}"
        boto3.client("s3", **aws_client_arguments(endpoint)).create_bucket(Bucket=name)
        make_tables(endpoint, f"{name}_")
        merge_on = {"merge_on": ["id"]} if mode == "merge" else {}
        config = a_config(
            source=f"s3://{name}/orders/",
            manifests=f"s3://{name}/manifests/",
            batch={"max_files": 1},
            targets=[{"table": f"public.{name}", "mode": mode, **merge_on, **target}],
        )
        made = Place(snapshot_redshift, endpoint, name, name, config)
        made.run(f"CREATE TABLE public.{name} ({COLUMNS}) DISTKEY (id) SORTKEY (id)")
        made.run(render(sql.CreateHistorySchema()))
        made.run(render(sql.CreateHistory(TableName("public", name))))
        return made

    return make


OLD, NEW = "1,a,x\n2,b,x\n", "2,c,y\n3,d,y\n"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("append", [(1, "a", "x"), (2, "b", "x"), (2, "c", "y"), (3, "d", "y")]),
        ("replace", [(2, "c", "y"), (3, "d", "y")]),
        ("swap", [(2, "c", "y"), (3, "d", "y")]),
        ("truncate", [(2, "c", "y"), (3, "d", "y")]),
        ("merge", [(1, "a", "x"), (2, "c", "y"), (3, "d", "y")]),
    ],
)
def test_the_next_batch_comes_to_what_is_there(place: Places, mode: str, expected: list[tuple[Any, ...]]):
    loading = place(mode)
    loading.load("1.csv", OLD)
    loading.load("2.csv", NEW)
    assert loading.rows() == expected
    with pytest.raises(BadDataError, match=r"3\.csv:2, column id, value 'x'"):
        loading.load("3.csv", "7,e,z\nx,f,z\n")
    assert loading.rows() == ([] if mode == "truncate" else expected)


@pytest.mark.parametrize("mode", ["append", "replace", "swap", "truncate", "merge"])
def test_a_batch_whose_only_object_is_forgotten_leaves_the_rows(place: Places, mode: str):
    loading = place(mode, pre_sql="DELETE FROM {{ target }}")
    loading.load("1.csv", OLD)
    batch = loading.lock("wrong.csv", NEW)
    s3 = boto3.client("s3", **aws_client_arguments(loading.endpoint))
    s3.delete_object(Bucket=loading.bucket, Key="orders/wrong.csv")
    url = f"s3://{loading.bucket}/orders/wrong.csv"
    assert [*forget_objects(loading.config, loading.services(), by="alice", urls=[url])]
    assert loading.next_batch().batch == batch.batch
    loading.load_again(batch, 1)
    assert loading.rows() == [(1, "a", "x"), (2, "b", "x")]
    assert loading.services().ledger.get("orders", batch.batch).status is BatchStatus.COMPLETE
    loading.load_again(loading.batches[0], 2)
    assert loading.rows() == [(1, "a", "x"), (2, "b", "x")], "and it is not in the way of the batch before it"


def test_merging_a_batch_ten_times_leaves_the_same_rows(place: Places):
    loading = place("merge")
    loading.load("1.csv", OLD)
    loading.load("2.csv", NEW)
    for number in range(2, 12):
        loading.load_again(loading.batches[1], number)
    assert loading.rows() == [(1, "a", "x"), (2, "c", "y"), (3, "d", "y")]
    with pytest.raises(OutOfOrderError):
        loading.load_again(loading.batches[0], 2)


def test_merging_some_columns_leaves_the_others_alone(place: Places):
    loading = place("merge", columns=["id", "name"])
    loading.run(f"INSERT INTO public.{loading.name} VALUES (1, 'a', 'old')")
    loading.load("1.csv", "1,b\n2,c\n")
    assert loading.rows() == [(1, "b", "old"), (2, "c", "new")]
    keys_only = place("merge", columns=["id"])
    keys_only.load("1.csv", "1\n")
    assert keys_only.rows() == [(1, "none", "new")]


@pytest.mark.parametrize("body", ["1,a,x\n1,b,x\n", "1,a,x\n1,a,x\n"])
def test_a_key_that_stands_twice_in_a_batch_is_refused(place: Places, body: str):
    loading = place("merge")
    with pytest.raises(BadDataError, match=r"\(1\) in 2 rows"):
        loading.load("1.csv", body)
    assert loading.rows() == []


def test_a_swap_is_refused_while_a_view_would_go_on_reading_the_old_table(place: Places):
    """Redshift binds a view to the table, not to its name; it must not be left behind without a word."""
    loading = place("swap")
    loading.run(f"CREATE VIEW public.{loading.name}_view AS SELECT id FROM public.{loading.name}")
    with pytest.raises(StatementError, match=r"(?s)DropTable.*depend"):
        loading.load("1.csv", OLD)
    loading.run(f"DROP VIEW public.{loading.name}_view")
    loading.load_again(loading.services().ledger.get("orders", next(iter(failed(loading))).batch), 2)
    assert loading.rows() == [(1, "a", "x"), (2, "b", "x")]


def failed(loading: Place) -> list[Batch]:
    return [each for each in loading.services().ledger.batches("orders") if each.targets]


def test_a_swap_keeps_the_columns_and_their_defaults(place: Places):
    loading = place("swap", columns=["id"])
    loading.load("1.csv", "1\n")
    assert loading.rows() == [(1, "none", "new")]
    with pytest.raises(psycopg.errors.NotNullViolation):
        loading.run(f"INSERT INTO public.{loading.name} (name) VALUES ('x')")
