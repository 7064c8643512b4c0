"""Where a move leads, known without making it: most ways lead to states that others have come to before."""

from typing import NamedTuple

from interleavings.actors import Reach
from interleavings.schedules import Move
from interleavings.stage import State


class Step(NamedTuple):
    """A move in a state.

    Attributes:
        before: The state.
        move: The move.
        reach: What it touches.
    """

    before: State
    move: Move
    reach: Reach


class Foresight:
    """Remembers where moves have led, and concludes where others lead.

    Two moves of two actors which do not meet lead to the same state in either order. An actor that is stopped leaves
    all as it is but for itself. What was foreseen is compared with what comes, wherever that is played.
    """

    def __init__(self) -> None:
        self._leads: dict[tuple[State, Move], State] = {}

    def note(self, step: Step, after: State) -> None:
        """Remember where a move has led."""
        foreseen = self._leads.setdefault((step.before, step.move), after)
        assert foreseen == after, f"{step.move} has led somewhere else than it was foreseen"

    def foresee(self, last: Step | None, step: Step) -> State | None:
        """Give where a step leads; None if that has to be played.

        Args:
            last: The step that has led to where it begins; None at the beginning of the story.
            step: The step.
        """
        if (after := self._leads.get((step.before, step.move))) is not None:
            return after
        if last is None or last.move.actor == step.move.actor or last.reach.meets(step.reach):
            return None
        beside = self._leads.get((last.before, step.move))
        after = None if beside is None else self._leads.get((beside, last.move))
        if after is not None:
            self.note(step, after)
        return after
