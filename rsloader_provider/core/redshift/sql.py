"""Every statement that the loader may send to Redshift, as a value, but for those in `other_loads`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, get_args

from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.errors import RowError
from rsloader_provider.core.redshift.access_key import AccessKey
from rsloader_provider.core.redshift.names import LoadKey, TableName, TemporaryTable
from rsloader_provider.core.redshift.rows import (
    AmbiguousKey,
    Copied,
    CopiedFile,
    HistoryAnswer,
    HistoryRow,
    SkippedRow,
    Values,
    as_they_come,
    has_committed,
    name,
    number,
    row_error,
)

Privilege = Literal["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE"]
AddedColumn = Literal["names_digest", "source"]
ADDED_COLUMNS: tuple[AddedColumn, ...] = get_args(AddedColumn)
"""Columns that histories of earlier releases lack; a load goes on without them."""
Row_co = TypeVar("Row_co", covariant=True)


class Command:
    """A statement that is sent for what it does; nobody reads rows of it."""

    __slots__ = ()


class Query(ABC, Generic[Row_co]):
    """A statement that is answered with rows."""

    __slots__ = ()

    @staticmethod
    @abstractmethod
    def read(values: Values) -> Row_co:
        """Make a row of the values of its columns."""


Statement = Command | Query[Any]


@dataclass(frozen=True, slots=True)
class BackendPid(Query[int]):
    """Ask for the session's process id: one row."""

    read = staticmethod(number)


@dataclass(frozen=True, slots=True)
class TerminateSession(Command):
    """End another session of the same user; its open transaction is rolled back."""

    pid: int


@dataclass(frozen=True, slots=True)
class CountSessions(Query[int]):
    """Ask whether a session of the same user is still there: one row, 1 or 0."""

    pid: int

    read = staticmethod(number)


@dataclass(frozen=True, slots=True)
class FindTransactionEnd(Query[bool | None]):
    """Ask whether the transaction of a completed COPY was committed: None, or no row, if that is not known.

    SYS_LOAD_HISTORY alone does not tell: a COPY that was rolled back later stays `completed` there.
    Only superusers and users with the role sys:monitor may read SYS_TRANSACTION_HISTORY.
    Source: https://docs.aws.amazon.com/redshift/latest/dg/SYS_QUERY_HISTORY.html
    """

    manifest_url: str
    session: int
    query_id: int

    read = staticmethod(has_committed)


@dataclass(frozen=True, slots=True)
class SetStatementTimeout(Command):
    """Let Redshift cancel any later statement of the session that takes longer."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class Begin(Command):
    """Open the transaction. The snapshot is not taken yet."""


@dataclass(frozen=True, slots=True)
class LockHistory(Command):
    """Take the target's mutex until the end of the transaction. LOCK takes no snapshot, so it goes first."""

    target: TableName


@dataclass(frozen=True, slots=True)
class FindLoaded(Query[HistoryAnswer]):
    """Ask the history for this load, for the newest batch that it has, and which columns it has: one row."""

    key: LoadKey

    read = HistoryAnswer.of


@dataclass(frozen=True, slots=True)
class DeleteAll(Command):
    """Empty the target, in the transaction."""

    target: TableName


@dataclass(frozen=True, slots=True)
class Truncate(Command):
    """Empty the target. It commits at once, and so does what the transaction did before it."""

    target: TableName


@dataclass(frozen=True, slots=True)
class CreateStaging(Command):
    """Create a table with the columns of another: one of the session's own, or one to take the other's place.

    Keys are not declared in it and nobody is granted anything.
    Source: https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
    """

    staging: TableName | TemporaryTable
    like: TableName


@dataclass(frozen=True, slots=True)
class DropTable(Command):
    """Drop a table; refused while a view depends on it."""

    table: TableName


@dataclass(frozen=True, slots=True)
class RenameTable(Command):
    """Give a table another name in its schema."""

    table: TableName
    name: str


@dataclass(frozen=True, slots=True)
class FindAmbiguousKeys(Query[AmbiguousKey]):
    """Ask for keys that do not tell which row is meant, `limit` of them at most.

    They stand more than once, or a part of them is NULL.
    """

    staging: TemporaryTable
    keys: tuple[str, ...]
    limit: int

    read = AmbiguousKey.of


@dataclass(frozen=True, slots=True)
class Merge(Command):
    """Put the staged rows in the place of the target's rows with the same keys; add those that have none.

    Attributes:
        target: The table.
        staging: Rows with all of its columns; no key twice.
        keys: The columns that identify a row.
        columns: Only these columns are written; None for whole rows.
    """

    target: TableName
    staging: TemporaryTable
    keys: tuple[str, ...]
    columns: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Copy(Command):
    """Load the objects of a manifest.

    Attributes:
        access_key: The key to read them with, where `options` ask for one. None for the role in `options`.
    """

    target: TableName | TemporaryTable
    columns: tuple[str, ...] | None
    manifest_url: str
    options: CopyOptions
    access_key: AccessKey | None = None

    def __post_init__(self) -> None:
        if (self.access_key is None) == self.options.reads_with_key:
            raise ValueError(f"COPY reads with {self.options.reader}, and has {self.access_key}")


