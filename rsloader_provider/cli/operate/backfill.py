"""`rsloader backfill`: load what was there before, or mark it as loaded."""

from datetime import datetime
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
    as_utc,
    carry_out,
    load_and_services,
    refuse_questions,
)
from rsloader_provider.loader.operate.backfill import Part
from rsloader_provider.loader.operate.operations.backfill import backfilling, marking


def backfill(
    load: Load,
    prefix: Annotated[str | None, typer.Option(help="Only below this prefix, s3://bucket/prefix.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only what was written at this moment (UTC) or later.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only what was written before this moment (UTC).")] = None,
    mark_only: Annotated[bool, typer.Option(help="Mark them as loaded instead: no run loads them.")] = False,
    loads: Loads = Path("loads"),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Claim all objects that are there already, and lock full batches. The next runs load these batches.

    With --mark-only the objects count as loaded, and no run ever loads them.
    """
    refuse_questions(yes=yes or dry_run, as_json=as_json)
    part = Part(prefix, as_utc(since), as_utc(until))
    with errors_to_exit_code():
        config, services = load_and_services(loads, load)
        operation = (marking if mark_only else backfilling)(config, services, part)
        plan, done = carry_out(operation, "backfill", dry_run=dry_run, yes=yes, quiet=as_json)
    if as_json:
        print_json({"plan": plan, **done})
