"""`rsloader reprocess`, `close-now`, `unlock`, `delete-batches` and `restore`: what a person does with batches."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

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
    load_and_services,
    refuse_questions,
    say,
    services_of,
)
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.loader.look.reports import batch_report
from rsloader_provider.loader.operate.batches import close_now as lock_open_batch
from rsloader_provider.loader.operate.batches import holdings, plan_reprocess, reprocess_batch
from rsloader_provider.loader.operate.deletions import delete_batches as delete_old_batches
from rsloader_provider.loader.operate.deletions import plan_deletion, read_deleted, restore_batches

BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")]


def reprocess(
    load: Load,
    batch_id: BatchId,
    target: Annotated[list[str] | None, typer.Option(help="Only this target; may be repeated.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Leave this object out; may be repeated.")] = None,
    loads: Loads = Path("loads"),
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Have a batch loaded again by the next run: the whole batch, or without some objects.

    A loaded target is loaded once more, which with `mode: append` ADDS ITS ROWS A SECOND TIME. A failed one gets one
    more attempt.
    """
    refuse_questions(yes=yes or dry_run, as_json=as_json)
    targets, left_out = target or (), without or ()
    with errors_to_exit_code():
        config, services = load_and_services(loads, load)
        plan = plan_reprocess(config, services, batch_id, targets=targets, without=left_out)
        say([f"{plan.batch}: {plan.batch.files:,} objects, {plan.batch.status}.", *plan.sentences], quiet=as_json)
        batch = plan.batch
        if not dry_run:
            ask("Have it loaded by the next run?", yes=yes)
            batch = reprocess_batch(
                config, services, batch_id, targets=targets, without=left_out, by=asker("reprocess")
            )
    if as_json:
        typer.echo(json.dumps({"batch": batch_report(batch), "plan": plan.sentences}, indent=2))
    elif not dry_run:
        say([f"{batch} is {batch.status}; the next run of {config.dag_id} loads it."])


def close_now(load: Load, loads: Loads = Path("loads"), yes: Yes = False, as_json: AsJson = False) -> None:
    """Lock the open batch, so that the next run loads it without waiting for its limits."""
    refuse_questions(yes=yes, as_json=as_json)
    with errors_to_exit_code():
        config, services = load_and_services(loads, load)
        ask(f"Lock what waits in the open batch of load {load}?", yes=yes)
        batch = lock_open_batch(config, services, by=asker("close-now"))
    if as_json:
        typer.echo(json.dumps({"batch": batch and batch_report(batch)}, indent=2))
    elif batch is None:
        say([f"Nothing waits in the open batch of load {load}."])
    else:
        say([f"{batch} is {batch.status} with {batch.files:,} objects; the next run of {config.dag_id} loads it."])


def unlock(
    load: Load,
    batch_id: Annotated[str | None, typer.Argument(metavar="[BATCH]", help="One batch; otherwise all.")] = None,
    aws_conn_id: AwsConnection = "aws_default",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Show who holds which locked batch. Nothing has to be unlocked: the next run takes over what nobody is at."""
    with errors_to_exit_code():
        found = [*holdings(load, services_of(aws_conn_id), batch_id)]
    if as_json:
        told_each = [
            {
                "batch": each.batch.batch,
                "target": each.target,
                "state": str(each.progress.state),
                "run": each.batch.run,
                "attempt": each.progress.attempt,
                "session": each.progress.session,
                "who": each.sentence,
            }
            for each in found
        ]
        typer.echo(json.dumps(told_each, indent=2))
        return
    if not found:
        say([f"Nobody holds anything of load {load}: no locked batch waits."])
        return
    table = Table(Column("batch", no_wrap=True), "target", "state", Column("who", overflow="fold"))
    for each in found:
        table.add_row(each.batch.batch, escape(each.target), str(each.progress.state), escape(each.sentence))
    Console().print(table)
    say(["Nothing has to be unlocked: the next run takes over what a run left that is over."])


def delete_batches(
    load: Load,
    before: Annotated[datetime, typer.Option(help="Batches that were locked before this moment (UTC).")],
    dry_run: DryRun = False,
    aws_conn_id: AwsConnection = "aws_default",
    yes: Yes = False,
) -> None:
    """Delete old complete batches, and print each as a line of JSON for `rsloader restore`.

    The claims of their objects stay, so that nothing is ever loaded again for it. Keep what is printed:
    `rsloader delete-batches … > deleted.jsonl`.
    """
    with errors_to_exit_code():
        services = services_of(aws_conn_id)
        moment = as_utc(before) or before
        batches = objects = 0
        for batch in plan_deletion(load, services, moment):
            batches, objects = batches + 1, objects + batch.files
            if dry_run:
                typer.echo(json.dumps(batch_report(batch)))
        typer.echo(
            f"{batches:,} complete batches of load {load}, with {objects:,} objects, were locked before "
            f"{moment:%Y-%m-%d %H:%M} UTC. The claims of the objects stay.",
            err=True,
        )
        if dry_run:
            return
        ask("Delete them?", yes=yes or not batches)
        by = asker("delete-batches")
        deleted = sum(1 for _ in delete_old_batches(load, services, moment, by=by, keep=typer.echo))
    typer.echo(f"{deleted:,} batches deleted.", err=True)


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
        ask(f"Put {len(batches):,} batches back?", yes=yes)
        done = [*restore_batches(services_of(aws_conn_id), batches, by=asker("restore"))]
    if as_json:
        found = [
            {"load": each.load, "batch": each.batch, "outcome": str(each.outcome), "files": each.files} for each in done
        ]
        typer.echo(json.dumps(found, indent=2))
    else:
        say(f"batch {each.batch} of load {each.load}: {each.outcome}, {each.files:,} objects" for each in done)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The file {str(file)!r} cannot be read: {error}. Nothing was put back.") from error
