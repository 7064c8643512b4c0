"""`rsloader backfill`: load what was there before, or mark it as loaded."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.cli.operate.operating import (
    AsJson,
    DryRun,
    Load,
    Loads,
    Yes,
    as_utc,
    ask,
    asker,
    bar,
    load_and_services,
    refuse_questions,
    say,
)
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.loader.operate.backfill import BackfillPlan, Part, mark_existing, plan_backfill
from rsloader_provider.loader.operate.backfill import backfill as claim_everything
from rsloader_provider.loader.services import Services


def backfill(
    load: Load,
    prefix: Annotated[str | None, typer.Option(help="Only below this prefix, s3://bucket/prefix.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only what was written at this moment (UTC) or later.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only what was written before this moment (UTC).")] = None,
    mark_only: Annotated[bool, typer.Option(help="Mark it as loaded instead: no run loads it.")] = False,
    loads: Loads = Path("loads"),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Claim everything that was there before, and lock full batches, which the next runs load.

    With --mark-only it counts as loaded, and no run ever loads it.
    """
    refuse_questions(yes=yes or dry_run, as_json=as_json)
    part = Part(prefix, as_utc(since), as_utc(until))
    done: dict[str, Any] = {}
    with errors_to_exit_code():
        config, services = load_and_services(loads, load)
        plan = plan_backfill(config, services, part)
        what = "would be marked as loaded" if mark_only else "would be loaded by the next runs"
        say(
            [
                f"{plan.objects:,} objects that nothing has claimed, {plan.size_bytes:,} bytes, {what}:",
                *(f"  {url}" for url in plan.examples),
            ],
            quiet=as_json,
        )
        if not dry_run and plan.objects:
            ask("Mark them as loaded, so that no run loads them?" if mark_only else "Claim them?", yes=yes)
            done = _done(config, services, part, plan, mark_only=mark_only, quiet=as_json)
    if as_json:
        planned = {"objects": plan.objects, "size_bytes": plan.size_bytes, "examples": plan.examples}
        typer.echo(json.dumps({"plan": planned, **done}, indent=2))
    elif done:
        say([f"{name.replace('_', ' ')}: {_number(value)}" for name, value in done.items()])


def _done(
    config: LoadConfig, services: Services, part: Part, plan: BackfillPlan, *, mark_only: bool, quiet: bool
) -> dict[str, Any]:
    by = asker("backfill")
    with bar(quiet=quiet) as progress:
        task = progress.add_task("marking" if mark_only else "claiming", total=plan.objects)

        def heard(objects: int) -> None:
            progress.advance(task, objects)

        if mark_only:
            marked = mark_existing(config, services, part, by=by, progress=heard)
            return {"marked": marked.marked, "passed_over": marked.passed_over, "batches": marked.batches}
        found = claim_everything(config, services, part, by=by, progress=heard)
        return {"claimed": found.claimed, "locked_batches": found.batches}


def _number(value: Any) -> str:
    return f"{len(value) if isinstance(value, tuple) else value:,}"
