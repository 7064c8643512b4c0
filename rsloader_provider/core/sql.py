"""Every statement that the loader may send to Redshift, as a value; one renderer quotes them all."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import singledispatch
from typing import Literal

from rsloader_provider.core.access_key import AccessKey
from rsloader_provider.core.config import CopyOptions

HISTORY_SCHEMA = "rsloader"
HISTORY_VIEW = "loads"
_IDENTIFIER_BYTES = 127

Privilege = Literal["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE"]


@dataclass(frozen=True, slots=True)
class TableName:
    """A table with its schema, unquoted."""

    schema: str
    table: str

    def __str__(self) -> str:
        """Schema and table, as messages name them."""
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True, slots=True)
class TemporaryTable:
    """A table of the session's own, unquoted; it goes with the session."""

    table: str

    def __str__(self) -> str:
        """Its name, as messages have it."""
        return self.table


def history_table(target: TableName) -> TableName:
    """Name the load history of a target table: one each, because locking it is the mutex of its loads.

    >>> str(history_table(TableName("public", "orders")))
    'rsloader.public__orders'
    """
    return TableName(HISTORY_SCHEMA, _fitting(f"{target.schema}__{target.table}"))


def staging_name(target: TableName) -> str:
    """Name the table in which rows wait before they go to a target table.

    >>> staging_name(TableName("public", "orders"))
    'rsloader_staging__orders'
    """
    return _fitting(f"rsloader_staging__{target.table}")


def _fitting(name: str) -> str:
    """Cut a name that is too long for Redshift, and let its hash tell it from others."""
    if len(name.encode()) <= _IDENTIFIER_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return name.encode()[: _IDENTIFIER_BYTES - len(digest)].decode(errors="ignore") + digest


@dataclass(frozen=True, slots=True)
class LoadKey:
    """What is loaded at most once: a generation of a batch of a load, into a target table."""

    target: TableName
    load: str
    batch: str
    generation: int


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


