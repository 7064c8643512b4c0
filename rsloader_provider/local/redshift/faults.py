r"""Faults that a test orders over SQL: `LOCAL FAULT action[:argument] where`, or `LOCAL FAULT CLEAR`.

    LOCAL FAULT drop BEFORE '^commit'          the connection breaks; the statement never ran
    LOCAL FAULT drop AFTER '^commit'           the connection breaks; the statement had its full effect
    LOCAL FAULT ghost:1.5 BEFORE '^commit'     the connection breaks now; the statement runs 1.5 seconds later
    LOCAL FAULT sleep:2 BEFORE '^copy'         the statement (or, AFTER, its answer) comes 2 seconds late
    LOCAL FAULT error:57014 BEFORE 'insert'    the statement (or, AFTER, its answer) fails with that SQLSTATE
    LOCAL FAULT echo BEFORE '^copy'            the statement fails with an error that quotes all of its text
    LOCAL FAULT refuse CONNECTION              the next connection is closed before it is answered
    LOCAL FAULT refuse:3 CONNECTION            the next three are
    LOCAL FAULT s3:503 FOR 2.5 '^s3://b/in/'   S3 answers COPY with 503 for 2.5 seconds; 404 is the other choice
    LOCAL FAULT CLEAR                          forget the faults that have not happened, and let S3 answer

A statement's fault happens once. Its regular expression is searched for, ignoring case, in every later statement of
every session; `''` in it stands for one quote and a backslash for itself. AFTER a statement means after its answer was
ready and, outside a transaction block, after its commit. Faults of one statement happen in the order in which they were
ordered, one per statement and side.

An S3 fault's expression is searched for in the URL, such as `s3://bucket/key`, of every object that a COPY asks for and
of every prefix that it lists.
"""

import re
import time
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

from rsloader_provider.local.redshift.errors import RedshiftError

_ORDER = re.compile(
    r"""
    \s* LOCAL \s+ FAULT \s+ (?:
        (?P<clear> CLEAR )
      | (?P<action> \w+ ) (?: : (?P<argument> [\w.]+ ) )? \s+ (?:
            (?P<connection> CONNECTION )
          | (?: (?P<side> BEFORE | AFTER ) | FOR \s+ (?P<seconds> \d+(?:\.\d+)? ) ) \s+ '(?P<pattern> (?:[^']|'')* )'
        )
    ) \s* ;? \s*
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)

Action = Literal["drop", "ghost", "sleep", "error", "echo"]
Side = Literal["before", "after"]


class _Rule(NamedTuple):
    """Where an action may happen, and what its argument looks like."""

    places: tuple[str, ...]
    argument: str


_SECONDS = r"\d+(\.\d+)?"
_RULES = {
    "drop": _Rule(("before", "after"), ""),
    "ghost": _Rule(("before",), _SECONDS),
    "sleep": _Rule(("before", "after"), _SECONDS),
    "error": _Rule(("before", "after"), "[0-9A-Z]{5}"),
    "echo": _Rule(("before",), ""),
    "refuse": _Rule(("connection",), "([1-9][0-9]*)?"),
    "s3": _Rule(("for",), "404|503"),
}


@dataclass(frozen=True)
class Fault:
    """One fault that is waiting for its statement.

    Attributes:
        action: What happens.
        side: Whether it happens before the statement or after it.
        pattern: Which statement it waits for.
        seconds: How long a ghost or a sleep takes.
        sqlstate: The code of an error.
    """

    action: Action
    side: Side
    pattern: re.Pattern[str]
    seconds: float = 0.0
    sqlstate: str = "XX000"


@dataclass(frozen=True)
class _Outage:
    """S3 answers some requests with an error until a moment of the monotonic clock."""

    status: int
    pattern: re.Pattern[str]
    until: float


class Faults:
    """The faults that have not happened yet, shared by all sessions."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._refusals = 0
        self._outages: tuple[_Outage, ...] = ()  # replaced and never changed: S3 is read in other threads

    def order(self, statement: str) -> None:
        """Take a `LOCAL FAULT` statement.

        Raises:
            RedshiftError: 42601; the statement is not one of those above.
        """
        match = _ORDER.fullmatch(statement)
        if match is None:
            raise _misspelt("action[:argument] BEFORE|AFTER 'regex', CONNECTION or FOR seconds 'regex'; or CLEAR")
        if match["clear"]:
            self._waiting.clear()
            self._refusals = 0
            self._outages = ()
            return
        action, argument = match["action"].lower(), (match["argument"] or "").upper()
        place = (match["side"] or match["connection"] or "for").lower()
        rule = _RULES.get(action)
        if rule is None or place not in rule.places or not re.fullmatch(rule.argument, argument):
            raise _misspelt(f"{action} {place}: an unknown action, a wrong argument or a wrong place")
        match action:
            case "refuse":
                self._refusals += int(argument or 1)
            case "s3":
                until = time.monotonic() + float(match["seconds"])
                self._outages = (*self._outages, _Outage(int(argument), _pattern(match), until))
            case _:
                self._waiting.append(
                    Fault(
                        cast("Action", action),
                        cast("Side", place),
                        _pattern(match),
                        seconds=float(argument) if rule.argument == _SECONDS else 0.0,
                        sqlstate=argument if action == "error" else "XX000",
                    )
                )

    def awaits(self, side: Side, statement: str) -> bool:
        """Tell whether a fault waits for this statement."""
        return self._find(side, statement) is not None

    def take(self, side: Side, statement: str) -> Fault | None:
        """Return and forget the first fault that waits for this statement; None if there is none."""
        fault = self._find(side, statement)
        if fault is not None:
            self._waiting.remove(fault)
        return fault

    def take_refusal(self) -> bool:
        """Tell whether to refuse a connection that has just come, and count it."""
        refused = self._refusals > 0
        self._refusals -= refused
        return refused

    def s3_answer(self, url: str) -> int | None:
        """Return the HTTP status that S3 is to answer a request with, or None to let it answer itself.

        May be called in any thread.

        Args:
            url: What is asked for: `s3://bucket/key`, or the prefix that is listed.
        """
        now = time.monotonic()
        return next((o.status for o in self._outages if now < o.until and o.pattern.search(url)), None)

    def _find(self, side: Side, statement: str) -> Fault | None:
        return next((f for f in self._waiting if f.side == side and f.pattern.search(statement)), None)


def _pattern(match: re.Match[str]) -> re.Pattern[str]:
    try:
        return re.compile(match["pattern"].replace("''", "'"), re.IGNORECASE)
    except re.error as error:
        raise _misspelt(str(error)) from error


def _misspelt(what: str) -> RedshiftError:
    return RedshiftError(f"LOCAL FAULT {what}", code="42601")
