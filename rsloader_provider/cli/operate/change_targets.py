"""`rsloader retarget` and `rsloader give-up`: what a person decides about one target of a batch."""

from pathlib import Path
from typing import Annotated

import typer

from rsloader_provider.cli.console import print_json
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.cli.operate.decide import BatchId, TargetName
from rsloader_provider.cli.operate.operating import (
    AsJson,
    DryRun,
    Load,
    Loads,
    Yes,
    carry_out,
    load_and_services,
    refuse_questions,
)
from rsloader_provider.loader.operate.operations.change_targets import giving_up, retargeting

OldTarget = Annotated[
    str, typer.Argument(metavar="OLD", help="The target that the load no longer has: connection/schema.table.")
]
NewTarget = Annotated[str, typer.Argument(metavar="NEW", help="The load's target that takes its place.")]


def retarget(
    load: Load,
    batch_id: BatchId,
    old: OldTarget,
    new: NewTarget,
    loads: Loads = Path("loads"),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Load a batch into another target, in the place of one that its load no longer has.

    For a batch that was locked before a table or a connection was renamed in the load file. It is refused if the batch
    is, or may be, in the old target. The batch's other targets stay as they are.
    """
    refuse_questions(yes=yes or dry_run, as_json=as_json)
    with errors_to_exit_code():
        operation = retargeting(*load_and_services(loads, load), batch_id, old, new)
        plan, done = carry_out(operation, "retarget", dry_run=dry_run, yes=yes, quiet=as_json)
    if as_json:
        print_json({**plan, **done})


def give_up(
    load: Load,
    batch_id: BatchId,
    target: TargetName,
    loads: Loads = Path("loads"),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Leave one target out of a batch: no run loads the batch into it any more.

    It is refused if the batch is, or may be, in the target. The batch's other targets stay as they are.
    """
    refuse_questions(yes=yes or dry_run, as_json=as_json)
    with errors_to_exit_code():
        operation = giving_up(*load_and_services(loads, load), batch_id, target)
        plan, done = carry_out(operation, "give-up", dry_run=dry_run, yes=yes, quiet=as_json)
    if as_json:
        print_json({**plan, **done})
