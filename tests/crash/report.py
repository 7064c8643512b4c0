"""The generated parts of docs/crash-matrix.md."""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

from support.checkout import CHECKOUT

from crash.cells import STEPS, Cell, Recovery, Side
from crash.lanes import Played
from crash.play import Verdict

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


def mutation_rows(failed: Mapping[str, Mapping[Played, Verdict]], played: int) -> list[list[str]]:
    """Make a row of each mutation: its name, how many failed, where, and the first problem found."""
    return [
        [
            name,
            f"{len(verdicts)} of {played}",
            "; ".join(dict.fromkeys(map(_place, verdicts))) or "none",
            next((_without_names(verdict.problems[0]) for verdict in verdicts.values()), ""),
        ]
        for name, verdicts in failed.items()
    ]


MUTATION_HEAD = ("the loader", "failed", "where", "first problem found")


def _without_names(problem: str) -> str:
    """Shorten the names that differ in every run."""
    lines = re.sub(r"crash_[0-9a-f]{32}", "crash_…", problem).strip().splitlines()
    return re.sub(r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "…", lines[-1])


def _place(played: Played) -> str:
    return f"{played.side} {played.step} · {played.recovery}" if isinstance(played, Cell) else played.name


def mutation_part(failed: Mapping[str, Mapping[Played, Verdict]], played: int, date: str | None) -> str:
    """Write the result of the mutation check as a table of Markdown."""
    when = f"Run on {date}.\n\n" if date else ""
    return when + _table(MUTATION_HEAD, mutation_rows(failed, played))


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
