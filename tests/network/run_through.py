"""A load carried through as Airflow would: the same call again after an error that may be retried, run after run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from support.fakes.warehouse import MemoryWarehouse
from support.objects import a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import RsloaderError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, Notification, TargetState
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.discover import Found, look_for_work
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.loader.services import Services

T = TypeVar("T")
BUCKET = "network"
PREFIX = "network_"
TOPIC_NAME = "network"
OBJECTS = 2
TRIES = 4
"""Of one task. A fault that outlasts botocore's own tries is over by the second."""
RUNS = 4


def a_load(name: str, topic: str, *tables: str) -> LoadConfig:
    """A load of two objects, which fill its batch, into some tables."""
    return a_config(
        load=name,
        source=f"s3://{BUCKET}/{name}/in/",
        batch={"max_files": OBJECTS, "max_age": "1h"},
        manifests=f"s3://{BUCKET}/{name}/manifests/",
        targets=[{"table": table} for table in tables],
        notify={"success": topic},
    )


def buffer_first(config: LoadConfig, services: Services) -> None:
    """Buffer as the first run, so that the histories have been asked before a fault is ordered."""
    work = buffer_objects(config, services, run="dag/run-0", is_active=lambda _: False, max_work=99)
    assert len(work) == len(config.targets)


def carry_through(config: LoadConfig, services: Services, between_tries: Callable[[], object] = lambda: None) -> None:
    """Run the load until nothing is left to do.

    Args:
        config: The load.
        services: The ports and the clock.
        between_tries: What happens elsewhere before a task is tried again.
    """

    def tried(task: Callable[[int], T]) -> T:
        for number in range(1, TRIES + 1):
            try:
                return task(number)
            except RsloaderError as error:
                if not error.retryable:
                    raise  # nor would Airflow try again
                between_tries()
        raise AssertionError(f"not within {TRIES} tries")

    for run in (f"dag/run-{number}" for number in range(RUNS)):
        if tried(lambda _: look_for_work(config, services)) is Found.NOTHING:
            return
        work = tried(
            lambda _, run=run: buffer_objects(config, services, run=run, is_active=lambda _: False, max_work=99)
        )
        for place, each in enumerate(work):
            tried(
                lambda number, run=run, place=place, each=each: load_batch(
                    config, services, each.batch.batch, each.target, Asker(f"{run}/load_batch/{place}/{number}", run)
                )
            )
    raise AssertionError(f"something was left after {RUNS} runs")


@dataclass(frozen=True)
class Told:
    """What became of the success notification.

    Attributes:
        messages: How often SNS took it.
        noted: What the batch says of it.
    """

    messages: int
    noted: Notification | None


TOLD = Told(1, Notification.SENT)


def check_ledger(config: LoadConfig, services: Services, objects: int = OBJECTS) -> Batch:
    """Check that everything is in one complete batch, each object claimed once, and give that batch."""
    batches = list(services.ledger.batches(config.load))
    assert [each.status for each in batches].count(BatchStatus.OPEN) == 1
    assert batches[0].files == 0, "the open batch sorts last and is empty"
    (batch,) = batches[1:]
    assert (batch.status, batch.files) == (BatchStatus.COMPLETE, objects)
    names = sorted(f"{BUCKET}/{config.load}/in/{number}.csv" for number in range(objects))
    assert [claim.name for claim in services.ledger.claims(config.load, f"{BUCKET}/")] == names
    assert sorted(entry.name for entry in services.ledger.entries(batch)) == names
    for progress in batch.targets.values():
        assert (progress.state, progress.generation, progress.rows) == (TargetState.LOADED, 1, objects)
    return batch


def check_tables(config: LoadConfig, warehouse: MemoryWarehouse, batch: Batch, objects: int = OBJECTS) -> None:
    """Check that each row is in each table once, with one history row."""
    for target in config.targets:
        table = f"{target.schema_name}.{target.table_name}"
        assert sorted(warehouse.tables[table]) == [str(number) for number in range(objects)]
        ((key, rows),) = [(each.key, each.rows) for each in warehouse.histories[table]]
        assert (key.load, key.batch, key.generation, rows) == (config.load, batch.batch, 1, objects)


CALLS = (
    # discover: the first look opens the load's first batch
    ("GetItem", 1), ("TransactWriteItems", 1), ("GetItem", 2), ("GetItem", 3), ("Query", 1), ("ListObjectsV2", 1),
    # buffer: claim, lock, and what is to be loaded
    ("GetItem", 4), ("GetItem", 5), ("Query", 2), ("ListObjectsV2", 2), ("TransactWriteItems", 2),
    ("TransactWriteItems", 3), ("Query", 3),
    # load: begin the attempt, the batch's objects, the manifest, the session, the end
    ("GetItem", 6), ("UpdateItem", 1), ("Query", 4), ("PutObject", 1), ("UpdateItem", 2), ("UpdateItem", 3),
)  # fmt: skip
"""The calls of a run without faults until a batch of one target is loaded, each with its number among its like."""

TELLING = (("Publish", 1), ("UpdateItem", 4))
SECOND_TARGET = (
    ("GetItem", 7), ("UpdateItem", 4), ("Query", 5), ("PutObject", 2), ("UpdateItem", 5), ("UpdateItem", 6),
)  # fmt: skip
TELLING_OF_TWO = (("Publish", 1), ("UpdateItem", 7))
LOOKING_AGAIN = ("GetItem", "GetItem", "Query", "ListObjectsV2", "Query")
"""The last look, which finds nothing."""

WRITES = ("TransactWriteItems", "UpdateItem", "PutObject", "Publish")


class ObjectsInS3:
    """What the fake warehouse reads with: a client of its own, past the faults."""

    def __init__(self, s3: Any):
        self._s3 = s3

    def read(self, bucket: str, key: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body


def with_warehouse(services: Services, warehouse: Any) -> Services:
    """Give the services another warehouse."""
    return replace(services, warehouse=warehouse)
