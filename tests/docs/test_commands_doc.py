"""Documentation is complete: a command or an option that nobody described is a mistake."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from rsloader_provider.cli import app

DOCS = Path(__file__).parents[2] / "docs"


def commands(group: click.Group, name: str = "rsloader") -> Iterator[tuple[str, click.Command]]:
    for each in group.commands.values():
        if isinstance(each, click.Group):
            yield from commands(each, f"{name} {each.name}")
        else:
            yield f"{name} {each.name}", each


ALL = dict(commands(typer.main.get_command(app)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ALL)
def test_every_command_is_described_with_all_its_options(name: str):
    row = next((line for line in (DOCS / "commands.md").read_text().splitlines() if f"| `{name}" in line), "")
    options = [option for each in ALL[name].params for option in each.opts if option.startswith("--")]
    assert row, f"docs/commands.md says nothing of {name}"
    assert [option for option in options if option not in row and option != "--help"] == []


def test_links_between_documents_lead_somewhere():
    for document in (DOCS.parent / "README.md", *DOCS.glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name}: {link}"
