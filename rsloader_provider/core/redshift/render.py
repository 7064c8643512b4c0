"""The one renderer of statements."""

from collections.abc import Callable
from functools import singledispatch

from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.redshift import other_loads, sql
from rsloader_provider.core.redshift.access_key import AccessKey
from rsloader_provider.core.redshift.names import HISTORY_SCHEMA, HISTORY_VIEW, TableName, TemporaryTable, history_table
from rsloader_provider.core.redshift.quoting import identifier, literal
from rsloader_provider.core.redshift.quoting import names as _names
from rsloader_provider.core.redshift.quoting import table as _table

_ADDED_TYPES: dict[sql.AddedColumn, str] = {"names_digest": "varchar(64)", "source": "varchar(1000)"}
_NO_COLUMN = "no such column"


@singledispatch
def render(statement: sql.Statement) -> str:
    """Write a statement as Redshift's SQL.

    Raises:
        TypeError: It is not one of the statements above.
    """
    raise TypeError(f"not a statement: {statement!r}")


def _fixed(text: str) -> Callable[[sql.Statement], str]:
    return lambda _: text


render.register(sql.BackendPid, _fixed("SELECT pg_backend_pid()"))
render.register(sql.Begin, _fixed("BEGIN"))
render.register(sql.Commit, _fixed("COMMIT"))
render.register(sql.Rollback, _fixed("ROLLBACK"))
render.register(sql.LastCopy, _fixed("SELECT pg_last_copy_count(), pg_last_copy_id()"))
render.register(sql.CreateHistorySchema, _fixed(f"CREATE SCHEMA IF NOT EXISTS {identifier(HISTORY_SCHEMA)}"))


@render.register
def _(statement: sql.TerminateSession) -> str:
    return f"SELECT pg_terminate_backend({statement.pid})"


@render.register
def _(statement: sql.CountSessions) -> str:
    return f"SELECT count(*) FROM stv_sessions WHERE process = {statement.pid}"  # noqa: S608 (a number)


@render.register
def _(statement: sql.FindTransactionEnd) -> str:
    return (
        "SELECT trim(t.status) FROM sys_load_history l "  # noqa: S608 (every part is quoted)
        "JOIN sys_transaction_history t ON t.transaction_id = l.transaction_id "
        f"WHERE trim(l.data_source) = {literal(statement.manifest_url)} AND l.session_id = {statement.session} "
        f"AND l.query_id = {statement.query_id} AND trim(l.status) = 'completed'"
    )


@render.register
def _(statement: sql.SetStatementTimeout) -> str:
    return f"SET statement_timeout TO {statement.milliseconds}"


@render.register
def _(statement: sql.LockHistory) -> str:
    return f"LOCK {_table(history_table(statement.target))}"


@render.register
def _(statement: sql.FindLoaded) -> str:
    key = statement.key
    this = f'"batch" = {literal(key.batch)} AND "generation" = {literal(key.generation)}'
    found = ", ".join(f'max(CASE WHEN {this} THEN "{name}" END)' for name in ("rows", "query_id", "files"))
    # The outer join gives a row also where the history has none, so that the answer always tells of the column.
    return (
        f"SELECT count(CASE WHEN {this} THEN 1 END), {found}, "  # noqa: S608 (every part is quoted)
        f'max("batch"), max(CASE WHEN {this} THEN "names_digest" END), '
        f'count(CASE WHEN "names_digest" = {literal(_NO_COLUMN)} THEN 1 END), max("batch" || "names_digest"), '
        f'count(CASE WHEN "source" = {literal(_NO_COLUMN)} THEN 1 END) '
        f'FROM (SELECT 1 AS "always") AS "one" LEFT JOIN {_table(history_table(key.target))} '
        f'ON "target" = {literal(str(key.target))} AND "load" = {literal(key.load)} '
        f"{_standing_in('names_digest', _NO_COLUMN)} {_standing_in('source', _NO_COLUMN)}"
    )


@render.register
def _(statement: other_loads.FindOtherLoads) -> str:
    return (
        f'SELECT "load", count(DISTINCT "batch"), max("batch") '  # noqa: S608 (every part is quoted)
        f"FROM {_table(history_table(statement.target))} "
        f'WHERE "target" = {literal(str(statement.target))} AND "source" = {literal(statement.source)} '
        f'AND "load" <> {literal(statement.load)} GROUP BY "load" ORDER BY 3 DESC'
    )


@render.register
def _(statement: other_loads.GiveRows) -> str:
    return (
        f"UPDATE {_table(history_table(statement.target))} "  # noqa: S608 (every part is quoted)
        f'SET "load" = {literal(statement.new)}, "source" = {literal(statement.source)} '
        f'WHERE "target" = {literal(str(statement.target))} AND "load" = {literal(statement.old)}'
    )


