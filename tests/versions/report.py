"""The table of docs/versions.md."""

import re
from collections.abc import Mapping
from pathlib import Path

from support.checkout import CHECKOUT

from versions.checks import CHECKS, Result
from versions.environments import Version

DOCUMENT = CHECKOUT / "docs" / "versions.md"
HEAD = ["Airflow", "Python", "amazon provider", "changed by the installation", "`pip check`", *CHECKS]
_PART = re.compile(r"(<!-- begin versions -->\n).*?(<!-- end versions -->)", re.DOTALL)


def row(version: Version, result: Result) -> list[str]:
    """Make the row of a version."""
    return [version.airflow, version.python, version.amazon, *result.cells()]


def rows_of(document: Path = DOCUMENT) -> dict[Version, list[str]]:
    """Read the rows that a document has."""
    lines = [line[2:-2].split(" | ") for line in document.read_text().splitlines() if re.match(r"\| \d", line)]
    return {Version(*cells[:2]): cells for cells in lines}


def write(results: Mapping[Version, Result], document: Path = DOCUMENT) -> None:
    """Put the versions into the document; its rows of others stay."""
    rows = rows_of(document) | {version: row(version, result) for version, result in results.items()}
    lines = [HEAD, ["---"] * len(HEAD), *(rows[version] for version in sorted(rows, key=lambda each: each.key))]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    document.write_text(_PART.sub(lambda found: f"{found[1]}\n{table}\n\n{found[2]}", document.read_text()))
