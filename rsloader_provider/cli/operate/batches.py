"""`rsloader reprocess`, `close-now`, `delete-batches` and `restore`: what a person does with batches."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from rsloader_provider.cli.console import print_json, say
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.cli.operate.operating import (
    AsJson,
    AwsConnection,
    DryRun,
    Load,
    Loads,
    Yes,
    as_utc,
    ask,
    asker,
    carry_out,
    load_and_services,
    refuse_questions,
    services_of,
)
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.loader.operate.deletions import read_deleted
from rsloader_provider.loader.operate.operations.batches import closing_now, reprocessing
from rsloader_provider.loader.operate.operations.deletions import deleting, restoring
from rsloader_provider.loader.operate.operations.operation import Told, unheard

BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")]


def reprocess(
    load: Load,
    batch_id: BatchId,
    target: Annotated[list[str] | None, typer.Option(help="Only this target; may be repeated.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Leave this object out; may be repeated.")] = None,
    out_of_order: Annotated[
        bool,
        typer.Option("--out-of-order", help="Although newer batches are in the table; only for targets that merge."),
    ] = False,
    loads: Loads = Path("loads"),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make the next run load a batch again: the whole batch, or without some objects.

    A loaded target is loaded once more: with `mode: append` this ADDS ITS ROWS A SECOND TIME. A failed target gets one
    more attempt. With --out-of-order its rows replace those with the same key that newer batches have brought.
    """
    refuse_questions(yes=yes or dry_run, as_json=as_json)
    with errors_to_exit_code():
        config, services = load_and_services(loads, load)
        operation = reprocessing(config, services, batch_id, target or (), without or (), out_of_order=out_of_order)
        plan, done = carry_out(operation, "reprocess", dry_run=dry_run, yes=yes, quiet=as_json)
    if as_json:
        print_json({**plan, **done})


def close_now(load: Load, loads: Loads = Path("loads"), yes: Yes = False, as_json: AsJson = False) -> None:
    """Lock the open batch, so that the next run loads it without waiting for its limits."""
    refuse_questions(yes=yes, as_json=as_json)
    with errors_to_exit_code():
        plan, done = carry_out(closing_now(*load_and_services(loads, load)), "close-now", yes=yes, quiet=as_json)
    if as_json:
        print_json({**plan, **done})


def delete_batches(
    load: Load,
    before: Annotated[datetime, typer.Option(help="Batches that were locked before this moment (UTC).")],
    dry_run: DryRun = False,
    aws_conn_id: AwsConnection = "aws_default",
    yes: Yes = False,
) -> None:
    """Delete old complete batches, and print each as a line of JSON for `rsloader restore`.

    The claims of their objects stay, so no object is loaded again. Keep what is printed:
    `rsloader delete-batches … > deleted.jsonl`.
    """
    with errors_to_exit_code():
        moment = as_utc(before) or before
        operation = deleting(load, services_of(aws_conn_id), moment)
        plan = operation.plan(_print if dry_run else unheard)
        _say_aside(plan)
        if dry_run:
            return
        if plan.question is not None:
            ask(plan.question, yes=yes)
        _say_aside(operation.carry_out(asker("delete-batches"), _print))


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `rsloader delete-batches` printed.")],
    aws_conn_id: AwsConnection = "aws_default",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put deleted batches back, without the objects that were forgotten or reprocessed since."""
    refuse_questions(yes=yes, as_json=as_json)
    with errors_to_exit_code():
        batches = read_deleted(_lines(file))
        operation = restoring(services_of(aws_conn_id), batches)
        _, done = carry_out(operation, "restore", yes=yes, quiet=as_json)
    if as_json:
        print_json(done.get("items", []))


def _print(_objects: int, lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)


def _say_aside(told: Told) -> None:
    """Print to standard error: standard output has only the lines that `rsloader restore` reads."""
    say(told.sentences, aside=True)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The file {str(file)!r} cannot be read: {error}. Nothing was put back.") from error
