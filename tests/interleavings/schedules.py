"""A schedule: who takes each turn, in order, and what becomes of it. As text, it plays the same story again.

`a` lets the actor a make its next call, `a12` twelve of them, `A` stops it before its next call, and `a!` has Redshift
cancel what it waits for.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby


class Turn(StrEnum):
    """What becomes of an actor's turn."""

    CALL = "call"
    STOP = "stop"
    TIME_OUT = "time out"


@dataclass(frozen=True, slots=True)
class Move:
    """One turn of one actor, by its number."""

    actor: int
    turn: Turn = Turn.CALL

    def __str__(self) -> str:
        letter = letter_of(self.actor)
        return {Turn.CALL: letter, Turn.STOP: letter.upper(), Turn.TIME_OUT: f"{letter}!"}[self.turn]


def letter_of(actor: int) -> str:
    """Give the letter that stands for an actor."""
    return chr(ord("a") + actor)


def as_text(schedule: Sequence[Move]) -> str:
    """Write a schedule.

    >>> as_text([Move(0), Move(0), Move(1), Move(0, Turn.STOP), Move(1, Turn.TIME_OUT)])
    'a2 b A b!'
    """
    return " ".join(_words(schedule))


def parse(text: str) -> list[Move]:
    """Read what `as_text` has written.

    >>> as_text(parse("a2 b A b!"))
    'a2 b A b!'
    """
    schedule: list[Move] = []
    for word in text.split():
        found = re.fullmatch(r"([a-z])(?:(\d+)|(!))?|([A-Z])", word)
        if found is None:
            raise ValueError(f"{word!r} is not a valid turn")
        letter, times, canceled, stopped = found.groups()
        actor = ord((letter or stopped).lower()) - ord("a")
        turn = Turn.STOP if stopped else Turn.TIME_OUT if canceled else Turn.CALL
        schedule += [Move(actor, turn)] * int(times or 1)
    return schedule


def _words(schedule: Sequence[Move]) -> Iterator[str]:
    for move, same in groupby(schedule):
        times = len([*same])
        if move.turn is Turn.CALL and times > 1:
            yield f"{move}{times}"
        else:
            yield from [str(move)] * times