def identifier(name: str) -> str:
    """Quote a name.

    >>> identifier('or"ders')
    '"or""ders"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | int | None) -> str:
    r"""Quote a value. Redshift takes a backslash in a literal as an escape, so it is doubled.

    >>> literal("it's \\N")
    "'it''s \\\\N'"
    """
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _table(name: TableName | TemporaryTable) -> str:
    if isinstance(name, TemporaryTable):
        return identifier(name.table)
    return f"{identifier(name.schema)}.{identifier(name.table)}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(identifier, names))


@singledispatch
def render(statement: Statement) -> str:
    """Write a statement as Redshift's SQL.

    Raises:
        TypeError: It is not one of the statements above.
    """
    raise TypeError(f"not a statement: {statement!r}")


def _fixed(text: str) -> Callable[[Statement], str]:
    return lambda _: text


render.register(BackendPid, _fixed("SELECT pg_backend_pid()"))
render.register(Begin, _fixed("BEGIN"))
render.register(Commit, _fixed("COMMIT"))
render.register(Rollback, _fixed("ROLLBACK"))
render.register(LastCopy, _fixed("SELECT pg_last_copy_count(), pg_last_copy_id()"))
render.register(CreateHistorySchema, _fixed(f"CREATE SCHEMA IF NOT EXISTS {identifier(HISTORY_SCHEMA)}"))


@render.register
def _(statement: TerminateSession) -> str:
    return f"SELECT pg_terminate_backend({statement.pid})"


@render.register
def _(statement: CountSessions) -> str:
    return f"SELECT count(*) FROM stv_sessions WHERE process = {statement.pid}"  # noqa: S608 (a number)


@render.register
def _(statement: FindTransactionEnd) -> str:
    return (
        "SELECT trim(t.status) FROM sys_load_history l "  # noqa: S608 (every part is quoted)
        "JOIN sys_transaction_history t ON t.transaction_id = l.transaction_id "
        f"WHERE trim(l.data_source) = {literal(statement.manifest_url)} AND l.session_id = {statement.session} "
        f"AND l.query_id = {statement.query_id} AND trim(l.status) = 'completed'"
    )


@render.register
def _(statement: SetStatementTimeout) -> str:
    return f"SET statement_timeout TO {statement.milliseconds}"


@render.register
def _(statement: LockHistory) -> str:
    return f"LOCK {_table(history_table(statement.target))}"


@render.register
def _(statement: FindLoaded) -> str:
    key = statement.key
    this = f'"batch" = {literal(key.batch)} AND "generation" = {literal(key.generation)}'
    found = ", ".join(f'max(CASE WHEN {this} THEN "{name}" END)' for name in ("rows", "query_id", "files"))
    return (
        f"SELECT count(CASE WHEN {this} THEN 1 END), {found}, "  # noqa: S608 (every part is quoted)
        f'max(CASE WHEN "batch" > {literal(key.batch)} THEN "batch" END) FROM {_table(history_table(key.target))} '
        f'WHERE "target" = {literal(str(key.target))} AND "load" = {literal(key.load)} '
        f'AND "batch" >= {literal(key.batch)}'
    )


@render.register
def _(statement: DeleteAll) -> str:
    return f"DELETE FROM {_table(statement.target)}"  # noqa: S608 (every part is quoted)


@render.register
def _(statement: Truncate) -> str:
    return f"TRUNCATE {_table(statement.target)}"


@render.register
def _(statement: CreateStaging) -> str:
    kind = "TEMPORARY TABLE" if isinstance(statement.staging, TemporaryTable) else "TABLE"
    return f"CREATE {kind} {_table(statement.staging)} (LIKE {_table(statement.like)} INCLUDING DEFAULTS)"


@render.register
def _(statement: DropTable) -> str:
    return f"DROP TABLE {_table(statement.table)}"


@render.register
def _(statement: RenameTable) -> str:
    return f"ALTER TABLE {_table(statement.table)} RENAME TO {identifier(statement.name)}"


@render.register
def _(statement: FindAmbiguousKeys) -> str:
    keys = _names(statement.keys)
    missing = " OR ".join(f"{identifier(key)} IS NULL" for key in statement.keys)
    return (
        f"SELECT {keys}, count(*) FROM {_table(statement.staging)} GROUP BY {keys} "  # noqa: S608 (every part is quoted)
        f"HAVING count(*) > 1 OR {missing} ORDER BY {keys} LIMIT {statement.limit}"
    )


@render.register
def _(statement: Merge) -> str:
    target, staging = identifier(statement.target.table), identifier(statement.staging.table)
    same = " AND ".join(f"{target}.{key} = {staging}.{key}" for key in map(identifier, statement.keys))
    merge = f"MERGE INTO {_table(statement.target)} USING {staging} ON {same}"
    if statement.columns is None:
        return f"{merge} REMOVE DUPLICATES"
    # A table of keys alone has nothing to update, but UPDATE must set something.
    written = [name for name in statement.columns if name not in statement.keys] or statement.columns
    update = ", ".join(f"{name} = {staging}.{name}" for name in map(identifier, written))
    values = ", ".join(f"{staging}.{name}" for name in map(identifier, statement.columns))
    return (
        f"{merge} WHEN MATCHED THEN UPDATE SET {update} "  # noqa: S608 (every part is quoted)
        f"WHEN NOT MATCHED THEN INSERT ({_names(statement.columns)}) VALUES ({values})"
    )


@render.register
def _(statement: Copy) -> str:
    options = statement.options
    columns = f" ({_names(statement.columns)})" if statement.columns else ""
    clauses = [
        f"COPY {_table(statement.target)}{columns}",
        f"FROM {literal(statement.manifest_url)}",
        _access(options, statement.access_key),
        "MANIFEST",
        _format(options),
    ]
    if options.delimiter is not None:
        clauses.append(f"DELIMITER {_delimiter(options.delimiter)}")
    if options.ignore_header:
        clauses.append(f"IGNOREHEADER {options.ignore_header}")
    if options.compression is not None:
        clauses.append(options.compression.upper())
    if options.options:
        clauses.append(options.options)
    return " ".join(clause for clause in clauses if clause)


def _access(options: CopyOptions, key: AccessKey | None) -> str:
    if key is None:
        return "IAM_ROLE " + ("default" if options.iam_role == "default" else literal(options.iam_role))
    clauses = f"ACCESS_KEY_ID {literal(key.access_key_id)} SECRET_ACCESS_KEY {literal(key.secret_access_key)}"
    return clauses if key.session_token is None else f"{clauses} SESSION_TOKEN {literal(key.session_token)}"


def _format(options: CopyOptions) -> str:
    match options.format:
        case "text":
            return ""
        case "fixedwidth":
            return f"FIXEDWIDTH {literal(options.fixed_width)}"
        case "json" | "avro":
            return f"FORMAT AS {options.format.upper()} {literal(options.jsonpaths or 'auto')}"
        case _:
            return f"FORMAT AS {options.format.upper()}"


def _delimiter(delimiter: str) -> str:
    # A backslash is part of COPY's own notation, such as \t or \001, and is meant as one.
    return "'" + delimiter.replace("'", "''") + "'"


@render.register
def _(statement: RecordLoaded) -> str:
    key = statement.key
    values = (
        str(key.target), key.load, key.batch, key.generation, statement.attempt,
        statement.rows, statement.files, statement.query_id, statement.run,
    )  # fmt: skip
    return (
        f"INSERT INTO {_table(history_table(key.target))} "  # noqa: S608 (every part is quoted)
        '("target", "load", "batch", "generation", "attempt", "rows", "files", "query_id", "run") '
        f"VALUES ({', '.join(map(literal, values))})"
    )


@render.register
def _(statement: UserStatement) -> str:
    return statement.text


@render.register
def _(statement: FindRowErrors) -> str:
    return (
        "SELECT trim(filename), line_number, trim(colname), trim(raw_field_value), trim(err_reason), err_code, query "  # noqa: S608
        f"FROM stl_load_errors WHERE session = {statement.pid} "
        f"ORDER BY query DESC, filename, line_number LIMIT {statement.limit}"
    )


@render.register
def _(statement: FindRowErrorsWithoutValues) -> str:
    return (
        "SELECT trim(file_name), line_number, trim(column_name), '', trim(error_message), error_code, query_id "  # noqa: S608
        f"FROM sys_load_error_detail WHERE session_id = {statement.pid} "
        f"ORDER BY query_id DESC, file_name, line_number LIMIT {statement.limit}"
    )


_HISTORY_COLUMNS = '"batch", "generation", "attempt", "rows", "files", "query_id", "run", "loaded_at"'


@render.register
def _(statement: ReadHistory) -> str:
    return (
        f"SELECT {_HISTORY_COLUMNS} FROM {_table(history_table(statement.target))} "  # noqa: S608 (every part is quoted)
        f'WHERE "target" = {literal(str(statement.target))} AND "load" = {literal(statement.load)} '
        f'AND "batch" > {literal(statement.after)} ORDER BY "batch", "generation" LIMIT {statement.limit}'
    )


@render.register
def _(statement: ReadBatchHistory) -> str:
    return (
        f"SELECT {_HISTORY_COLUMNS} FROM {_table(history_table(statement.target))} "  # noqa: S608 (every part is quoted)
        f'WHERE "target" = {literal(str(statement.target))} AND "load" = {literal(statement.load)} '
        f'AND "batch" = {literal(statement.batch)} ORDER BY "generation"'
    )


@render.register
def _(statement: ReadLoadedFiles) -> str:
    query_ids = ", ".join(map(literal, statement.query_ids))
    return f"SELECT DISTINCT query_id, trim(file_name) FROM sys_load_detail WHERE query_id IN ({query_ids})"  # noqa: S608


@render.register
def _(statement: ForgetLoaded) -> str:
    key = statement.key
    return (
        f"DELETE FROM {_table(history_table(key.target))} "  # noqa: S608 (every part is quoted)
        f'WHERE "target" = {literal(str(key.target))} AND "load" = {literal(key.load)} '
        f'AND "batch" = {literal(key.batch)} AND "generation" = {literal(key.generation)}'
    )


@render.register
def _(statement: CreateHistory) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {_table(history_table(statement.target))} ("
        '"target" varchar(520) NOT NULL, "load" varchar(200) NOT NULL, "batch" char(26) NOT NULL, '
        '"generation" integer NOT NULL, "attempt" integer NOT NULL, "rows" bigint NOT NULL, '
        '"files" integer NOT NULL, "query_id" bigint, "run" varchar(1000), '
        '"loaded_at" timestamp DEFAULT sysdate) DISTSTYLE EVEN SORTKEY ("batch")'
    )


@render.register
def _(statement: GiveTable) -> str:
    return f"ALTER TABLE {_table(statement.table)} OWNER TO {identifier(statement.user)}"


@render.register
def _(statement: GrantOnSchema) -> str:
    privileges = "CREATE, USAGE" if statement.creating else "USAGE"
    schema = identifier(statement.schema or HISTORY_SCHEMA)
    return f"GRANT {privileges} ON SCHEMA {schema} TO {identifier(statement.user)}"


@render.register
def _(statement: GrantOnTable) -> str:
    return f"GRANT {', '.join(statement.privileges)} ON {_table(statement.target)} TO {identifier(statement.user)}"


@render.register
def _(_: FindHistories) -> str:
    schema = literal(HISTORY_SCHEMA)
    return f"SELECT tablename FROM pg_tables WHERE schemaname = {schema} ORDER BY 1"  # noqa: S608 (quoted)


@render.register
def _(statement: CreateHistoryView) -> str:
    selects = (
        # By name: a column that somebody had to add again stands last in its table.
        f'SELECT "target", "load", {_HISTORY_COLUMNS} '  # noqa: S608 (every part is quoted)
        f"FROM {_table(TableName(HISTORY_SCHEMA, name))}"
        for name in statement.histories
    )
    view = _table(TableName(HISTORY_SCHEMA, HISTORY_VIEW))
    return f"CREATE OR REPLACE VIEW {view} AS " + " UNION ALL ".join(selects)
