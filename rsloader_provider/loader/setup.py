"""What is created once in Redshift: a load history for each target table, and a view over them for people."""

from collections.abc import Callable, Iterable, Mapping

from rsloader_provider.core import sql
from rsloader_provider.core.config import LoadConfig, Target
from rsloader_provider.loader.ports.warehouse import Warehouse


def create_histories(
    configs: Iterable[LoadConfig], warehouse: Warehouse, done: Callable[[str, sql.TableName], None]
) -> None:
    """Create what is missing on every connection that the loads name. Running it again changes nothing.

    Args:
        configs: The loads.
        warehouse: Where they load to.
        done: Called with the connection and the history after each.

    Raises:
        AccessDeniedError: The user may not create schemas or tables; see `statements_for_dba`.
        RsloaderError: Another reason, for example that a connection is missing.
    """
    for conn_id, targets in _by_connection(configs).items():
        with warehouse.connect(conn_id) as session:
            session.execute(sql.CreateHistorySchema())
            for table in targets:
                session.execute(sql.CreateHistory(table))
                done(conn_id, sql.history_table(table))
            names = tuple(str(row[0]) for row in session.execute(sql.FindHistories()))
            session.execute(sql.CreateHistoryView(names))


def statements_for_dba(configs: Iterable[LoadConfig], user: str) -> dict[str, list[sql.Statement]]:
    """Give the same as statements that somebody with more rights can run, with what the loader's user needs.

    Args:
        configs: The loads.
        user: The Redshift user that the loader connects as.

    Returns:
        The statements by connection, in their order.
    """
    return {
        conn_id: [
            *_for_targets(targets, user),
            sql.CreateHistoryView(tuple(sql.history_table(table).table for table in targets)),
        ]
        for conn_id, targets in _by_connection(configs).items()
    }


def grants_for_loads(configs: Iterable[LoadConfig], user: str) -> dict[str, list[sql.Statement]]:
    """Give the part of `statements_for_dba` without which the loads do not run: all but the view for people.

    Args:
        configs: The loads.
        user: The Redshift user that the loader connects as.

    Returns:
        The statements by connection, in their order.
    """
    return {conn_id: _for_targets(targets, user) for conn_id, targets in _by_connection(configs).items()}


def _for_targets(targets: Mapping[sql.TableName, str], user: str) -> list[sql.Statement]:
    return [
        sql.CreateHistorySchema(),
        sql.GrantUsage(None, user),
        *(statement for table, mode in targets.items() for statement in _for_target(table, mode, user)),
    ]


def _for_target(table: sql.TableName, mode: str, user: str) -> list[sql.Statement]:
    return [
        sql.CreateHistory(table),
        sql.GiveHistory(table, user),
        sql.GrantUsage(table.schema, user),
        sql.GrantLoading(table, user, emptying=mode != "append"),
    ]


def _by_connection(configs: Iterable[LoadConfig]) -> dict[str, dict[sql.TableName, str]]:
    found: dict[str, dict[sql.TableName, str]] = {}
    for config in configs:
        for target in config.targets:
            modes = found.setdefault(target.conn_id, {})
            modes[_table(target)] = max(modes.get(_table(target), ""), target.mode)
    return found


def _table(target: Target) -> sql.TableName:
    return sql.TableName(target.schema_name, target.table_name)
