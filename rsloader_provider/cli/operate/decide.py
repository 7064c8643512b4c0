"""`rsloader mark-loaded` and `rsloader mark-not-loaded`: a person says what nothing else can tell."""

from typing import Annotated

import typer

from rsloader_provider.cli.console import say
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.cli.operate.operating import AwsConnection, Load, asker, services_of
from rsloader_provider.loader.operate.operations.decide import deciding
from rsloader_provider.loader.operate.operations.operation import unheard

BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")]
TargetName = Annotated[str, typer.Argument(metavar="TARGET", help="The target: connection/schema.table.")]


def mark_loaded(load: Load, batch_id: BatchId, target: TargetName, aws_conn_id: AwsConnection = "aws_default") -> None:
    """Record that the rows of an undecided batch are in the table.

    The batch counts as loaded from now on. Nothing is loaded, and no notification is sent.
    """
    _decide(load, batch_id, target, aws_conn_id, loaded=True)


def mark_not_loaded(
    load: Load, batch_id: BatchId, target: TargetName, aws_conn_id: AwsConnection = "aws_default"
) -> None:
    """Record that the rows of an undecided batch are not in the table: the next run loads them."""
    _decide(load, batch_id, target, aws_conn_id, loaded=False)


def _decide(load: str, batch_id: str, target: str, aws_conn_id: str, *, loaded: bool) -> None:
    with errors_to_exit_code():
        operation = deciding(services_of(aws_conn_id).ledger, load, batch_id, target, loaded=loaded)
        done = operation.carry_out(asker("mark-loaded" if loaded else "mark-not-loaded"), unheard)
    say(done.sentences)
