"""What every ledger keeps to when a person takes objects out of batches, and deletes batches and puts them back."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.objects import NOON, TARGET, an_object

from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.errors import DeletedBatchError, OperationRefusedError
from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.claims import DeletedBatch, Place, Segment
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt, reprocess
from rsloader_provider.loader.ports.inventory import StoredBatch
from rsloader_provider.loader.ports.ledger import CLAIM_OBJECTS, TAKEN_OBJECTS, Ledger, LostRaceError

LIMITS = BatchLimits(max_files=1000, max_bytes=100_000, max_age=timedelta(minutes=5))
TARGETS: dict[str, dict[str, Any]] = {TARGET: {"table": "public.orders"}}
LATER = NOON + timedelta(hours=1)


def name(number: int) -> str:
    return f"landing/orders/{number:03}.csv"


def objects(numbers: Sequence[int], size_bytes: int = 10) -> list[S3Object]:
    return [an_object(f"orders/{number:03}.csv", size_bytes) for number in numbers]


def claim(ledger: Ledger, numbers: Sequence[int]) -> Batch:
    return ledger.claim(ledger.open_batch("orders", NOON), objects(numbers), LIMITS, NOON)


def locked(ledger: Ledger, numbers: Sequence[int]) -> Batch:
    return ledger.lock(claim(ledger, numbers), reason="max_age", run="dag/run-1", targets=TARGETS, now=NOON)[0]


def loaded(ledger: Ledger, numbers: Sequence[int]) -> Batch:
    batch = locked(ledger, numbers)
    begun = ledger.replace(batch, begin_attempt(batch, TARGET, Asker("try-1", "dag/run-1")))
    return ledger.replace(begun, AttemptRecord.newest(begun, TARGET).finished(rows=1, query_id=1).batch)


def place(ledger: Ledger, batch: Batch) -> Place:
    (segment,) = ledger.segments(batch)
    return Place(batch, segment)


def names_in(ledger: Ledger, batch: Batch) -> list[str]:
    return sorted(entry.name for entry in ledger.entries(batch))


def test_a_segment_keeps_the_order_of_its_claim(ledger: Ledger):
    batch = locked(ledger, [3, 1, 2])
    (segment,) = ledger.segments(batch)
    assert segment == Segment(batch.batch, tuple(Entry(name(number), 10) for number in (3, 1, 2)))


def test_objects_that_were_empty_get_the_size_with_which_they_were_loaded(ledger: Ledger):
    empty = [an_object(f"orders/{number:03}.csv", 0) for number in (1, 2)]
    batch = ledger.claim(ledger.open_batch("orders", NOON), [*empty, an_object("orders/003.csv")], LIMITS, NOON)
    batch = ledger.lock(batch, reason="max_age", run="dag/run-1", targets=TARGETS, now=NOON)[0]
    filled = [S3Object("landing", "orders/001.csv", 7, "new", LATER)]
    stale = place(ledger, batch)
    full = ledger.fill(stale, filled)
    assert (full.files, full.size_bytes, full.filled) == (3, 17, 1)
    assert full == ledger.get("orders", batch.batch)
    assert full.manifest_name != batch.manifest_name
    assert sorted(ledger.entries(full)) == [Entry(name(1), 7), Entry(name(2), 0), Entry(name(3), 10)]
    claimed = ledger.find_claim("orders", name(1))
    assert claimed is not None
    assert (claimed.size_bytes, claimed.etag, claimed.last_modified) == (7, "new", LATER)
    assert (claimed.batch, claimed.claimed_at) == (batch.batch, NOON)
    for lost in (stale, Place(batch, place(ledger, full).segment)):
        with pytest.raises(LostRaceError):
            ledger.fill(lost, [S3Object("landing", "orders/002.csv", 7, "new", LATER)])
    smaller = ledger.leave_out(place(ledger, full), [name(1)], LATER)
    assert (smaller.size_bytes, names_in(ledger, smaller)) == (10, [name(2), name(3)])
    with pytest.raises(LostRaceError):
        ledger.fill(Place(smaller, place(ledger, smaller).segment), [S3Object("landing", "x", 7, "new", LATER)])


def test_as_many_objects_are_filled_in_one_step_as_are_claimed_in_one(ledger: Ledger):
    empty = [an_object(f"orders/{number:03}.csv", 0) for number in range(CLAIM_OBJECTS)]
    batch = ledger.claim(ledger.open_batch("orders", NOON), empty, LIMITS, NOON)
    batch = ledger.lock(batch, reason="max_age", run="dag/run-1", targets=TARGETS, now=NOON)[0]
    full = ledger.fill(place(ledger, batch), [replace(each, size_bytes=1) for each in empty])
    assert (full.size_bytes, full.filled) == (CLAIM_OBJECTS, CLAIM_OBJECTS)


def test_what_is_left_out_stays_claimed_and_is_no_longer_in_the_batch(ledger: Ledger):
    batch = loaded(ledger, [1, 2, 3])
    smaller = ledger.leave_out(place(ledger, batch), [name(1)], LATER)
    assert (smaller.files, smaller.size_bytes, smaller.taken_out) == (2, 20, 1)
    assert ledger.get("orders", batch.batch) == smaller
    assert names_in(ledger, smaller) == [name(2), name(3)]
    (segment,) = ledger.segments(smaller)
    assert (len(segment.claimed), segment.taken_out) == (3, {name(1)})
    left_out, other = ledger.find_claim("orders", name(1)), ledger.find_claim("orders", name(2))
    assert left_out is not None
    assert other is not None
    assert (left_out.batch, left_out.left_out_at, other.left_out_at) == (batch.batch, LATER, None)
    with pytest.raises(LostRaceError):
        ledger.replace(batch, reprocess(batch, TARGET, "by"))


def test_a_forgotten_object_has_no_claim_and_its_batch_does_not_count_it(ledger: Ledger):
    batch = loaded(ledger, [1, 2, 3])
    smaller = ledger.forget("orders", [name(1), name(3)], batch.batch, place(ledger, batch))
    assert smaller is not None
    assert (smaller.files, smaller.taken_out, smaller.status) == (1, 2, BatchStatus.COMPLETE)
    assert ledger.get("orders", batch.batch) == smaller
    assert names_in(ledger, smaller) == [name(2)]
    assert list(ledger.claimed_keys("orders", "landing/")) == [name(2)]
    assert claim(ledger, [1]).files == 1, "and it can be claimed again"


@pytest.mark.parametrize("numbers", [[1], [2], [1, 2], [1, 2, 3]], ids=str)
def test_an_open_batch_really_loses_what_is_forgotten(ledger: Ledger, numbers: list[int]):
    """Nothing of it was loaded, so that nothing needs to be known; and its segments stay named after their first."""
    batch = claim(ledger, [1, 2, 3])
    smaller = ledger.forget("orders", [name(number) for number in numbers], batch.batch, place(ledger, batch))
    assert smaller is not None
    kept = sorted({1, 2, 3} - {*numbers})
    assert (smaller.files, smaller.size_bytes, smaller.taken_out) == (len(kept), 10 * len(kept), 0)
    assert smaller.opened_at == (NOON if kept else None)
    assert ledger.open_batch("orders", NOON) == smaller
    assert names_in(ledger, smaller) == [name(number) for number in kept]
    again = ledger.claim(smaller, objects(numbers), LIMITS, LATER)
    assert names_in(ledger, again) == [name(1), name(2), name(3)]
    assert again.opened_at == (NOON if kept else LATER)
    assert ledger.lock(again, reason="max_age", run="r", targets=TARGETS, now=NOON)[0].files == 3


def test_a_moved_object_is_in_the_open_batch_as_it_is_now(ledger: Ledger):
    batch = loaded(ledger, [1, 2, 3])
    opened = claim(ledger, [9])
    left, grown = ledger.move(objects([1, 2], 77), batch.batch, place(ledger, batch), opened, LIMITS, LATER)
    assert left is not None
    assert (left.files, left.taken_out, grown.files, grown.size_bytes) == (1, 2, 3, 164)
    assert ledger.get("orders", batch.batch) == left
    assert ledger.open_batch("orders", NOON) == grown
    assert names_in(ledger, grown) == [name(1), name(2), name(9)]
    moved = ledger.find_claim("orders", name(1))
    assert moved is not None
    assert (moved.batch, moved.size_bytes, moved.claimed_at) == (opened.batch, 77, LATER)


def test_objects_that_are_in_no_segment_any_more_are_moved_and_forgotten_by_their_claim_alone(ledger: Ledger):
    batch = loaded(ledger, [1, 2, 3])
    smaller = ledger.leave_out(place(ledger, batch), [name(1), name(2)], LATER)
    opened = ledger.open_batch("orders", NOON)
    left, grown = ledger.move(objects([1]), batch.batch, None, opened, LIMITS, LATER)
    assert (left, grown.files) == (None, 1)
    assert ledger.forget("orders", [name(2)], batch.batch, None) is None
    moved = ledger.find_claim("orders", name(1))
    assert moved is not None
    assert (moved.batch, moved.left_out_at) == (opened.batch, None)
    assert ledger.find_claim("orders", name(2)) is None
    assert ledger.get("orders", batch.batch) == smaller
    with pytest.raises(LostRaceError):
        ledger.forget("orders", [name(3)], batch.batch, None)
    with pytest.raises(LostRaceError):
        ledger.move(objects([3]), batch.batch, None, grown, LIMITS, LATER)
    assert names_in(ledger, batch) == [name(3)], "which is in a segment"


def test_who_was_quicker_is_not_overwritten(ledger: Ledger):
    """Each of them reads first and writes then; in between somebody begins to load, or takes out, or forgets."""
    batch = loaded(ledger, [1, 2, 3])
    stale = place(ledger, batch)
    opened = ledger.open_batch("orders", NOON)
    now = ledger.leave_out(stale, [name(1)], LATER)

    def all_lose(stale: Place, other: str, into: Batch = opened) -> None:
        for write in (
            lambda: ledger.leave_out(stale, [name(2)], LATER),
            lambda: ledger.forget("orders", [name(2)], other, stale),
            lambda: ledger.move(objects([2]), other, stale, into, LIMITS, LATER),
        ):
            with pytest.raises(LostRaceError):
                write()
        assert names_in(ledger, batch) == [name(2), name(3)]
        assert list(ledger.claimed_keys("orders", "landing/")) == [name(1), name(2), name(3)]

    all_lose(stale, batch.batch)
    fresh = place(ledger, now)
    for write in (
        lambda: ledger.forget("orders", [name(2)], "01ARZ3NDEKTSV4RRFFQ69G5FAV", fresh),
        lambda: ledger.move(objects([2]), "01ARZ3NDEKTSV4RRFFQ69G5FAV", fresh, opened, LIMITS, LATER),
        lambda: ledger.forget("orders", [name(7)], batch.batch, None),
    ):
        with pytest.raises(LostRaceError):
            write()
    asked = ledger.replace(now, reprocess(now, TARGET, "by"))
    ledger.replace(asked, begin_attempt(asked, TARGET, Asker("try-2", "dag/run-2")))
    all_lose(fresh, batch.batch)


def test_nothing_is_moved_into_a_batch_that_was_locked_or_is_full(ledger: Ledger):
    batch = loaded(ledger, [1, 2, 3])
    opened = claim(ledger, [9])
    full = LIMITS.model_copy(update={"max_files": 2})
    with pytest.raises(LostRaceError):
        ledger.move(objects([1, 2]), batch.batch, place(ledger, batch), opened, full, LATER)
    ledger.lock(opened, reason="max_age", run="r", targets=TARGETS, now=NOON)
    with pytest.raises(LostRaceError):
        ledger.move(objects([1]), batch.batch, place(ledger, batch), opened, LIMITS, LATER)
    assert ledger.get("orders", batch.batch) == batch
    assert names_in(ledger, batch) == [name(1), name(2), name(3)]


def test_nothing_leaves_a_batch_that_is_being_loaded(ledger: Ledger):
    batch = locked(ledger, [1, 2])
    begun = ledger.replace(batch, begin_attempt(batch, TARGET, Asker("try-1", "dag/run-1")))
    with pytest.raises(OperationRefusedError, match="is being loaded"):
        ledger.leave_out(place(ledger, begun), [name(1)], LATER)


def test_a_claim_to_an_open_batch_makes_whoever_takes_out_of_it_look_again(ledger: Ledger):
    batch = claim(ledger, [1])
    stale = place(ledger, batch)
    claim(ledger, [2])
    with pytest.raises(LostRaceError):
        ledger.forget("orders", [name(1)], batch.batch, stale)
    assert names_in(ledger, batch) == [name(1), name(2)]


def test_the_largest_step_fits_into_one_transaction(ledger: Ledger):
    batch = loaded(ledger, range(98))
    taken = range(TAKEN_OBJECTS)
    opened = claim(ledger, [900])
    left, grown = ledger.move(objects(taken), batch.batch, place(ledger, batch), opened, LIMITS, LATER)
    assert left is not None
    assert (left.files, grown.files) == (98 - TAKEN_OBJECTS, TAKEN_OBJECTS + 1)
    other = claim(ledger, range(100, 198))
    segment = next(each for each in ledger.segments(other) if len(each.claimed) == 98)
    names = [name(number) for number in range(100, 100 + TAKEN_OBJECTS)]
    smaller = ledger.forget("orders", names, other.batch, Place(ledger.get("orders", other.batch), segment))
    assert smaller is not None
    assert smaller.files == TAKEN_OBJECTS + 1 + 3


def test_claims_are_found_by_name_page_by_page(ledger: Ledger):
    long = "x" * 1024
    batch = claim(ledger, range(98))
    ledger.claim(batch, [*objects(range(100, 130)), an_object(long)], LIMITS, NOON)
    names = [name(number) for number in range(140)]
    found = ledger.find_claims("orders", [*names, f"landing/{long}", names[0]])
    assert [*found] == [*names[:98], *names[100:130], f"landing/{long}"]
    assert {claim.batch for claim in found.values()} == {batch.batch}
    assert ledger.find_claims("orders", []) == {}
    assert ledger.find_claims("returns", names) == {}


def record(ledger: Ledger, batch: Batch) -> DeletedBatch:
    return DeletedBatch(batch, tuple(ledger.segments(batch)))


def test_a_deleted_batch_is_gone_its_claims_stay_and_it_can_be_put_back(ledger_and_inventory: tuple[Any, Any]):
    ledger, inventory = ledger_and_inventory
    batch, other = loaded(ledger, [1, 2]), loaded(ledger, [3])
    deleted = record(ledger, batch)
    ledger.delete(deleted, LATER)
    with pytest.raises(DeletedBatchError, match=f"{batch.batch} of load orders was deleted"):
        ledger.get("orders", batch.batch)
    assert batch.batch not in [each.batch for each in ledger.batches("orders")]
    assert ledger.segments(batch) == []
    assert list(inventory.deleted("orders")) == [batch.batch]
    assert list(inventory.deleted("returns")) == []
    assert list(ledger.claimed_keys("orders", "landing/")) == [name(1), name(2), name(3)]
    with pytest.raises(LostRaceError):
        ledger.delete(deleted, LATER)
    with pytest.raises(LostRaceError):
        ledger.replace(batch, reprocess(batch, TARGET, "by"))
    restored = ledger.restore(deleted)
    assert restored == replace(batch, version=batch.version + 1) == ledger.get("orders", batch.batch)
    assert ledger.segments(batch) == [*deleted.segments]
    assert list(inventory.deleted("orders")) == []
    stored = [each for each in inventory.batches("orders") if each.batch == restored]
    assert stored == [StoredBatch(restored, is_indexed_right=True)]
    for never_deleted in (deleted, record(ledger, other)):
        with pytest.raises(LostRaceError):
            ledger.restore(never_deleted)


def test_a_batch_is_put_back_without_what_is_elsewhere_by_now(ledger: Ledger):
    batch = loaded(ledger, [1, 2, 3])
    deleted = record(ledger, batch)
    ledger.delete(deleted, LATER)
    ledger.forget("orders", [name(1)], batch.batch, None)
    ledger.move(objects([2]), batch.batch, None, ledger.open_batch("orders", NOON), LIMITS, LATER)
    restored = ledger.restore(deleted)
    assert (restored.files, restored.taken_out) == (1, 2)
    assert names_in(ledger, restored) == [name(3)]


def test_only_a_complete_batch_that_nobody_has_written_since_is_deleted(ledger: Ledger):
    batch = loaded(ledger, [1, 2])
    stale = record(ledger, batch)
    ledger.replace(batch, reprocess(batch, TARGET, "by"))
    for deleted in (stale, record(ledger, ledger.get("orders", batch.batch)), record(ledger, claim(ledger, [3]))):
        with pytest.raises(LostRaceError):
            ledger.delete(deleted, LATER)
    assert names_in(ledger, batch) == [name(1), name(2)]


def test_a_deletion_that_was_interrupted_is_swept(ledger: Ledger):
    """The batch goes first, in one step; its segments follow, and may stay."""
    batch, other = loaded(ledger, [1, 2]), loaded(ledger, [3])
    assert ledger.sweep("orders") == 0
    deleted = record(ledger, batch)
    ledger.delete(replace(deleted, segments=()), LATER)
    ledger.sweep("orders")
    assert ledger.segments(batch) == []
    assert names_in(ledger, other) == [name(3)]
    assert ledger.sweep("orders") == 0


def test_whoever_puts_a_batch_back_notices_who_takes_objects_away_meanwhile(ledger: Any):
    """Else the object would be in this batch, and claimed by another."""
    batch = loaded(ledger, [1, 2])
    deleted = record(ledger, batch)
    ledger.delete(deleted, LATER)
    real = ledger.find_claims

    def find_claims(*given: Any) -> Any:
        found = real(*given)
        ledger.forget("orders", [name(1)], batch.batch, None)
        return found

    ledger.find_claims = find_claims
    with suppress(LostRaceError):
        ledger.restore(deleted)
    ledger.find_claims = real
    with suppress(LostRaceError):
        ledger.restore(deleted)
    assert names_in(ledger, batch) == list(ledger.claimed_keys("orders", "landing/"))


def test_whoever_puts_a_batch_back_late_changes_nothing_of_what_another_has_put_back(ledger: Any):
    """Else the forgotten object would be in this batch again, and new to the next run as well."""
    batch = loaded(ledger, [1, 2])
    deleted = record(ledger, batch)
    ledger.delete(deleted, LATER)
    real = ledger.find_claims

    def find_claims(*given: Any) -> Any:
        found = real(*given)
        ledger.find_claims = real
        restored = ledger.restore(deleted)
        (segment,) = ledger.segments(restored)
        ledger.forget("orders", [name(1)], batch.batch, Place(restored, segment))
        return found

    ledger.find_claims = find_claims
    with suppress(LostRaceError):
        ledger.restore(deleted)
    assert names_in(ledger, batch) == list(ledger.claimed_keys("orders", "landing/"))


def test_a_deletion_that_goes_on_late_takes_nothing_from_a_batch_that_was_put_back(ledger: Any):
    batch = loaded(ledger, [1, 2])
    deleted = record(ledger, batch)
    ledger.delete(replace(deleted, segments=()), LATER)
    ledger.restore(deleted)
    assert ledger.sweep("orders") == 0
    assert names_in(ledger, batch) == [name(1), name(2)]
