"""What every operation offers: a plan, and carrying it out; both are reported to people and to programs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rsloader_provider.core.visible import visible_json

RESULT_ITEMS = 100
"""Items that are kept of a list that may be of any length; all of them are heard."""

Hear = Callable[[int, Iterable[str]], None]
"""Hears of each step: of how many objects it was, and its lines, which may be too many to be kept."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer.

    Attributes:
        sentences: For people, each a line of its own.
        report: For programs, plain JSON.
    """

    sentences: tuple[str, ...]
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Planned(Told):
    """What would be done.

    Attributes:
        question: What a person is asked before it is done; None if nothing is asked, for example because there is
            nothing to do.
        objects: Objects that are heard of while it is done; 0 if it is one step.
    """

    question: str | None = None
    objects: int = 0


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that a person asks for, and that changes something.

    Attributes:
        plan: Tells what would be done, and changes nothing. What is found is heard of.
        carry_out: Does it, for the person that is named by a text that only this request has. Each step is heard of;
            if hearing of one raises, no further step is taken.
    """

    plan: Callable[[Hear], Planned]
    carry_out: Callable[[str, Hear], Told]


def unheard(_objects: int, _lines: Iterable[str]) -> None:
    """Hear nothing."""


def listed(items: Iterable[dict[str, Any]], hear: Hear) -> Told:
    """Report a list of any length: each item is heard as a line of JSON, and the first RESULT_ITEMS are kept."""
    kept: list[dict[str, Any]] = []
    count = 0
    for each in items:
        count += 1
        hear(0, (visible_json(each),))
        if count <= RESULT_ITEMS:
            kept.append(each)
    return Told((f"{count:,} found.",), {"count": count, "items": kept})
