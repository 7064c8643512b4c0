"""`rsloader batches`, `rsloader batch`, `rsloader files` and `rsloader unlock`: what the ledger knows."""

from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from rsloader_provider.cli.console import Console, escape, escape_lines, print_json, say
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.cli.operate.operating import AwsConnection, Load, as_utc, services_of
from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.loader.look.reports import batch_reports, batch_with_files, file_reports
from rsloader_provider.loader.operate.operations.look_ups import who_holds
from rsloader_provider.loader.operate.operations.operation import unheard
from rsloader_provider.loader.ports.ledger import Ledger

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Limit = Annotated[int, typer.Option(min=1, help="Show at most this many.")]


def batches(
    load: Load,
    status: Annotated[BatchStatus | None, typer.Option(help="Only batches of this status.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only batches opened at this moment (UTC) or later.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only batches opened before this moment (UTC).")] = None,
    limit: Limit = 50,
    aws_conn_id: AwsConnection = "aws_default",
    as_json: AsJson = False,
) -> None:
    """List the batches of a load, newest first."""
    with errors_to_exit_code():
        reports = batch_reports(
            _ledger(aws_conn_id), load, status and str(status), since=as_utc(since), until=as_utc(until)
        )
        found = list(islice(reports, limit))
    if as_json:
        print_json(found)
        return
    table = Table(Column("batch", no_wrap=True), "status", "files", "bytes", "opened", "locked for", "targets")
    for each in found:
        targets = "\n".join(escape(_target_line(name, progress)) for name, progress in each["targets"].items())
        targets = "marked as loaded" if each["is_marked"] else targets
        table.add_row(
            each["batch"], each["status"], f"{each['files']:,}", f"{each['size_bytes']:,}",
            _moment(each["opened_at"]), escape(each["reason"] or ""), targets,
        )  # fmt: skip
    Console().print(table)


def batch(
    load: Load,
    batch_id: Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")],
    aws_conn_id: AwsConnection = "aws_default",
    as_json: AsJson = False,
) -> None:
    """Show one batch with its targets and its files."""
    with errors_to_exit_code():
        found = batch_with_files(_ledger(aws_conn_id), load, batch_id)
    if as_json:
        print_json(found)
        return
    console = Console(soft_wrap=True)
    for name in (
        "load",
        "batch",
        "status",
        "files",
        "taken_out",
        "size_bytes",
        "opened_at",
        "locked_at",
        "reason",
        "run",
        "notification",
    ):
        console.print(f"{name:12}{escape(found[name])}", highlight=False)
    if found["is_marked"]:
        console.print("[bold]Its files are marked as loaded: no run loads them.[/]")
    for name, progress in found["targets"].items():
        console.print(f"[bold]{escape(_target_line(name, progress))}[/]", highlight=False)
        if progress["error"]:
            console.print(escape_lines(progress["error"]), style="red", highlight=False)
    files = Table("file", "bytes")
    for entry in found["entries"]:
        files.add_row(escape(entry["url"]), f"{entry['size_bytes']:,}")
    console.print(files)


def files(
    load: Load,
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="A URL or a key, or its beginning.")] = None,
    limit: Limit = 50,
    aws_conn_id: AwsConnection = "aws_default",
    as_json: AsJson = False,
) -> None:
    """List the files that a load has claimed, and the batch of each."""
    with errors_to_exit_code():
        found = list(islice(file_reports(_ledger(aws_conn_id), load, key), limit))
    if as_json:
        print_json(found)
        return
    table = Table(Column("file", overflow="fold"), Column("batch", no_wrap=True), "bytes", "claimed")
    for each in found:
        claimed = _moment(each["claimed_at"]) + (", marked as loaded" if each["is_marked"] else "")
        claimed += ", left out by a person" if each["left_out_at"] else ""
        table.add_row(escape(each["url"]), each["batch"], f"{each['size_bytes']:,}", claimed)
    Console().print(table)


def unlock(
    load: Load,
    batch_id: Annotated[str | None, typer.Argument(metavar="[BATCH]", help="One batch; otherwise all.")] = None,
    aws_conn_id: AwsConnection = "aws_default",
    as_json: AsJson = False,
) -> None:
    """Show who holds which locked batch. Nothing needs to be unlocked: the next run takes over unfinished batches."""
    with errors_to_exit_code():
        told = who_holds(load, services_of(aws_conn_id), batch_id, unheard)
    found = told.report["items"]
    if as_json:
        print_json(found)
        return
    if found:
        table = Table(Column("batch", no_wrap=True), "target", "state", Column("who", overflow="fold"))
        for each in found:
            table.add_row(each["batch"], escape(each["target"]), each["state"], escape(each["who"]))
        Console().print(table)
    say(told.sentences)


def _ledger(aws_conn_id: str) -> Ledger:
    return services_of(aws_conn_id).ledger


def _target_line(name: str, progress: dict[str, Any]) -> str:
    rows = "" if progress["rows"] is None else f", {progress['rows']:,} rows"
    return f"{name}: {progress['state']}{rows}, generation {progress['generation']}, attempt {progress['attempt']}"


def _moment(text: str | None) -> str:
    return "" if text is None else text[:19].replace("T", " ")
