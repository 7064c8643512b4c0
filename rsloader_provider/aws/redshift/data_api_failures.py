"""Why a statement of the Data API failed: it gives Redshift's words as one text, and no SQLSTATE.

The words are those of PostgreSQL and Redshift in English, behind their severity: `ERROR: relation "x" does not exist`.
"""

import re
from dataclasses import dataclass

from rsloader_provider.aws.redshift.errors import Answer

_PARTS = re.compile(r"\n\s*(?:Detail|Hint|Position|Where|Location):\s*")
_SEVERITY = re.compile(r"\s*(ERROR|FATAL|PANIC):\s*")
_OVER = re.compile(
    r"an I/O error|the connection attempt failed|this connection has been closed|connection to \S+ refused|"
    r"connection (?:refused|reset|timed out)|terminating connection",
    re.IGNORECASE,
)
"""What the Data API says when its own connection to Redshift broke."""

# Each is looked for at the start only: the rest may hold text from the loaded data.
_STATES = {
    "42P01": r'relation ".*?" does not exist|table ".*?" does not exist',
    "3F000": r'schema ".*?" does not exist',
    "42703": r"column \S+ (?:of relation \S+ )?does not exist",
    "42501": r"permission denied|must be (?:owner|superuser)",
    "57014": r"(?:query(?: \(\d+\))? )?cancel(?:l?ed on user's request|ing statement)",
    "40P01": r"deadlock detected",
    "40001": r"could not serialize access|could not complete because of conflict",
    "53300": r"connection limit|too many (?:connections|clients)|sorry, too many|remaining connection slots",
    "25P02": r"current transaction is aborted",
    "42601": r"syntax error",
    "28000": r'(?:IAM |password )?authentication failed|(?:user|role) ".*?" does not exist|.*not authorized to perform',
    "3D000": r'database ".*?" does not exist',
}
_SQLSTATES = {state: re.compile(words, re.IGNORECASE) for state, words in _STATES.items()}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a statement failed.

    Attributes:
        answer: What Redshift said, with the SQLSTATE that its words stand for as far as they are known.
        is_over: Whether the session has ended as well; then what the statement did is not known.
        is_redshifts: Whether Redshift refused the statement, and not something on the way to it.
    """

    answer: Answer
    is_over: bool
    is_redshifts: bool


def failure_of(text: str) -> Failure:
    r"""Read the error of a statement.

    >>> failure_of("ERROR: 1023\n  Detail: Serializable isolation violation on table - 1").answer.detail
    'Serializable isolation violation on table - 1'
    >>> failure_of('ERROR: relation "nowhere" does not exist').answer.sqlstate
    '42P01'
    """
    found = _SEVERITY.match(text)
    message, *more = _PARTS.split(text[found.end() :] if found else text, maxsplit=1)
    sqlstate = next((state for state, words in _SQLSTATES.items() if words.match(message)), "")
    is_over = (found is not None and found[1] != "ERROR") or _OVER.match(message) is not None
    return Failure(Answer(sqlstate, message.strip(), "".join(more).strip()), is_over, found is not None)
