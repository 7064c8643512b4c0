"""One load of a cell's own: its name, its objects, its tables, and its tasks as processes."""

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from support.objects import a_config

from crash.cells import Isolation
from crash.stage import LANDING, LOADER, Stage
from crash.worker import Ended, Hold, Worker
from rsloader_provider.core.config.target import Mode, Transport
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.loader.run.take_over import Work
from rsloader_provider.loader.services import Services

OBJECTS = {"1.csv": "1\n2\n3\n", "2.csv": "4\n5\n6\n"}
"""The objects of a scene, two of three rows; with them its only batch is full."""
BAD_BODY = "4\nx\n6\n"
"""What 2.csv holds until a person repairs it: as many bytes, one of them no number."""


class Scene:
    """A load with one batch to load; leaving the context kills the processes that are left.

    Args:
        stage: Where it is played.
        isolation: On which of the Redshifts.
        targets: How many tables it loads into.
        mode: How it loads them.
        transport: How it gets there.
        settings: Settings of the load that differ.
    """

    def __init__(
        self,
        stage: Stage,
        isolation: Isolation,
        targets: int = 1,
        mode: Mode = "append",
        transport: Transport = "driver",
        **settings: Any,
    ):
        self.stage = stage
        self.isolation = isolation
        self.mode = mode
        self.load = f"crash_{uuid.uuid4().hex}"
        self.prefix = f"{self.load}/"
        tables = [f"public.{self.load}_{number}" for number in range(targets)]
        merge_on = {"merge_on": ["id"]} if mode == "merge" else {}
        self.config = a_config(
            load=self.load,
            source=f"s3://{LANDING}/{self.prefix}",
            manifests=f"s3://{LOADER}/{self.prefix}manifests/",
            failed_manifests=f"s3://{LOADER}/{self.prefix}failed/",
            targets=[{"table": table, "mode": mode, "transport": transport, **merge_on} for table in tables],
            notify={"success": stage.succeeded, "failure": stage.failed},
            **settings,
        )
        self._all_targets = self.config.targets
        self.tables = {target.name: table for target, table in zip(self.config.targets, tables, strict=True)}
        for target in self.config.targets:
            name = TableName(target.schema_name, target.table_name)
            self.query(f"CREATE TABLE {self.tables[target.name]} (id integer)")
            self.query(render(sql.CreateHistory(name)))
        self._services = stage.services(isolation)
        self._processes = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._processes.close()

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets."""
        return tuple(self.tables)

    def has_only(self, target: str) -> None:
        """Write the load file with one of the targets alone, from now on."""
        targets = tuple(each for each in self._all_targets if each.name == target)
        self.config = self.config.model_copy(update={"targets": targets})

    def query(self, text: str) -> list[list[Any]]:
        """Run a statement in the scene's Redshift."""
        return self.stage.query(self.isolation, text)

    def put(self, name: str, body: str) -> None:
        """Put an object of the load."""
        self.stage.put(self.prefix + name, body)

    def rows(self, target: str) -> Counter[int]:
        """Count each row of a target's table."""
        return Counter(row[0] for row in self.query(f"SELECT id FROM {self.tables[target]}"))

    def history(self, target: str) -> list[list[Any]]:
        """Give batch, generation, rows and files of everything that was committed into a target."""
        table = f"rsloader.{self.tables[target].replace('.', '__')}"
        return self.query(f"SELECT batch, generation, rows, files FROM {table} ORDER BY batch, generation")

    def batches(self) -> list[Batch]:
        """Give the batches that are no longer open."""
        return [each for each in self.stage.ledger.batches(self.load) if each.status is not BatchStatus.OPEN]

    def process(
        self,
        job: Callable[[Services], Any],
        hold: Hold | None = None,
        change: Callable[[Services], Services] | None = None,
    ) -> Worker:
        """Start a process of the loader.

        Args:
            job: What it does.
            hold: Where it stops; None for nowhere.
            change: Changes its services; None for the plain ones.
        """
        make = self._services
        services = make if change is None else lambda steps: change(make(steps))
        worker = Worker(job, services, hold)
        self._processes.callback(worker.kill)
        return worker

    def buffering(self, run: str) -> Callable[[Services], list[Work]]:
        """The task buffer_objects of a run; no other run is still going."""
        return lambda services: buffer_objects(self.config, services, run=run, is_active=lambda _: False, max_work=1024)

    def loading(self, work: Work, run: str, try_number: int = 1, *, cleared: bool = False) -> Callable[[Services], Any]:
        """One mapped task load_batch of a run."""
        asker = Asker(f"{run}/load_batch/{work.target}/{try_number}", run, cleared=cleared)
        return lambda services: load_batch(self.config, services, work.batch.batch, work.target, asker)

    def do(self, job: Callable[[Services], Any]) -> Ended:
        """Start a process and wait for its end."""
        return self.process(job).end()

    def buffer(self, run: str) -> Sequence[Work]:
        """Run the task buffer_objects to its end, which must be a good one."""
        ended = self.do(self.buffering(run))
        if ended.value is None:
            raise AssertionError(f"buffer_objects failed: {ended.error or ended.bug}")
        work: Sequence[Work] = ended.value
        return work
