"""`rsloader demo`: the main job, from files under a prefix to rows in a table, on this machine."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from rsloader_provider.cli.console import Console
from rsloader_provider.cli.local import require_airflow_3, require_local_extra, stay_up

if TYPE_CHECKING:
    from rsloader_provider.cli.demo.stack import DemoStack, Outcome
    from rsloader_provider.local.signals import StopSignals
    from rsloader_provider.local.stack import LocalStack

# Two minutes on two idle cores; a busy machine gets more before the demo gives up.
DEMO_SECONDS = 300.0
_POLL_SECONDS = 0.5


def demo(
    port_aws: Annotated[int, typer.Option(help="Port of the local AWS; 0 for a free one.")] = 0,
    port_redshift: Annotated[int, typer.Option(help="Port of the local Redshift; 0 for a free one.")] = 0,
    port_airflow: Annotated[int, typer.Option(help="Port of Airflow's UI; 0 for a free one.")] = 0,
) -> None:
    """Load five files into a table on a local Airflow, AWS and Redshift, and show it as it happens.

    In a terminal everything stays up until Ctrl-C. Without one the exit code is 0 only if every row of every file is
    in the table exactly once.
    """
    require_airflow_3()
    require_local_extra()
    from rsloader_provider.cli.demo.stack import DemoStack  # noqa: PLC0415 imports boto3: slow
    from rsloader_provider.local import sample  # noqa: PLC0415 part of the extra
    from rsloader_provider.local.airflow import AirflowApiError  # noqa: PLC0415 part of the extra
    from rsloader_provider.local.leash import Interrupted, ProcessFailedError  # noqa: PLC0415 part of the extra
    from rsloader_provider.local.signals import StopSignals  # noqa: PLC0415 part of the extra
    from rsloader_provider.local.stack import LocalStack  # noqa: PLC0415 part of the extra

    stop_signals = StopSignals()
    console = Console()
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="rsloader-dags-") as folder:
            dags = Path(folder)
            sample.copy_dags(dags)
            with LocalStack(
                dags=dags,
                port_aws=port_aws,
                port_redshift=port_redshift,
                port_airflow=port_airflow,
                paused_at_creation=True,
                stopping=stop_signals,
                report=lambda message: console.print(f"{message} …"),
            ) as stack:
                demo_stack = DemoStack(stack, dags)
                console.print("creating buckets, tables and load history …")
                demo_stack.set_up(stop_signals)
                finished = _load(console, stack, demo_stack, stop_signals, began + DEMO_SECONDS)
                outcome = demo_stack.outcome()
                _tell(console, stack, outcome)
                if not finished and not stop_signals():
                    console.print(demo_stack.unfinished_business(), markup=False, highlight=False)
                console.print(str(outcome), highlight=False)
                if console.is_terminal and not stop_signals():
                    stay_up(stack, stop_signals)
    except Interrupted:
        raise typer.Exit(stop_signals.exit_code) from None
    except (ProcessFailedError, AirflowApiError) as failure:
        console.print(str(failure), markup=False, style="red")
        raise typer.Exit(1) from None
    if not outcome.is_exactly_once:
        raise typer.Exit(stop_signals.exit_code or 1)


def _load(
    console: Console, stack: LocalStack, demo_stack: DemoStack, stop_signals: StopSignals, deadline: float
) -> bool:
    """Drop the files, switch the DAG on and show the batches until all are loaded; False if that never happened."""
    from rsloader_provider.cli.demo.view import BatchView  # noqa: PLC0415 imports rich's live display: slow
    from rsloader_provider.core.ledger.batch import BatchStatus  # noqa: PLC0415 imports pydantic: slow
    from rsloader_provider.local import sample  # noqa: PLC0415 part of the extra
    from rsloader_provider.local.leash import ProcessFailedError  # noqa: PLC0415 part of the extra

    if stack.airflow is None:
        raise ProcessFailedError("the demo needs Airflow")
    files = len(sample.ROWS_PER_FILE)
    demo_stack.drop_files()
    console.print(
        f"dropped {files} files under s3://{sample.LANDING_BUCKET}/{sample.PREFIX}; batches take 2, or 1 minute"
    )
    api = stack.airflow.api
    api.wait_for_dag(sample.DAG_ID, stopping=stop_signals)
    api.unpause(sample.DAG_ID)
    console.print(f"switched DAG {sample.DAG_ID} on: {stack.airflow.url}/dags/{sample.DAG_ID}")
    with BatchView(console, files) as view:
        while not stop_signals.wait(_POLL_SECONDS):
            stack.check()
            batches = demo_stack.batches()
            view.show(batches)
            complete = [batch for batch in batches if batch.status is BatchStatus.COMPLETE]
            if sum(batch.files for batch in complete) >= files:
                return True
            if time.monotonic() > deadline or any(batch.status is BatchStatus.ERROR for batch in batches):
                return False
    return False


def _tell(console: Console, stack: LocalStack, outcome: Outcome) -> None:
    table = Table("batch", "files", "rows", title="public.orders, by its load history")
    for batch, files, rows in outcome.by_batch:
        table.add_row(batch, f"{files}", f"{rows:,}")
    console.print(table)
    if stack.airflow is None:
        return
    console.print(f"Airflow: {stack.airflow.url} (no password)", highlight=False)
    console.print(
        "Next: clear a load_batch task in the grid and see its batch loaded again; "
        "`rsloader local up` starts the same AWS and Redshift for your own loads. Ctrl-C stops everything.",
        highlight=False,
    )
