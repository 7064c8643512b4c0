"""Every statement of a load, its connection breaking before and after it, on both isolation levels: each row once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
import redshift_connector
from network.eager_clients import shared_client
from network.run_through import BUCKET, OBJECTS, PREFIX, buffer_first, carry_through, check_ledger
from support.objects import a_config

from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import AttemptLostError, RsloaderError
from rsloader_provider.core.ledger.batch import Batch, TargetState
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, load_batch
from rsloader_provider.loader.services import Services
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift
from rsloader_provider.wiring import Wiring

_numbers = count()
HANGS_SECONDS = 2
ISOLATIONS = ("snapshot", "serializable")


@dataclass
class Announcing:
    """Steps that tell when COPY is sent: the session holds the lock by then."""

    in_copy: threading.Event

    @contextmanager
    def taking(self, step: Step, subject: object) -> Iterator[None]:
        if step is Step.COPY:
            self.in_copy.set()
        yield


@dataclass
class House:
    """A Redshift with one load's table, history and a table that pre-SQL and post-SQL write to."""

    services: Services
    config: LoadConfig
    connection: Any

    def run(self, text: str) -> Any:
        cursor = self.connection.cursor()
        cursor.execute(text)
        return cursor.fetchall() if cursor.description else ()

    def order(self, *faults: str) -> None:
        for fault in faults:
            self.run(f"LOCAL FAULT {fault}")

    def forget_faults(self) -> None:
        self.run("LOCAL FAULT CLEAR")

    def check(self) -> Batch:
        """Check that everything is in the table once, and that DynamoDB agrees."""
        table = self.config.targets[0].table_name
        batch = check_ledger(self.config, self.services)
        assert sorted(row[0] for row in self.run(f"SELECT id FROM public.{table}")) == list(range(OBJECTS))
        history = self.run(f"SELECT batch, generation, rows FROM rsloader.public__{table}")
        assert [tuple(row) for row in history] == [(batch.batch, 1, OBJECTS)]
        assert sorted(row[0] for row in self.run(f"SELECT what FROM public.{table}_log")) == ["post", "pre"]
        return batch


@pytest.fixture(scope="module", params=ISOLATIONS)
def server(request: pytest.FixtureRequest, network_aws: LocalAws) -> Iterator[LocalRedshift]:
    with LocalRedshift(s3_endpoint=network_aws.endpoint_url, isolation=request.param) as running:
        yield running


@pytest.fixture
def house(request: pytest.FixtureRequest, network_aws: LocalAws, server: LocalRedshift) -> Iterator[House]:
    mode = getattr(request, "param", "append")
    name = f"rows{next(_numbers)}"

    def login(_: str) -> Any:
        return redshift_connector.connect(
            host=server.host, port=server.port, database=server.database, user=server.user,
            password=server.password, ssl=False,
        )  # fmt: skip

    target = {
        "table": f"public.{name}",
        "mode": mode,
        "pre_sql": f"INSERT INTO public.{name}_log VALUES ('pre')",
        "post_sql": f"INSERT INTO public.{name}_log VALUES ('post')",
        "statement_timeout": "10m",
    }
    config = a_config(
        load=name,
        source=f"s3://{BUCKET}/{name}/in/",
        manifests=f"s3://{BUCKET}/{name}/manifests/",
        targets=[target],
    )
    network_aws.seed_objects({"bucket": BUCKET, "key": f"{name}/in/{n}.csv", "body": f"{n}\n"} for n in range(OBJECTS))
    connection = login("")
    connection.autocommit = True
    clients = {service: shared_client(service, network_aws.endpoint_url) for service in ("s3", "sns", "dynamodb")}
    wiring = Wiring(client=clients.__getitem__, connect=login, names=TableNames(PREFIX))
    house = House(wiring.services(), config, connection)
    house.run(f"CREATE TABLE public.{name} (id integer)")
    house.run(f"CREATE TABLE public.{name}_log (what varchar(4))")
    house.run(render(sql.CreateHistorySchema()))
    house.run(render(sql.CreateHistory(TableName("public", name))))
    buffer_first(config, house.services)
    yield house
    house.forget_faults()
    connection.close()


ERROR_1023 = "error:40001"
"""The local Redshift tells this SQLSTATE as Redshift does."""
INTO_HISTORY = '^insert into "rsloader'
STATEMENTS = (
    "^select pg_backend_pid", "^set statement_timeout", "^begin", "^lock", "^select count", "^insert .*''pre''",
    "^copy", "^select pg_last_copy", INTO_HISTORY, "^insert .*''post''", "^commit",
)  # fmt: skip
ENDING_THE_OLD_SESSION = "^select pg_terminate"
ROLLBACK = "^rollback"
COMMITTED_UNHEARD = "drop AFTER '^commit'"

