"""What every ledger keeps to when a load gets another name."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.objects import NOON, TARGET, an_object

from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.errors import DeletedBatchError, RenamedLoadError, UnknownBatchError
from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.claims import DeletedBatch, Place
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.renaming import Accepted, Renaming
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt
from rsloader_provider.loader.ports.ledger import AlreadyClaimedError, Ledger, LostRaceError
from rsloader_provider.loader.ports.renames import RENAMED_ITEMS

LIMITS = BatchLimits(max_files=1000, max_bytes=100_000, max_age=timedelta(minutes=5))
RENAMING = Renaming("orders", "sales", "a test", NOON)
LATER = NOON + timedelta(hours=1)
LONG = "orders/" + "x" * 1000


def objects(*numbers: int) -> list[S3Object]:
    return [an_object(f"orders/{number:03}.csv") for number in numbers]


def claimed(ledger: Ledger, load: str, found: list[S3Object]) -> Batch:
    batch = ledger.claim(ledger.open_batch(load, NOON), found, LIMITS, NOON)
    return ledger.lock(batch, reason="max_age", run="dag/run", targets={TARGET: {}}, now=NOON)[0]


def complete(ledger: Ledger, batch: Batch) -> Batch:
    begun = ledger.replace(batch, begin_attempt(batch, TARGET, Asker("try", "dag/run")))
    return ledger.replace(begun, AttemptRecord.newest(begun, TARGET).finished(rows=1, query_id=1).batch)


def begun(ledger: Ledger) -> Ledger:
    for load in (RENAMING.old, RENAMING.new):
        ledger.open_batch(load, NOON)
    ledger.begin_renaming(RENAMING)
    return ledger


def test_both_loads_bear_a_renaming_until_its_end_and_open_no_batch(ledger: Ledger):
    assert ledger.renaming("orders") is None
    with pytest.raises(LostRaceError):
        ledger.begin_renaming(RENAMING)
    begun(ledger)
    for load in ("orders", "sales"):
        assert ledger.renaming(load) == RENAMING
        with pytest.raises(RenamedLoadError, match="rename-load orders sales"):
            ledger.open_batch(load, NOON)
    ledger.open_batch("third", NOON)
    for other in (RENAMING, replace(RENAMING, new="third"), replace(RENAMING, old="third")):
        with pytest.raises(LostRaceError):
            ledger.begin_renaming(other)
    assert ledger.renaming("third") is None
    ledger.end_renaming(RENAMING)
    assert (ledger.renaming("orders"), ledger.renaming("sales")) == (None, None)
    assert ledger.open_batch("sales", NOON).load == "sales"
    with pytest.raises(LostRaceError):
        ledger.end_renaming(RENAMING)


def test_a_load_goes_on_leaving_alone_and_accepting_what_it_has_under_its_old_name(ledger: Ledger):
    for load in ("orders", "sales"):
        ledger.open_batch(load, NOON)
    ledger.leave_alone("orders", None, {"landing/orders/x/": None})
    ledger.accept("orders", "other", Accepted("me", NOON))
    ledger.begin_renaming(RENAMING)
    assert ledger.left_alone("sales") == {"landing/orders/x/": None}
    assert ledger.accepted("sales") == {"other": Accepted("me", NOON)}
    ledger.end_renaming(RENAMING)
    assert ledger.left_alone("orders") is None
    assert ledger.accepted("orders") == {}


def test_what_the_new_name_leaves_alone_stays(ledger: Ledger):
    for load in ("orders", "sales"):
        ledger.open_batch(load, NOON)
        ledger.leave_alone(load, None, {f"landing/{load}/": None})
    ledger.begin_renaming(RENAMING)
    assert ledger.left_alone("sales") == {"landing/sales/": None}


def test_an_open_batch_is_retired_once_it_is_empty(ledger: Ledger):
    full = ledger.claim(ledger.open_batch("orders", NOON), objects(1), LIMITS, NOON)
    begun(ledger)
    with pytest.raises(LostRaceError):
        ledger.retire(RENAMING, full)
    _, opened = ledger.lock(full, reason="renamed", run="dag/run", targets={TARGET: {}}, now=NOON)
    ledger.retire(RENAMING, opened)
    assert [each.batch for each in ledger.batches("orders")] == [full.batch]
    with pytest.raises(LostRaceError):
        ledger.claim(opened, objects(2), LIMITS, NOON)
    assert ledger.find_claims("orders", [each.name for each in objects(1, 2)]).keys() == {objects(1)[0].name}


def test_claims_are_taken_as_they_are_and_more_than_once(ledger: Ledger):
    batch = claimed(ledger, "orders", [*objects(1, 2), an_object(LONG)])
    (segment,) = ledger.segments(batch)
    ledger.leave_out(Place(batch, segment), [objects(2)[0].name], LATER)
    begun(ledger)
    before = [*ledger.claims_of_now("orders")]
    assert [each.left_out_at for each in before].count(LATER) == 1
    for _ in range(2):
        ledger.take_claims(RENAMING, before)
    assert [*ledger.claims_of_now("sales")] == [replace(each, load="sales") for each in before]
    assert [*ledger.claims_of_now("orders")] == before
    for _ in range(2):
        ledger.drop_claims(RENAMING, before)
    assert [*ledger.claims_of_now("orders")] == []
    assert len([*ledger.claims_of_now("sales")]) == 3


def test_what_the_new_name_has_claimed_otherwise_is_named_and_nothing_is_taken(ledger: Ledger):
    claimed(ledger, "orders", objects(1, 2))
    claimed(ledger, "sales", objects(2))
    begun(ledger)
    with pytest.raises(AlreadyClaimedError) as refused:
        ledger.take_claims(RENAMING, [*ledger.claims_of_now("orders")])
    assert refused.value.names == {objects(2)[0].name}
    assert len([*ledger.claims_of_now("sales")]) == 1


def test_the_largest_step_fits_into_one_transaction(ledger: Ledger):
    for start in range(0, RENAMED_ITEMS + 1, 50):
        claimed(ledger, "orders", objects(*range(start, start + 50)))
    begun(ledger)
    most = [*ledger.claims_of_now("orders")][:RENAMED_ITEMS]
    ledger.take_claims(RENAMING, most)
    ledger.drop_claims(RENAMING, most)
    assert len([*ledger.claims_of_now("sales")]) == RENAMED_ITEMS


def test_a_batch_goes_over_with_its_segments_unless_somebody_has_written_to_it(ledger: Ledger):
    batch = claimed(ledger, "orders", objects(1, 2))
    other = claimed(ledger, "orders", objects(3))
    begun(ledger)
    done = complete(ledger, batch)
    with pytest.raises(LostRaceError):
        ledger.hand_over(RENAMING, batch)
    segments = ledger.segments(done)
    ledger.hand_over(RENAMING, done)
    given = ledger.get("sales", batch.batch)
    assert given == replace(done, load="sales")
    assert ledger.segments(given) == segments
    assert ledger.segments(done) == []
    with pytest.raises(UnknownBatchError):
        ledger.get("orders", batch.batch)
    with pytest.raises(LostRaceError):
        ledger.hand_over(RENAMING, done)
    assert [*ledger.unfinished("orders")] == [other.batch]
    assert [each.batch for each in ledger.batches("sales") if each.status is BatchStatus.COMPLETE] == [batch.batch]


def test_a_batch_of_many_segments_goes_over_whole(ledger: Ledger):
    opened = ledger.open_batch("orders", NOON)
    for number in range(120):
        opened = ledger.claim(opened, objects(number), LIMITS, NOON)
    batch, _ = ledger.lock(opened, reason="max_age", run="dag/run", targets={TARGET: {}}, now=NOON)
    begun(ledger)
    ledger.hand_over(RENAMING, batch)
    assert len(ledger.entries(ledger.get("sales", batch.batch))) == 120
    assert ledger.segments(batch) == []


def test_notes_of_deleted_batches_go_over(ledger: Ledger):
    done = complete(ledger, claimed(ledger, "orders", objects(1)))
    deleted = DeletedBatch(done, tuple(ledger.segments(done)))
    ledger.delete(deleted, LATER)
    begun(ledger)
    for _ in range(2):
        ledger.hand_over_deletions(RENAMING)
    assert ([*ledger.deleted("orders")], [*ledger.deleted("sales")]) == ([], [done.batch])
    with pytest.raises(DeletedBatchError):
        ledger.get("sales", done.batch)


@pytest.fixture(params=["retire", "take_claims", "hand_over", "drop_claims", "end_renaming"])
def step(request: pytest.FixtureRequest, ledger: Ledger) -> Iterator[Any]:
    """A step of a process that was stopped for long, after others have come to the end of the renaming."""
    batch = claimed(ledger, "orders", objects(1))
    claims = [*ledger.claims_of_now("orders")]
    begun(ledger)
    ledger.end_renaming(RENAMING)
    opened = ledger.open_batch("orders", LATER)
    yield {
        "retire": lambda: ledger.retire(RENAMING, opened),
        "take_claims": lambda: ledger.take_claims(RENAMING, claims),
        "hand_over": lambda: ledger.hand_over(RENAMING, batch),
        "drop_claims": lambda: ledger.drop_claims(RENAMING, claims),
        "end_renaming": lambda: ledger.end_renaming(RENAMING),
    }[request.param]
    assert [*ledger.claims_of_now("orders")] == claims
    assert [*ledger.claims_of_now("sales")] == []
    assert ledger.get("orders", batch.batch) == batch
    assert ledger.open_batch("orders", LATER) == opened


def test_no_step_is_taken_after_the_end(step: Any):
    with pytest.raises(LostRaceError):
        step()


def test_what_a_person_accepts_is_kept_by_other_load(ledger: Ledger):
    assert ledger.accepted("orders") == {}
    with pytest.raises(LostRaceError):
        ledger.accept("orders", "sales", Accepted("me", NOON))
    ledger.open_batch("orders", NOON)
    ledger.accept("orders", "sales", Accepted("me", NOON))
    ledger.accept("orders", "returns", Accepted("you", LATER))
    assert ledger.accepted("orders") == {"sales": Accepted("me", NOON), "returns": Accepted("you", LATER)}
    assert ledger.open_batch("orders", NOON).left_alone is None
