"""What tests ask of Airflow's inside, where it differs from version to version (2.11 and 3)."""

import os
from contextlib import suppress
from functools import cache
from inspect import signature
from typing import Any

from airflow.models.taskinstance import TaskInstance
from airflow.serialization import serialized_objects

try:
    from airflow.sdk.definitions.dag import _run_task
except ImportError:
    from airflow.models.dag import _run_task
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag

_SERIALISER = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)

__all__ = ["DagBag", "as_serialised", "dag_of", "run_task"]


def dag_of(dag_id: str) -> Any:
    """Read a DAG of the DAGs folder. Airflow's database knows it as well, as wherever a scheduler runs.

    Otherwise a clear would not find the task's `retries`, and leave its `max_tries` as they are.
    """
    bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    if hasattr(bag, "sync_to_db"):  # from 3.1 on, `dag.test` does that
        bag.sync_to_db(*_bundle())
    return bag.dags[dag_id]


def _bundle() -> tuple[Any, ...]:
    """Name the bundle of the DAGs folder and its version, which Airflow 2 does not know."""
    try:
        from airflow.dag_processing.bundles.manager import DagBundlesManager  # noqa: PLC0415
    except ImportError:
        return ()
    DagBundlesManager().sync_bundles_to_db()
    _keep_api_server()
    return "dags-folder", None


def _keep_api_server() -> None:
    """Make one API server for all tries, as later versions do; Airflow 3.0 takes a second for each, and ends none."""
    from airflow.sdk.execution_time import supervisor  # noqa: PLC0415

    if not hasattr(supervisor.in_process_api_server, "cache_info"):
        supervisor.in_process_api_server = cache(supervisor.in_process_api_server)


def run_task(instance: TaskInstance, task: Any, session: Any) -> None:
    """Run one try of a task instance as `dag.test` does; what becomes of it is its state."""
    instance.task = task
    known = {"ti": instance, "task": task, "session": session}
    taken = [name for name in signature(_run_task).parameters if name in known]
    with suppress(Exception):  # Airflow 2 raises the task's failure once it is noted
        _run_task(**{name: known[name] for name in taken})


def as_serialised(dag: Any) -> tuple[dict[str, Any], Any]:
    """Write a DAG as Airflow's database holds it, and read that again."""
    written = _SERIALISER.to_dict(dag)
    return written, _SERIALISER.from_dict(written)
