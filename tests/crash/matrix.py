"""`make crash-matrix`: play every cell, show how it went, and write docs/crash-matrix.md."""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from crash import report
from crash.cells import ALL, ISOLATIONS, Recovery
from crash.lanes import Played, play_all, running
from crash.play import Verdict
from crash.races import Race
from crash.stories import STORIES


def main(
    date: Annotated[str | None, typer.Option(help="The date to write into the document; none without it.")] = None,
    cells: Annotated[bool, typer.Option(help="Play the cells too, and not only the stories.")] = True,
) -> None:
    """Play the whole crash matrix. Exits with 1 if anything went wrong."""
    console = Console()
    verdicts: dict[Played, Verdict] = {}
    stories = [Race(name, isolation) for name in STORIES for isolation in ISOLATIONS]
    played: list[Played] = [*(ALL if cells else ()), *stories]
    with progress(console) as bar, running() as addresses:
        task = bar.add_task("crash matrix", total=len(played))

        def heard(each: Played, verdict: Verdict) -> None:
            verdicts[each] = verdict
            bar.advance(task)
            for problem in verdict.problems:
                console.print(f"[red]{each}[/]: {problem}", highlight=False)

        play_all(addresses, played, heard)
    if cells:
        of_cells = {cell: verdicts[cell] for cell in ALL}
        table = Table("the process is stopped", *Recovery, title=report.summary(of_cells))
        for row in report.matrix_rows(of_cells):
            table.add_row(*row)
        console.print(table)
        report.write_part("matrix", report.matrix_part(of_cells, date))
    report.write_part("stories", report.stories_part({story: verdicts[story] for story in stories}))
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
