"""The settings of the local Airflow: one machine, one user, quick to notice things, nothing sent out."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def environment(
    *, home: Path, dags: Path, port: int, paused_at_creation: bool, extra: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of every Airflow process; Airflow settings of our own environment are left out.

    Args:
        home: AIRFLOW_HOME: database, configuration and logs.
        dags: The DAGs folder.
        port: Where the API server listens on 127.0.0.1.
        paused_at_creation: Whether new DAGs wait to be switched on.
        extra: Connections and other variables that the DAGs need; they win over ours.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    address = f"http://127.0.0.1:{port}"
    # Airflow's processes do not run where we do, and must find this package even when it is not installed.
    package_folder = str(Path(__file__).parents[3])
    settings = {
        "CORE__DAGS_FOLDER": str(dags),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "8",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": str(paused_at_creation),
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": address,
        "API__WORKERS": "1",
        "API__SECRET_KEY": secrets.token_hex(16),
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return (
        inherited
        | {"AIRFLOW_HOME": str(home), "PYTHONUNBUFFERED": "1"}
        | {"PYTHONPATH": os.pathsep.join(filter(None, [package_folder, inherited.get("PYTHONPATH")]))}
        | {f"AIRFLOW__{name}": value for name, value in settings.items()}
        | dict(extra)
    )
