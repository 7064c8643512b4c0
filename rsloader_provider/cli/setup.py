"""`rsloader setup`: creates what the loader needs once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from rsloader_provider.cli.airflow_hook import rsloader_hook, table_names
from rsloader_provider.cli.console import Console, escape, escape_lines, print_json
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import AccessDeniedError, ConfigurationError, RsloaderError
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import HISTORY_SCHEMA, HISTORY_VIEW, TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.load_files.folder import LoadFolder, read_load_folder
from rsloader_provider.loader.services import Services
from rsloader_provider.loader.variables import refuse_other_values

_ABOUT_THE_COLUMNS = """\
-- Histories that an earlier release created lack columns. Loads go on without them. `rsloader setup` adds them, run as
-- the owner of the histories. To add them here, run the line of each history that its query finds: Redshift knows no
-- ADD COLUMN IF NOT EXISTS, and a history that was created above has them."""

_ABOUT_PROTECTION = (
    " `rsloader permissions` prints what this needs. To go without, give --no-point-in-time-recovery or "
    "--no-deletion-protection."
)

# Only a connection shows which histories there are, and --print-sql opens none.
_ABOUT_THE_VIEW = f"""\
-- The view is for people; no load reads it. This statement covers ONLY the histories above. If other folders of load
-- files use this connection, leave this statement out and run `rsloader setup` as a user who may replace the view.
-- Or add a SELECT for each history that this query finds:
-- {render(sql.FindHistories())};"""


def setup(
    loads: Annotated[Path, typer.Option(help="Folder of the load files.")] = Path("loads"),
    print_sql: Annotated[bool, typer.Option(help="Only print the SQL, for an administrator to run.")] = False,
    user: Annotated[str, typer.Option(help="The loader's Redshift user, for the grants of --print-sql.")] = "rsloader",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    load: Annotated[list[str] | None, typer.Option(help="Set up this load only; may be repeated.")] = None,
    no_point_in_time_recovery: Annotated[
        bool,
        typer.Option("--no-point-in-time-recovery", help="Leave it as it is; AWS charges for it by the tables' size."),
    ] = False,
    no_deletion_protection: Annotated[
        bool, typer.Option("--no-deletion-protection", help="Leave deletion protection of the tables as it is.")
    ] = False,
) -> None:
    """Create the two DynamoDB tables, and in Redshift a load history for each target table.

    Uses the Airflow connections that the load files name. Running it again creates what is missing, adds the columns
    that histories of an earlier release lack, switches on what keeps the tables from being lost, and changes nothing
    else. A load file with mistakes, or a connection that
    cannot be used, holds up no other. Exit code 1 if there is one.
    """
    with errors_to_exit_code():
        configs, left_out = _chosen(read_load_folder(loads), loads, load)
        if print_sql:
            _print_sql(configs, user, as_json=as_json)
        else:
            wanted = {
                "point_in_time_recovery": not no_point_in_time_recovery,
                "deletion_protection": not no_deletion_protection,
            }
            left_out += _create(configs, wanted, as_json=as_json, is_all=not left_out)
    for each in left_out:
        Console(stderr=True, soft_wrap=True).print(f"[red]Not set up[/]: {escape_lines(each)}", highlight=False)
    if left_out:
        raise typer.Exit(1)


def _chosen(folder: LoadFolder, path: Path, names: Sequence[str] | None) -> tuple[list[LoadConfig], list[str]]:
    """Give the loads that can be set up, and say of the others why not."""
    if names and (unknown := sorted({*names} - folder.loads.keys() - folder.broken.keys())):
        known = ", ".join(sorted([*folder.loads, *folder.broken])) or "none"
        raise ConfigurationError(f"There is no load {', '.join(unknown)} in {path}. The loads there: {known}.")
    broken = [each for name, each in folder.broken.items() if not names or name in names]
    mistakes = sorted({mistake for each in broken for mistake in each.mistakes})
    return [each for name, each in folder.loads.items() if not names or name in names], [*map(str, mistakes)]


def _create(configs: Sequence[LoadConfig], protection: Mapping[str, bool], *, as_json: bool, is_all: bool) -> list[str]:
    """Create what is missing, one connection after the other.

    Returns:
        What could not be created, and why.
    """
    # botocore takes a second to import, which the other commands should not.
    from rsloader_provider.aws.dynamodb.protection import protect_tables  # noqa: PLC0415
    from rsloader_provider.aws.dynamodb.tables import create_tables  # noqa: PLC0415
    from rsloader_provider.loader.setup import create_histories  # noqa: PLC0415

    console = Console(soft_wrap=True, quiet=as_json)
    tables: list[str] = []
    protected: list[dict[str, str]] = []
    histories: list[dict[str, str]] = []
    failed: list[str] = []

    def table_created(name: str) -> None:
        tables.append(name)
        console.print(f"created DynamoDB table {name}")

    def switched_on(name: str, what: str) -> None:
        protected.append({"table": name, "protection": what})
        console.print(f"DynamoDB table {name}: {what} switched on")

    def history_there(conn_id: str, name: TableName) -> None:
        histories.append({"connection": conn_id, "history": str(name)})
        console.print(escape(f"{conn_id}: load history {name}"))

    def view_left(conn_id: str, refused: AccessDeniedError) -> None:
        console.print(
            escape_lines(
                f"{conn_id}: the view {HISTORY_SCHEMA}.{HISTORY_VIEW}, which is for people, stays as it is: {refused}"
            )
        )

    for aws_conn_id in sorted({config.aws_conn_id for config in configs}):
        hook = rsloader_hook(aws_conn_id)
        mine = [config for config in configs if config.aws_conn_id == aws_conn_id]
        try:
            create_tables(hook.dynamodb(), table_names(), table_created)
        except RsloaderError as error:
            failed.append(f"AWS connection {aws_conn_id}: {type(error).__name__}: {error}")
            continue
        try:
            protect_tables(hook.dynamodb(), table_names(), switched_on, **protection)
        except RsloaderError as error:
            failed.append(f"AWS connection {aws_conn_id}: {type(error).__name__}: {error}{_ABOUT_PROTECTION}")
        mine, others = _as_they_run(mine, hook.get_conn())
        failed += others
        for conn_id in sorted({target.conn_id for config in mine for target in config.targets}):
            try:
                create_histories(_into(mine, conn_id), hook.get_conn().warehouse, history_there, view_left)
            except RsloaderError as error:
                failed.append(f"connection {conn_id}: {type(error).__name__}: {error}{_hint(error)}")
    if is_all and not failed:
        console.print("[green]Everything is set up.[/]")
    if as_json:
        print_json({"tables_created": tables, "protected": protected, "histories": histories})
    return failed


def _as_they_run(configs: Sequence[LoadConfig], services: Services) -> tuple[list[LoadConfig], list[str]]:
    """Give the loads whose variables stand here for what they stood for in the last run, and say why not the others."""
    mine: list[LoadConfig] = []
    others: list[str] = []
    for config in configs:
        try:
            refuse_other_values(config, services)
        except RsloaderError as error:
            others.append(str(error))
        else:
            mine.append(config)
    return mine, others


def _into(configs: Sequence[LoadConfig], conn_id: str) -> list[LoadConfig]:
    """Give the loads with those of their targets only that a connection leads to."""
    return [
        config.model_copy(update={"targets": targets})
        for config in configs
        if (targets := tuple(each for each in config.targets if each.conn_id == conn_id))
    ]


def _hint(error: RsloaderError) -> str:
    if not isinstance(error, AccessDeniedError):
        return ""
    return (
        " Or have somebody with more rights run what `rsloader setup --print-sql --user USER` prints, with the user of "
        "this connection as USER; then run `rsloader setup` again."
    )


def _print_sql(configs: Sequence[LoadConfig], user: str, *, as_json: bool) -> None:
    from rsloader_provider.loader.setup import statements_for_dba  # noqa: PLC0415

    by_connection = statements_for_dba(configs, user)
    if as_json:
        rendered = {conn_id: [*map(render, statements)] for conn_id, statements in by_connection.items()}
        print_json(rendered)
        return
    for conn_id, statements in by_connection.items():
        typer.echo(f"-- Airflow connection {conn_id}")
        for statement in statements:
            if isinstance(statement, sql.CreateHistoryView):
                _print_columns([each.target for each in statements if isinstance(each, sql.CreateHistory)])
                typer.echo(_ABOUT_THE_VIEW)
            typer.echo(render(statement) + ";")


def _print_columns(histories: Sequence[TableName]) -> None:
    typer.echo(_ABOUT_THE_COLUMNS)
    for column in sql.ADDED_COLUMNS:
        typer.echo(f"-- {render(sql.FindHistoriesWithout(column))};")
        for target in histories:
            typer.echo(f"-- {render(sql.AddHistoryColumn(target, column))};")
