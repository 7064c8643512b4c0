"""docs/versions.md shows what `make versions` ran, and that nothing failed."""

import pytest
from support.checkout import CHECKOUT
from versions.environments import Version, known_versions
from versions.report import HEAD, rows_of

ROWS = rows_of()


@pytest.mark.parametrize("version", ROWS, ids=str)
def test_nothing_failed(version: Version):
    cells = ROWS[version]
    assert len(cells) == len(HEAD)
    assert "**" not in " ".join(cells)
    assert (version.airflow in known_versions(), cells[2]) == (True, version.amazon)


def test_newcomers_are_told_what_it_shows():
    assert "(docs/versions.md)" in (CHECKOUT / "README.md").read_text()
    assert {version.airflow for version in ROWS} >= {"2.11.2", "3.0.6"}
