"""Use cases that run a step at a time, as many as wanted at once, in an order that a test chooses.

Each actor is a thread that stops before every step that it would take outside. Only one of them ever runs, so that the
same choices give the same story again.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rsloader_provider.core.errors import (
    AttemptLostError,
    BadDataError,
    OperationRefusedError,
    RsloaderError,
    UnknownObjectError,
)
from rsloader_provider.loader.ports.steps import Step

PATIENCE_SECONDS = 30
"""How long the test waits for an actor that runs; only one that is stuck takes so long."""

EXPECTED_FAILURES = (AttemptLostError, BadDataError, OperationRefusedError, UnknownObjectError)
"""How a task or a command may fail for good; any other error has to be one that is tried again."""


class KilledError(BaseException):
    """The process of an actor ends here, without a chance to clear up."""


class Actor:
    """One call of a use case.

    Args:
        name: What messages call it.
        call: The use case; gets the actor, whose `pause` it must call before each step.
    """

    def __init__(self, name: str, call: "Callable[[Actor], object]"):
        self.name = name
        self.place = "start"
        self.is_done = False
        self.error: RsloaderError | None = None
        self._unexpected: BaseException | None = None
        self._is_killed = False
        self._call = call
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        """Name and place, for hypothesis's stories."""
        return f"<{self.name} {'at the end' if self.is_done else 'before ' + self.place}>"

    def advance(self) -> None:
        """Let it take the step before which it stands, and run on to the next.

        Raises:
            BaseException: Whatever it raised that a use case must not raise.
        """
        self._go.release()
        assert self._back.acquire(timeout=PATIENCE_SECONDS), f"{self!r} is stuck"
        if self._unexpected:
            raise self._unexpected

    def kill(self) -> None:
        """End it where it stands."""
        self._is_killed = True
        self.advance()
        assert self.is_done

    def pause(self, place: str) -> None:
        """Stop until the test lets the actor go on; called in its own thread."""
        self.place = place
        self._back.release()
        self._go.acquire()
        if self._is_killed:
            raise KilledError

    @contextmanager
    def taking(self, step: Step, subject: object) -> Iterator[None]:
        """Stop before a step."""
        self.pause(step)
        yield

    def _run(self) -> None:
        self._go.acquire()
        try:
            if not self._is_killed:
                self._call(self)
        except KilledError:
            pass
        except RsloaderError as error:
            self.error = error
            if not error.retryable and not isinstance(error, EXPECTED_FAILURES):
                self._unexpected = error
        except BaseException as error:  # noqa: BLE001 (it is raised again where the test is)
            self._unexpected = error
        self.is_done = True
        self._back.release()
