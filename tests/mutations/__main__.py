"""`make mutation-check`: play a copy of the loader without each of its safeguards, and write docs/crash-matrix.md."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from crash import report
from crash.cells import Isolation
from crash.lanes import running
from crash.matrix import progress
from crash.stage import Addresses
from rich.console import Console
from rich.table import Table
from support.mutations import Mutation, mutate

from mutations.judges import Cells, Safeguard
from mutations.players import Told, play, play_cells
from mutations.safeguards import SAFEGUARDS

AS_IT_IS = "as it is"


def main(
    date: Annotated[str | None, typer.Option(help="The date to write into the document; none without it.")] = None,
    cells: Annotated[bool, typer.Option(help="Play those too that the crash matrix judges, which takes long.")] = True,
    only: Annotated[
        list[str] | None, typer.Option(help="Only those with this in their names; may be repeated.")
    ] = None,
) -> None:
    """Play each. Exits with 1 if one survives, or if the loader as it is fails. What is not played keeps its row."""
    console = Console()
    wanted = [
        each
        for each in SAFEGUARDS
        if (cells or not isinstance(each.judge, Cells))
        and (only is None or any(part in each.mutation.name for part in only))
    ]
    if not wanted:
        raise typer.BadParameter(f"no safeguard has a name with {only} in it.")
    cells = any(isinstance(each.judge, Cells) for each in wanted)
    told: dict[str, Told] = {}
    with ExitStack() as stack:
        bar = stack.enter_context(progress(console))
        addresses = stack.enter_context(running()) if cells else {}
        task = bar.add_task("mutations", total=len(wanted) + cells)
        if cells:
            told[AS_IT_IS] = play_cells(None, addresses)
            bar.advance(task)
        for safeguard in wanted:
            told[safeguard.mutation.name] = _played(safeguard, addresses)
            bar.advance(task)
    table = Table(*report.MUTATION_HEAD)
    rows = report.mutation_rows({name: (each.by, each.where, each.first) for name, each in told.items()})
    for row in rows:
        table.add_row(*row)
    console.print(table)
    names = [AS_IT_IS, *(each.mutation.name for each in SAFEGUARDS)]
    report.write_part("mutations", report.mutation_part(names, rows, date))
    console.print(f"written to docs/{report.DOCUMENT.name}")
    survivors = [each.mutation.name for each in wanted if not told[each.mutation.name].where]
    if survivors or (AS_IT_IS in told and told[AS_IT_IS].where):
        console.print(f"[red]Not noticed: {survivors}. As it is: {told.get(AS_IT_IS)}.[/]")
        raise typer.Exit(1)


def _played(safeguard: Safeguard, addresses: Mapping[Isolation, Addresses]) -> Told:
    with _copy(safeguard.mutation) as folder:
        return play(safeguard.judge, folder, addresses)


@contextmanager
def _copy(mutation: Mutation) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rsloader-mutation-") as name:
        folder = Path(name).resolve()
        mutate(mutation, folder)
        yield folder


if __name__ == "__main__":
    typer.run(main)
