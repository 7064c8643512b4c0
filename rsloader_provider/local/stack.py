"""The local stack: AWS, Redshift and, where wanted, Airflow, under one temporary folder."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rsloader_provider.local.airflow import LocalAirflow
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift
from rsloader_provider.local.started import Started

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self


class LocalStack(Started):
    """Everything that a load needs, on this machine; a context manager.

    No process is left, whatever ends it. No file is left either, unless it is killed.

    Args:
        dags: Airflow's DAGs folder; None for no Airflow.
        port_aws: Where the local AWS listens; 0 for a free port.
        port_redshift: Where the local Redshift listens; 0 for a free port.
        port_airflow: Where Airflow's UI listens; 0 for a free port.
        isolation: The default isolation level of the local Redshift.
        paused_at_creation: Whether new DAGs wait to be switched on.
        airflow_settings: More settings of Airflow, as environment variables; None for ours alone.
        stopping: Asked while waiting; True makes `start` give up.
        report: Told in a few words what is being done.

    Attributes:
        aws: The local AWS.
        airflow: Airflow; None without a DAGs folder.
    """

    def __init__(
        self,
        *,
        dags: Path | None = None,
        port_aws: int = 0,
        port_redshift: int = 0,
        port_airflow: int = 0,
        isolation: Literal["snapshot", "serializable"] = "snapshot",
        paused_at_creation: bool = False,
        airflow_settings: Mapping[str, str] | None = None,
        stopping: Callable[[], bool] | None = None,
        report: Callable[[str], None] = lambda _message: None,
    ) -> None:
        self._dags = dags
        self._ports = {"aws": port_aws, "redshift": port_redshift, "airflow": port_airflow}
        self._isolation = isolation
        self._paused_at_creation = paused_at_creation
        self._airflow_settings = dict(airflow_settings or {})
        self._stopping = stopping or (lambda: False)
        self._report = report
        self._undo = ExitStack()
        self._folder: Path | None = None
        self._redshift: LocalRedshift | None = None
        self.aws = LocalAws(port=port_aws)
        self.airflow: LocalAirflow | None = None

    @property
    def folder(self) -> Path:
        """The temporary folder: logs, and Airflow's home; goes with the stack.

        Raises:
            RuntimeError: The stack does not run.
        """
        if self._folder is None:
            raise RuntimeError("the local stack does not run")
        return self._folder

    @property
    def redshift(self) -> LocalRedshift:
        """The local Redshift: how to connect to it.

        Raises:
            RuntimeError: The stack does not run.
        """
        if self._redshift is None:
            raise RuntimeError("the local stack does not run")
        return self._redshift

    def start(self) -> Self:
        """Start everything and return when all of it answers.

        Raises:
            ProcessFailedError: A part did not start; the message says which and why.
            Interrupted: `stopping` said so.
        """
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="rsloader-"))
            self._undo.callback(self._remove_folder)
            if self._dags is not None:
                self.airflow = self._begin_airflow(self._dags)
            self._start_aws()
            self._start_redshift()
            if self.airflow is not None:
                self._report("starting Airflow")
                self.airflow.start(self.environment())
        except BaseException:
            self.stop()
            raise
        return self

    def _begin_airflow(self, dags: Path) -> LocalAirflow:
        airflow = LocalAirflow(
            home=self.folder / "airflow",
            dags=dags.absolute(),
            port=self._ports["airflow"],
            paused_at_creation=self._paused_at_creation,
            env=self._airflow_settings,
            stopping=self._stopping,
        )
        self._undo.callback(airflow.stop)
        # The slowest step needs nothing of the others: they start meanwhile.
        self._report("creating Airflow's database")
        airflow.begin_migration()
        return airflow

    def _start_aws(self) -> None:
        self._report("starting the local AWS")
        self.aws = LocalAws(port=self._ports["aws"], log=self.folder / "aws.log", stopping=self._stopping)
        self._undo.callback(self.aws.stop)
        self.aws.start()

    def _start_redshift(self) -> None:
        self._report("starting the local Redshift")
        self._redshift = LocalRedshift(
            s3_endpoint=self.aws.endpoint_url,
            port=self._ports["redshift"],
            isolation=self._isolation,
            log=self.folder / "redshift.log",
            stopping=self._stopping,
        )
        self._undo.callback(self._redshift.stop)
        self.aws.use_redshift(
            host=self._redshift.host,
            port=self._redshift.port,
            database=self._redshift.database,
            user=self._redshift.user,
            password=self._redshift.password,
        )

    def _remove_folder(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None

    def check(self) -> None:
        """Raise when a part has ended.

        Raises:
            ProcessFailedError: One has.
        """
        self.aws.check()
        if self._redshift is not None:
            self._redshift.check()
        if self.airflow is not None:
            self.airflow.check()

    def stop(self) -> None:
        """End everything, in the reverse order of its start, and remove the folder; does no harm twice."""
        self._undo.close()

    def environment(self) -> dict[str, str]:
        """Return the variables with which AWS SDKs, Airflow and `rsloader` use the stack."""
        aws, address = self.aws.env(), self.redshift
        redshift_connection = {
            "conn_type": "redshift",
            "host": address.host,
            "port": address.port,
            "login": address.user,
            "password": address.password,
            "schema": address.database,
            "extra": {"ssl": False},
        }
        aws_connection = {
            "conn_type": "aws",
            "login": aws["AWS_ACCESS_KEY_ID"],
            "password": aws["AWS_SECRET_ACCESS_KEY"],
            "extra": {"endpoint_url": aws["AWS_ENDPOINT_URL"], "region_name": aws["AWS_DEFAULT_REGION"]},
        }
        return aws | {
            "AIRFLOW_CONN_REDSHIFT_DEFAULT": json.dumps(redshift_connection),
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws_connection),
        }
