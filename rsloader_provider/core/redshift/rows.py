"""Rows of Redshift's answers, and how each is read from the values that a session gets.

The driver and the Data API give the same values: a `char` with its padding, a `timestamp` without a time zone, which is
in UTC, and None for NULL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

Values = Sequence[Any]
"""The values of one row, in the order of the statement's columns."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a COPY did.

    Attributes:
        rows: Rows that it loaded.
        query_id: Redshift's id of it.
    """

    rows: int
    query_id: int

    @classmethod
    def of(cls, values: Values) -> Self:
        """Read a row of LastCopy."""
        rows, query_id = values
        return cls(int(rows), int(query_id))


@dataclass(frozen=True, slots=True)
class Committed:
    """What the history says of a load that it has.

    Attributes:
        rows: Rows that COPY loaded.
        query_id: Redshift's id of the COPY; None if there was nothing to copy.
        files: Objects in the batch then.
    """

    rows: int
    query_id: int | None
    files: int


@dataclass(frozen=True, slots=True)
class HistoryAnswer:
    """What the history says when it is asked for a load.

    Attributes:
        committed: The load; None if the history does not have it.
        newer: The newest batch that was loaded after this one; None if there is none.
    """

    committed: Committed | None
    newer: str | None

    @classmethod
    def of(cls, values: Values) -> Self:
        """Read the row of FindLoaded."""
        times, rows, query_id, files, newer = values
        committed = Committed(int(rows), _number_or_none(query_id), int(files)) if times else None
        return cls(committed, None if newer is None else str(newer).strip())


@dataclass(frozen=True, slots=True)
class AmbiguousKey:
    """A key that does not tell which row is meant.

    Attributes:
        values: Its parts, of whatever types the columns have; None for NULL.
        rows: How many rows have it.
    """

    values: tuple[Any, ...]
    rows: int

    @classmethod
    def of(cls, values: Values) -> Self:
        """Read a row of FindAmbiguousKeys."""
        *key, rows = values
        return cls(tuple(key), int(rows))


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


def _number_or_none(value: Any) -> int | None:
    return None if value is None else int(value)
