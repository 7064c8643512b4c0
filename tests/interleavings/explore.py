"""Try every order in which the actors of a scenario can take their turns, and every stop, up to a bound."""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from interleavings.actors import Actor, Late
from interleavings.aftermath import StuckError, play_aftermath
from interleavings.foresight import Foresight, Step
from interleavings.invariants import problems
from interleavings.scenarios import Scenario
from interleavings.schedules import Move, Turn
from interleavings.stage import Stage, State


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
        schedules: Schedules that were played.
        ends: Those that were played to their end; the others ran into states that were seen before.
        longest: Turns of the longest.
        hole: The first that was found, with which it ended; None if there is none.
    """

    states: int = 0
    schedules: int = 0
    ends: int = 0
    longest: int = 0
    hole: Hole | None = None


class _Way(NamedTuple):
    """A way on that is still to be tried.

    Attributes:
        schedule: The turns before it.
        known: What the actors know by then.
        last: The last of those turns; None if there are none.
        step: The next turn; None at the beginning of the story.
        preemptions: How many of the turns, with the next, are taken from an actor that could go on.
    """

    schedule: tuple[Move, ...] = ()
    known: tuple[int, ...] = ()
    last: Step | None = None
    step: Step | None = None
    preemptions: int = 0


def explore(scenario: Scenario, bound: Bound, foresight: Foresight | None = None) -> Explored:
    """Try everything, or as much as it takes to find a hole.

    Args:
        scenario: The scenario.
        bound: How far.
        foresight: What knows where ways lead; None for the usual one.
    """
    with quiet():
        return _Exploration(scenario, bound, foresight or Foresight()).explore()


class _Exploration:
    """What was seen of a scenario.

    Ways with fewer preemptions come first, so that a state to which one of them has led is gone on from once: whatever
    another way could try from there was tried.
    """

    def __init__(self, scenario: Scenario, bound: Bound, foresight: Foresight):
        self._scenario = scenario
        self._bound = bound
        self._explored = Explored()
        self._foresight = foresight
        self._ways: list[deque[_Way]] = [deque() for _ in range((bound.preemptions or 0) + 1)]
        self._fewest: dict[tuple[State, int | None], int] = {}
        self._ready: dict[State | None, frozenset[int]] = {}

    def explore(self) -> Explored:
        """Try everything, or as much as it takes to find a hole."""
        self._ways[0].append(_Way())
        while self._explored.hole is None and (ways := next(filter(None, self._ways), None)):
            way = ways.popleft()
            if not self._leads_nowhere_new(way):
                self._go(way)
        self._explored.states = len(self._ready)
        return self._explored

    def _go(self, way: _Way) -> None:
        """Play a way, and go on to the end of the story or to a state that was seen before."""
        self._explored.schedules += 1
        stage, spent, schedule, step = self._scenario.stage(), _Spent(self._bound), way.schedule, way.step
        for move in schedule:
            spent.take(stage, move)
        for actor, digest in zip(stage.actors, way.known, strict=False):
            if isinstance(actor, Actor):
                actor.digest = digest
        if step is not None:
            spent.take(stage, step.move)
            schedule = (*schedule, step.move)
        while (state := self._come(stage, spent, step)) is not None:
            self._explored.longest = max(self._explored.longest, len(schedule))
            moves = spent.moves(stage)
            is_at_its_end = stage.is_at_its_end
            if is_at_its_end:
                # What is on its way may also arrive before that.
                moves = [move for move in moves if stage.is_late(move)]
            known = tuple(actor.digest for actor in stage.actors)
            for move in moves[not is_at_its_end :]:
                preemptions = spent.preemptions + spent.preempts(stage, move)
                self._put_off(stage, _Way(schedule, known, step, Step(state, move, stage.reach(move)), preemptions))
            if is_at_its_end:
                self._explored.ends += 1
                if wrong := look(self._scenario, stage):
                    self._explored.hole = Hole(schedule, wrong)
                break
            step = Step(state, moves[0], stage.reach(moves[0]))
            spent.take(stage, step.move)
            schedule = (*schedule, step.move)
        stage.clear()

    def _come(self, stage: Stage, spent: "_Spent", step: Step | None) -> State | None:
        """Give the state that a step has led to; None if it was gone on from before."""
        state = stage.state()
        if step is not None:
            self._foresight.note(step, state)
        self._ready.setdefault(state, frozenset(number for number, each in enumerate(stage.actors) if _goes_on(each)))
        came = state, spent.turn(stage)
        if self._fewest.get(came, spent.preemptions + 1) <= spent.preemptions:
            return None
        self._fewest[came] = spent.preemptions
        return state

    def _put_off(self, stage: Stage, way: _Way) -> None:
        """Keep a way to be tried later, unless it is known to lead to what was seen before."""
        assert way.step is not None
        if (stopped := stage.foresee_stop(way.step.before, way.step.move)) is not None:
            self._foresight.note(way.step, stopped)
        if not self._leads_nowhere_new(way):
            self._ways[way.preemptions].append(way)

    def _leads_nowhere_new(self, way: _Way) -> bool:
        if way.step is None or (after := self._foresight.foresee(way.last, way.step)) not in self._ready:
            return False
        assert after is not None
        actor = way.step.move.actor
        turn = actor if self._bound.preemptions is not None and actor in self._ready[after] else None
        return self._fewest.get((after, turn), way.preemptions + 1) <= way.preemptions


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
        bound: The bound.
        preemptions: Turns that were taken from an actor that could go on; not counted where any number may be.
        stops: Actors that were stopped.
        last: Whose turn it was.
    """

    bound: Bound
    preemptions: int = 0
    stops: int = 0
    last: int | None = None

    def take(self, stage: Stage, move: Move) -> None:
        """Let a move happen."""
        self.preemptions += self.preempts(stage, move)
        self.stops += move.turn is Turn.STOP
        stage.make(move)
        self.last = move.actor

    def moves(self, stage: Stage) -> list[Move]:
        """Give what may happen next: first the actor whose turn it was, last a stop."""
        moves = sorted(stage.moves(), key=lambda move: move.actor != self.last)
        if self.stops < self.bound.stops:
            going = self.last is not None and _goes_on(stage.actors[self.last])
            stopped = [Move(number, Turn.STOP) for number, actor in enumerate(stage.actors) if _can_stop(actor)]
            moves += [
                move for move in stopped if move.actor == self.last or not going or self.bound.preemptions is None
            ]
        if self.bound.preemptions is not None and self.preemptions >= self.bound.preemptions:
            moves = [move for move in moves if not self.preempts(stage, move)]
        return moves

    def preempts(self, stage: Stage, move: Move) -> bool:
        """Tell whether a move takes the turn from an actor that could go on."""
        return self.turn(stage) not in {None, move.actor}

    def turn(self, stage: Stage) -> int | None:
        """Give whose turn it goes on to be; None if that makes no difference."""
        if self.bound.preemptions is None or self.last is None or not _goes_on(stage.actors[self.last]):
            return None
        return self.last


def _goes_on(actor: Actor | Late) -> bool:
    return not actor.is_over and actor.is_ready()


def _can_stop(actor: Actor | Late) -> bool:
    return isinstance(actor, Actor) and not actor.is_over
