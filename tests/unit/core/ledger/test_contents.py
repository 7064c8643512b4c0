"""What becomes of a batch when objects enter or leave it."""

from datetime import timedelta

from support.objects import NOON, an_object

from rsloader_provider.core.ledger.batch import MARKED, Batch, BatchStatus
from rsloader_provider.core.ledger.claims import Claim, DeletedBatch, Place
from rsloader_provider.core.ledger.contents import add_objects, leave, marked_batch, restored, segment_of
from rsloader_provider.core.ledger.transitions import lock

ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
LATER = NOON + timedelta(minutes=1)
OBJECTS = [an_object("orders/1.csv"), an_object("orders/2.csv")]
OPEN = add_objects(Batch("orders", ID), OBJECTS, NOON)
SEGMENT = segment_of(OPEN, OBJECTS)
FIRST, SECOND = (each.name for each in OBJECTS)


def complete() -> Batch:
    return add_objects(marked_batch("orders", ID, reason=MARKED, run="by hand", now=NOON), OBJECTS, LATER)


def claim_of(name: str, batch: str = ID, *, is_left_out: bool = False) -> Claim:
    return Claim("orders", name, batch, 10, "etag", NOON, NOON, LATER if is_left_out else None)


def test_a_batch_is_as_old_as_its_first_object():
    assert (OPEN.files, OPEN.size_bytes, OPEN.opened_at) == (2, 20, NOON)
    grown = add_objects(OPEN, [an_object("orders/3.csv")], LATER)
    assert (grown.files, grown.size_bytes, grown.opened_at) == (3, 30, NOON)


def test_an_open_batch_forgets_who_leaves_it():
    left, smaller = leave(Place(OPEN, SEGMENT), [FIRST])
    assert (left.files, left.size_bytes, left.taken_out, left.version) == (1, 10, 0, OPEN.version + 1)
    assert smaller == segment_of(OPEN, OBJECTS[1:])
    assert leave(Place(OPEN, SEGMENT), [FIRST, SECOND])[1] is None


def test_a_locked_batch_keeps_who_left_it():
    """They may have been loaded, which an audit has to know."""
    locked = lock(OPEN, reason="max_files", run="dag/run", targets={"a": {}}, now=LATER)
    left, smaller = leave(Place(locked, SEGMENT), [FIRST])
    assert (left.files, left.taken_out, left.version) == (1, 1, locked.version + 1)
    assert smaller is not None
    assert (smaller.claimed, smaller.taken_out) == (SEGMENT.claimed, {FIRST})


def test_marked_objects_are_in_a_batch_that_nothing_loads():
    batch = complete()
    assert batch.is_marked
    assert (batch.status, batch.files, batch.opened_at) == (BatchStatus.COMPLETE, 2, NOON)


def test_a_deleted_batch_comes_back_with_the_objects_that_are_still_claimed_for_it():
    deleted = DeletedBatch(complete(), (SEGMENT,))
    batch, segments = restored(deleted, claim_of)
    assert (batch.files, batch.version, segments) == (2, deleted.batch.version + 1, [SEGMENT])
    for claim in (None, claim_of(FIRST, "another"), claim_of(FIRST, is_left_out=True)):
        batch, (segment,) = restored(deleted, {SECOND: claim_of(SECOND), FIRST: claim}.get)
        assert (batch.files, batch.taken_out, segment.taken_out) == (1, 1, {FIRST})
