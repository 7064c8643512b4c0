"""`make mutation-check`: take one safeguard after the other out of the loader, and see the tests notice.

Each mutation is a copy of the package in a temporary folder with a few texts replaced, and is played on the same cells
and races as the loader as it is. A mutation under which nothing fails shows a test that is missing, or a safeguard that
is not needed.
"""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from support.mutations import Mutation, Replacement, mutate

from crash import report
from crash.cells import BY_DRIVER, ISOLATIONS
from crash.lanes import Played, play_all, running
from crash.matrix import progress
from crash.play import Verdict
from crash.races import RACES, Race
from rsloader_provider.loader.ports.steps import Step

AS_IT_IS = Mutation("as it is", ())

MUTATIONS = (
    Mutation(
        "without the LOCK of the history",
        (Replacement("loader/run/transaction.py", "run(sql.LockHistory(self.key.target))", "pass"),),
    ),
    Mutation(
        "without the look into the history",
        (Replacement("loader/run/transaction.py", "if committed is None:", "if True:"),),
    ),
    Mutation(
        "without the condition of a claim",
        (
            Replacement(
                "aws/dynamodb/claiming.py",
                'condition: str = "attribute_not_exists(#load)"',
                'condition: str = "attribute_not_exists(#missing)"',
            ),
        ),
    ),
    # As the Lambda loader does it: the list of objects is read first, and then the batch is locked as it is by then.
    Mutation(
        "with the lock after the read",
        (
            Replacement(
                "loader/run/buffer.py",
                "            try:\n                with self.steps.taking(Step.LOCK, self.batch):\n",
                "            from rsloader_provider.core.ledger.manifest import render_manifest\n"
                '            name = f"{self.config.load}/{self.batch.batch}.manifest"\n'
                "            manifest = self.config.manifests.join(name)\n"
                '            content = render_manifest(self.ledger.entries(self.batch)) or b""\n'
                "            self.storage.write(manifest.bucket, manifest.key, content)\n"
                "            try:\n                with self.steps.taking(Step.LOCK, self.batch):\n",
            ),
            Replacement(
                "loader/run/buffer.py",
                "        self.ledger = services.ledger\n",
                "        self.ledger = services.ledger\n        self.storage = services.storage\n",
            ),
            Replacement(
                "loader/run/attempt.py",
                "self.services.storage.write(self.manifest.bucket, self.manifest.key, content)",
                "pass",
            ),
            Replacement(
                "aws/dynamodb/batch_states.py",
                "#status = :open AND #files = :files AND #size_bytes = :size_bytes AND",
                "#status = :open AND #files >= :files AND #size_bytes >= :size_bytes AND",
            ),
        ),
    ),
)

_PLAYED_STEPS = {Step.CLAIM, Step.LOCK, Step.COMMIT, Step.FINISH_ATTEMPT}
PLAYED: tuple[Played, ...] = (
    *(Race(name, isolation) for name in RACES for isolation in ISOLATIONS),
    *(cell for cell in BY_DRIVER if cell.step in _PLAYED_STEPS and cell.targets == 1),
)
"""What each mutation is played on."""


def main(
    date: Annotated[str | None, typer.Option(help="The date to write into the document; none without it.")] = None,
) -> None:
    """Play each mutation. Exits with 1 if one survives, or if the loader as it is fails."""
    console = Console()
    failed: dict[str, dict[Played, Verdict]] = {}
    with progress(console) as bar, running() as addresses:
        for mutation in (AS_IT_IS, *MUTATIONS):
            task = bar.add_task(mutation.name, total=len(PLAYED))
            verdicts: dict[Played, Verdict] = {}

            def heard(played: Played, verdict: Verdict) -> None:
                bar.advance(task)  # noqa: B023 it is called only while this mutation is played
                verdicts[played] = verdict  # noqa: B023

            with tempfile.TemporaryDirectory(prefix="rsloader-mutation-") as name:
                folder = Path(name).resolve()
                mutate(mutation, folder)
                play_all(addresses, PLAYED, heard, folder)
            failed[mutation.name] = {each: verdicts[each] for each in PLAYED if verdicts[each].problems}
    table = Table(*report.MUTATION_HEAD)
    for row in report.mutation_rows(failed, len(PLAYED)):
        table.add_row(*row)
    console.print(table)
    report.write_part("mutations", report.mutation_part(failed, len(PLAYED), date))
    console.print(f"written to docs/{report.DOCUMENT.name}")
    survivors = [mutation.name for mutation in MUTATIONS if not failed[mutation.name]]
    if survivors or failed[AS_IT_IS.name]:
        console.print(f"[red]Not noticed: {survivors}. Failed as it is: {len(failed[AS_IT_IS.name])}.[/]")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
