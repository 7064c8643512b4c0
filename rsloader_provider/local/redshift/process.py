"""A local Redshift in a process of its own, for tests and for the demo."""

import contextlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rsloader_provider.local.redshift.postgres import Isolation

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


class LocalRedshift:
    """A local Redshift, started by the constructor's end and stopped by `stop` or by leaving the `with` block.

    It also stops by itself when this process ends, however it ends.

    Args:
        s3_endpoint: Where COPY reads; None means AWS itself.
        database: Its one database.
        user: The user who owns the database and may do anything.
        password: That user's password.
        users: Further users and their passwords, who may do what they are granted.
        isolation: The default isolation level: `snapshot` or `serializable`.
        port: Where to listen; 0 means any free port.
        data_dir: Where the data stays; None means that it goes with the server.

    Attributes:
        host: Its address.
        port: Where it listens.
        pid: The proxy's process id.

    Raises:
        RuntimeError: It did not start; its log is on standard error.
    """

    def __init__(
        self,
        *,
        s3_endpoint: str | None = None,
        database: str = "dev",
        user: str = "awsuser",
        password: str = "password",  # noqa: S107 - of a server on this machine only
        users: "Mapping[str, str] | None" = None,
        isolation: "Isolation" = "snapshot",
        port: int = 0,
        data_dir: "Path | None" = None,
    ):
        self.host = "127.0.0.1"
        self.database = database
        self.user = user
        self.password = password
        command = [sys.executable, "-m", "rsloader_provider.local.redshift", "--stop-with-stdin"]
        command += ["--host", self.host, "--port", str(port), "--database", database, "--isolation", isolation]
        for name, secret in {user: password, **(users or {})}.items():
            command += ["--user", f"{name}:{secret}"]
        if s3_endpoint is not None:
            command += ["--s3-endpoint", s3_endpoint]
        if data_dir is not None:
            command += ["--data-dir", str(data_dir)]
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
        )
        try:
            ready = self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        self.port: int = ready["port"]
        self.pid: int = ready["pid"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server and wait until it has gone; doing so twice does no harm."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its watchdog cleans up
            self._process.wait()

    def _wait_until_ready(self) -> dict[str, int]:
        output = self._process.stdout
        if output is None:
            raise RuntimeError("the local Redshift has no output to read")
        readable, _, _ = select.select([output], [], [], _START_SECONDS)
        line = output.readline() if readable else b""
        if not line:
            raise RuntimeError("the local Redshift did not start; see its messages on standard error")
        ready: dict[str, int] = json.loads(line)
        return ready


def _environment() -> dict[str, str]:
    """Return our environment, in which the child finds the same package as we did, wherever it is started."""
    package = str(Path(__file__).resolve().parents[3])
    path = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([package, path] if path else [package])}
