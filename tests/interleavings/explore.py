"""Try every order in which the actors of a scenario can take their turns, and every stop, up to a bound."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from interleavings.actors import Actor
from interleavings.aftermath import StuckError, play_aftermath
from interleavings.invariants import problems
from interleavings.scenarios import Scenario
from interleavings.schedules import Move, Turn
from interleavings.stage import Stage


@dataclass(frozen=True, slots=True)
class Bound:
    """How far a scenario is explored.

    Attributes:
        preemptions: How often at most a turn is taken from an actor that could go on; None for any number.
        stops: How many actors are stopped at most.
    """

    preemptions: int | None = None
    stops: int = 2


EVERY_ORDER = Bound()
"""For two actors."""

THREE_AT_ONCE = Bound(preemptions=2, stops=1)
"""For three actors."""


@dataclass(frozen=True, slots=True)
class Hole:
    """What must not be.

    Attributes:
        schedule: How it comes to that.
        problems: What is wrong then.
    """

    schedule: tuple[Move, ...]
    problems: tuple[str, ...]


@dataclass(slots=True)
class Explored:
    """How far it came.

    Attributes:
        states: States of the story, each once.
        ends: Stories that were played to their end; the others ran into states that were seen before.
        longest: Turns of the longest.
        hole: The first that was found, with which it ended; None if there is none.
    """

    states: int = 0
    ends: int = 0
    longest: int = 0
    hole: Hole | None = None


class _Way(NamedTuple):
    """A way on that is still to be tried: the turns up to there, and what the actors knew before the last of them."""

    schedule: tuple[Move, ...]
    digests: tuple[int, ...]


def explore(scenario: Scenario, bound: Bound) -> Explored:
    """Try everything, or as much as it takes to find a hole."""
    explored = Explored()
    seen: set[object] = set()
    ways = [_Way((), ())]
    with quiet():
        while ways and explored.hole is None:
            stage, spent = scenario.stage(), _Spent()
            schedule, digests = ways.pop()
            for move in schedule[:-1]:
                spent.take(stage, move)
            for actor, digest in zip(stage.actors, digests, strict=False):
                if isinstance(actor, Actor):
                    actor.digest = digest
            for move in schedule[-1:]:
                spent.take(stage, move)
            while True:
                state = stage.fingerprint(), spent.key(bound)
                if state in seen:
                    break
                seen.add(state)
                explored.longest = max(explored.longest, len(schedule))
                known = tuple(actor.digest for actor in stage.actors)
                moves = spent.moves(stage, bound)
                if stage.is_at_its_end:
                    # What is on its way may also arrive before that.
                    ways += [_Way((*schedule, move), known) for move in moves if stage.is_late(move)]
                    explored.ends += 1
                    if wrong := look(scenario, stage):
                        explored.hole = Hole(schedule, wrong)
                    break
                ways += [_Way((*schedule, move), known) for move in moves[:0:-1]]
                spent.take(stage, moves[0])
                schedule = (*schedule, moves[0])
            stage.clear()
    explored.states = len(seen)
    return explored


def look(scenario: Scenario, stage: Stage) -> tuple[str, ...]:
    """Let everything come to its end, and say what is wrong then."""
    for actor in stage.actors:
        if actor.bug:
            return (f"{actor.name}: {actor.bug!r}",)
    scenario.afterwards(stage)
    try:
        play_aftermath(stage)
    except StuckError as stuck:
        return (str(stuck),)
    except Exception as bug:  # noqa: BLE001 (a loader with a hole may do anything)
        return (f"{type(bug).__name__}: {bug}",)
    return tuple(problems(stage))


def replay(scenario: Scenario, schedule: Sequence[Move]) -> Iterator[str]:
    """Play one schedule, tell of each turn, and of what is wrong at the end."""
    with quiet():
        stage = scenario.stage()
        for move in schedule:
            yield stage.describe(move)
            stage.make(move)
        for wrong in look(scenario, stage) or ("nothing is wrong",):
            yield f"=> {wrong}"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the loader's log to itself: it warns of what is done here on purpose."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@dataclass(slots=True)
class _Spent:
    """What of the bound is spent.

    Attributes:
        preemptions: Turns that were taken from an actor that could go on.
        stops: Actors that were stopped.
        last: Whose turn it was.
    """

    preemptions: int = 0
    stops: int = 0
    last: int | None = None

    def take(self, stage: Stage, move: Move) -> None:
        """Let a move happen."""
        self.preemptions += self._preempts(stage, move)
        self.stops += move.turn is Turn.STOP
        stage.make(move)
        self.last = move.actor

    def moves(self, stage: Stage, bound: Bound) -> list[Move]:
        """Give what may happen next: first the actor whose turn it was, last a stop."""
        moves = sorted(stage.moves(), key=lambda move: move.actor != self.last)
        if self.stops < bound.stops:
            stopped = [Move(number, Turn.STOP) for number, actor in enumerate(stage.actors) if _can_stop(actor)]
            moves += [move for move in stopped if move.actor == self.last or not self._goes_on(stage)]
        if bound.preemptions is not None and self.preemptions >= bound.preemptions:
            moves = [move for move in moves if not self._preempts(stage, move)]
        return moves

    def key(self, bound: Bound) -> object:
        """Tell what makes a difference for what may follow."""
        if bound.preemptions is None:
            return self.stops
        return self.preemptions, self.stops, self.last

    def _preempts(self, stage: Stage, move: Move) -> bool:
        return move.actor != self.last and self._goes_on(stage)

    def _goes_on(self, stage: Stage) -> bool:
        if self.last is None:
            return False
        last = stage.actors[self.last]
        return not last.is_over and last.is_ready()


def _can_stop(actor: object) -> bool:
    return isinstance(actor, Actor) and not actor.is_over
