"""The list of safeguards is in step with the package and with the document."""

from pathlib import Path

import pytest
from crash.report import DOCUMENT
from interleavings.scenarios import THREE, TWO
from support.checkout import CHECKOUT
from support.mutations import PACKAGE, Mutation, Replacement, StaleMutationError, mutate

from mutations.__main__ import AS_IT_IS
from mutations.judges import Interleaving, NamedTests, Safeguard
from mutations.safeguards import SAFEGUARDS


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda safeguard: safeguard.mutation.name)
def test_every_mutation_fits_the_package(safeguard: Safeguard, tmp_path: Path):
    """A text that has moved on is noticed here, not when the check is run the next time."""
    mutate(safeguard.mutation, tmp_path)
    for replacement in safeguard.mutation.replacements:
        mutated = (tmp_path / PACKAGE.name / replacement.file).read_text()
        assert mutated != (PACKAGE / replacement.file).read_text()
        compile(mutated, replacement.file, "exec")


def test_whatever_must_notice_is_there():
    for judge in (each.judge for each in SAFEGUARDS):
        if isinstance(judge, Interleaving):
            assert judge.scenario in {**TWO, **THREE}
        if isinstance(judge, NamedTests):
            file, _, test = judge.named.partition("::")
            assert f"def {test}" in (CHECKOUT / file).read_text()


def test_the_document_holds_every_mutation_and_none_survived():
    text = DOCUMENT.read_text()
    cells = {row.split(" | ")[0].removeprefix("| "): row.split(" | ") for row in text.splitlines()}
    names = [AS_IT_IS, *(each.mutation.name for each in SAFEGUARDS)]
    assert [name for name in names if name not in cells] == []
    assert [name for name in names if bool(cells[name][2].strip()) is (name == AS_IT_IS)] == []


def test_a_mutation_whose_text_is_gone_is_refused(tmp_path: Path):
    stale = Mutation("of yesterday", (Replacement("loader/run/load_batch.py", "no such line", ""),))
    with pytest.raises(StaleMutationError, match=r"stands 0 times in loader/run/load_batch\.py"):
        mutate(stale, tmp_path)
