"""Every statement that the loader may send to Redshift, as a value; `render` quotes them all."""

from dataclasses import dataclass
from typing import Literal

from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.redshift.access_key import AccessKey
from rsloader_provider.core.redshift.names import LoadKey, TableName, TemporaryTable

Privilege = Literal["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE"]


@dataclass(frozen=True, slots=True)
class BackendPid:
    """Ask for the session's process id."""


@dataclass(frozen=True, slots=True)
class TerminateSession:
    """End another session of the same user; its open transaction is rolled back."""

    pid: int


@dataclass(frozen=True, slots=True)
class CountSessions:
    """Ask whether a session of the same user is still there: one row, 1 or 0."""

    pid: int


@dataclass(frozen=True, slots=True)
class FindTransactionEnd:
    """Ask how the transaction of a completed COPY ended: `committed`, `rolledback`, or no row if that is not known.

    SYS_LOAD_HISTORY alone does not tell: a COPY that was rolled back later stays `completed` there.
    Only superusers and users with the role sys:monitor may read SYS_TRANSACTION_HISTORY.
    Source: https://docs.aws.amazon.com/redshift/latest/dg/SYS_QUERY_HISTORY.html
    """

    manifest_url: str
    session: int
    query_id: int


@dataclass(frozen=True, slots=True)
class SetStatementTimeout:
    """Let Redshift cancel any later statement of the session that takes longer."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class Begin:
    """Open the transaction. The snapshot is not taken yet."""


@dataclass(frozen=True, slots=True)
class LockHistory:
    """Take the target's mutex until the end of the transaction. LOCK takes no snapshot, so it goes first."""

    target: TableName


@dataclass(frozen=True, slots=True)
class FindLoaded:
    """Ask the history for this load, and for what was loaded after it: one row.

    It is (times, rows, query_id, files, newer): how often this load is in the history, 0 or 1, and what it says then;
    and the load's newest batch after this one, NULL if there is none.
    """

    key: LoadKey


@dataclass(frozen=True, slots=True)
class DeleteAll:
    """Empty the target, in the transaction."""

    target: TableName


@dataclass(frozen=True, slots=True)
class Truncate:
    """Empty the target. It commits at once, and so does what the transaction did before it."""

    target: TableName


@dataclass(frozen=True, slots=True)
class CreateStaging:
    """Create a table with the columns of another: one of the session's own, or one to take the other's place.

    Keys are not declared in it and nobody is granted anything.
    Source: https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html
    """

    staging: TableName | TemporaryTable
    like: TableName


@dataclass(frozen=True, slots=True)
class DropTable:
    """Drop a table; refused while a view depends on it."""

    table: TableName


@dataclass(frozen=True, slots=True)
class RenameTable:
    """Give a table another name in its schema."""

    table: TableName
    name: str


@dataclass(frozen=True, slots=True)
class FindAmbiguousKeys:
    """Ask for keys that do not tell which row is meant, `limit` of them at most: (their values…, rows).

    They stand more than once, or a part of them is NULL.
    """

    staging: TemporaryTable
    keys: tuple[str, ...]
    limit: int


@dataclass(frozen=True, slots=True)
class Merge:
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
class Copy:
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
class LastCopy:
    """Ask for (rows, query_id) of the session's last COPY."""


@dataclass(frozen=True, slots=True)
class RecordLoaded:
    """Write the history row; it commits together with the rows that it stands for."""

    key: LoadKey
    attempt: int
    rows: int
    files: int
    query_id: int | None
    run: str


@dataclass(frozen=True, slots=True)
class UserStatement:
    """One statement of pre-SQL or post-SQL, as its author wrote it."""

    text: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Make it so."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """Undo the transaction."""


@dataclass(frozen=True, slots=True)
class FindRowErrors:
    """Ask which rows the session's COPY refused: (file, line, column, value, reason, code, query), newest COPY first.

    STL_LOAD_ERRORS alone has the field's value; Serverless and concurrency scaling do not fill it.
    """

    pid: int
    limit: int


@dataclass(frozen=True, slots=True)
class FindRowErrorsWithoutValues:
    """The same from SYS_LOAD_ERROR_DETAIL, which every Redshift fills; its value column is empty."""

    pid: int
    limit: int


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """Read a load's rows of a target's history, sorted by batch and generation, `limit` of them at most.

    Each is (batch, generation, attempt, rows, files, query_id, run, loaded_at).

    Attributes:
        after: Only batches after this one; empty for all.
    """

    target: TableName
    load: str
    after: str
    limit: int


@dataclass(frozen=True, slots=True)
class ReadBatchHistory:
    """Read what a target's history knows of one batch, in the columns of ReadHistory, sorted by generation."""

    target: TableName
    load: str
    batch: str


@dataclass(frozen=True, slots=True)
class ReadLoadedFiles:
    """Ask which files some COPYs read: (query_id, URL), each pair once.

    The view keeps about a week, and the first 256 bytes of a URL. A user sees their own COPYs in it.
    Source: https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_DETAIL.html
    """

    query_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ForgetLoaded:
    """Take a load out of the history. The loader never does; it is written out for a person who removed the rows."""

    key: LoadKey


@dataclass(frozen=True, slots=True)
class CreateHistorySchema:
    """Create the loader's schema if it is not there."""


@dataclass(frozen=True, slots=True)
class CreateHistory:
    """Create the load history of one target table if it is not there."""

    target: TableName


@dataclass(frozen=True, slots=True)
class GiveTable:
    """Make a user the owner of a table: locking a history asks for no less, nor does dropping or renaming a target."""

    table: TableName
    user: str


@dataclass(frozen=True, slots=True)
class GrantOnSchema:
    """Let a user look into a schema, and with `creating` create tables there; a schema of None is the loader's own."""

    schema: str | None
    user: str
    creating: bool = False


@dataclass(frozen=True, slots=True)
class GrantOnTable:
    """Let a user do with a table what a load does with it."""

    target: TableName
    user: str
    privileges: tuple[Privilege, ...]


@dataclass(frozen=True, slots=True)
class FindHistories:
    """Ask for the names of all history tables."""


@dataclass(frozen=True, slots=True)
class CreateHistoryView:
    """Create the view over the histories, for people."""

    histories: tuple[str, ...]


Statement = (
    BackendPid
    | TerminateSession
    | CountSessions
    | FindTransactionEnd
    | SetStatementTimeout
    | Begin
    | LockHistory
    | FindLoaded
    | DeleteAll
    | Truncate
    | CreateStaging
    | DropTable
    | RenameTable
    | FindAmbiguousKeys
    | Merge
    | Copy
    | LastCopy
    | RecordLoaded
    | UserStatement
    | Commit
    | Rollback
    | FindRowErrors
    | FindRowErrorsWithoutValues
    | ReadHistory
    | ReadBatchHistory
    | ReadLoadedFiles
    | ForgetLoaded
    | CreateHistorySchema
    | CreateHistory
    | GiveTable
    | GrantOnSchema
    | GrantOnTable
    | FindHistories
    | CreateHistoryView
)
