"""The document says what was played."""

from itertools import product
from pathlib import Path

import pytest

from crash.cells import ALL, BY_DRIVER, SELECTED, STEPS, Cell, Recovery, Side
from crash.play import Verdict
from crash.report import DOCUMENT, matrix_part, mutation_part, mutation_rows, write_part
from crash.stories import STORIES
from rsloader_provider.loader.ports.steps import Step

COMMIT = [cell for cell in BY_DRIVER if (cell.step, cell.side, cell.mode) == (Step.COMMIT, Side.BEFORE, "append")]


def test_the_document_holds_every_cell_and_none_went_wrong():
    """Whoever adds a step plays the matrix again."""
    text = DOCUMENT.read_text()
    assert f"**{len(ALL)} cells, all of them exactly once**" in text
    assert [f"{side} {step}" for step, side in product(STEPS, Side) if f"\n| {side} {step} | " not in text] == []


def test_the_document_holds_every_story_and_none_went_wrong():
    text = DOCUMENT.read_text().partition("<!-- begin stories -->")[2].partition("<!-- end stories -->")[0]
    assert [name for name in STORIES if f"| {name} | " not in text] == []
    assert "wrong" not in text


def test_the_part_in_the_tests_has_every_step_and_every_recovery():
    assert {(cell.step, cell.side) for cell in SELECTED} == {*product(STEPS, Side)}
    around = {(cell.step, cell.side, cell.recovery) for cell in SELECTED}
    assert {*product((Step.COMMIT, Step.FINISH_ATTEMPT), Side, Recovery)} <= around


def test_a_cell_that_went_wrong_is_shouted():
    verdicts = {cell: Verdict("loaded", ()) for cell in COMMIT}
    assert "**20 cells, all of them exactly once** (run on 2026-01-02)." in matrix_part(verdicts, "2026-01-02")
    wrong: dict[Cell, Verdict] = {**verdicts, COMMIT[0]: Verdict("loaded", ("a row is there twice",))}
    text = matrix_part(wrong, None)
    assert "**20 cells, 1 of them wrong**." in text
    assert "| before commit | **1 of 4 wrong** | loaded | loaded |" in text


def test_a_mutation_says_what_came_of_it_without_names_of_one_run(tmp_path: Path):
    """One that is played alone leaves the rows of the others."""
    document = tmp_path / "document.md"
    document.write_text("| with haste | 3 of 84 cells | a race | a | b |\n| of yesterday | 1 | x | y |\n")
    problem = f"public.crash_{'0' * 32}_0 holds {{1: 2}}, and not {{1: 1}}"
    rows = mutation_rows({"without care": ("1 of 84 cells", "before commit", problem)})
    text = mutation_part(["with haste", "without care", "never played"], rows, None, document)
    assert text.splitlines()[2:] == [
        "| with haste | 3 of 84 cells | a race | a | b |",
        "| without care | 1 of 84 cells | before commit | public.crash_…_0 holds {1: 2}, and not {1: 1} |",
    ]


def test_a_part_is_written_between_its_marks_and_nowhere_else(tmp_path: Path):
    document = tmp_path / "document.md"
    document.write_text("above\n<!-- begin matrix -->\nold\n<!-- end matrix -->\nbelow\n")
    write_part("matrix", r"new \1", document)
    assert document.read_text() == "above\n<!-- begin matrix -->\n\nnew \\1\n\n<!-- end matrix -->\nbelow\n"
    with pytest.raises(ValueError, match="mutations"):
        write_part("mutations", "new", document)
