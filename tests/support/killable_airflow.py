"""Stacks whose Airflow notices within seconds that one of its processes is gone, and loads during which to kill it."""

from pathlib import Path
from typing import Any

import psutil
import yaml

from rsloader_provider.core.ledger.batch import BatchStatus
from support.running_stack import BUCKET, Stack, wait_until

# Airflow's own values are minutes.
NOTICE_COMPONENTS = {
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "8",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
}
NOTICE_ALL = NOTICE_COMPONENTS | {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "1",
    "AIRFLOW__DAG_PROCESSOR__PARSING_CLEANUP_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
}

# The defaults wait half a minute before a retry and a quarter before another look, which is long for a test.
BY_HAND = """
# Airflow looks for DAGs only where both words stand.
from datetime import timedelta
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.dag_factory import load_dag

for name, retries, schedule in LOADS:
    own = {"load": name, "source": f"s3://landing/{name}/", "schedule": schedule, "targets": [{"table": name}]}
    config = LoadConfig.model_validate(SETTINGS | own)
    dag = load_dag(config, default_args={"retries": retries, "retry_delay": timedelta(seconds=1)})
    dag.get_task("detect_new_objects").poke_interval = 1
    globals()[name] = dag
"""
SETTINGS = {
    "schedule": "@yearly",
    "batch": {"max_files": 2, "max_age": "1h"},
    "copy": {"format": "csv"},
    "manifests": f"s3://{BUCKET}/manifests/",
}


def write_by_hand(dags: Path, loads: list[tuple[str, int, str]]) -> None:
    """Write a DAG file with loads that retry quickly: name, retries, schedule."""
    (dags / "by_hand.py").write_text(f"SETTINGS = {SETTINGS!r}\nLOADS = {loads!r}\n{BY_HAND}")


def write_load_file(dags: Path, load: str) -> Path:
    file = dags / "loads" / f"{load}.yaml"
    own = {"load": load, "source": f"s3://{BUCKET}/{load}/", "targets": [{"table": load}]}
    file.write_text(yaml.safe_dump(SETTINGS | own))
    return file


def kill_component(stack: Stack, component: str) -> None:
    """SIGKILL a component itself; what it started dies with it, as in a container."""
    (process,) = psutil.Process(stack.airflow.pids[component]).children()
    process.kill()


def put_two(stack: Stack, load: str, first: int = 1) -> None:
    """Put the two files that make a batch."""
    for number in (first, first + 1):
        stack.put(load, f"{number}.csv", f"{number}\n")


def wait_for_session(stack: Stack, load: str) -> None:
    """Wait until a task is in the middle of its load."""
    wait_until(
        lambda: any(progress.session for batch in stack.batches(load) for progress in batch.targets.values()),
        "a session is recorded",
    )


def wait_until_loaded(stack: Stack, load: str, rows: list[int]) -> None:
    """Wait until all batches are complete, and check that each row is there once, in its first generation."""

    def complete() -> bool:
        locked = [batch for batch in stack.batches(load) if batch.targets]
        return bool(locked) and all(batch.status is BatchStatus.COMPLETE for batch in locked)

    wait_until(complete, f"all batches of {load} are complete")
    wait_until(lambda: len(stack.rows(load)) >= len(rows), "the rows are there")
    assert stack.rows(load) == rows
    history = stack.history(load)
    assert [generation for _, generation, _ in history] == [1] * len(history)
    assert len({batch for batch, *_ in history}) == len(history)


def task_state(stack: Stack, load: str, run_id: str, task_id: str) -> Any:
    return next(
        (each["state"] for each in stack.api.task_instances(f"rsloader_{load}", run_id) if each["task_id"] == task_id),
        None,
    )
