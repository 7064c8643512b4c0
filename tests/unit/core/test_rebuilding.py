"""Which objects a lost batch has loaded, from its history rows and what its COPYs may have read."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from support.objects import NOON, TARGET

from rsloader_provider.core.ledger.manifest import Entry, digest_of_names
from rsloader_provider.core.rebuilding import Read, lost_batch
from rsloader_provider.core.redshift.rows import HistoryRow

BATCH = "01KDZCP8400000000000000001"
ONE, TWO, THREE = (Entry(f"landing/{number}.csv", number) for number in (1, 2, 3))
ROW = HistoryRow(BATCH, 1, 1, 9, 2, 7, "dag/run", NOON, digest_of_names([ONE.name, TWO.name]))
BEFORE, AFTER = (NOON + timedelta(minutes=minutes) for minutes in (-1, 1))


def entries(row: HistoryRow, *reads: Read) -> tuple[Entry, ...] | None:
    return lost_batch("orders", BATCH, {TARGET: [row]}, reads).entries


def test_the_digest_tells_which_manifest_it_was():
    assert entries(ROW, Read((ONE, THREE), BEFORE), Read((ONE, TWO), AFTER)) == (ONE, TWO)
    assert entries(ROW, Read((ONE, THREE), BEFORE)) is None


def test_without_a_digest_the_number_tells():
    assert entries(replace(ROW, names_digest=None), Read((ONE, TWO, THREE), BEFORE), Read((ONE, THREE), BEFORE)) == (
        ONE,
        THREE,
    )


@pytest.mark.parametrize(("written_at", "found"), [(BEFORE, (ONE,)), (AFTER, None)])
def test_one_without_the_empty_objects_counts_if_it_was_written_before_the_load(
    written_at: datetime, found: tuple[Entry, ...] | None
):
    """A later one may be of what the batch was refilled with after a restore."""
    assert entries(ROW, Read((ONE,), written_at)) == found


def test_where_all_were_empty_there_is_no_manifest_and_nothing_to_claim():
    assert entries(replace(ROW, query_id=None, rows=0)) == ()


def test_what_only_an_earlier_load_has_read_was_left_out():
    last = replace(ROW, generation=2, files=1, names_digest=digest_of_names([ONE.name]))
    lost = lost_batch("orders", BATCH, {TARGET: [ROW, last]}, [Read((ONE, TWO), BEFORE), Read((ONE,), BEFORE)])
    assert lost.entries == (ONE, TWO)
    assert lost.left_out == {TWO.name}
    rebuilt = lost.rebuilt([ONE], {TARGET: {}}, (), ())
    assert (rebuilt.files, rebuilt.taken_out, rebuilt.progress(TARGET).generation) == (1, 1, 2)
    assert [each.taken_out for each in lost.gone([ONE])] == [{TWO.name}]
