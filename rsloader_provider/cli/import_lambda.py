"""`rsloader import-lambda`: moves over from AWS's Lambda-based Redshift loader."""

from pathlib import Path
from typing import Annotated

import typer

from rsloader_provider.cli.airflow_hook import rsloader_hook, table_names
from rsloader_provider.cli.console import Console, print_json, say
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.cli.progress import shown_progress
from rsloader_provider.core.config.schedules import schedule_text
from rsloader_provider.core.lambda_loader.fates import Choice, FileFate
from rsloader_provider.core.lambda_loader.load_file import ConversionChoices
from rsloader_provider.core.visible import visible
from rsloader_provider.loader.move_in.choices import ImportChoices, ImportPorts
from rsloader_provider.loader.move_in.connections import ConnectionFile, ConnectionSecrets, ConnectionSink
from rsloader_provider.loader.move_in.import_lambda import apply_import, plan_import
from rsloader_provider.loader.move_in.report import UNRECORDED

_ChoiceOption = Choice | None


def import_lambda(
    loads: Annotated[Path, typer.Option(help="Folder that the load files go to.")] = Path("loads"),
    apply: Annotated[bool, typer.Option("--apply", help="Make the changes; without it, only show them.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Move this s3Prefix only; may be repeated.")] = None,
    open_: Annotated[Choice, typer.Option("--open", help="Files of open batches.")] = Choice.LOAD,
    locked: Annotated[_ChoiceOption, typer.Option(help="Files of locked batches.")] = None,
    error: Annotated[_ChoiceOption, typer.Option(help="Files of failed batches.")] = None,
    unknown: Annotated[_ChoiceOption, typer.Option(help="Files whose batch was deleted or cannot be read.")] = None,
    unrecorded: Annotated[_ChoiceOption, typer.Option(help="Objects that the Lambda loader never recorded.")] = None,
    load_batch: Annotated[
        list[str] | None, typer.Option(help="Load the files of this batch, whatever it says; may be repeated.")
    ] = None,
    mark_batch: Annotated[
        list[str] | None, typer.Option(help="Mark the files of this batch as loaded; may be repeated.")
    ] = None,
    schedule: Annotated[str, typer.Option(help="The schedule of every load.")] = "*/5 * * * *",
    iam_role: Annotated[
        str | None, typer.Option(help="The role that Redshift reads with: default, or ARNs. Drops access keys.")
    ] = None,
    kms_key: Annotated[
        str | None, typer.Option(help="Keep access keys, and encrypt their secrets again with this KMS key.")
    ] = None,
    connections: Annotated[
        Path, typer.Option(help="File that the connections go to: JSON, or URIs if it ends with .env.")
    ] = Path("connections.json"),
    to_secrets_manager: Annotated[
        str | None,
        typer.Option(metavar="PREFIX", help="Put the connections into Secrets Manager instead, as PREFIX/<id>."),
    ] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Write loads that only log what they would load.")] = False,
    region: Annotated[
        str | None, typer.Option(help="The Lambda loader's region; without it, the connection's.")
    ] = None,
    table_prefix: Annotated[str, typer.Option(help="What stands before the names of the three tables.")] = "",
    aws_conn_id: Annotated[str, typer.Option(help="The Airflow connection for AWS.")] = "aws_default",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Move over from the Lambda loader: load files, connections, and claims of what it has loaded.

    Without --apply it only shows what it would do. With --apply it also creates the loader's DynamoDB tables if they
    are missing. You may stop it and run it again: what is there already stays as it is.
    Exit code 1 if you have to choose something first.
    """
    # botocore takes a second to import, which the other commands should not.
    from rsloader_provider.aws.dynamodb.lambda_tables import DynamoLambdaTables  # noqa: PLC0415
    from rsloader_provider.aws.dynamodb.tables import create_tables  # noqa: PLC0415

    if both := {*(load_batch or ())} & {*(mark_batch or ())}:
        raise typer.BadParameter(f"--load-batch and --mark-batch both name {visible(', '.join(sorted(both)))}.")
    try:
        schedule_text(schedule)
    except ValueError as mistake:
        raise typer.BadParameter(visible(mistake), param_hint="--schedule") from None
    by_fate = {
        FileFate.OPEN: open_,
        FileFate.LOCKED: locked,
        FileFate.ERROR: error,
        FileFate.UNKNOWN: unknown,
        UNRECORDED: unrecorded,
    }
    with errors_to_exit_code():
        hook = rsloader_hook(aws_conn_id)
        dynamodb = hook.dynamodb()
        sink: ConnectionSink = ConnectionFile(connections)
        if to_secrets_manager is not None:
            sink = ConnectionSecrets(hook.get_secrets(), to_secrets_manager.rstrip("/"))
        ports = ImportPorts(DynamoLambdaTables(dynamodb, table_prefix), hook.get_conn(), hook.get_keys(), sink, loads)
        choices = ImportChoices(
            region=region or dynamodb.meta.region_name,
            conversion=ConversionChoices(schedule, iam_role, shadow),
            kms_key=kms_key,
            by_fate={fate: choice for fate, choice in by_fate.items() if choice is not None},
            decided={
                **dict.fromkeys(load_batch or (), Choice.LOAD),
                **dict.fromkeys(mark_batch or (), Choice.MARK),
            },
            only=frozenset(only) if only else None,
        )
        with shown_progress() as stage:
            report = plan_import(ports, choices, stage)
            if apply and not report.undecided:
                create_tables(dynamodb, table_names(), created=lambda _: None)
                apply_import(report, ports, choices, stage)
    if as_json:
        print_json(report.as_json())
    else:
        console = Console(soft_wrap=True)
        say(report.lines())
        if report.undecided:
            console.print("[yellow]Nothing was written: choose first.[/]")
        elif not apply:
            console.print("[yellow]Nothing was written. Add --apply to write it.[/]")
    if report.undecided:
        raise typer.Exit(1)
