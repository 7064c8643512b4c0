"""Loads without a load history on a Redshift that breaks: each row once, or a question to a person."""

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
import redshift_connector
from support.loader_services import aws_client_arguments, loader_services, make_tables
from support.objects import a_config
from support.redshift_fixtures import LocalRedshift, connect_psycopg

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConnectionLostError, RsloaderError, UndecidedError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetState
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, load_batch
from rsloader_provider.loader.services import Services
from rsloader_provider.local.aws import LocalAws

ROWS = 20
_numbers = itertools.count(1)


@dataclass
class Place:
    """One load into a table of its own, as the loader's user sees it."""

    redshift: LocalRedshift
    config: LoadConfig
    services: Callable[[], Services]
    batch: Batch

    @property
    def target(self) -> str:
        return self.config.targets[0].name

    def load(self, number: int, *, cleared: bool = False) -> Outcome:
        asker = Asker(f"dag/run/load_batch/0/{number}", "dag/run", cleared=cleared)
        return load_batch(self.config, self.services(), self.batch.batch, self.target, asker).outcome

    def order(self, fault: str) -> None:
        with connect_psycopg(self.redshift) as connection:
            connection.execute(f"LOCAL FAULT {fault}")  # type: ignore[call-overload]

    def rows(self) -> int:
        with connect_psycopg(self.redshift) as connection:
            table = self.config.targets[0].table
            found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[call-overload]
            return int(found[0]) if found else 0

    def stored(self) -> Batch:
        return self.services().ledger.get(self.config.load, self.batch.batch)


@pytest.fixture(params=["snapshot", "serializable"])
def redshift_without_history(request: pytest.FixtureRequest) -> LocalRedshift:
    redshift: LocalRedshift = request.getfixturevalue(f"{request.param}_redshift")
    return redshift


@pytest.fixture
def place(
    redshift_without_history: LocalRedshift, redshift_aws: LocalAws, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Place]]:
    redshift, endpoint = redshift_without_history, redshift_aws.endpoint_url
    name = f"unrecorded{next(_numbers)}"

    def make(*, superuser: bool) -> Place:
        user = redshift.user if superuser else f"{name}_loader"
        password = redshift.password if superuser else "Loader-1234"
        with connect_psycopg(redshift) as connection:
            connection.execute(f"CREATE TABLE public.{name} (id integer)")  # type: ignore[call-overload]
            if not superuser:
                connection.execute(f"CREATE USER {user} PASSWORD '{password}'")  # type: ignore[call-overload]
                connection.execute(f"GRANT INSERT ON public.{name} TO {user}")  # type: ignore[call-overload]
        bucket = name.replace("_", "-")
        boto3.client("s3", **aws_client_arguments(endpoint)).create_bucket(Bucket=bucket)
        redshift_aws.seed_objects(
            {"bucket": bucket, "key": f"orders/{number}.csv", "body": f"{number}\n"} for number in range(ROWS)
        )
        make_tables(endpoint, f"{name}_")
        config = a_config(
            source=f"s3://{bucket}/orders/",
            batch={"max_files": ROWS},
            manifests=f"s3://{bucket}/manifests/",
            targets=[{"table": f"public.{name}", "history": "none"}],
        )

        def login(_: str) -> Any:
            return redshift_connector.connect(
                host=redshift.host, port=redshift.port, database=redshift.database, user=user, password=password,
                ssl=False,
            )  # fmt: skip

        def services() -> Services:
            return loader_services(endpoint, f"{name}_", login)

        (work,) = buffer_objects(config, services(), run="dag/run", is_active=lambda _: False, max_work=99)
        return Place(redshift, config, services, work.batch)

    yield make
    with connect_psycopg(redshift) as connection:
        connection.execute("LOCAL FAULT CLEAR")  # type: ignore[call-overload]


@pytest.mark.parametrize("fault", ["drop BEFORE '^commit'", "drop AFTER '^commit'", "ghost:0.4 BEFORE '^commit'"])
@pytest.mark.parametrize("superuser", [True, False], ids=["sees transactions", "does not"])
def test_a_commit_that_nobody_answered_is_decided_where_it_can_be_seen(
    place: Callable[..., Place], fault: str, superuser: bool
):
    """In the ghost's case the COMMIT may land after the retry looked, unless that one ends the session first."""
    here = place(superuser=superuser)
    here.order(fault)
    with pytest.raises(ConnectionLostError):
        here.load(1)
    if superuser:
        assert here.load(2) in {Outcome.LOADED, Outcome.FOUND_LOADED}
        assert here.rows() == ROWS
        assert here.stored().status is BatchStatus.COMPLETE
        return
    with pytest.raises(UndecidedError, match="mark-loaded"):
        here.load(2)
    in_table = here.rows()
    assert in_table in {0, ROWS}
    assert here.stored().targets[here.target].state is TargetState.FAILED
    with pytest.raises(UndecidedError):
        here.load(3)
    assert here.rows() == in_table, "neither way is guessed"
    here.order("CLEAR")
    if not in_table:
        assert here.load(4, cleared=True) is Outcome.LOADED
        assert here.rows() == ROWS


@pytest.mark.parametrize("fault", ["drop BEFORE '^copy'", "drop AFTER '^copy'", "ghost:0.4 BEFORE '^copy'"])
def test_what_breaks_before_the_commit_leaves_no_question(place: Callable[..., Place], fault: str):
    here = place(superuser=False)
    here.order(fault)
    with pytest.raises(ConnectionLostError):
        here.load(1)
    assert here.load(2) is Outcome.LOADED
    assert here.rows() == ROWS


@pytest.mark.parametrize("superuser", [True, False], ids=["sees transactions", "does not"])
def test_three_loaders_of_one_batch_load_it_once_or_ask(place: Callable[..., Place], superuser: bool):
    """They have no lock to wait for: the newest attempt ends the others' sessions before it looks."""
    here = place(superuser=superuser)
    start = threading.Barrier(3)
    outcomes: list[Any] = []

    def load(number: int) -> None:
        start.wait()
        try:
            outcomes.append(here.load(number))
        except RsloaderError as error:
            outcomes.append(error)

    loaders = [threading.Thread(target=load, args=(number,)) for number in range(3)]
    for loader in loaders:
        loader.start()
    for loader in loaders:
        loader.join(60)
    assert len(outcomes) == 3
    try:
        here.load(4)
    except UndecidedError:
        assert not superuser, outcomes
        assert here.rows() in {0, ROWS}
    else:
        assert here.rows() == ROWS, outcomes
        assert here.stored().status is BatchStatus.COMPLETE
