"""Starts the local AWS as a process of its own."""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

from rsloader_provider.local.leash import LeashedProcess
from rsloader_provider.local.started import Started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from typing import Self

REGION = "us-east-1"
START_SECONDS = 60.0


class LocalAws(Started):
    """The local AWS in its own process; a context manager.

    The process ends with the one that started it, even if that is killed.

    Args:
        port: Where to listen on 127.0.0.1; 0 for a free port.
        log: Where its output goes; None for nowhere.
        stopping: Asked while waiting; True makes `start` give up.
        enforce_iam: Whether keys of IAM users and of assumed roles may do only what their policies allow. The key
            `local` may do everything either way.
        python: An interpreter for which the extra `local` is installed; None for this one.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        log: Path | None = None,
        stopping: Callable[[], bool] | None = None,
        enforce_iam: bool = False,
        python: str | None = None,
    ) -> None:
        self._python = python or sys.executable
        self._wanted_port = port
        self._enforce_iam = enforce_iam
        self._log = log
        self._stopping = stopping
        self._process: LeashedProcess | None = None
        self._port = 0

    def start(self) -> Self:
        """Start the process and return when it answers.

        Raises:
            ProcessFailedError: It ended, or did not answer within a minute.
            Interrupted: `stopping` said so.
        """
        command = [self._python, "-m", "rsloader_provider.local.aws", "--port", str(self._wanted_port)]
        command += ["--enforce-iam"] if self._enforce_iam else []
        self._process = LeashedProcess("local AWS", command, log=self._log)
        try:
            ready = self._process.read_ready_line(timeout_seconds=START_SECONDS, stopping=self._stopping)
        except BaseException:
            self.stop()
            raise
        self._port = int(ready["port"])
        return self

    def check(self) -> None:
        """Raise when the process has ended.

        Raises:
            ProcessFailedError: It has.
        """
        if self._process:
            self._process.check_running()

    def stop(self) -> None:
        """End the process; does nothing when it does not run."""
        if self._process:
            self._process.stop(grace_seconds=5.0)
            self._process = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def endpoint_url(self) -> str:
        """The address to give to boto3."""
        return f"http://127.0.0.1:{self._port}"

    def env(self) -> dict[str, str]:
        """Return the environment variables that make any AWS SDK use it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            # Otherwise an SDK without keys looks for them at EC2's metadata address, which costs seconds.
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def seed_objects(self, objects: Iterable[Mapping[str, Any]]) -> int:
        """Put many objects at once and return how many: mappings of bucket, key, and size in bytes or body (text)."""
        body = b"\n".join(json.dumps(each).encode() for each in objects)
        return int(self._admin("POST", "/_local/objects", body)["objects"])

    def use_redshift(self, *, host: str, port: int, database: str, user: str, password: str) -> None:
        """Let every cluster and every workgroup stand for this Redshift, for its Data API and for passwords.

        Args:
            host: Where it listens.
            port: Where it listens.
            database: The database that its server was started with.
            user: A superuser.
            password: That user's password.
        """
        where = {"host": host, "port": port, "database": database, "user": user, "password": password}
        self._admin("PUT", "/_local/redshift", json.dumps(where).encode())

    def requests(self) -> dict[str, Any]:
        """Return the requests and DynamoDB write units counted since the start or the last reset."""
        return self._admin("GET", "/_local/requests")

    def reset_requests(self) -> None:
        """Set all counts to zero."""
        self._admin("DELETE", "/_local/requests")

    def _admin(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(self.endpoint_url + path, data=body, method=method)  # noqa: S310 our own address
        with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310 our own address
            return dict(json.load(answer))
