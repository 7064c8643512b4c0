"""`rsloader mark-loaded` and `rsloader mark-not-loaded`: a person says what nothing else can tell."""

from typing import Annotated

import typer

from rsloader_provider.cli.airflow_hook import rsloader_hook
from rsloader_provider.cli.failures import errors_to_exit_code

Load = Annotated[str, typer.Argument(metavar="LOAD", help="Name of the load.")]
BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")]
TargetName = Annotated[str, typer.Argument(metavar="TARGET", help="The target: connection/schema.table.")]
AwsConnection = Annotated[str, typer.Option(help="The Airflow connection for DynamoDB.")]


def mark_loaded(load: Load, batch_id: BatchId, target: TargetName, aws_conn_id: AwsConnection = "aws_default") -> None:
    """Say of a batch that waits as undecided that its rows are in the table.

    It counts as loaded from now on. Nothing is loaded and nobody is notified.
    """
    _decide(load, batch_id, target, aws_conn_id, loaded=True)


def mark_not_loaded(
    load: Load, batch_id: BatchId, target: TargetName, aws_conn_id: AwsConnection = "aws_default"
) -> None:
    """Say of a batch that waits as undecided that its rows are not in the table: the next run loads them."""
    _decide(load, batch_id, target, aws_conn_id, loaded=False)


def _decide(load: str, batch_id: str, target: str, aws_conn_id: str, *, loaded: bool) -> None:
    # Airflow takes seconds to import, which the other commands should not.
    from rsloader_provider.loader.run.commit_outcome import decide_by_person  # noqa: PLC0415

    with errors_to_exit_code():
        ledger = rsloader_hook(aws_conn_id).get_conn().ledger
        batch = decide_by_person(ledger, load, batch_id, target, loaded=loaded)
    typer.echo(f"{batch} is {batch.progress(target).state} in {target}; the batch is {batch.status}.")
