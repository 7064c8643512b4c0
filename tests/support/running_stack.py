"""The running stack, as an end-to-end test uses it."""

import time
from collections.abc import Callable
from typing import Any

import boto3
import redshift_connector

from rsloader_provider.aws.dynamodb.tables import DEFAULT_PREFIX
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.local.stack import LocalStack
from support.loader_services import aws_client_arguments, loader_services, make_tables

BUCKET = "landing"


class Stack:
    """The running stack, as a test uses it."""

    def __init__(self, stack: LocalStack):
        assert stack.airflow is not None
        self.local = stack
        self.airflow = stack.airflow
        self.url = stack.airflow.url
        self.api = stack.airflow.api
        self.redshift = stack.redshift
        self.s3 = boto3.client("s3", **aws_client_arguments(stack.aws.endpoint_url))
        self.ledger = loader_services(stack.aws.endpoint_url, DEFAULT_PREFIX).ledger
        make_tables(stack.aws.endpoint_url, DEFAULT_PREFIX)
        self.s3.create_bucket(Bucket=BUCKET)
        self.query(render(sql.CreateHistorySchema()))

    def query(self, text: str) -> Any:
        address = self.redshift
        with redshift_connector.connect(
            host=address.host, port=address.port, database=address.database, user=address.user,
            password=address.password, ssl=False,
        ) as connection:  # fmt: skip
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else ()

    def create_table(self, load: str) -> None:
        self.query(f"CREATE TABLE public.{load} (id integer)")
        self.query(render(sql.CreateHistory(TableName("public", load))))

    def put(self, load: str, name: str, content: str) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=f"{load}/{name}", Body=content.encode())

    def rows(self, load: str) -> list[int]:
        return sorted(row[0] for row in self.query(f"SELECT id FROM public.{load}"))

    def history(self, load: str) -> list[list[Any]]:
        """Batch, generation and rows of everything that was ever committed."""
        found = self.query(f"SELECT batch, generation, rows FROM rsloader.public__{load} ORDER BY loaded_at")
        return [list(row) for row in found]

    def batches(self, load: str) -> list[Batch]:
        return list(self.ledger.batches(load))

    def run(self, load: str) -> str:
        """Switch the load's DAG on, start a run now, and give its id."""
        dag_id = f"rsloader_{load}"
        self.api.wait_for_dag(dag_id)
        self.api.unpause(dag_id)
        return self.api.trigger(dag_id)

    def log_of(self, load: str, run_id: str) -> str:
        """Everything that Airflow shows of the first try of the first mapped task, exceptions included."""
        path = f"/dags/rsloader_{load}/dagRuns/{run_id}/taskInstances/load_batch/logs/1"
        return str(self.api.call("GET", path, map_index=0, full_content="true")["content"])

    def load_tasks(self, load: str) -> list[tuple[str, dict[str, Any]]]:
        """All mapped tasks of all runs of a load, with the run of each."""
        dag_id = f"rsloader_{load}"
        return [
            (run["dag_run_id"], task)
            for run in self.api.runs(dag_id)
            for task in self.api.task_instances(dag_id, run["dag_run_id"])
            if task["task_id"] == "load_batch" and task["map_index"] >= 0
        ]


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    """Poll until something is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)
    return found
