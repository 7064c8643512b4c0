"""Rows of Redshift's answers, and how each is read from the values that a session gets.

The driver and the Data API give the same values: a `char` with its padding, a `timestamp` without a time zone, which is
in UTC, and None for NULL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from rsloader_provider.core.errors import RowError

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
class CopiedFile:
    """A file that a COPY read.

    Attributes:
        query_id: Redshift's id of the COPY.
        url: The file's URL, its first 256 bytes.
    """

    query_id: int
    url: str

    @classmethod
    def of(cls, values: Values) -> Self:
        """Read a row of ReadLoadedFiles."""
        query_id, url = values
        return cls(int(query_id), str(url).rstrip())


@dataclass(frozen=True, slots=True)
class Committed:
    """What the history says of a load that it has.

    Attributes:
        rows: Rows that COPY loaded.
        query_id: Redshift's id of the COPY; None if there was nothing to copy.
        files: Objects in the batch then.
        names_digest: Digest of their names, see `digest_of_names`; None where the row has none, as rows that an earlier
            release wrote.
    """

    rows: int
    query_id: int | None
    files: int
    names_digest: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryAnswer:
    """What the history says when it is asked for a load.

    Attributes:
        committed: The load; None if the history does not have it.
        newest: The newest of all batches of this load that the history has; None if it has none.
        keeps_digests: Whether its table has the column for `names_digest`.
        newest_digest: The newest batch's digest of names; None where its row has none.
        keeps_sources: Whether its table has the column for the load's source.
    """

    committed: Committed | None
    newest: str | None
    keeps_digests: bool = True
    newest_digest: str | None = None
    keeps_sources: bool = True

    @classmethod
    def of(cls, values: Values) -> Self:
        """Read the row of FindLoaded."""
        times, rows, query_id, files, newest, digest, without, newest_with_digest, without_source = values
        committed = None
        if times:
            committed = Committed(
                int(rows), _number_or_none(query_id), int(files), None if without else _text_or_none(digest)
            )
        newest, of = _text_or_none(newest), _text_or_none(newest_with_digest) or ""
        has_digest = newest is not None and of.startswith(newest) and not without
        newest_digest = of.removeprefix(str(newest)) if has_digest else None
        return cls(
            committed, newest, keeps_digests=not without, newest_digest=newest_digest, keeps_sources=not without_source
        )


@dataclass(frozen=True, slots=True)
class OtherLoad:
    """Another load that a history has, with the same source.

    Attributes:
        load: Its name.
        batches: How many batches it has loaded into the table.
        newest: The newest of them.
    """

    load: str
    batches: int
    newest: str

    @classmethod
    def of(cls, values: Values) -> Self:
        """Read a row of FindOtherLoads."""
        load, batches, newest = values
        return cls(str(load), int(batches), str(newest).strip())


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """What the views show of the rows that a COPY skipped; they fill up after it.

    Attributes:
        counted: How many it skipped, by SYS_LOAD_HISTORY; None as long as that does not show it.
        shown: How many SYS_LOAD_ERROR_DETAIL shows; it may leave some out, of very many.
        error: One of those; None where it shows none.
    """

    counted: int | None
    shown: int
    error: RowError | None

    @classmethod
    def of(cls, values: Values) -> Self:
        """Read a row of FindSkippedRows."""
        counted, shown, *error = values
        return cls(_number_or_none(counted), int(shown), row_error(error) if shown else None)


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One load that Redshift committed, as the target's history tells it.

    Attributes:
        batch: The batch.
        generation: Its generation.
        attempt: The attempt that committed.
        rows: Rows that COPY loaded.
        files: Objects in the batch then.
        query_id: Redshift's id of the COPY; None if there was nothing to copy.
        run: The DAG run, `dag_id/run_id`.
        loaded_at: When its transaction began (Redshift's clock, aware, UTC), which is before its COPY; None if that
            was taken out.
        names_digest: As in Committed.
    """

    batch: str
    generation: int
    attempt: int
    rows: int
    files: int
    query_id: int | None
    run: str
    loaded_at: datetime | None
    names_digest: str | None = None

    @classmethod
    def of(cls, values: Values) -> Self:
        """Read a row of ReadHistory or ReadBatchHistory."""
        batch, generation, attempt, rows, files, query_id, run, loaded_at, digest = values
        return cls(
            batch=str(batch).strip(),
            generation=int(generation),
            attempt=int(attempt),
            rows=int(rows),
            files=int(files),
            query_id=_number_or_none(query_id),
            run=run or "",
            loaded_at=loaded_at and loaded_at.replace(tzinfo=UTC),
            names_digest=_text_or_none(digest),
        )


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


def row_error(values: Values) -> RowError:
    """Read a row of FindRowErrors or FindRowErrorsWithoutValues."""
    file, line, column, value, reason, code, query_id = values
    return RowError(file or "", int(line), column or "", value or "", reason or "", int(code), int(query_id))


def has_committed(values: Values) -> bool | None:
    """Read a row of FindTransactionEnd."""
    return {"committed": True, "rolledback": False}.get(values[0])


def _number_or_none(value: Any) -> int | None:
    return None if value is None else int(value)


def _text_or_none(value: Any) -> str | None:
    return None if value is None else str(value).strip()
