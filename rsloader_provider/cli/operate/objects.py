"""`rsloader forget` and `rsloader reprocess-objects`: what a person does with single objects, or all below a prefix."""

import json
from collections import Counter
from collections.abc import Iterable
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
    ask,
    asker,
    bar,
    load_and_services,
    refuse_questions,
    say,
)
from rsloader_provider.loader.operate.forget_objects import forget_objects, plan_forget
from rsloader_provider.loader.operate.move_objects import plan_reprocess_objects
from rsloader_provider.loader.operate.move_objects import reprocess_objects as move_objects
from rsloader_provider.loader.operate.object_fates import Taken
from rsloader_provider.loader.operate.plan_objects import ObjectsPlan

Urls = Annotated[list[str] | None, typer.Argument(metavar="URL", help="The objects, s3://bucket/key.")]
PrefixUrl = Annotated[str | None, typer.Option(help="All below this prefix instead, s3://bucket/prefix.")]


def forget(
    load: Load,
    urls: Urls = None,
    prefix: PrefixUrl = None,
    loads: Loads = Path("loads"),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget objects: what is still in S3 is new to the next run, which loads it, so that its rows are ADDED AGAIN."""
    refuse_questions(yes=yes or dry_run, as_json=as_json)
    with errors_to_exit_code():
        config, services = load_and_services(loads, load)
        plan = plan_forget(config, services, urls=urls or (), prefix=prefix)
        say(
            [
                *_planned(plan),
                "What is forgotten and still in S3 is new to the next run. It is loaded, and where it was loaded "
                "before its rows are ADDED AGAIN (mode: append).",
            ],
            quiet=as_json,
        )
        done: Counter[str] = Counter()
        if not dry_run:
            ask(f"Forget {plan.objects:,} objects?", yes=yes)
            steps = forget_objects(config, services, by=asker("forget"), urls=urls or (), prefix=prefix)
            done = _watched("forgetting", plan, steps, quiet=as_json)
    _tell(plan, done, dry_run=dry_run, as_json=as_json)


def reprocess_objects(
    load: Load,
    urls: Urls = None,
    prefix: PrefixUrl = None,
    loads: Loads = Path("loads"),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Have objects loaded again as they are now, in batches of their own, so that their rows are ADDED AGAIN."""
    refuse_questions(yes=yes or dry_run, as_json=as_json)
    with errors_to_exit_code():
        config, services = load_and_services(loads, load)
        plan = plan_reprocess_objects(config, services, urls=urls or (), prefix=prefix)
        say(
            [
                *_planned(plan),
                f"The next run of {config.dag_id} loads them into all targets. Where they were loaded before, their "
                "rows are ADDED AGAIN (mode: append).",
            ],
            quiet=as_json,
        )
        done: Counter[str] = Counter()
        if not dry_run:
            ask(f"Have {plan.objects:,} objects loaded again?", yes=yes)
            steps = move_objects(config, services, by=asker("reprocess-objects"), urls=urls or (), prefix=prefix)
            done = _watched("reprocessing", plan, steps, quiet=as_json)
    _tell(plan, done, dry_run=dry_run, as_json=as_json)


def _planned(plan: ObjectsPlan) -> Iterable[str]:
    for fate, objects in sorted(plan.fates.items()):
        yield f"{fate}: {objects:,} objects"
    if plan.unclaimed:
        yield f"not claimed yet, and left to the next run: {plan.unclaimed:,} objects"
    for url in plan.examples:
        yield f"  {url}"
    if plan.objects > len(plan.examples):
        yield f"  … {plan.objects:,} objects of {plan.batches:,} batches, {plan.size_bytes:,} bytes in all"
    if plan.about_emptied is not None:
        yield plan.about_emptied


def _watched(what: str, plan: ObjectsPlan, steps: Iterable[Taken], *, quiet: bool) -> Counter[str]:
    done: Counter[str] = Counter()
    with bar(quiet=quiet) as progress:
        task = progress.add_task(what, total=sum(plan.fates.values()))
        for step in steps:
            done[str(step.fate)] += len(step.names)
            progress.advance(task, len(step.names))
    return done


def _tell(plan: ObjectsPlan, done: Counter[str], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        planned: dict[str, Any] = {str(fate): objects for fate, objects in plan.fates.items()}
        found = {
            "plan": planned,
            "examples": plan.examples,
            "emptied": plan.emptied,
            "unclaimed": plan.unclaimed,
            "done": done,
        }
        typer.echo(json.dumps(found, indent=2))
    elif not dry_run:
        say(f"{fate}: {objects:,} objects" for fate, objects in sorted(done.items()))
