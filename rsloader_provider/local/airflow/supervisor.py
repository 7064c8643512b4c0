"""Runs Airflow's four components as processes of their own, and ends them.

`airflow standalone` leaves processes behind on SIGTERM and serves its logs on every network interface.
"""

from __future__ import annotations

import socket
import sys
import time
from typing import TYPE_CHECKING

from rsloader_provider.local.airflow.api import AirflowApi
from rsloader_provider.local.airflow.settings import environment
from rsloader_provider.local.leash import Interrupted, LeashedProcess, ProcessFailedError
from rsloader_provider.local.started import Started

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Self

MIGRATE_SECONDS = 120.0
HEALTHY_SECONDS = 180.0
# The triggerer needs ten seconds to end well, and has nothing to lose.
GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.2

# In the order of their start. They stop in the reverse order, so that the API server is there for tasks that end.
_COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}


class LocalAirflow(Started):
    """Airflow on SQLite with the LocalExecutor, open to everybody on this machine; a context manager.

    No process of it outlives the one that started it, even if that is killed.

    Args:
        home: AIRFLOW_HOME, made when it does not exist; each component logs into `<component>.log` there.
        dags: The DAGs folder.
        env: Connections and other variables that the DAGs need.
        port: Where the UI and the API listen on 127.0.0.1; 0 for a free port.
        paused_at_creation: Whether new DAGs wait to be switched on.
        stopping: Asked while waiting; True makes `start` give up.

    Attributes:
        port: Where the UI and the API listen.
        environment: The environment of all its processes, complete after `start`. Give it to programs that read
            Airflow's settings.
    """

    def __init__(
        self,
        *,
        home: Path,
        dags: Path,
        env: Mapping[str, str] | None = None,
        port: int = 0,
        paused_at_creation: bool = False,
        stopping: Callable[[], bool] | None = None,
    ) -> None:
        self._home = home
        self._dags = dags
        self._paused_at_creation = paused_at_creation
        self._stopping = stopping or (lambda: False)
        self._migration: LeashedProcess | None = None
        self._processes: dict[str, LeashedProcess] = {}
        self._extra = dict(env or {})
        self.environment: dict[str, str] = {}
        self.port = port or _free_port()

    @property
    def url(self) -> str:
        """The address of the UI."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> AirflowApi:
        """A client of its REST API."""
        return AirflowApi(self.url)

    def begin_migration(self) -> None:
        """Begin to create the database, which takes time and nothing else; `start` waits for it."""
        self._home.mkdir(parents=True, exist_ok=True)
        self.environment = environment(
            home=self._home,
            dags=self._dags,
            port=self.port,
            paused_at_creation=self._paused_at_creation,
            extra={},
        )
        self._migration = self._run("db-migrate", ["db", "migrate"])

    def start(self, env: Mapping[str, str] | None = None) -> Self:
        """Create the database, start the components and return when all are healthy.

        Args:
            env: More variables for the DAGs, known only now; None for none.

        Raises:
            ProcessFailedError: One of them ended, or was not healthy within three minutes.
            Interrupted: `stopping` said so.
        """
        try:
            if self._migration is None:
                self.begin_migration()
            self._finish_migration()
            self.environment |= self._extra | dict(env or {})
            for name, arguments in _COMPONENTS.items():
                self._processes[name] = self._run(name, arguments)
            self._wait_until_healthy()
        except BaseException:
            self.stop()
            raise
        return self

    def _run(self, name: str, arguments: list[str]) -> LeashedProcess:
        return LeashedProcess(
            f"airflow {name}",
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            cwd=self._home,
            log=self._home / f"{name}.log",
        )

    def _finish_migration(self) -> None:
        migration, deadline = self._migration, time.monotonic() + MIGRATE_SECONDS
        while migration is not None:
            if self._stopping():
                raise Interrupted
            code = migration.wait(_POLL_SECONDS)
            if code == 0:
                self._migration = None
                return
            if code is not None or time.monotonic() > deadline:
                raise ProcessFailedError(f"airflow db migrate failed: {migration.tail()}", migration.log)

    def restart(self, component: str) -> None:
        """Restart a component that was killed or hangs, and return when all are healthy.

        Args:
            component: `api-server`, `scheduler`, `dag-processor` or `triggerer`.

        Raises:
            ProcessFailedError: It ended again, or is not healthy within three minutes.
            Interrupted: `stopping` said so.
        """
        self._processes[component].stop(grace_seconds=0)
        self._processes[component] = self._run(component, _COMPONENTS[component])
        self._wait_until_healthy()

    @property
    def pids(self) -> dict[str, int]:
        """The process ids by component. Each is a leash's, whose only child is the component."""
        return {name: process.pid for name, process in self._processes.items()}

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + HEALTHY_SECONDS
        while not self.api.is_healthy():
            if self._stopping():
                raise Interrupted
            self.check()
            if time.monotonic() > deadline:
                raise ProcessFailedError(
                    f"Airflow was not healthy after {HEALTHY_SECONDS:.0f} seconds; see {self._home}"
                )
            time.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """Raise when a component has ended.

        Raises:
            ProcessFailedError: One has; the message holds the end of its log.
        """
        for process in self._processes.values():
            process.check_running()

    def stop(self) -> None:
        """End all components; does nothing when none runs."""
        if self._migration:
            self._migration.stop(grace_seconds=0)
            self._migration = None
        last_first = list(reversed(self._processes.values()))
        deadline = time.monotonic() + GRACE_SECONDS
        for process in last_first:
            process.ask_to_stop()
        for process in last_first:
            process.stop(grace_seconds=max(0.0, deadline - time.monotonic()))
        self._processes.clear()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