def _standing_in(column: sql.AddedColumn, value: str | None) -> str:
    """Give a column where the tables before have none: that of a history of an earlier release, in the same statement.

    Where they have the column, the natural join is on it and finds nothing, so that it stays as it is. Where they have
    not, the join is on nothing, and every row gets the value.

    Args:
        column: The column.
        value: What it holds then; no row of a history has it.
    """
    stands_in = f'CAST({literal(value)} AS {_ADDED_TYPES[column]}) AS "{column}"'
    return f'NATURAL LEFT JOIN (SELECT {stands_in}) AS "no_{column}"'


@render.register
def _(statement: sql.DeleteAll) -> str:
    return f"DELETE FROM {_table(statement.target)}"  # noqa: S608 (every part is quoted)


@render.register
def _(statement: sql.Truncate) -> str:
    return f"TRUNCATE {_table(statement.target)}"


@render.register
def _(statement: sql.CreateStaging) -> str:
    kind = "TEMPORARY TABLE" if isinstance(statement.staging, TemporaryTable) else "TABLE"
    return f"CREATE {kind} {_table(statement.staging)} (LIKE {_table(statement.like)} INCLUDING DEFAULTS)"


@render.register
def _(statement: sql.DropTable) -> str:
    return f"DROP TABLE {_table(statement.table)}"


@render.register
def _(statement: sql.RenameTable) -> str:
    return f"ALTER TABLE {_table(statement.table)} RENAME TO {identifier(statement.name)}"


@render.register
def _(statement: sql.FindAmbiguousKeys) -> str:
    keys = _names(statement.keys)
    missing = " OR ".join(f"{identifier(key)} IS NULL" for key in statement.keys)
    return (
        f"SELECT {keys}, count(*) FROM {_table(statement.staging)} GROUP BY {keys} "  # noqa: S608 (every part is quoted)
        f"HAVING count(*) > 1 OR {missing} ORDER BY {keys} LIMIT {statement.limit}"
    )


@render.register
def _(statement: sql.Merge) -> str:
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
def _(statement: sql.Copy) -> str:
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
def _(statement: sql.RecordLoaded) -> str:
    key = statement.key
    values: dict[str, str | int | None] = {
        "target": str(key.target),
        "load": key.load,
        "batch": key.batch,
        "generation": key.generation,
        "attempt": statement.attempt,
        "rows": statement.rows,
        "files": statement.files,
        "query_id": statement.query_id,
        "run": statement.run,
    }
    if statement.names_digest is not None:
        values["names_digest"] = statement.names_digest
    if statement.source is not None:
        values["source"] = statement.source
    return (
        f"INSERT INTO {_table(history_table(key.target))} ({_names(values)}) "  # noqa: S608 (every part is quoted)
        f"VALUES ({', '.join(map(literal, values.values()))})"
    )


@render.register
def _(statement: sql.UserStatement) -> str:
    return statement.text


@render.register
def _(statement: sql.FindRowErrors) -> str:
    return (
        "SELECT trim(filename), line_number, trim(colname), trim(raw_field_value), trim(err_reason), err_code, query "  # noqa: S608
        f"FROM stl_load_errors WHERE session = {statement.pid} "
        f"ORDER BY query DESC, filename, line_number LIMIT {statement.limit}"
    )


@render.register
def _(statement: sql.FindRowErrorsWithoutValues) -> str:
    return (
        "SELECT trim(file_name), line_number, trim(column_name), '', trim(error_message), error_code, query_id "  # noqa: S608
        f"FROM sys_load_error_detail WHERE session_id = {statement.pid} "
        f"ORDER BY query_id DESC, file_name, line_number LIMIT {statement.limit}"
    )


@render.register
def _(statement: sql.FindSkippedRows) -> str:
    query_id = literal(statement.query_id)
    return (
        "SELECT h.error_count, count(d.query_id) OVER (), trim(d.file_name), d.line_number, trim(d.column_name), '', "  # noqa: S608
        'trim(d.error_message), d.error_code, d.query_id FROM (SELECT 1 AS "always") AS "one" '
        f"LEFT JOIN sys_load_history h ON h.query_id = {query_id} AND trim(h.status) = 'completed' "
        f"LEFT JOIN sys_load_error_detail d ON d.query_id = {query_id} "
        f"ORDER BY d.file_name, d.line_number LIMIT {statement.limit}"
    )


_HISTORY_COLUMNS = '"batch", "generation", "attempt", "rows", "files", "query_id", "run", "loaded_at"'


