"""`rsloader rebuild-ledger` and `rsloader reconcile`: what DynamoDB, or Redshift, has lost."""

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
from rsloader_provider.loader.operate.operations.rebuild import rebuilding
from rsloader_provider.loader.operate.operations.reconcile import reconciling


def rebuild_ledger(
    load: Load, loads: Loads = Path("loads"), dry_run: DryRun = False, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Put batches and claims back that DynamoDB has lost, from the load histories and the manifests in S3.

    Objects that were claimed again meanwhile leave the batches that have them. Nothing is loaded, no row is touched.
    You may stop the command and run it again. Pause the DAG first.
    """
    refuse_questions(yes=yes or dry_run, as_json=as_json)
    with errors_to_exit_code():
        operation = rebuilding(*load_and_services(loads, load))
        plan, done = carry_out(operation, "rebuild-ledger", dry_run=dry_run, yes=yes, quiet=as_json)
    if as_json:
        print_json({"plan": plan, "done": done})


def reconcile(
    load: Load,
    since: Annotated[datetime, typer.Option(help="Only batches that were locked at this moment (UTC) or later.")],
    loads: Loads = Path("loads"),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make the next runs load batches again that Redshift has lost, because it was restored to an earlier moment.

    They count as loaded in DynamoDB, and no load history has them. Name a moment that is early enough: batches that
    a history has are left alone.
    """
    refuse_questions(yes=yes or dry_run, as_json=as_json)
    with errors_to_exit_code():
        operation = reconciling(*load_and_services(loads, load), as_utc(since) or since)
        plan, done = carry_out(operation, "reconcile", dry_run=dry_run, yes=yes, quiet=as_json)
    if as_json:
        print_json({"plan": plan, "done": done})
