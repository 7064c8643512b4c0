"""`rsloader forget` and `rsloader reprocess-objects`: what a person does with single objects, or all below a prefix."""

from collections.abc import Callable
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
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.loader.operate.objects_named import ObjectsNamed
from rsloader_provider.loader.operate.operations.objects import forgetting, reprocessing_objects
from rsloader_provider.loader.operate.operations.operation import Operation
from rsloader_provider.loader.services import Services

Urls = Annotated[list[str] | None, typer.Argument(metavar="URL", help="The objects, s3://bucket/key.")]
PrefixUrl = Annotated[str | None, typer.Option(help="All objects below this prefix instead, s3://bucket/prefix.")]

_Make = Callable[[LoadConfig, Services, ObjectsNamed], Operation]


def forget(
    load: Load,
    urls: Urls = None,
    prefix: PrefixUrl = None,
    loads: Loads = Path("loads"),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget objects. The next run loads those that are still in S3 as new ones, so their rows are ADDED AGAIN."""
    named = ObjectsNamed(tuple(urls or ()), prefix)
    _operate(forgetting, "forget", load, named, loads, dry_run=dry_run, yes=yes, as_json=as_json)


def reprocess_objects(
    load: Load,
    urls: Urls = None,
    prefix: PrefixUrl = None,
    loads: Loads = Path("loads"),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make the next run load objects again as they are now, in batches of their own. Their rows are ADDED AGAIN."""
    named = ObjectsNamed(tuple(urls or ()), prefix)
    _operate(reprocessing_objects, "reprocess-objects", load, named, loads, dry_run=dry_run, yes=yes, as_json=as_json)


def _operate(
    make: _Make, command: str, load: str, named: ObjectsNamed, loads: Path, *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    refuse_questions(yes=yes or dry_run, as_json=as_json)
    with errors_to_exit_code():
        operation = make(*load_and_services(loads, load), named)
        plan, done = carry_out(operation, command, dry_run=dry_run, yes=yes, quiet=as_json)
    if as_json:
        objects = plan.pop("objects")
        print_json({"plan": objects, **plan, "done": done.get("objects", {})})
