"""`rsloader rename-load` and `rsloader accept`: loads with the same source, of which one is the other's new name."""

from pathlib import Path
from typing import Annotated

import typer

from rsloader_provider.cli.console import print_json
from rsloader_provider.cli.failures import errors_to_exit_code
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
from rsloader_provider.loader.load_files.folder import declared_loads
from rsloader_provider.loader.operate.operations.rename import accepting, renaming


def rename_load(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The name that the load had.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its name in its load file now.")],
    loads: Loads = Path("loads"),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Hand over what was loaded under a load's old name to its new name.

    Batches, claims and the rows of the load histories change their load. Nothing is loaded. You may stop the command
    and run it again; until it has come to its end, neither load does anything. Pause the DAG first.
    """
    refuse_questions(yes=yes or dry_run, as_json=as_json)
    with errors_to_exit_code():
        operation = renaming(*load_and_services(loads, new), old, declared_loads(loads))
        plan, done = carry_out(operation, "rename-load", dry_run=dry_run, yes=yes, quiet=as_json)
    if as_json:
        print_json({"plan": plan, "done": done})


def accept(
    load: Load,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The load that has loaded there before.")],
    loads: Loads = Path("loads"),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a load go on beside another one that has loaded from the same source into the same table.

    Without this its first batch is refused, because it looks like that load under another name. Their rows are in the
    table from each of them.
    """
    refuse_questions(yes=yes or dry_run, as_json=as_json)
    with errors_to_exit_code():
        operation = accepting(*load_and_services(loads, load), other)
        plan, done = carry_out(operation, "accept", dry_run=dry_run, yes=yes, quiet=as_json)
    if as_json:
        print_json({"plan": plan, "done": done})
