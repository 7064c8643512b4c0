"""A small client of Airflow's REST API, for the demo and the tests. Reads as many fields as it is asked for."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from rsloader_provider.local.leash import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]

_POLL_SECONDS = 0.3
_TIMEOUT_SECONDS = 15.0
_FINISHED = ("success", "failed")
# 100 is the most that Airflow's API gives at once.
_PAGE_SIZE = 100


class AirflowApiError(Exception):
    """Airflow refused a request.

    Attributes:
        status: The HTTP status; 0 when there was no answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class AirflowApi:
    """The REST API of an Airflow without passwords.

    Args:
        url: Its address, without `/api/v2`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._token: str | None = None

    def call(self, method: str, path: str, body: Json | None = None, **query: Any) -> Json:
        """Send one request to `/api/v2` and return its answer.

        Raises:
            AirflowApiError: Airflow refused it, or did not answer.
        """
        if self._token is None:
            self._token = str(self._request("GET", "/auth/token", None)["access_token"])
        suffix = f"?{urlencode(query, doseq=True)}" if query else ""
        return self._request(method, f"/api/v2{path}{suffix}", body)

    def _request(self, method: str, path: str, body: Json | None) -> Json:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310 our own address
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 our own address
                return dict(json.loads(answer.read() or b"{}"))
        except urllib.error.HTTPError as error:
            detail = error.read().decode(errors="replace")[:500]
            raise AirflowApiError(f"{method} {path}: {error.code} {detail}", error.code) from error
        except (OSError, ValueError) as error:
            raise AirflowApiError(f"{method} {path}: {error}", 0) from error

    def is_healthy(self) -> bool:
        """Tell whether all four components and the database are healthy."""
        try:
            health = self._request("GET", "/api/v2/monitor/health", None)
        except AirflowApiError:
            return False
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)

    def wait_for_dag(
        self, dag_id: str, *, timeout_seconds: float = 60.0, stopping: Callable[[], bool] = lambda: False
    ) -> Json:
        """Wait until a DAG is parsed, and return it.

        Raises:
            Interrupted: `stopping` said so.
            AirflowApiError: It was not parsed in that time; the message holds the import errors.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                return self.call("GET", f"/dags/{quote(dag_id)}")
            except AirflowApiError as error:
                if time.monotonic() > deadline:
                    raise AirflowApiError(f"no DAG {dag_id}: {error}; {self.import_errors()}", error.status) from error
            if stopping():
                raise Interrupted
            time.sleep(_POLL_SECONDS)

    def import_errors(self) -> list[Json]:
        """Return the files that could not be parsed: `filename` and `stack_trace` of each."""
        return list(self.call("GET", "/importErrors")["import_errors"])

    def unpause(self, dag_id: str, *, paused: bool = False) -> None:
        """Switch a DAG's schedule on; with `paused` off."""
        self.call("PATCH", f"/dags/{quote(dag_id)}", {"is_paused": paused})

    def trigger(self, dag_id: str, conf: Json | None = None) -> str:
        """Start a run now and return its id."""
        body = {"logical_date": None, "conf": conf or {}}
        return str(self.call("POST", f"/dags/{quote(dag_id)}/dagRuns", body)["dag_run_id"])

    def runs(self, dag_id: str) -> list[Json]:
        """Return the latest 100 runs, the newest first: `dag_run_id`, `state`, `run_type`, …."""
        answer = self.call("GET", f"/dags/{quote(dag_id)}/dagRuns", limit=_PAGE_SIZE, order_by="-run_after")
        return list(answer["dag_runs"])

    def run(self, dag_id: str, run_id: str) -> Json:
        """Return one run."""
        return self.call("GET", f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}")

    def wait_for_run(self, dag_id: str, run_id: str, *, timeout_seconds: float = 120.0) -> str:
        """Wait until a run is over and return its state, `success` or `failed`.

        Raises:
            AirflowApiError: The run was not over in that time; the message holds its task instances.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            state = str(self.run(dag_id, run_id)["state"])
            if state in _FINISHED:
                return state
            if time.monotonic() > deadline:
                tasks = {each["task_id"]: each["state"] for each in self.task_instances(dag_id, run_id)}
                raise AirflowApiError(f"{dag_id} {run_id} is {state} after {timeout_seconds:.0f} s: {tasks}", 0)
            time.sleep(_POLL_SECONDS)

    def task_instances(self, dag_id: str, run_id: str) -> list[Json]:
        """Return a run's task instances: `task_id`, `map_index`, `state`, `try_number`, `rendered_map_index`, …."""
        path = f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances"
        found: list[Json] = []
        while True:
            answer = self.call("GET", path, limit=_PAGE_SIZE, offset=len(found))
            found += answer["task_instances"]
            if not answer["task_instances"] or len(found) >= answer["total_entries"]:
                return found

    def clear(self, dag_id: str, run_id: str, task_id: str, map_index: int | None = None) -> list[Json]:
        """Clear a task of a run, as a person does in the UI; return the task instances that were cleared.

        Args:
            dag_id: The DAG.
            run_id: The run.
            task_id: The task.
            map_index: Which mapped instance; None for all.
        """
        body = {
            "dry_run": False,
            "only_failed": False,
            "dag_run_id": run_id,
            "task_ids": [task_id if map_index is None else [task_id, map_index]],
        }
        return list(self.call("POST", f"/dags/{quote(dag_id)}/clearTaskInstances", body)["task_instances"])

    def log(self, dag_id: str, run_id: str, task_id: str, *, try_number: int = 1, map_index: int = -1) -> str:
        """Return the log of one try of a task instance, one line per event."""
        path = f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances/{quote(task_id)}/logs/{try_number}"
        content = self.call("GET", path, map_index=map_index, full_content="true")["content"]
        if isinstance(content, str):
            return content
        return "\n".join(each if isinstance(each, str) else str(each.get("event", each)) for each in content)
