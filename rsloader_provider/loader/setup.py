"""What is created once in Redshift: a load history for each target table, and a view over them for people.

Targets with `history: none` get neither; a connection that has no other targets is left alone.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from rsloader_provider.core.config import LoadConfig, Target
from rsloader_provider.core.config.target import Mode
from rsloader_provider.core.errors import AccessDeniedError
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.modes import PRIVILEGES
from rsloader_provider.core.redshift.names import TableName, history_table
from rsloader_provider.loader.ports.warehouse import Session, Warehouse


def create_histories(
    configs: Iterable[LoadConfig],
    warehouse: Warehouse,
    done: Callable[[str, TableName], None],
    view_left: Callable[[str, AccessDeniedError], None],
) -> None:
    """Create what is missing on every connection that the loads name, and add the columns that histories lack.

    Running it again changes nothing.

    Once somebody has run `statements_for_dba`, it needs no right to create anything.

    Args:
        configs: The loads.
        warehouse: Where they load to.
        done: Called with the connection and the history after each.
        view_left: Called with the connection and the reason where the view belongs to somebody else, and there was
            nothing to create for which it had to be replaced.

    Raises:
        AccessDeniedError: The user may not create schemas or tables; see `statements_for_dba`.
        RsloaderError: Another reason, for example that a connection is missing.
    """
    configs = [*configs]
    transports = {
        target.conn_id: target.transport for config in configs for target in config.targets if target.history == "table"
    }
    for conn_id, targets in _with_history(configs).items():
        with warehouse.connect(conn_id, transports[conn_id]) as session:
            has_created = _create_missing(session, targets)
            _add_columns(session, targets)
            for table in targets:
                done(conn_id, history_table(table))
            try:
                session.execute(sql.CreateHistoryView(tuple(session.execute(sql.FindHistories()))))
            except AccessDeniedError as refused:
                if has_created:
                    raise
                view_left(conn_id, refused)


def _create_missing(session: Session, targets: Iterable[TableName]) -> bool:
    # Where a DBA has created them, the loader's user may not even ask for the schema that is there.
    there = {*session.execute(sql.FindHistories())}
    missing = [table for table in targets if not _is_among(table, there)]
    if missing:
        session.execute(sql.CreateHistorySchema())
    for table in missing:
        session.execute(sql.CreateHistory(table))
    return bool(missing)


def _add_columns(session: Session, targets: Iterable[TableName]) -> None:
    for column in sql.ADDED_COLUMNS:
        lacking = {*session.execute(sql.FindHistoriesWithout(column))}
        for table in targets:
            if _is_among(table, lacking):
                session.execute(sql.AddHistoryColumn(table, column))


def _is_among(table: TableName, names: Collection[str]) -> bool:
    """Tell whether a table's history has one of the names: Redshift keeps them in small letters, as a rule."""
    name = history_table(table).table
    return name in names or name.lower() in names


def statements_for_dba(configs: Iterable[LoadConfig], user: str) -> dict[str, list[sql.Statement]]:
    """Give the same as statements that an administrator can run, with what the loader's user needs.

    Args:
        configs: The loads.
        user: The Redshift user that the loader connects as.

    Returns:
        The statements by connection, in their order.
    """
    with_history = _with_history(configs := [*configs])
    return {
        conn_id: [*statements, *_view(with_history.get(conn_id, {}))]
        for conn_id, statements in grants_for_loads(configs, user).items()
    }


def grants_for_loads(configs: Iterable[LoadConfig], user: str) -> dict[str, list[sql.Statement]]:
    """Give the part of `statements_for_dba` without which the loads do not run: all but the view for people.

    Args:
        configs: The loads.
        user: The Redshift user that the loader connects as.

    Returns:
        The statements by connection, in their order.
    """
    with_history = _with_history(configs := [*configs])
    return {
        conn_id: _grants(targets, with_history.get(conn_id, {}), user)
        for conn_id, targets in _by_connection(configs).items()
    }


def _grants(
    targets: Mapping[TableName, set[Mode]], with_history: Mapping[TableName, set[Mode]], user: str
) -> list[sql.Statement]:
    statements: list[sql.Statement] = []
    if with_history:
        statements += [sql.CreateHistorySchema(), sql.GrantOnSchema(None, user)]
    for table, modes in targets.items():
        if table in with_history:
            statements += [sql.CreateHistory(table), sql.GiveTable(history_table(table), user)]
        statements.append(sql.GrantOnSchema(table.schema, user, creating="swap" in modes))
        if "swap" in modes:
            statements.append(sql.GiveTable(table, user))
        elif privileges := tuple(dict.fromkeys(each for mode in sorted(modes) for each in PRIVILEGES[mode])):
            statements.append(sql.GrantOnTable(table, user, privileges))
    return statements


def _view(with_history: Mapping[TableName, set[Mode]]) -> list[sql.Statement]:
    if not with_history:
        return []
    return [sql.CreateHistoryView(tuple(history_table(table).table for table in with_history))]


def _with_history(configs: Iterable[LoadConfig]) -> dict[str, dict[TableName, set[Mode]]]:
    return _by_connection(
        config.model_copy(update={"targets": tuple(each for each in config.targets if each.history == "table")})
        for config in configs
    )


def _by_connection(configs: Iterable[LoadConfig]) -> dict[str, dict[TableName, set[Mode]]]:
    found: dict[str, dict[TableName, set[Mode]]] = {}
    for config in configs:
        for target in config.targets:
            found.setdefault(target.conn_id, {}).setdefault(_table(target), set()).add(target.mode)
    return found


def _table(target: Target) -> TableName:
    return TableName(target.schema_name, target.table_name)
