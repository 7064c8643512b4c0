"""The generated parts of docs/crash-matrix.md."""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

from support.checkout import CHECKOUT

from crash.cells import ISOLATIONS, STEPS, Cell, Recovery, Side
from crash.lanes import Played
from crash.play import Verdict
from crash.races import Race

DOCUMENT = CHECKOUT / "docs" / "crash-matrix.md"


def matrix_rows(verdicts: Mapping[Cell, Verdict]) -> list[list[str]]:
    """Make a row of each step and side: its name, and the outcome with each recovery."""
    rows = []
    for step, side in product(STEPS, Side):
        row = [f"{side} {step}"]
        for recovery in Recovery:
            mine = {
                cell: verdict
                for cell, verdict in verdicts.items()
                if (cell.step, cell.side, cell.recovery) == (step, side, recovery)
            }
            row.append(_in_words(list(mine.values())))
        rows.append(row)
    return rows


def _in_words(verdicts: Sequence[Verdict]) -> str:
    wrong = sum(bool(verdict.problems) for verdict in verdicts)
    if wrong:
        return f"**{wrong} of {len(verdicts)} wrong**"
    return " or ".join(sorted({str(verdict.outcome) for verdict in verdicts}))


def summary(verdicts: Mapping[Cell, Verdict]) -> str:
    """Say in one line how many were played and how many went wrong."""
    wrong = sum(bool(verdict.problems) for verdict in verdicts.values())
    right = "all of them exactly once" if not wrong else f"{wrong} of them wrong"
    return f"{len(verdicts)} cells, {right}"


def matrix_part(verdicts: Mapping[Cell, Verdict], date: str | None) -> str:
    """Write the matrix as a table of Markdown, with its summary above it."""
    played = f" (run on {date})" if date else ""
    return f"**{summary(verdicts)}**{played}.\n\n" + _table(
        ["the process is stopped", *Recovery], matrix_rows(verdicts)
    )


def stories_part(verdicts: Mapping[Race, Verdict]) -> str:
    """Write how the stories went as a table of Markdown, a column for each isolation level."""
    rows = [
        [name, *(_in_words([verdicts[Race(name, isolation)]]) for isolation in ISOLATIONS)]
        for name in dict.fromkeys(story.name for story in verdicts)
    ]
    return _table(["what happens", *ISOLATIONS], rows)


def mutation_rows(told: Mapping[str, tuple[str, str, str]]) -> list[list[str]]:
    """Make a row of each mutation: its name, what was played, where that failed, and the first problem found."""
    return [[name, by, where, _in_a_cell(first)] for name, (by, where, first) in told.items()]


MUTATION_HEAD = ("the loader", "played", "where it failed", "first problem found")


def _in_a_cell(problem: str) -> str:
    """Shorten the names that differ in every run, and give the last line."""
    lines = re.sub(r"crash_[0-9a-f]{32}", "crash_…", problem).strip().splitlines() or [""]
    return re.sub(r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "…", lines[-1]).replace("|", "\\|")


def place_of(played: Played) -> str:
    """Name a race, or the step and the recovery of a cell."""
    return f"{played.side} {played.step} · {played.recovery}" if isinstance(played, Cell) else played.name


def mutation_part(
    names: Sequence[str], rows: Sequence[Sequence[str]], date: str | None, document: Path = DOCUMENT
) -> str:
    """Write the result of the mutation check as a table of Markdown.

    Args:
        names: All mutations, in their order.
        rows: Those that were played; the document's rows of the others stay.
        date: When; None to leave it out.
        document: Holds the rows of before.
    """
    found = {row[0]: row for row in (line[2:-2].split(" | ") for line in document.read_text().splitlines())}
    found |= {row[0]: [*row] for row in rows}
    when = f"Run on {date}.\n\n" if date else ""
    return when + _table(MUTATION_HEAD, [found[name] for name in names if name in found])


def write_part(name: str, text: str, document: Path = DOCUMENT) -> None:
    """Put a part into the document, between its two marks.

    Raises:
        ValueError: The document has no such marks.
    """
    marks = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    content = document.read_text()
    if not marks.search(content):
        raise ValueError(f"{document} has no marks for {name}")
    document.write_text(marks.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", content))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
