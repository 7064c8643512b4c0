"""What the demo does to its stack: sets it up, drops the files, reads what became of them."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import redshift_connector

from rsloader_provider.aws.dynamodb.ledger import DynamoLedger
from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.local import sample
from rsloader_provider.local.leash import Interrupted, LeashedProcess, ProcessFailedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rsloader_provider.local.stack import LocalStack

_SETUP_SECONDS = 60.0
# In a process of its own: it imports Airflow, which reads its settings from the environment.
_SETUP_PROGRAM = "from rsloader_provider.cli import app; app()"
_LOADED_BY_BATCH = 'SELECT batch, files, rows FROM rsloader."public__orders" ORDER BY batch'
_COUNT = "SELECT count(*), count(DISTINCT order_id) FROM public.orders"


@dataclass(frozen=True)
class Outcome:
    """What the table and the ledger say in the end.

    Attributes:
        objects: Objects that the ledger has a claim for.
        batches: Batches that are complete.
        rows: Rows of the table.
        distinct_rows: How many different orders they have.
        by_batch: Batch, files and rows, from the load history.
    """

    objects: int
    batches: int
    rows: int
    distinct_rows: int
    by_batch: list[tuple[str, int, int]]

    @property
    def is_exactly_once(self) -> bool:
        """Whether every row of every file is in the table once, and the load history agrees."""
        return (
            self.objects == len(sample.ROWS_PER_FILE)
            and self.rows == self.distinct_rows == sample.ROWS
            and sum(rows for _, _, rows in self.by_batch) == self.rows
            and len({batch for batch, _, _ in self.by_batch}) == len(self.by_batch) == self.batches
        )

    def __str__(self) -> str:
        """The demo's last line."""
        verdict = (
            "each loaded once" if self.is_exactly_once else f"but {self.distinct_rows:,} of {sample.ROWS:,} orders"
        )
        return f"{self.objects} objects, {self.batches} batches, {self.rows:,} rows, {verdict}"


class DemoStack:
    """The stack, seen through the loader's own eyes.

    Args:
        stack: A stack that runs, with Airflow.
        dags: Its DAGs folder.
    """

    def __init__(self, stack: LocalStack, dags: Path) -> None:
        self._stack = stack
        self._dags = dags
        aws = stack.aws.env()
        self._session = boto3.Session(aws["AWS_ACCESS_KEY_ID"], aws["AWS_SECRET_ACCESS_KEY"], None, aws["AWS_REGION"])
        dynamodb = self._session.resource("dynamodb", endpoint_url=stack.aws.endpoint_url)
        self._ledger = DynamoLedger(dynamodb.meta.client, TableNames())

    def set_up(self, stopping: Callable[[], bool]) -> None:
        """Create the buckets, the table, and what `rsloader setup` creates.

        Raises:
            ProcessFailedError: `rsloader setup` failed.
            Interrupted: `stopping` returned True.
        """
        sample.create_buckets(self._s3())
        with closing(self._connect()) as connection:
            connection.autocommit = True
            connection.cursor().execute(sample.CREATE_TABLE)
        self._run_setup(stopping)

    def _run_setup(self, stopping: Callable[[], bool]) -> None:
        airflow = self._stack.airflow
        setup = LeashedProcess(
            "rsloader setup",
            [sys.executable, "-c", _SETUP_PROGRAM, "setup", "--loads", str(self._dags / "loads")],
            env=airflow.environment if airflow else None,
            log=self._stack.folder / "setup.log",
        )
        try:
            waited = 0.0
            while (code := setup.wait(0.1)) is None:
                waited += 0.1
                if stopping():
                    raise Interrupted
                if waited > _SETUP_SECONDS:
                    raise ProcessFailedError(f"rsloader setup took longer than {_SETUP_SECONDS:.0f} seconds", setup.log)
            if code != 0:
                raise ProcessFailedError(f"rsloader setup failed:\n{setup.tail()}", setup.log)
        finally:
            setup.stop(grace_seconds=1)

    def drop_files(self) -> None:
        """Put the sample's files under the load's prefix."""
        sample.drop_files(self._s3())

    def batches(self) -> list[Batch]:
        """Return the batches that hold something, the oldest first."""
        return [batch for batch in reversed(list(self._ledger.batches(sample.LOAD))) if batch.files]

    def outcome(self) -> Outcome:
        """Read the table, its load history and the ledger."""
        with closing(self._connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(_COUNT)
            rows, distinct_rows = cursor.fetchone()
            cursor.execute(_LOADED_BY_BATCH)
            by_batch = [(str(batch), int(files), int(count)) for batch, files, count in cursor.fetchall()]
        return Outcome(
            objects=sum(1 for _ in self._ledger.claims(sample.LOAD, "")),
            batches=sum(batch.status is BatchStatus.COMPLETE for batch in self._ledger.batches(sample.LOAD)),
            rows=int(rows),
            distinct_rows=int(distinct_rows),
            by_batch=by_batch,
        )

    def unfinished_business(self) -> str:
        """Tell what Airflow was doing: the states of the last runs' tasks, and the log of the first that failed."""
        if self._stack.airflow is None:
            return ""
        api = self._stack.airflow.api
        told: list[str] = []
        for run in api.runs(sample.DAG_ID)[:5]:
            tasks = api.task_instances(sample.DAG_ID, run["dag_run_id"])
            told.append(f"{run['dag_run_id']}: {run['state']} {[(each['task_id'], each['state']) for each in tasks]}")
            for task in tasks:
                if task["state"] in ("failed", "up_for_retry"):
                    tries = max(1, task["try_number"])
                    index = task["map_index"]
                    log = api.log(sample.DAG_ID, run["dag_run_id"], task["task_id"], try_number=tries, map_index=index)
                    return "\n".join([*told, f"log of {task['task_id']}:", log[-3000:]])
        return "\n".join(told)

    def _s3(self) -> Any:
        return self._session.client("s3", endpoint_url=self._stack.aws.endpoint_url)

    def _connect(self) -> Any:
        address = self._stack.redshift
        return redshift_connector.connect(
            host=address.host,
            port=address.port,
            database=address.database,
            user=address.user,
            password=address.password,
            ssl=False,
        )
