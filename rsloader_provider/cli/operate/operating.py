"""What the commands share that change something: who asks, the question first, the progress bar meanwhile."""

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rsloader_provider.cli.airflow_hook import rsloader_hook
from rsloader_provider.cli.console import Console, say
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.visible import visible
from rsloader_provider.loader.load_files.folder import read_good_load
from rsloader_provider.loader.operate.operations.operation import Operation, unheard
from rsloader_provider.loader.services import Services
from rsloader_provider.loader.variables import refuse_other_values

Load = Annotated[str, typer.Argument(metavar="LOAD", help="Name of the load.")]
Loads = Annotated[Path, typer.Option(help="Folder of the load files.")]
AwsConnection = Annotated[str, typer.Option(help="The Airflow connection for DynamoDB.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs; give --yes as well.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]


def load_and_services(folder: Path, name: str) -> tuple[LoadConfig, Services]:
    """Read a load, and reach its services.

    Raises:
        ConfigurationError: There is no such load, or its file has mistakes; or a connection is missing; or its file
            means another load here than where it runs.
    """
    config = read_good_load(folder, name)
    services = services_of(config.aws_conn_id)
    refuse_other_values(config, services)
    return config, services


def services_of(aws_conn_id: str) -> Services:
    """Reach the services by an Airflow connection."""
    return rsloader_hook(aws_conn_id).get_conn()


def asker(command: str) -> str:
    """Name this call of a command: who asks, and when."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "somebody"
    return f"rsloader {command} by {user}, {datetime.now(UTC).isoformat()}"


def as_utc(moment: datetime | None) -> datetime | None:
    """Take a moment that was given without a time zone as UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def refuse_questions(*, yes: bool, as_json: bool) -> None:
    """Refuse a call that would have to ask where only JSON is printed.

    Raises:
        typer.BadParameter: It would have to ask.
    """
    if as_json and not yes:
        raise typer.BadParameter("with --json no question is asked: give --yes as well.")


def carry_out(
    operation: Operation, command: str, *, yes: bool, quiet: bool, dry_run: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Show what would be done, ask, do it, and show what was done.

    Args:
        operation: What is to be done.
        command: Name of the command.
        yes: Whether to do it without asking.
        quiet: Whether to print nothing for people, because only JSON is printed.
        dry_run: Whether to stop after showing what would be done.

    Returns:
        The plan and what was done, for programs; the second is empty if nothing was.

    Raises:
        typer.Abort: The answer is no.
    """
    plan = operation.plan(unheard)
    say(plan.sentences, quiet=quiet)
    if dry_run or plan.question is None:
        return {**plan.report}, {}
    ask(plan.question, yes=yes)
    with _bar(quiet=quiet or not plan.objects) as progress:
        task = progress.add_task(command, total=plan.objects)
        done = operation.carry_out(asker(command), lambda objects, _: progress.advance(task, objects))
    say(done.sentences, quiet=quiet)
    return {**plan.report}, {**done.report}


def ask(question: str, *, yes: bool) -> None:
    """Ask before something is changed.

    Raises:
        typer.Abort: The answer is no.
    """
    if not yes:
        typer.confirm(visible(question), abort=True, err=True)


def _bar(*, quiet: bool) -> Progress:
    """Make the progress bar of work on many objects; it stands on standard error."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True, quiet=quiet),
    )
