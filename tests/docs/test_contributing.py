"""CONTRIBUTING.md, the glossary and the index of decisions say what is there."""

import re

import pytest
from support.checkout import CHECKOUT

TEXT = (CHECKOUT / "CONTRIBUTING.md").read_text()
CHANGES = TEXT.partition("## To change X, go to Y\n")[2].partition("\n## ")[0]
_CODE = re.compile(r"`([^`]+)`")
NAMED = sorted({each for each in _CODE.findall(CHANGES) if each.startswith(("rsloader_provider/", "tests/", "docs/"))})
ROOMS = TEXT.partition("## Layers and rooms\n")[2].partition("\n## ")[0]
DECISIONS = CHECKOUT / "docs" / "adr"
INDEX = (DECISIONS / "README.md").read_text()
GLOSSARY = (CHECKOUT / "docs" / "glossary.md").read_text()


def test_each_change_names_what_to_edit_and_what_to_run() -> None:
    """The page is for those who do not know the house yet."""
    told = [each for each in CHANGES.split("\n\n") if each.strip()]
    assert len(told) > 6
    for each in told:
        assert "`rsloader_provider/" in each
        assert re.search(r"\bRun\b.*`tests/", each, re.DOTALL), each


@pytest.mark.parametrize("named", NAMED)
def test_what_a_change_names_exists(named: str) -> None:
    """A module that moves takes the signpost along."""
    assert (CHECKOUT / named).exists()


@pytest.mark.parametrize("root", ["rsloader_provider", "tests"])
def test_the_rooms_in_the_tables_exist(root: str) -> None:
    table = ROOMS.partition(f"| folder of `{root}` |")[2].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    rooms = [room for cell in cells for room in _CODE.findall(cell)]
    assert len(rooms) > 8
    assert [room for room in rooms if not (CHECKOUT / root / room).exists()] == []


def test_the_commands_are_in_the_makefile() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    commands = {*re.findall(r"`make ([.\w/-]+)`", TEXT), *re.findall(r"^\$ make ([.\w/-]+)", TEXT, re.MULTILINE)}
    assert {"quick", "test"} <= commands
    assert [each for each in commands if f"\n{each}:" not in makefile] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md"])
def test_links_lead_somewhere(page: str) -> None:
    """Those of README and docs are tested in test_commands_doc.py."""
    links = re.findall(r"\]\(([^)#:]+)[^):]*\)", (CHECKOUT / page).read_text())
    assert links
    assert [each for each in links if not (CHECKOUT / each).exists()] == []


def test_every_decision_is_in_the_index_with_its_title_and_status() -> None:
    rows = re.findall(r"^\| (\d+) \| \[(.+)\]\(([^)]+)\) \| (accepted|replaced by .+) \|$", INDEX, re.MULTILINE)
    written = []
    for file in sorted(DECISIONS.glob("[0-9]*.md")):
        number, _, title = file.read_text().splitlines()[0].removeprefix("# ").partition(". ")
        assert int(file.name[:4]) == int(number)
        written.append((number, title, file.name))
    assert [row[:3] for row in rows] == written


def test_the_glossary_gives_each_word_one_meaning() -> None:
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in GLOSSARY.splitlines() if row.startswith("|")]
    rows = [row for row in rows if row[0] not in {"say", "---"}]
    words = [word for row in rows for word in row[0].split(", ")]
    assert {len(row) for row in rows} == {3}
    assert all(row[1] for row in rows)
    assert sorted(words) == sorted(set(words))
