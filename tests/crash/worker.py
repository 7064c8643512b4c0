"""A process of the loader that stops at a step and waits there to be let go on, or to be killed."""

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from crash.cells import Side
from rsloader_provider.core.errors import RsloaderError
from rsloader_provider.loader.ports.steps import Step, Steps
from rsloader_provider.loader.services import Services

DEADLINE_SECONDS = 30.0
"""What takes longer than this hangs: a whole cell takes less than one."""
_LIFETIME_SECONDS = 180
"""After which a worker ends whose cell has forgotten it, or has died."""


class StuckError(Exception):
    """A worker neither reached its step nor its end."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a worker ended by itself.

    Attributes:
        value: What its job returned; None when it failed.
        error: The loader's error that it failed with, `name: text`; None when it did not.
        bug: The traceback of any other error, which no worker may end with.
    """

    value: Any = None
    error: str | None = None
    bug: str | None = None


Hold = tuple[Step | None, Side]
"""A step and the side of it at which a process stops; no step stands for the first that it takes."""


class HeldSteps:
    """Stops the process at one side of one step, the first time that it is there, until somebody says go on."""

    def __init__(self, control: Connection, stop: Hold):
        self._control = control
        self._stop: Hold | None = stop

    @contextmanager
    def taking(self, step: Step, subject: object) -> Iterator[None]:
        self._pass(step, Side.BEFORE, subject)
        yield
        self._pass(step, Side.AFTER, subject)

    def _pass(self, step: Step, side: Side, subject: object) -> None:
        if self._stop in {(step, side), (None, side)}:
            self._stop = None
            self._control.send(f"{side} {step}: {subject}")
            self._control.recv()


class Worker:
    """A forked process that does one job and may be held on the way.

    Its clients and its connections are made after the fork, and a killed one runs no line of Python any more.

    Args:
        job: What it does.
        services: Makes its services.
        hold: Where it stops; None for nowhere.
    """

    def __init__(
        self,
        job: Callable[[Services], Any],
        services: Callable[[Steps | None], Services],
        hold: Hold | None = None,
    ):
        self._control, theirs = Pipe()
        self._is_over = False
        self.pid = os.fork()
        if self.pid == 0:
            self._control.close()
            _work(job, services, hold, theirs)
        theirs.close()

    def wait_until_held(self) -> None:
        """Return when it is at its step.

        Raises:
            StuckError: It ended without coming there, or it hangs.
        """
        if ended := self.reach():
            raise StuckError(f"the process was not stopped, but ended: {ended}")

    def reach(self) -> Ended | None:
        """Return when it is at its step, or at its end; give how it ended, None if it is at its step.

        Raises:
            StuckError: It hangs, or it died.
        """
        message = self._receive()
        if not isinstance(message, Ended):
            return None
        self._reap()
        return message

    def go_on(self) -> None:
        """Let it go on from its step."""
        self._control.send("go on")

    def end(self) -> Ended:
        """Wait for its end.

        Raises:
            StuckError: It hangs, or it died.
        """
        if (ended := self.reach()) is None:
            raise StuckError("the process stopped at a step where nobody awaits it")
        return ended

    def let_end(self) -> Ended:
        """Wait for its end, and let it go on from its step if it stops there first.

        Raises:
            StuckError: It hangs, or it died.
        """
        if (ended := self.reach()) is None:
            self.go_on()
            return self.end()
        return ended

    def has_reported(self, seconds: float) -> bool:
        """Tell whether it stopped or ended within so many seconds."""
        return self._control.poll(seconds)

    def kill(self) -> None:
        """Kill it where it is, if it still is."""
        if self._is_over:
            return
        os.kill(self.pid, signal.SIGKILL)
        self._reap()

    def _receive(self) -> Any:
        if not self._control.poll(DEADLINE_SECONDS):
            raise StuckError(f"the process neither stopped nor ended within {DEADLINE_SECONDS:.0f} s")
        try:
            return self._control.recv()
        except EOFError:
            raise StuckError("the process died without a word") from None

    def _reap(self) -> None:
        self._is_over = True
        os.waitpid(self.pid, 0)
        self._control.close()


def _work(
    job: Callable[[Services], Any],
    services: Callable[[Steps | None], Services],
    hold: Hold | None,
    control: Connection,
) -> None:
    """Do the job, report its end and leave without cleaning up: what there is belongs to the process forked from."""
    signal.alarm(_LIFETIME_SECONDS)
    try:
        try:
            ended = Ended(job(services(HeldSteps(control, hold) if hold else None)))
        except RsloaderError as error:
            ended = Ended(error=f"{type(error).__name__}: {error}")
        except BaseException:  # noqa: BLE001 it is reported, and fails the cell
            ended = Ended(bug=traceback.format_exc())
        control.send(ended)
    finally:
        os._exit(0)
