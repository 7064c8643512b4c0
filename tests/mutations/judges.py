"""A safeguard of the loader: a copy of the loader that lacks it, and what must notice that."""

from dataclasses import dataclass

from support.mutations import Mutation, Replacement


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of the crash matrix: those round claim, lock, commit and finish into one table; and its races."""


@dataclass(frozen=True, slots=True)
class Interleaving:
    """A scenario of tests/interleavings, with two preemptions.

    Attributes:
        scenario: Its name.
    """

    scenario: str


@dataclass(frozen=True, slots=True)
class NamedTests:
    """A test, or a file of tests.

    Attributes:
        named: As pytest names it.
    """

    named: str


Judge = Cells | Interleaving | NamedTests


@dataclass(frozen=True, slots=True)
class Safeguard:
    """One safeguard.

    Attributes:
        mutation: The loader without it.
        judge: What must notice that.
    """

    mutation: Mutation
    judge: Judge


def without(what: str, judge: Judge, *replacements: tuple[str, str, str]) -> Safeguard:
    """Describe a safeguard by the loader without it: texts of its files, each there once, and what replaces them."""
    return Safeguard(Mutation(what, tuple(Replacement(*each) for each in replacements)), judge)
