"""`rsloader setup`: creates what the loader needs once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rsloader_provider.cli.failures import told
from rsloader_provider.core import sql
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.loader.load_folder import read_load_folder


def setup(
    loads: Annotated[Path, typer.Option(help="Folder of the load files.")] = Path("loads"),
    print_sql: Annotated[bool, typer.Option(help="Only print the SQL, for somebody with more rights to run.")] = False,
    user: Annotated[str, typer.Option(help="The loader's Redshift user, for the grants of --print-sql.")] = "rsloader",
) -> None:
    """Create the two DynamoDB tables, and in Redshift a load history for each target table.

    Uses the Airflow connections that the load files name. Running it again creates what is missing and changes
    nothing else.
    """
    with told():
        folder = read_load_folder(loads)
        if folder.mistakes:
            raise ConfigurationError("\n".join(["Correct the load files first.", *map(str, folder.mistakes)]))
        if print_sql:
            _print_sql([*folder.loads.values()], user)
        else:
            _create([*folder.loads.values()])


def _create(configs: Sequence[LoadConfig]) -> None:
    # Airflow takes seconds to import, which the other commands should not.
    from rsloader_provider.aws.tables import create_tables  # noqa: PLC0415
    from rsloader_provider.hooks.rsloader import RsloaderHook, table_names  # noqa: PLC0415
    from rsloader_provider.loader.setup import create_histories  # noqa: PLC0415

    console = Console(soft_wrap=True)
    for aws_conn_id in sorted({config.aws_conn_id for config in configs}):
        hook = RsloaderHook(aws_conn_id)
        mine = [config for config in configs if config.aws_conn_id == aws_conn_id]
        create_tables(hook.dynamodb(), table_names(), lambda name: console.print(f"created DynamoDB table {name}"))
        create_histories(
            mine, hook.get_conn().warehouse, lambda conn_id, name: console.print(f"{conn_id}: load history {name}")
        )
    console.print("[green]Everything is set up.[/]")


def _print_sql(configs: Sequence[LoadConfig], user: str) -> None:
    from rsloader_provider.loader.setup import statements_for_dba  # noqa: PLC0415

    for conn_id, statements in statements_for_dba(configs, user).items():
        typer.echo(f"-- Airflow connection {conn_id}")
        for statement in statements:
            typer.echo(sql.render(statement) + ";")
