"""Documentation is complete: a command that the overview leaves out is a mistake. Its options are in the reference."""

import re
import runpy
from typing import Any

import pytest
from support.checkout import CHECKOUT

DOCS = CHECKOUT / "docs"
OVERVIEW = (DOCS / "commands.md").read_text()
GENERATE: dict[str, Any] = runpy.run_path(str(DOCS / "generate.py"))


@pytest.mark.parametrize("name", [each.name for each in GENERATE["commands"]()])
def test_every_command_is_in_the_overview(name: str) -> None:
    """Commands of a group, such as `rsloader local up`, too."""
    assert re.search(rf"^\| \[?`{name}[` ]", OVERVIEW, re.MULTILINE), f"docs/commands.md says nothing of {name}"


def test_links_between_documents_lead_somewhere() -> None:
    for document in (DOCS.parent / "README.md", *DOCS.rglob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_links_to_sections_of_the_reference_lead_somewhere() -> None:
    """A command that is renamed leaves no link behind."""
    for document in (DOCS.parent / "README.md", *DOCS.rglob("*.md")):
        for page, anchor in re.findall(r"\]\([^)#:]*reference/(\w+\.md)#([^)]+)\)", document.read_text()):
            titles = re.findall(r"^#+ (.+)$", (DOCS / "reference" / page).read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in titles}, document.name