BREAKING = (
    *((2, f"drop {side} '{statement}'") for statement in STATEMENTS for side in ("BEFORE", "AFTER")),
    *(
        (2, f"error:40001 BEFORE '{statement}'")
        for statement in ("^lock", "^copy", '^insert into "rsloader', "^commit")
    ),
    (2, "error:53300 BEFORE '^begin'"),
    (2, "error:57014 BEFORE '^lock'"),
    (2, "refuse CONNECTION"),
    (4, "refuse:3 CONNECTION"),
    (2, "ghost:0.2 BEFORE '^copy'"),
    (2, "ghost:0.2 BEFORE '^commit'"),
    (3, "drop BEFORE '^copy'", f"drop BEFORE '{ENDING_THE_OLD_SESSION}'"),
    (3, "drop BEFORE '^copy'", f"drop AFTER '{ENDING_THE_OLD_SESSION}'"),
    (3, COMMITTED_UNHEARD, f"drop BEFORE '{ROLLBACK}'"),
    (3, COMMITTED_UNHEARD, f"drop AFTER '{ROLLBACK}'"),
    (3, "drop BEFORE '^commit'", "ghost:0.1 BEFORE '^commit'"),
)
"""The attempts that it takes, and the faults."""
BY_ISOLATION = ("^lock", "^commit", INTO_HISTORY, "40001")
"""What depends on the isolation level breaks on both, all else on either in turn."""
PLAYED = [
    pytest.param(isolation, cell, id=f"{isolation}-{', '.join(cell[1:])}")
    for number, cell in enumerate(BREAKING)
    for place, isolation in enumerate(ISOLATIONS)
    if number % len(ISOLATIONS) == place or any(each in " ".join(cell[1:]) for each in BY_ISOLATION)
]


@pytest.mark.parametrize(("server", "cell"), PLAYED, indirect=["server"])
def test_a_load_whose_connection_breaks_is_in_the_table_once(house: House, cell: tuple[Any, ...]):
    attempts, *faults = cell
    house.order(*faults)
    carry_through(house.config, house.services)
    (progress,) = house.check().targets.values()
    assert progress.attempt == attempts, "each fault has happened"


@pytest.mark.parametrize("house", ["replace"], indirect=True)
@pytest.mark.parametrize("statement", ["^select count", "^delete from public"])
@pytest.mark.parametrize("side", ["BEFORE", "AFTER"])
def test_a_table_is_replaced_whole_or_not_at_all(house: House, statement: str, side: str):
    table = house.config.targets[0].table_name
    house.run(f"INSERT INTO public.{table} VALUES (4711)")
    house.order(f"drop {side} '{statement}'")

    def look() -> None:
        assert [row[0] for row in house.run(f"SELECT id FROM public.{table}")] == [4711]

    carry_through(house.config, house.services, between_tries=look)
    house.check()


def test_s3_that_does_not_answer_copy_is_waited_for(house: House):
    house.order(f"s3:503 FOR 60 '{house.config.load}/in/1'")
    carry_through(house.config, house.services, between_tries=house.forget_faults)
    (progress,) = house.check().targets.values()
    assert progress.attempt == 2


def test_a_session_that_hangs_in_copy_is_ended_by_the_next_attempt(house: House):
    """It holds the lock of the load history, so the next attempt would else wait as long as it hangs."""
    (work,) = buffer_objects(house.config, house.services, run="dag/run", is_active=lambda _: False, max_work=9)
    house.order(f"sleep:{HANGS_SECONDS} BEFORE '^copy'")
    in_copy = threading.Event()
    ended: list[RsloaderError] = []

    def hang() -> None:
        services = replace(house.services, steps=Announcing(in_copy))
        try:
            load_batch(house.config, services, work.batch.batch, work.target, Asker("try-1", "dag/run"))
        except RsloaderError as error:
            ended.append(error)

    hanging = threading.Thread(target=hang)
    hanging.start()
    assert in_copy.wait(20)
    second = load_batch(house.config, house.services, work.batch.batch, work.target, Asker("try-2", "dag/run"))
    hanging.join(20)
    assert second.outcome is Outcome.LOADED
    assert second.batch.targets[work.target].state is TargetState.LOADED
    house.check()
    (error,) = ended
    assert isinstance(error, AttemptLostError)