@render.register
def _(statement: sql.ReadHistory) -> str:
    return (
        f"{_read_history(statement.target)} "
        f'WHERE "target" = {literal(str(statement.target))} AND "load" = {literal(statement.load)} '
        f'AND "batch" > {literal(statement.after)} ORDER BY "batch", "generation" LIMIT {statement.limit}'
    )


@render.register
def _(statement: sql.ReadBatchHistory) -> str:
    return (
        f"{_read_history(statement.target)} "
        f'WHERE "target" = {literal(str(statement.target))} AND "load" = {literal(statement.load)} '
        f'AND "batch" = {literal(statement.batch)} ORDER BY "generation"'
    )


def _read_history(target: TableName) -> str:
    return (
        f'SELECT {_HISTORY_COLUMNS}, "names_digest" FROM {_table(history_table(target))} '  # noqa: S608 (all is quoted)
        f"{_standing_in('names_digest', None)}"
    )


@render.register
def _(statement: sql.ReadLoadedFiles) -> str:
    query_ids = ", ".join(map(literal, statement.query_ids))
    return f"SELECT DISTINCT query_id, trim(file_name) FROM sys_load_detail WHERE query_id IN ({query_ids})"  # noqa: S608


@render.register
def _(statement: sql.ForgetLoaded) -> str:
    key = statement.key
    return (
        f"DELETE FROM {_table(history_table(key.target))} "  # noqa: S608 (every part is quoted)
        f'WHERE "target" = {literal(str(key.target))} AND "load" = {literal(key.load)} '
        f'AND "batch" = {literal(key.batch)} AND "generation" = {literal(key.generation)}'
    )


@render.register
def _(statement: sql.CreateHistory) -> str:
    added = ", ".join(f"{identifier(column)} {kind}" for column, kind in _ADDED_TYPES.items())
    return (
        f"CREATE TABLE IF NOT EXISTS {_table(history_table(statement.target))} ("
        '"target" varchar(520) NOT NULL, "load" varchar(200) NOT NULL, "batch" char(26) NOT NULL, '
        '"generation" integer NOT NULL, "attempt" integer NOT NULL, "rows" bigint NOT NULL, '
        '"files" integer NOT NULL, "query_id" bigint, "run" varchar(1000), '
        f'"loaded_at" timestamp DEFAULT sysdate, {added}) DISTSTYLE EVEN SORTKEY ("batch")'
    )


@render.register
def _(statement: sql.AddHistoryColumn) -> str:
    table = _table(history_table(statement.target))
    return f"ALTER TABLE {table} ADD COLUMN {identifier(statement.column)} {_ADDED_TYPES[statement.column]}"


@render.register
def _(statement: sql.FindHistoriesWithout) -> str:
    return (
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "  # noqa: S608 (quoted)
        f"LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = {literal(statement.column)} "
        f"WHERE n.nspname = {literal(HISTORY_SCHEMA)} AND c.relkind = 'r' AND a.attname IS NULL ORDER BY 1"
    )


@render.register
def _(statement: sql.GiveTable) -> str:
    return f"ALTER TABLE {_table(statement.table)} OWNER TO {identifier(statement.user)}"


@render.register
def _(statement: sql.GrantOnSchema) -> str:
    privileges = "CREATE, USAGE" if statement.creating else "USAGE"
    schema = identifier(statement.schema or HISTORY_SCHEMA)
    return f"GRANT {privileges} ON SCHEMA {schema} TO {identifier(statement.user)}"


@render.register
def _(statement: sql.GrantOnTable) -> str:
    return f"GRANT {', '.join(statement.privileges)} ON {_table(statement.target)} TO {identifier(statement.user)}"


@render.register
def _(_: sql.FindHistories) -> str:
    schema = literal(HISTORY_SCHEMA)
    return f"SELECT tablename FROM pg_tables WHERE schemaname = {schema} ORDER BY 1"  # noqa: S608 (quoted)


@render.register
def _(statement: sql.CreateHistoryView) -> str:
    selects = (
        # By name: a column that somebody had to add again stands last in its table. And only those that each history
        # has had from the first: Redshift replaces a view only by one with the same columns.
        f'SELECT "target", "load", {_HISTORY_COLUMNS} '  # noqa: S608 (every part is quoted)
        f"FROM {_table(TableName(HISTORY_SCHEMA, name))}"
        for name in statement.histories
    )
    view = _table(TableName(HISTORY_SCHEMA, HISTORY_VIEW))
    return f"CREATE OR REPLACE VIEW {view} AS " + " UNION ALL ".join(selects)
