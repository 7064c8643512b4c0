"""`rsloader audit`: S3, DynamoDB and Redshift compared."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from rsloader_provider.cli.airflow_hook import rsloader_hook
from rsloader_provider.cli.console import Console, escape, print_json, say
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.audit.repair import repair_batches
from rsloader_provider.loader.audit.report import AuditReport
from rsloader_provider.loader.load_files.folder import read_good_load
from rsloader_provider.loader.variables import refuse_other_values


def audit(
    load: Annotated[str, typer.Argument(metavar="LOAD", help="Name of the load.")],
    loads: Annotated[Path, typer.Option(help="Folder of the load files.")] = Path("loads"),
    batch: Annotated[list[str] | None, typer.Option(help="Report on this batch only; may be repeated.")] = None,
    repair: Annotated[bool, typer.Option(help="Repair what is safe to repair, after showing it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --repair.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Sort every object of a load by what S3, DynamoDB and Redshift say of it. Exit code 1 if anything is wrong."""
    if repair and as_json and not yes:
        raise typer.BadParameter("with --json no question is asked: give --yes as well.")
    with errors_to_exit_code():
        config = read_good_load(loads, load)
        hook = rsloader_hook(config.aws_conn_id)
        services, inventory = hook.get_conn(), hook.get_inventory()
        refuse_other_values(config, services)
        report = audit_load(config, services, inventory, batch)
        done: list[str] = []
        if repair and report.mendable:
            if not as_json:
                _print(report)
                _show_repairs(report)
            if yes or typer.confirm("Do this?"):
                done = list(repair_batches(config, services, report.mendable))
                report = audit_load(config, services, inventory, batch)
    if as_json:
        print_json({**report.as_json(), "repaired": done})
    else:
        say(done)
        _print(report)
    if report.is_wrong:
        raise typer.Exit(1)


def _print(report: AuditReport) -> None:
    console = Console(soft_wrap=True)
    table = Table("objects are", "number", "wrong")
    for state, tally in report.tallies.items():
        if tally.objects or not state.is_wrong:
            table.add_row(str(state), f"{tally.objects:,}", "yes" if state.is_wrong else "")
    console.print(table)
    for state, tally in report.tallies.items():
        if not tally.objects or not state.is_wrong:
            continue
        console.print(f"[bold red]{tally.objects:,} {state}[/]", highlight=False)
        for name, batch_id in tally.examples:
            where = f" (batch {batch_id})" if batch_id else ""
            console.print(escape(f"  s3://{name}{where}"), highlight=False)
        for line in tally.remedies:
            console.print(escape(f"  → {line}"), highlight=False)
    for finding in report.findings:
        console.print(
            f"[{'red' if finding.is_wrong else 'yellow'}]{escape(finding.subject)}[/]: {escape(finding.text)}",
            highlight=False,
        )
        if finding.remedy:
            console.print(escape(f"  → {finding.remedy}"), highlight=False)
    if report.more_findings:
        console.print(f"… and {report.more_findings:,} more")
    if not report.is_wrong:
        console.print(f"[green]Load {escape(report.load)}: nothing is wrong with {report.objects:,} objects.[/]")


def _show_repairs(report: AuditReport) -> None:
    console = Console(soft_wrap=True)
    console.print("[bold]--repair writes these batches to DynamoDB as the load history and their targets say:[/]")
    for finding in report.findings:
        if finding.is_mendable:
            console.print(escape(f"  {finding.subject}: {finding.text}"), highlight=False)
    console.print(f"{len(report.mendable):,} batches in all. No COPY is run and no row is touched.")
