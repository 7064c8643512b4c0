r"""Faults that a test orders over SQL, each of which happens once.

    LOCAL FAULT drop BEFORE '^commit'          the connection breaks; the statement never ran
    LOCAL FAULT drop AFTER '^commit'           the connection breaks; the statement had its full effect
    LOCAL FAULT ghost:1.5 BEFORE '^commit'     the connection breaks now; the statement runs 1.5 seconds later
    LOCAL FAULT sleep:2 BEFORE '^copy'         the statement (or, AFTER, its answer) comes 2 seconds late
    LOCAL FAULT error:57014 BEFORE 'insert'    the statement fails with that SQLSTATE
    LOCAL FAULT CLEAR                          forget the faults that have not happened

The regular expression is searched for, ignoring case, in every later statement of every session; `''` in it stands for
one quote and a backslash for itself. AFTER a statement means after its answer was ready and, outside a transaction
block, after its commit. Faults of one statement happen in the order in which they were ordered, one per statement and
side.
"""

import re
from dataclasses import dataclass
from typing import Literal

from rsloader_provider.local.redshift.errors import RedshiftError

_ORDER = re.compile(
    r"\s*LOCAL\s+FAULT\s+(?:(?P<clear>CLEAR)|(?P<action>drop|ghost|sleep|error)(?::(?P<argument>[\w.]+))?"
    r"\s+(?P<side>BEFORE|AFTER)\s+'(?P<pattern>(?:[^']|'')*)')\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)

Action = Literal["drop", "ghost", "sleep", "error"]
Side = Literal["before", "after"]


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


class Faults:
    """The faults that have not happened yet, shared by all sessions."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def order(self, statement: str) -> None:
        """Take a `LOCAL FAULT` statement.

        Raises:
            RedshiftError: 42601; the statement is not one of those above.
        """
        match = _ORDER.fullmatch(statement)
        if match is None:
            raise RedshiftError("LOCAL FAULT action[:argument] BEFORE|AFTER 'regex', or CLEAR", code="42601")
        if match["clear"]:
            self._waiting.clear()
            return
        self._waiting.append(_fault(match))

    def awaits(self, side: Side, statement: str) -> bool:
        """Tell whether a fault waits for this statement."""
        return self._find(side, statement) is not None

    def take(self, side: Side, statement: str) -> Fault | None:
        """Return the first fault that waits for this statement, which forgets it, or None."""
        fault = self._find(side, statement)
        if fault is not None:
            self._waiting.remove(fault)
        return fault

    def _find(self, side: Side, statement: str) -> Fault | None:
        return next((f for f in self._waiting if f.side == side and f.pattern.search(statement)), None)


def _fault(match: re.Match[str]) -> Fault:
    action, side, argument = match["action"].lower(), match["side"].lower(), match["argument"]
    if (argument is None) != (action == "drop") or (action == "ghost" and side == "after"):
        raise RedshiftError(f"LOCAL FAULT {action} {side}: wrong argument or side", code="42601")
    try:
        pattern = re.compile(match["pattern"].replace("''", "'"), re.IGNORECASE)
        seconds = float(argument) if action in ("ghost", "sleep") else 0.0
    except (re.error, ValueError) as error:
        raise RedshiftError(f"LOCAL FAULT: {error}", code="42601") from error
    return Fault(action, side, pattern, seconds, argument if action == "error" else "XX000")  # type: ignore[arg-type]
