"""What every ledger keeps to when what it has lost is put back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from support.objects import NOON, TARGET, an_object

from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.errors import OperationRefusedError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetProgress, TargetState
from rsloader_provider.core.ledger.batch_ids import next_batch_id
from rsloader_provider.core.ledger.claims import DeletedBatch, Place, Segment
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt
from rsloader_provider.loader.ports.ledger import TAKEN_OBJECTS, Ledger, LostRaceError

LIMITS = BatchLimits(max_files=1000, max_bytes=100_000, max_age=timedelta(minutes=5))
LATER = NOON + timedelta(hours=1)
LOADED = {TARGET: TargetProgress({}, state=TargetState.LOADED, attempt=1, rows=2, query_id=7)}
LOST = Batch(
    "orders",
    next_batch_id(NOON - timedelta(days=1), None, bytes),
    status=BatchStatus.COMPLETE,
    files=2,
    size_bytes=20,
    opened_at=NOON,
    locked_at=NOON,
    reason="rebuilt",
    run="dag/run",
    targets=LOADED,
    version=1,
)


def objects(*numbers: int) -> list[S3Object]:
    return [an_object(f"orders/{number:03}.csv") for number in numbers]


def names(objects: Sequence[S3Object]) -> list[str]:
    return [each.name for each in objects]


def claimed(ledger: Ledger, *numbers: int) -> Place:
    batch = ledger.claim(ledger.open_batch("orders", NOON), objects(*numbers), LIMITS, NOON)
    batch = ledger.lock(batch, reason="max_age", run="dag/run", targets={TARGET: {}}, now=NOON)[0]
    (segment,) = ledger.segments(batch)
    return Place(batch, segment)


def test_unclaimed_objects_are_claimed_for_a_batch_that_is_written_later(ledger: Ledger):
    assert ledger.take_back(objects(1, 2), None, None, LOST, LATER) is None
    assert [each.batch for each in ledger.find_claims("orders", names(objects(1, 2))).values()] == [LOST.batch] * 2
    gone = Segment(LOST.batch, (Entry("landing/orders/009.csv", 5),), frozenset({"landing/orders/009.csv"}))
    ledger.put_back(LOST, [gone])
    assert ledger.get("orders", LOST.batch) == LOST
    assert sorted(entry.name for entry in ledger.entries(LOST)) == names(objects(1, 2))
    assert gone in ledger.segments(LOST)
    with pytest.raises(LostRaceError):
        ledger.put_back(LOST, [])
    with pytest.raises(LostRaceError):
        ledger.take_back(objects(1), None, None, LOST, LATER)


def test_objects_leave_the_batch_that_has_claimed_them_meanwhile(ledger: Ledger):
    place = claimed(ledger, 1, 2, 3)
    with pytest.raises(LostRaceError):
        ledger.take_back(objects(1), None, None, LOST, LATER)
    left = ledger.take_back(objects(1, 3), place.batch.batch, place, LOST, LATER)
    assert left is not None
    assert left.files == 1
    assert left == ledger.get("orders", place.batch.batch)
    assert [entry.name for entry in ledger.entries(left)] == names(objects(2))
    assert sorted(entry.name for entry in ledger.entries(LOST)) == names(objects(1, 3))
    claims = ledger.find_claims("orders", names(objects(1, 2, 3)))
    assert [claims[name].batch for name in sorted(claims)] == [LOST.batch, left.batch, LOST.batch]
    with pytest.raises(LostRaceError):
        ledger.take_back(objects(2), place.batch.batch, place, LOST, LATER)


def test_objects_do_not_leave_a_batch_that_is_being_loaded(ledger: Ledger):
    place = claimed(ledger, 1)
    begun = ledger.replace(place.batch, begin_attempt(place.batch, TARGET, Asker("try", "dag/run")))
    with pytest.raises(OperationRefusedError):
        ledger.take_back(objects(1), begun.batch, replace(place, batch=begun), LOST, LATER)
    assert not ledger.entries(LOST)


def test_claims_whose_batch_and_segment_were_lost_get_a_segment_again(ledger: Ledger):
    ledger.take_back(objects(1), None, None, LOST, NOON, left_out=True)
    claim = ledger.find_claim("orders", objects(1)[0].name)
    assert claim is not None
    assert (claim.batch, claim.left_out_at) == (LOST.batch, NOON)
    assert not ledger.segments(LOST)
    ledger.take_back(objects(1), LOST.batch, None, LOST, LATER)
    claim = ledger.find_claim("orders", objects(1)[0].name)
    assert claim is not None
    assert claim.left_out_at is None
    assert [entry.name for entry in ledger.entries(LOST)] == names(objects(1))
    with pytest.raises(LostRaceError):
        ledger.take_back(objects(2), LOST.batch, None, LOST, LATER)


def test_the_largest_step_fits_into_one_transaction(ledger: Ledger):
    everything = objects(*range(TAKEN_OBJECTS))
    place = claimed(ledger, *range(TAKEN_OBJECTS))
    assert ledger.take_back(everything, place.batch.batch, place, LOST, LATER) is not None
    assert len(ledger.entries(LOST)) == TAKEN_OBJECTS


def test_an_empty_open_batch_gives_way_to_a_later_one(ledger: Ledger):
    opened = ledger.open_batch("orders", NOON)
    full = ledger.claim(opened, objects(1), LIMITS, NOON)
    with pytest.raises(LostRaceError):
        ledger.drop(full, LATER)
    (segment,) = ledger.segments(full)
    ledger.forget("orders", names(objects(1)), full.batch, Place(full, segment))
    empty = ledger.get("orders", full.batch)
    ledger.drop(empty, LATER)
    following = ledger.open_batch("orders", LATER)
    assert following.batch > full.batch
    assert [each.batch for each in ledger.batches("orders")] == [following.batch]
    with pytest.raises(LostRaceError):
        ledger.drop(empty, LATER)
    ledger.put_back(replace(LOST, batch=full.batch), [])


def test_an_empty_locked_batch_is_dropped_with_its_segments_unless_somebody_writes_to_it(ledger: Ledger):
    place = claimed(ledger, 1, 2)
    with pytest.raises(LostRaceError):
        ledger.drop(place.batch, LATER)
    empty = ledger.forget("orders", names(objects(1, 2)), place.batch.batch, place)
    assert empty is not None
    begun = ledger.replace(empty, begin_attempt(empty, TARGET, Asker("try", "dag/run")))
    with pytest.raises(LostRaceError):
        ledger.drop(empty, LATER)
    ledger.drop(begun, LATER)
    assert not ledger.segments(begun)
    assert [each.status for each in ledger.batches("orders")] == [BatchStatus.OPEN]
    ledger.take_back(objects(1, 2), None, None, replace(LOST, batch=begun.batch), LATER)


def test_only_the_first_batch_of_a_load_is_one_before_its_first_claim(ledger: Ledger):
    """By it, a load of which the ledger has nothing is known."""
    first = ledger.open_batch("orders", NOON)
    assert first.is_first
    assert ledger.get("orders", first.batch).is_first
    claimed = ledger.claim(first, objects(1), LIMITS, NOON)
    assert not claimed.is_first
    assert not ledger.open_batch("orders", NOON).is_first
    _, following = ledger.lock(claimed, reason="max_age", run="dag/run", targets={TARGET: {}}, now=NOON)
    assert not following.is_first
    assert not ledger.open_batch("orders", NOON).is_first


def test_the_notes_of_deleted_batches_are_listed(ledger: Ledger):
    ledger.put_back(replace(LOST, files=0, size_bytes=0), [])
    assert [*ledger.deleted("orders")] == []
    ledger.delete(DeletedBatch(ledger.get("orders", LOST.batch), ()), LATER)
    assert [*ledger.deleted("orders")] == [LOST.batch]
