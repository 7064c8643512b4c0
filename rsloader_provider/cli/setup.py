"""`rsloader setup`: creates what the loader needs once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rsloader_provider.cli.airflow_hook import rsloader_hook, table_names
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import AccessDeniedError, ConfigurationError
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import HISTORY_SCHEMA, HISTORY_VIEW, TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.load_files.folder import read_load_folder

_ABOUT_THE_COLUMNS = """\
-- Histories that an earlier release created lack columns. Loads go on without them. `rsloader setup` adds them, run as
-- the owner of the histories. To add them here, run the line of each history that its query finds: Redshift knows no
-- ADD COLUMN IF NOT EXISTS, and a history that was created above has them."""

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
) -> None:
    """Create the two DynamoDB tables, and in Redshift a load history for each target table.

    Uses the Airflow connections that the load files name. Running it again creates what is missing, adds the columns
    that histories of an earlier release lack, and changes nothing else.
    """
    with errors_to_exit_code():
        folder = read_load_folder(loads)
        if folder.mistakes:
            raise ConfigurationError("\n".join(["Correct the load files first.", *map(str, folder.mistakes)]))
        configs = [*folder.loads.values()]
        if print_sql:
            _print_sql(configs, user, as_json=as_json)
        else:
            _create(configs, as_json=as_json)


def _create(configs: Sequence[LoadConfig], *, as_json: bool) -> None:
    # botocore takes a second to import, which the other commands should not.
    from rsloader_provider.aws.dynamodb.tables import create_tables  # noqa: PLC0415
    from rsloader_provider.loader.setup import create_histories  # noqa: PLC0415

    console = Console(soft_wrap=True, quiet=as_json)
    tables: list[str] = []
    histories: list[dict[str, str]] = []

    def table_created(name: str) -> None:
        tables.append(name)
        console.print(f"created DynamoDB table {name}")

    def history_there(conn_id: str, name: TableName) -> None:
        histories.append({"connection": conn_id, "history": str(name)})
        console.print(f"{conn_id}: load history {name}")

    def view_left(conn_id: str, refused: AccessDeniedError) -> None:
        console.print(
            f"{conn_id}: the view {HISTORY_SCHEMA}.{HISTORY_VIEW}, which is for people, stays as it is: {refused}"
        )

    for aws_conn_id in sorted({config.aws_conn_id for config in configs}):
        hook = rsloader_hook(aws_conn_id)
        mine = [config for config in configs if config.aws_conn_id == aws_conn_id]
        create_tables(hook.dynamodb(), table_names(), table_created)
        create_histories(mine, hook.get_conn().warehouse, history_there, view_left)
    console.print("[green]Everything is set up.[/]")
    if as_json:
        typer.echo(json.dumps({"tables_created": tables, "histories": histories}, indent=2))


def _print_sql(configs: Sequence[LoadConfig], user: str, *, as_json: bool) -> None:
    from rsloader_provider.loader.setup import statements_for_dba  # noqa: PLC0415

    by_connection = statements_for_dba(configs, user)
    if as_json:
        rendered = {conn_id: [*map(render, statements)] for conn_id, statements in by_connection.items()}
        typer.echo(json.dumps(rendered, indent=2))
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
