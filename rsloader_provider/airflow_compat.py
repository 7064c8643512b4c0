"""The only place that knows Airflow's versions (2.11 and 3). Everything else imports Airflow's names from here."""

from __future__ import annotations

import logging
import sys
from contextlib import redirect_stdout
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from airflow.sdk import (
        DAG,
        BaseHook,
        BaseOperator,
        BaseSensorOperator,
        Context,
        Param,
        TaskGroup,
        XComArg,
        get_parsing_context,
    )
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )
    from airflow.sdk.log import mask_secret, redact  # type: ignore[attr-defined]  # as Airflow's own providers do
else:
    try:
        from airflow.sdk import (
            DAG,
            BaseHook,
            BaseOperator,
            BaseSensorOperator,
            Context,
            Param,
            TaskGroup,
            XComArg,
            get_parsing_context,
        )
    except ImportError:
        from airflow import DAG
        from airflow.hooks.base import BaseHook
        from airflow.models.baseoperator import BaseOperator
        from airflow.models.param import Param
        from airflow.models.xcom_arg import XComArg
        from airflow.sensors.base import BaseSensorOperator
        from airflow.utils.context import Context
        from airflow.utils.dag_parsing_context import get_parsing_context
        from airflow.utils.task_group import TaskGroup
    try:
        from airflow.sdk.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSensorTimeout,
            AirflowSkipException,
        )
    except ImportError:
        from airflow.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowSensorTimeout,
            AirflowSkipException,
        )

    try:
        from airflow.sdk.log import mask_secret, redact
    except ImportError:
        try:
            from airflow.sdk.execution_time.secrets_masker import mask_secret, redact
        except ImportError:
            from airflow.utils.log.secrets_masker import mask_secret, redact

__all__ = [
    "DAG",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "BaseHook",
    "BaseOperator",
    "BaseSensorOperator",
    "BaseTrigger",
    "Context",
    "Param",
    "TaskGroup",
    "TriggerEvent",
    "XComArg",
    "conf",
    "get_parsing_context",
    "is_run_active",
    "is_run_waiting",
    "log_to_standard_error",
    "mask_secret",
    "redact",
    "run_state",
    "task_state",
]

_ACTIVE = ["queued", "running"]


@cache
def log_to_standard_error() -> None:
    """Have Airflow log to standard error in this process; by itself it logs to standard output."""
    for name in (None, *logging.root.manager.loggerDict):
        for handler in logging.getLogger(name).handlers:  # noqa: TID251 (nothing is logged)
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
                _write_to_standard_error(handler)
    try:
        import structlog  # noqa: PLC0415 (Airflow 3 logs with it)
    except ImportError:
        return
    make_logger = structlog.get_config()["logger_factory"]

    def made(*arguments: Any) -> Any:
        with redirect_stdout(sys.stderr):
            return make_logger(*arguments)

    structlog.configure(logger_factory=made)


def _write_to_standard_error(handler: logging.StreamHandler[Any]) -> None:
    try:
        handler.setStream(sys.stderr)
    except AttributeError:
        # Airflow 2.11 and 3.0 look up standard output for each line, in a property that cannot be set. A class below
        # theirs hides it; the handler itself stays in all its loggers, with its filter that masks secrets.
        kind = type(handler)
        handler.__class__ = type(kind.__name__, (kind,), {"stream": sys.stderr})


def is_run_active(task_instance: Any, dag_id: str, run_id: str) -> bool:
    """Tell whether a DAG run is queued or running. A run that Airflow no longer knows is not.

    Args:
        task_instance: The task instance that asks, `context["ti"]`.
        dag_id: The run's DAG.
        run_id: The run.
    """
    if hasattr(task_instance, "get_dr_count"):
        return bool(task_instance.get_dr_count(dag_id=dag_id, run_ids=[run_id], states=_ACTIVE))
    from airflow.models.dagrun import DagRun  # noqa: PLC0415 (Airflow 3 forbids the import in a task)

    return any(str(run.state) in _ACTIVE for run in DagRun.find(dag_id=dag_id, run_id=run_id))


def is_run_waiting(dag_id: str) -> bool:
    """Tell, in the triggerer, whether a run of a DAG waits for another one to end."""
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # noqa: PLC0415 (a worker has it)
    except ImportError:
        from airflow.models.dagrun import DagRun  # noqa: PLC0415
        from airflow.utils.state import DagRunState  # noqa: PLC0415

        return bool(DagRun.find(dag_id=dag_id, state=DagRunState.QUEUED))
    return bool(RuntimeTaskInstance.get_dr_count(dag_id=dag_id, states=["queued"]))


def run_state(context: Context) -> tuple[int, str | None]:
    """Give how often tasks of the DAG run were cleared, as far as Airflow counts that, and when the run last began.

    Airflow 3.3 counts every clear, those before it only the clears of a run that had ended.
    """
    dag_run = context["dag_run"]
    began = dag_run.start_date
    return dag_run.clear_number or 0, None if began is None else began.isoformat()


def task_state(dag_id: str, run_id: str, task_id: str, map_index: int) -> str | None:
    """Give the state of a task instance from Airflow's database, outside of any task.

    Returns:
        The state; None where the database cannot be asked, or knows no such task instance, or it has no state yet.
    """
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415 (Airflow 3 forbids the import in a task)
    from airflow.utils.session import create_session  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    known = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
    try:
        with create_session() as session:
            state = session.scalar(select(TaskInstance.state).filter_by(**known))
    except (SQLAlchemyError, RuntimeError):
        return None
    return state and str(state)
