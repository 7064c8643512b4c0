"""`make crash-matrix`: play every cell, show how it went, and write docs/crash-matrix.md."""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from crash import report
from crash.cells import ALL, Cell, Recovery
from crash.lanes import Played, play_all, running
from crash.play import Verdict


def main(
    date: Annotated[str | None, typer.Option(help="The date to write into the document; none without it.")] = None,
) -> None:
    """Play the whole crash matrix. Exits with 1 if any cell went wrong."""
    console = Console()
    verdicts: dict[Cell, Verdict] = {}
    with progress(console) as bar, running() as addresses:
        task = bar.add_task("crash matrix", total=len(ALL))

        def heard(played: Played, verdict: Verdict) -> None:
            assert isinstance(played, Cell)
            verdicts[played] = verdict
            bar.advance(task)
            for problem in verdict.problems:
                console.print(f"[red]{played}[/]: {problem}", highlight=False)

        play_all(addresses, ALL, heard)
    table = Table("the process is stopped", *Recovery, title=report.summary(verdicts))
    for row in report.matrix_rows(verdicts):
        table.add_row(*row)
    console.print(table)
    report.write_part("matrix", report.matrix_part(verdicts, date))
    console.print(f"written to docs/{report.DOCUMENT.name}")
    if any(verdict.problems for verdict in verdicts.values()):
        raise typer.Exit(1)


def progress(console: Console) -> Progress:
    """Make a progress bar with counts and times."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


if __name__ == "__main__":
    typer.run(main)