@dataclass(frozen=True, slots=True)
class LastCopy(Query[Copied]):
    """Ask what the session's last COPY did: one row."""

    read = Copied.of


@dataclass(frozen=True, slots=True)
class RecordLoaded(Command):
    """Write the history row; it commits together with the rows. What the history has no column for is None."""

    key: LoadKey
    attempt: int
    rows: int
    files: int
    query_id: int | None
    run: str
    names_digest: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class UserStatement(Query[Values]):
    """One statement of pre-SQL or post-SQL, as its author wrote it; its rows, if it has any, are left as they come."""

    text: str

    read = staticmethod(as_they_come)


@dataclass(frozen=True, slots=True)
class Commit(Command):
    """Make it so."""


@dataclass(frozen=True, slots=True)
class Rollback(Command):
    """Undo the transaction."""


@dataclass(frozen=True, slots=True)
class FindRowErrors(Query[RowError]):
    """Ask which rows the session's COPY refused, newest COPY first.

    STL_LOAD_ERRORS alone has the field's value; Serverless and concurrency scaling do not fill it.
    """

    pid: int
    limit: int

    read = staticmethod(row_error)


@dataclass(frozen=True, slots=True)
class FindRowErrorsWithoutValues(Query[RowError]):
    """The same from SYS_LOAD_ERROR_DETAIL, which every Redshift fills; its value column is empty."""

    pid: int
    limit: int

    read = staticmethod(row_error)


@dataclass(frozen=True, slots=True)
class FindSkippedRows(Query[SkippedRow]):
    """Ask how many rows a completed COPY skipped, and for `limit` of them: one row at least."""

    query_id: int
    limit: int

    read = SkippedRow.of


@dataclass(frozen=True, slots=True)
class ReadHistory(Query[HistoryRow]):
    """Read a load's rows of a target's history, sorted by batch and generation, `limit` of them at most.

    Attributes:
        after: Only batches after this one; empty for all.
    """

    target: TableName
    load: str
    after: str
    limit: int

    read = HistoryRow.of


@dataclass(frozen=True, slots=True)
class ReadBatchHistory(Query[HistoryRow]):
    """Read what a target's history knows of one batch, sorted by generation."""

    target: TableName
    load: str
    batch: str

    read = HistoryRow.of


@dataclass(frozen=True, slots=True)
class ReadLoadedFiles(Query[CopiedFile]):
    """Ask which files some COPYs read, each file of a COPY once.

    The view keeps about a week, and the first 256 bytes of a URL. A user sees their own COPYs in it.
    Source: https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_DETAIL.html
    """

    query_ids: tuple[int, ...]

    read = CopiedFile.of


@dataclass(frozen=True, slots=True)
class ForgetLoaded(Command):
    """Take a load out of the history. The loader never does; it is written out for a person who removed the rows."""

    key: LoadKey


@dataclass(frozen=True, slots=True)
class CreateHistorySchema(Command):
    """Create the loader's schema if it is not there."""


@dataclass(frozen=True, slots=True)
class CreateHistory(Command):
    """Create the load history of one target table if it is not there."""

    target: TableName


@dataclass(frozen=True, slots=True)
class FindHistoriesWithout(Query[str]):
    """Ask for the names of the history tables that lack a column; also of other tables in the loader's schema."""

    column: AddedColumn

    read = staticmethod(name)


@dataclass(frozen=True, slots=True)
class AddHistoryColumn(Command):
    """Add a column to the load history of one target table; waits for a load that is at work there.

    Source: https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
    """

    target: TableName
    column: AddedColumn


@dataclass(frozen=True, slots=True)
class GiveTable(Command):
    """Make a user the owner of a table: locking a history asks for no less, nor does dropping or renaming a target."""

    table: TableName
    user: str


@dataclass(frozen=True, slots=True)
class GrantOnSchema(Command):
    """Let a user look into a schema, and with `creating` create tables there; a schema of None is the loader's own."""

    schema: str | None
    user: str
    creating: bool = False


@dataclass(frozen=True, slots=True)
class GrantOnTable(Command):
    """Let a user do with a table what a load does with it."""

    target: TableName
    user: str
    privileges: tuple[Privilege, ...]


@dataclass(frozen=True, slots=True)
class FindHistories(Query[str]):
    """Ask for the names of all history tables."""

    read = staticmethod(name)


@dataclass(frozen=True, slots=True)
class CreateHistoryView(Command):
    """Create the view over the histories, for people."""

    histories: tuple[str, ...]
