"""docs/parity.md: what it says is shown by a test is shown by a test that exists."""

import ast
import re
from functools import cache

import pytest
from support.checkout import CHECKOUT

TEXT = (CHECKOUT / "docs" / "parity.md").read_text()
ROWS = [
    line for line in TEXT.splitlines() if line.startswith("|") and not re.match(r"\| *-|\| the Lambda loader", line)
]
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_PLACE = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


@cache
def named_in(file: str) -> frozenset[str]:
    tree = ast.parse((CHECKOUT / file).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_line_of_the_offer_says_where_it_is_here_and_names_a_test(row: str) -> None:
    """A line without a test is a promise; a test that is gone shows nothing."""
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert len(cells) == 3
    assert cells[1]
    named = _TEST.findall(cells[2])
    assert named
    assert [(file, test) for file, test in named if test and test not in named_in(file)] == []
    assert [place for place in _PLACE.findall(row) if not (CHECKOUT / "docs" / place).exists()] == []
