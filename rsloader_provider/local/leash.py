"""Starts programs that never outlive the one that started them.

`python -m rsloader_provider.local.leash COMMAND…` runs a command and watches its own standard input. When that
closes, because its starter has died, or on SIGTERM, it ends the command and every process that the command left behind.
On Linux it adopts orphaned grandchildren first. `LeashedProcess` is the starter's side.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.02
KILL_AFTER_SECONDS = 8.0
_KILL_SECONDS = 10.0
_CLEANING_SECONDS = 3.0


class ProcessFailedError(Exception):
    """A program of the local stack ended, or did not become ready.

    Attributes:
        log: Where its output is; None when it was not kept.
    """

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


class Interrupted(Exception):  # noqa: N818 not an error: somebody asked for it
    """The stack was told to stop while it was starting."""


class LeashedProcess:
    """One program under a leash, in a session of its own.

    Args:
        name: What to call it in errors.
        command: The program and its arguments.
        env: Its environment; None for ours.
        cwd: Where it runs; None for here.
        log: Where its output and its errors go; None for nowhere.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        errors = log.open("ab") if log else None
        try:
            self._process = subprocess.Popen(  # noqa: S603 the commands are ours
                [sys.executable, "-m", "rsloader_provider.local.leash", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors or subprocess.DEVNULL,
                env=dict(env) if env is not None else None,
                cwd=cwd,
                start_new_session=True,
            )
        finally:
            if errors:
                errors.close()
        self._asked = False
        self._first_line: list[bytes] = []
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()

    def _read_output(self) -> None:
        output = self._process.stdout
        if output is None:
            return
        sink = self.log.open("ab") if self.log else None
        try:
            for line in iter(output.readline, b""):
                self._first_line = self._first_line or [line]
                if sink:
                    sink.write(line)
                    sink.flush()
        finally:
            # A program that printed nothing has an empty first line, so that nobody waits for it.
            self._first_line = self._first_line or [b""]
            if sink:
                sink.close()

    @property
    def pid(self) -> int:
        """The leash's process id; the program is its child."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._process.poll()

    def read_ready_line(self, *, timeout_seconds: float, stopping: Callable[[], bool] | None = None) -> dict[str, Any]:
        """Wait for the JSON line that the program prints when it is ready.

        Raises:
            ProcessFailedError: It ended first, printed something else, or took too long.
            Interrupted: `stopping` said so.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self._first_line:
            self.check(stopping)
            if time.monotonic() > deadline:
                raise ProcessFailedError(f"{self.name} was not ready after {timeout_seconds:.0f} seconds", self.log)
            self._reader.join(_POLL_SECONDS)
        try:
            ready: dict[str, Any] = json.loads(self._first_line[0])
        except ValueError:
            self.wait(_POLL_SECONDS * 50)  # for its exit code
            raise ProcessFailedError(self._failure(), self.log) from None
        return ready

    def check(self, stopping: Callable[[], bool] | None = None) -> None:
        """Raise when it is useless to wait.

        Raises:
            ProcessFailedError: It ended.
            Interrupted: `stopping` said so.
        """
        if stopping and stopping():
            raise Interrupted
        if self._process.poll() is not None and not self._first_line:
            self._reader.join(1)
            raise ProcessFailedError(self._failure(), self.log)

    def check_running(self) -> None:
        """Raise when the program has ended.

        Raises:
            ProcessFailedError: It has; the message holds the end of its log.
        """
        code = self._process.poll()
        if code is not None:
            raise ProcessFailedError(f"{self.name} ended with code {code}\n{self.tail()}".rstrip(), self.log)

    def _failure(self) -> str:
        return f"{self.name} ended with code {self._process.poll()} before it was ready\n{self.tail()}".rstrip()

    def tail(self) -> str:
        """Return the last 2,000 characters of the log; empty if none is kept."""
        if self.log is None or not self.log.exists():
            return ""
        return self.log.read_text(errors="replace")[-2000:]

    def wait(self, timeout_seconds: float) -> int | None:
        """Return the exit code, None if it still runs after that many seconds."""
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def ask_to_stop(self) -> None:
        """Send SIGTERM once; does not wait."""
        if self._process.poll() is None and not self._asked:
            self._asked = True
            self._process.terminate()

    def stop(self, *, grace_seconds: float) -> None:
        """Send SIGTERM, wait that long, and then kill the program and all processes below it."""
        self.ask_to_stop()
        if self.wait(grace_seconds) is None:
            # A second SIGTERM tells the leash that we wait no longer.
            self._process.terminate()
            if self.wait(_KILL_SECONDS) is None:
                self._process.kill()
                self._process.wait()
        self._reader.join(5)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()


# The other side: what runs in the leash's process.


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _die_with_the_leash() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """Return a process's children and theirs, by /proc; nothing where there is no /proc."""
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in listing.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found


def _let_rest_end() -> None:
    """Give the command's remains a moment: the watchdog of a killed command cleans up after it."""
    deadline = time.monotonic() + _CLEANING_SECONDS
    while time.monotonic() < deadline:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_POLL_SECONDS)


def _kill_rest() -> None:
    """Kill everything below this process. Orphans come up to it, so look until nothing is left."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        left = _descendants(os.getpid())
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_POLL_SECONDS)


class _Leash:
    """Runs one command until it ends, its starter dies or somebody says stop."""

    def __init__(self, command: list[str]) -> None:
        self._told_to_stop = 0
        self._starter_is_gone = False
        # Signals write into a pipe that the main loop reads along with standard input: no thread, no lock to die on.
        self._wakeups, writing_end = os.pipe()
        os.set_blocking(writing_end, False)
        signal.set_wakeup_fd(writing_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._command = subprocess.Popen(  # noqa: S603 the commands are ours
            command,
            stdin=subprocess.DEVNULL,
            preexec_fn=_die_with_the_leash,  # noqa: PLW1509 there is no other thread
        )

    def _note(self, *_: object) -> None:
        self._told_to_stop += 1

    def _wait(self, seconds: float) -> None:
        """Wait for a signal or the end of our starter."""
        watched = [self._wakeups] + ([] if self._starter_is_gone else [0])
        readable, _, _ = select.select(watched, [], [], seconds)
        if self._wakeups in readable:
            os.read(self._wakeups, 1024)
        if 0 in readable and not os.read(0, 1024):
            self._starter_is_gone = True

    def run(self) -> int:
        """Return the command's exit code; for a signal, 128 and its number, as shells do."""
        asked = False
        kill_at = float("inf")
        while (code := self._command.poll()) is None:
            if (self._told_to_stop or self._starter_is_gone) and not asked:
                self._command.terminate()
                asked = True
            # After one SIGTERM the starter decides how long to wait, and sends another; without a starter we decide.
            if self._told_to_stop > 1:
                kill_at = 0.0
            elif self._starter_is_gone:
                kill_at = min(kill_at, time.monotonic() + KILL_AFTER_SECONDS)
            if time.monotonic() >= kill_at:
                self._command.kill()
            self._wait(min(1.0, max(0.0, kill_at - time.monotonic())) if asked else 1.0)
        if code == -signal.SIGKILL:
            _let_rest_end()
        _kill_rest()
        return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(_Leash(sys.argv[1:]).run())
