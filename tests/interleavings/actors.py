"""Use cases that stand still before each call of a port, until it is their turn. One at a time goes on.

Each is a greenlet, so that the same turns give the same story, and a turn costs next to nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from greenlet import greenlet

from rsloader_provider.core.errors import (
    AttemptLostError,
    NothingToDecideError,
    NotSetUpError,
    OperationRefusedError,
    RsloaderError,
    TargetRemovedError,
    UndecidedError,
    UnknownBatchError,
    UnknownObjectError,
)

EXPECTED_FAILURES = (
    AttemptLostError, NothingToDecideError, NotSetUpError, OperationRefusedError, TargetRemovedError,
    UndecidedError, UnknownBatchError, UnknownObjectError,
)  # fmt: skip
"""How a task or a command may fail for good; any other error has to be one that is tried again."""

MOST_CALLS = 150
"""Calls of one actor. One that makes more goes round in a circle."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a call touches of what actors share, by the names of the ports. Calls that do not meet can be swapped."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()

    def meets(self, other: "Reach") -> bool:
        """Tell whether the order of two calls may make a difference."""
        return not (
            self.writes.isdisjoint(other.reads | other.writes) and other.writes.isdisjoint(self.reads | self.writes)
        )


NOTHING = Reach()
WAREHOUSE = Reach(writes=frozenset({"tables", "sessions"}))
EVERYTHING = Reach(writes=WAREHOUSE.writes | {"ledger", "storage", "notifier"})


class StoppedError(BaseException):
    """The process of an actor ends here, without a chance to clear up."""


class TimedOutError(Exception):
    """Redshift canceled what the actor waits for."""


class Actor:
    """One process.

    Args:
        name: What people call it.
        do: What it does; it makes its calls through the actor.
        request: What a person asks by it for what is loaded already; None if nobody does.

    Attributes:
        place: The call before which it stands.
        reach: What that call touches.
        is_ready: Tells whether that call can be made; while it cannot, the actor waits.
        may_time_out: Whether the call may end in TimedOutError instead.
        is_done: Whether it has come to its end.
        is_stopped: Whether it was stopped before that.
        error: What it ended with, as a task or a command may.
        bug: What it ended with, as nothing may.
        calls: Calls so far.
    """

    def __init__(self, name: str, do: Callable[["Actor"], object], request: str | None = None):
        self.name = name
        self.request = request
        self.place = ""
        self.reach = EVERYTHING
        self.is_ready: Callable[[], bool] = _at_once
        self.may_time_out = False
        self.is_done = self.is_stopped = self._is_stopping = False
        self.error: RsloaderError | None = None
        self.bug: BaseException | None = None
        self.calls = 0
        self._do = do
        self._answers: list[Any] = []
        self._digest, self._digested = 0, 0
        self._outside = greenlet.getcurrent()
        self._inside = greenlet(self._run)
        self._inside.switch()

    @property
    def is_over(self) -> bool:
        """Whether it makes no further call."""
        return self.is_done or self.is_stopped

    def advance(self, *, times_out: bool = False) -> None:
        """Let it make the call before which it stands, and go on to the next."""
        self._outside = greenlet.getcurrent()
        self._inside.switch(times_out)

    def stop(self) -> None:
        """End it where it stands."""
        if not self.is_over:
            self._is_stopping = True
            self._outside = greenlet.getcurrent()
            self._inside.throw(StoppedError)

    def call(
        self, place: str, function: Callable[..., Any], *args: Any, reach: Reach = EVERYTHING, **settings: Any
    ) -> Any:
        """Make a call of a port once it is the actor's turn; in the actor."""
        self.pause(place, reach=reach)
        return self.call_at_once(function, *args, **settings)

    def call_at_once(self, function: Callable[..., Any], *args: Any, **settings: Any) -> Any:
        """Make a call that takes no turn: it neither sees nor changes what others do."""
        self.calls += 1
        assert self.calls <= MOST_CALLS, f"{self.name} makes more than {MOST_CALLS} calls"
        try:
            answer = function(*args, **settings)
            if isinstance(answer, Iterator):
                self._answers.append(listed := [*answer])
                return iter(listed)
        except Exception as error:
            self._answers.append(error)
            raise
        self._answers.append(answer)
        return answer

    def pause(
        self,
        place: str,
        is_ready: Callable[[], bool] | None = None,
        *,
        may_time_out: bool = False,
        reach: Reach = EVERYTHING,
    ) -> None:
        """Stand still until it is the actor's turn; in the actor.

        Args:
            place: What comes next.
            is_ready: Tells whether it can come; None for always.
            may_time_out: Whether it may be told instead that it has waited for too long.
            reach: What it touches.

        Raises:
            TimedOutError: It was told so.
            StoppedError: It ends here.
        """
        if self._is_stopping:
            raise StoppedError  # what would be cleared up on the way out is not
        self.place, self.is_ready, self.may_time_out = place, is_ready or _at_once, may_time_out
        self.reach = reach
        if self._outside.switch():
            raise TimedOutError

    @property
    def digest(self) -> int:
        """Tell what the actor knows, by all answers that it got: with the same, it goes on in the same way."""
        for answer in self._answers[self._digested :]:
            self._digest = hash((self._digest, repr(answer)))
        self._digested = len(self._answers)
        return self._digest

    @digest.setter
    def digest(self, known: int) -> None:
        self._digest, self._digested = known, len(self._answers)

    def _run(self) -> None:
        try:
            self._do(self)
        except StoppedError:
            self.is_stopped = True
        except RsloaderError as error:
            self.error = error
            if not error.retryable and not isinstance(error, EXPECTED_FAILURES):
                self.bug = error
        except Exception as bug:  # noqa: BLE001 (the explorer tells of it, with the schedule)
            self.bug = bug
        self.is_done = not self.is_stopped
        self.place = "the end"


class Late:
    """What is on its way when the process that sent it is over: carried out at some moment, or never.

    It looks like an actor with one call.

    Args:
        name: What people call it.
        arrive: Carries it out.
        is_certain: Whether it arrives in the end, if not before.
    """

    may_time_out = is_stopped = False
    reach = WAREHOUSE
    request = error = bug = None
    digest = 0

    def __init__(self, name: str, arrive: Callable[[], object], *, is_certain: bool = False):
        self.name = self.place = name
        self.is_certain = is_certain
        self.is_done = False
        self._arrive = arrive

    @property
    def is_over(self) -> bool:
        return self.is_done

    def is_ready(self) -> bool:
        return True

    def advance(self, *, times_out: bool = False) -> None:
        self.is_done = True
        self._arrive()

    def stop(self) -> None:
        """Nobody can."""


def _at_once() -> bool:
    return True
