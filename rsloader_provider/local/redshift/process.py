"""A local Redshift in a process of its own, for tests and for the demo."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rsloader_provider.local.leash import LeashedProcess

if TYPE_CHECKING:
    from rsloader_provider.local.redshift.postgres import Isolation
    from rsloader_provider.local.redshift.session.login import Authentication

_START_SECONDS = 60.0
_GRACE_SECONDS = 20.0


class LocalRedshift:
    """A local Redshift that the constructor starts, and that `stop` or the end of the `with` block stops.

    It also stops by itself when this process ends, however it ends.

    Args:
        s3_endpoint: Where COPY reads; None means AWS itself.
        database: Its first database.
        user: The user who owns the database and may do anything.
        password: That user's password, unless they are in the data directory already.
        users: Further users and their passwords, who may do what they are granted.
        isolation: The isolation level of databases that are not created with another: `snapshot` or `serializable`.
        port: Where to listen; 0 means any free port.
        data_dir: Where the data stays; None means that it is removed with the server.
        authentication: How clients are asked for their password.
        tls: The files of a certificate and its key; with None, encryption is declined.
        log: Where its messages go; None for nowhere.
        stopping: Asked while waiting; True makes the start give up.
        python: An interpreter for which the extra `local` is installed; None for this one.

    Attributes:
        host: Its address.
        port: Where it listens.
        pid: The proxy's process id.

    Raises:
        ProcessFailedError: It did not start.
        Interrupted: `stopping` said so.
    """

    def __init__(
        self,
        *,
        s3_endpoint: str | None = None,
        database: str = "dev",
        user: str = "awsuser",
        password: str = "open-sesame",  # noqa: S107 (of a server on this machine only)
        users: Mapping[str, str] | None = None,
        isolation: "Isolation" = "snapshot",
        port: int = 0,
        data_dir: Path | None = None,
        authentication: "Authentication" = "cleartext",
        tls: tuple[Path, Path] | None = None,
        log: Path | None = None,
        stopping: Callable[[], bool] | None = None,
        python: str | None = None,
    ):
        self.host = "127.0.0.1"
        self.database = database
        self.user = user
        self.password = password
        command = [python or sys.executable, "-m", "rsloader_provider.local.redshift"]
        command += ["--host", self.host, "--port", str(port), "--database", database, "--isolation", isolation]
        for name, secret in {user: password, **(users or {})}.items():
            command += ["--user", f"{name}:{secret}"]
        if s3_endpoint is not None:
            command += ["--s3-endpoint", s3_endpoint]
        if data_dir is not None:
            command += ["--data-dir", str(data_dir)]
        command += ["--authentication", authentication]
        if tls is not None:
            command += ["--tls-certificate", str(tls[0]), "--tls-key", str(tls[1])]
        self._process = LeashedProcess("local Redshift", command, log=log)
        try:
            ready = self._process.read_ready_line(timeout_seconds=_START_SECONDS, stopping=stopping)
        except BaseException:
            self.stop()
            raise
        self.port: int = ready["port"]
        self.pid: int = ready["pid"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def check(self) -> None:
        """Raise when the server has ended.

        Raises:
            ProcessFailedError: It has.
        """
        self._process.check_running()

    def stop(self) -> None:
        """Stop the server and wait until it has gone; doing so twice does no harm."""
        self._process.stop(grace_seconds=_GRACE_SECONDS)
