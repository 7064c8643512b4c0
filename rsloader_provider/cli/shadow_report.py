"""`rsloader shadow-report`: a shadow and the Lambda loader side by side."""

from pathlib import Path
from typing import Annotated

import typer

from rsloader_provider.cli.airflow_hook import rsloader_hook
from rsloader_provider.cli.console import Console, escape, print_json
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.cli.progress import shown_progress
from rsloader_provider.loader.load_files.folder import read_good_load
from rsloader_provider.loader.move_in.shadow_report import compare_shadow
from rsloader_provider.loader.variables import refuse_other_values


def shadow_report(
    load: Annotated[str, typer.Argument(metavar="LOAD", help="Name of the load, as import-lambda wrote it.")],
    loads: Annotated[Path, typer.Option(help="Folder of the load files.")] = Path("loads"),
    table_prefix: Annotated[str, typer.Option(help="What stands before the names of the Lambda loader's tables.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Compare what a load in shadow would have loaded with what the Lambda loader has loaded since."""
    # Airflow takes seconds to import, which the other commands should not.
    from rsloader_provider.aws.dynamodb.lambda_tables import DynamoLambdaTables  # noqa: PLC0415

    with errors_to_exit_code():
        config = read_good_load(loads, load)
        hook = rsloader_hook(config.aws_conn_id)
        refuse_other_values(config, hook.get_conn())
        tables = DynamoLambdaTables(hook.dynamodb(), table_prefix)
        with shown_progress() as stage:
            report = compare_shadow(config, hook.get_conn(), tables, stage)
    if as_json:
        print_json(report.as_json())
        return
    console = Console(soft_wrap=True)
    console.print(f"{report.same:,} objects were taken by both.", highlight=False)
    for words, names in (("the shadow", report.only_ours), ("the Lambda loader", report.only_theirs)):
        console.print(f"{len(names):,} only by {words}{':' if names else '.'}", highlight=False)
        for name in names:
            console.print(escape(f"  s3://{name}"), highlight=False)
