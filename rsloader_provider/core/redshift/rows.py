"""Rows of Redshift's answers, and how each is read from the values that a session gets.

The driver and the Data API give the same values: a `char` with its padding, a `timestamp` without a time zone, which is
in UTC, and None for NULL.
"""

from collections.abc import Sequence
from typing import Any

Values = Sequence[Any]
"""The values of one row, in the order of the statement's columns."""


def number(values: Values) -> int:
    """Read a row of one number."""
    return int(values[0])


def name(values: Values) -> str:
    """Read a row of one name."""
    return str(values[0])


def as_they_come(values: Values) -> Values:
    """Leave a row as it is: nobody knows its columns."""
    return values


def has_committed(values: Values) -> bool | None:
    """Read a row of FindTransactionEnd."""
    return {"committed": True, "rolledback": False}.get(values[0])
