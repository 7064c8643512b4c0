"""What every ledger keeps to, in memory as in DynamoDB."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.objects import NOON, TARGET, an_object

from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.errors import CorruptLedgerError, UnknownBatchError
from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import (
    IMPORTED,
    MARKED,
    Batch,
    BatchStatus,
    SkippedRows,
    TargetState,
    UnansweredCommit,
)
from rsloader_provider.core.ledger.clearing import TaskFacts
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import ledger_key
from rsloader_provider.core.ledger.target_changes import add_target, give_up, retarget
from rsloader_provider.core.ledger.transitions import Asker, adopt, begin_attempt, decide, reprocess
from rsloader_provider.loader.ports.ledger import CLAIM_OBJECTS, AlreadyClaimedError, Ledger, LostRaceError

LIMITS = BatchLimits(max_files=1000, max_bytes=1000, max_age=timedelta(minutes=5))
TARGETS: dict[str, dict[str, Any]] = {TARGET: {"table": "public.orders"}}


def lock(ledger: Ledger, batch: Batch) -> tuple[Batch, Batch]:
    return ledger.lock(batch, reason="max_age", run="rsloader_orders/run-1", targets=TARGETS, now=NOON)


def a_locked_batch(ledger: Ledger, key: str = "orders/1.csv") -> Batch:
    batch = ledger.claim(ledger.open_batch("orders", NOON), [an_object(key)], LIMITS, NOON)
    return lock(ledger, batch)[0]


def test_the_open_batch_is_the_same_for_everybody(ledger: Ledger):
    assert ledger.open_batch("orders", NOON) == ledger.open_batch("orders", NOON + timedelta(hours=1))
    assert ledger.open_batch("orders", NOON).batch != ledger.open_batch("returns", NOON).batch


def test_a_claim_puts_objects_into_the_batch(ledger: Ledger):
    batch = ledger.open_batch("orders", NOON)
    claimed = ledger.claim(batch, [an_object("orders/1.csv", 7), an_object("orders/2.csv", 5)], LIMITS, NOON)
    assert (claimed.files, claimed.size_bytes, claimed.opened_at) == (2, 12, NOON)
    assert ledger.get("orders", batch.batch) == claimed
    assert sorted(ledger.entries(claimed)) == [Entry("landing/orders/1.csv", 7), Entry("landing/orders/2.csv", 5)]
    found = ledger.find_claim("orders", "landing/orders/1.csv")
    assert found is not None
    assert (found.batch, found.size_bytes, found.claimed_at) == (batch.batch, 7, NOON)


def test_the_age_of_a_batch_counts_from_its_first_object(ledger: Ledger):
    batch = ledger.claim(ledger.open_batch("orders", NOON), [an_object("orders/1.csv")], LIMITS, NOON)
    later = ledger.claim(batch, [an_object("orders/2.csv")], LIMITS, NOON + timedelta(hours=1))
    assert later.opened_at == ledger.get("orders", batch.batch).opened_at == NOON


def test_an_object_claimed_already_spoils_the_whole_claim_and_is_named(ledger: Ledger):
    """All or nothing: or an object could be in a batch whose segment does not have it."""
    batch = ledger.claim(ledger.open_batch("orders", NOON), [an_object("orders/1.csv")], LIMITS, NOON)
    with pytest.raises(AlreadyClaimedError) as raised:
        ledger.claim(batch, [an_object("orders/0.csv"), an_object("orders/1.csv")], LIMITS, NOON)
    assert raised.value.names == {"landing/orders/1.csv"}
    assert ledger.find_claim("orders", "landing/orders/0.csv") is None
    assert ledger.get("orders", batch.batch) == batch
    assert len(ledger.entries(batch)) == 1


def test_a_segment_whose_claims_are_gone_is_named_and_is_no_lost_race(losing_ledger: tuple[Ledger, Any]):
    """Whoever looks again after a lost race would look for ever: nobody else is at work."""
    ledger, lose = losing_ledger
    objects = [an_object(f"orders/{number}.csv") for number in range(3)]
    batch = ledger.claim(ledger.open_batch("orders", NOON), objects, LIMITS, NOON)
    for each in objects[:2]:
        lose("orders", each.name)
    with pytest.raises(AlreadyClaimedError):
        ledger.claim(batch, objects, LIMITS, NOON)
    with pytest.raises(CorruptLedgerError, match=f"{batch.batch}.*segment"):
        ledger.claim(batch, [*objects[:2], an_object("orders/9.csv")], LIMITS, NOON)
    assert ledger.find_claim("orders", "landing/orders/9.csv") is None
    lock(ledger, batch)
    with pytest.raises(LostRaceError):
        ledger.claim(batch, objects[:1], LIMITS, NOON)


def test_the_same_object_can_be_claimed_by_two_loads(ledger: Ledger):
    for load in ("orders", "returns"):
        ledger.claim(ledger.open_batch(load, NOON), [an_object("orders/1.csv")], LIMITS, NOON)
    assert ledger.find_claim("returns", "landing/orders/1.csv") is not None


def test_nothing_is_claimed_into_a_batch_that_was_locked_meanwhile(ledger: Ledger):
    """The list of files is read after the lock, so a claim after it would be lost."""
    batch = ledger.claim(ledger.open_batch("orders", NOON), [an_object("orders/1.csv")], LIMITS, NOON)
    lock(ledger, batch)
    with pytest.raises(LostRaceError):
        ledger.claim(batch, [an_object("orders/2.csv")], LIMITS, NOON)
    assert ledger.find_claim("orders", "landing/orders/2.csv") is None


def test_a_batch_never_takes_more_files_than_its_limit_whoever_adds(ledger: Ledger):
    limits = LIMITS.model_copy(update={"max_files": 2})
    stale = ledger.open_batch("orders", NOON)
    ledger.claim(stale, [an_object("orders/1.csv")], limits, NOON)
    with pytest.raises(LostRaceError):
        ledger.claim(stale, [an_object("orders/2.csv"), an_object("orders/3.csv")], limits, NOON)
    assert ledger.claim(stale, [an_object("orders/2.csv")], limits, NOON).files == 1, "as far as the caller knew"
    assert ledger.get("orders", stale.batch).files == 2


def test_only_one_object_may_cross_the_limit_of_bytes(ledger: Ledger):
    stale = ledger.open_batch("orders", NOON)
    ledger.claim(stale, [an_object("orders/1.csv", 999)], LIMITS, NOON)
    with pytest.raises(LostRaceError):
        ledger.claim(stale, [an_object("orders/2.csv", 1), an_object("orders/3.csv", 1)], LIMITS, NOON)
    ledger.claim(stale, [an_object("orders/2.csv", 10_000)], LIMITS, NOON)
    with pytest.raises(LostRaceError):
        ledger.claim(stale, [an_object("orders/3.csv", 0)], LIMITS, NOON)


def test_locking_opens_the_next_batch_in_the_same_step(ledger: Ledger):
    batch = ledger.claim(ledger.open_batch("orders", NOON), [an_object("orders/1.csv")], LIMITS, NOON)
    locked, opened = lock(ledger, batch)
    assert locked == ledger.get("orders", batch.batch)
    assert (locked.status, locked.reason, locked.run) == (BatchStatus.LOCKED, "max_age", "rsloader_orders/run-1")
    assert locked.locked_at == NOON
    assert locked.targets[TARGET].settings == {"table": "public.orders"}
    assert opened == ledger.open_batch("orders", NOON)
    assert opened.batch > locked.batch, "although the clock did not move"


def test_a_batch_is_locked_once_and_only_with_the_files_that_the_locker_knows(ledger: Ledger):
    stale = ledger.claim(ledger.open_batch("orders", NOON), [an_object("orders/1.csv")], LIMITS, NOON)
    batch = ledger.claim(stale, [an_object("orders/2.csv")], LIMITS, NOON)
    with pytest.raises(LostRaceError):
        lock(ledger, stale)
    _, opened = lock(ledger, batch)
    with pytest.raises(LostRaceError):
        lock(ledger, batch)
    with pytest.raises(LostRaceError):
        lock(ledger, opened)
    assert ledger.open_batch("orders", NOON) == opened, "an empty batch is never locked"


def test_the_next_batch_sorts_after_the_last_even_when_the_clock_goes_back(ledger: Ledger):
    batch = a_locked_batch(ledger)
    opened = ledger.open_batch("orders", NOON)
    filled = ledger.claim(opened, [an_object("orders/2.csv")], LIMITS, NOON)
    earlier = NOON - timedelta(days=1)
    _, third = ledger.lock(filled, reason="max_age", run="r", targets=TARGETS, now=earlier)
    assert batch.batch < opened.batch < third.batch


def test_a_write_on_an_old_version_loses(ledger: Ledger):
    """Two attempts begun from the same reading: one begins, the other has to look again."""
    seen = a_locked_batch(ledger)
    begun = begin_attempt(seen, TARGET, Asker("try-1", "dag/run-1"))
    won = ledger.replace(seen, begun)
    with pytest.raises(LostRaceError):
        ledger.replace(seen, begun)
    assert ledger.get("orders", seen.batch) == won
    assert won.targets[TARGET].attempt == 1


SKIPPED = SkippedRows(2, is_exact=False)
UNREAD = UnansweredCommit(attempt=1, session=4711, rows=None, query_id=None)


def test_everything_that_an_attempt_records_is_read_back(ledger: Ledger):
    batch = a_locked_batch(ledger)
    for change in (
        lambda b: begin_attempt(b, TARGET, Asker("try-1", "dag/run-1")),
        lambda b: AttemptRecord.newest(b, TARGET).session_recorded(4711).batch,
        lambda b: AttemptRecord.newest(b, TARGET).ended(error="line 2: bad", final=True).batch,
        lambda b: adopt(b, "rsloader_orders/run-2"),
        lambda b: begin_attempt(b, TARGET, Asker("try-2", "dag/run-1")),
        lambda b: AttemptRecord.newest(b, TARGET).left_undecided(error="dropped", unread=UNREAD).batch,
        lambda b: decide(b, TARGET, loaded=False),
        lambda b: begin_attempt(b, TARGET, Asker("try-2b", "dag/run-1")),
        lambda b: AttemptRecord.newest(b, TARGET).finished(rows=10, query_id=1234, skipped=SKIPPED).batch,
        lambda b: begin_attempt(b, TARGET, Asker("try-3", "dag/run-1", cleared=True)),
        lambda b: AttemptRecord.newest(b, TARGET).failed_again(NOON, timedelta(0)).batch,
        lambda b: begin_attempt(b, TARGET, Asker("try-4", "dag/run-1", cleared=True, task=TaskFacts("t", 4))),
        lambda b: begin_attempt(b, TARGET, Asker("try-5", "dag/run-1", task=TaskFacts("t", 4, 1, "2026", "2027", 5))),
    ):
        batch = ledger.replace(batch, change(batch))
        assert ledger.get("orders", batch.batch) == batch
    progress = batch.targets[TARGET]
    assert (progress.generation, progress.attempt, progress.opened_by) == (2, 6, "try-4")
    assert (progress.asked_before, progress.begun_by) == (("try-3",), TaskFacts("t", 4, 1, "2026", "2027", 5))
    assert progress.state is TargetState.LOADING


def test_unfinished_batches_are_those_that_some_target_waits_for(ledger: Ledger):
    first, second = a_locked_batch(ledger, "orders/1.csv"), a_locked_batch(ledger, "orders/2.csv")
    assert list(ledger.unfinished("orders")) == [first.batch, second.batch]
    begun = ledger.replace(first, begin_attempt(first, TARGET, Asker("try-1", "dag/run-1")))
    assert list(ledger.unfinished("orders")) == [first.batch, second.batch], "its attempt may have died"
    ledger.replace(begun, AttemptRecord.newest(begun, TARGET).finished(rows=1, query_id=1).batch)
    failed = ledger.replace(second, begin_attempt(second, TARGET, Asker("try-1", "dag/run-1")))
    ledger.replace(failed, AttemptRecord.newest(failed, TARGET).ended(error="bad data", final=True).batch)
    assert list(ledger.unfinished("orders")) == [], "complete, and waiting for a person"
    assert list(ledger.failed("orders")) == [second.batch]
    assert list(ledger.failed("returns")) == []
    assert list(ledger.unfinished("returns")) == []


def test_a_batch_with_one_failed_target_is_unfinished_while_another_waits(ledger: Ledger):
    """One target's failure must not hide the other from the next run."""
    batch = ledger.claim(ledger.open_batch("orders", NOON), [an_object("orders/1.csv")], LIMITS, NOON)
    targets = {TARGET: {}, "other/public.orders": {}}
    locked, _ = ledger.lock(batch, reason="max_age", run="r", targets=targets, now=NOON)
    failing = ledger.replace(locked, begin_attempt(locked, TARGET, Asker("try-1", "dag/run-1")))
    failed = ledger.replace(failing, AttemptRecord.newest(failing, TARGET).ended(error="bad", final=True).batch)
    assert failed.status is BatchStatus.ERROR
    assert list(ledger.unfinished("orders")) == [locked.batch]
    assert list(ledger.failed("orders")) == [], "it is among the unfinished"


def test_batches_are_listed_newest_first_and_claims_as_s3_lists(ledger: Ledger):
    first, second = a_locked_batch(ledger, "orders/b.csv"), a_locked_batch(ledger, "orders/ä.csv")
    newest = ledger.open_batch("orders", NOON)
    assert list(ledger.batches("orders")) == [newest, second, first]
    assert list(ledger.claimed_keys("orders", "landing/orders/")) == ["landing/orders/b.csv", "landing/orders/ä.csv"]
    assert list(ledger.claimed_keys("orders", "landing/orders/c")) == []
    for prefix in ("landing/", ""):
        assert [claim.batch for claim in ledger.claims("orders", prefix)] == [first.batch, second.batch]


@pytest.mark.parametrize(
    "key",
    ["a b.csv", "a+b.csv", "a%2Bb.csv", "q\"uo'te.csv", "ünïcode-日本.csv", "new\nline.csv", "x" * 1024, "ü" * 512],
)
def test_hard_keys_are_claimed_found_and_read_back_whole(ledger: Ledger, key: str):
    """A key of 1,024 bytes, with its bucket, is longer than a sort key of DynamoDB may be."""
    batch = ledger.claim(ledger.open_batch("orders", NOON), [an_object(key)], LIMITS, NOON)
    with pytest.raises(AlreadyClaimedError) as raised:
        ledger.claim(batch, [an_object(key)], LIMITS, NOON)
    assert raised.value.names == {f"landing/{key}"}
    assert [entry.name for entry in ledger.entries(batch)] == [f"landing/{key}"]
    found = ledger.find_claim("orders", f"landing/{key}")
    assert found is not None
    assert found.name == f"landing/{key}"


@pytest.mark.parametrize("shown", [1, 900, 1016, 1018, 1023, 1024])
def test_claims_of_long_keys_are_found_by_any_beginning_of_their_names(ledger: Ledger, shown: int):
    """DynamoDB refuses to compare a sort key with more than 1,024 bytes, and long names are cut in it."""
    keys = ["x" * 1023 + "1", "x" * 1023 + "2", "x" * 1022, "y"]
    ledger.claim(ledger.open_batch("orders", NOON), [an_object(key) for key in keys], LIMITS, NOON)
    for asked in keys:
        prefix = f"landing/{asked[:shown]}"
        found = sorted(claim.name for claim in ledger.claims("orders", prefix))
        assert found == sorted(f"landing/{key}" for key in keys if key.startswith(asked[:shown]))
        assert {ledger_key(name) for name in found} <= {*ledger.claimed_keys("orders", prefix)}


def test_a_name_that_reads_like_the_cut_key_of_another_has_no_claim(ledger: Ledger):
    long = f"landing/{'x' * 1024}"
    ledger.claim(ledger.open_batch("orders", NOON), [an_object("x" * 1024)], LIMITS, NOON)
    assert ledger.find_claim("orders", long) is not None
    assert ledger.find_claim("orders", ledger_key(long)) is None


def test_the_largest_claim_fits_into_one_transaction(ledger: Ledger):
    objects = [an_object(f"orders/{number:04}.csv", 1) for number in range(CLAIM_OBJECTS)]
    batch = ledger.claim(ledger.open_batch("orders", NOON), objects, LIMITS, NOON)
    assert batch.files == len(ledger.entries(batch)) == CLAIM_OBJECTS


def test_an_unknown_batch_is_an_error_that_names_load_and_batch(ledger: Ledger):
    for missing in ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "#current"):
        ledger.open_batch("orders", NOON)
        with pytest.raises(UnknownBatchError, match=f"orders.*{missing}"):
            ledger.get("orders", missing)


def test_a_batch_read_long_ago_can_still_be_compared(ledger: Ledger):
    """`version` alone decides, not the whole content."""
    batch = a_locked_batch(ledger)
    ledger.replace(replace(batch, reason="something else"), adopt(batch, "run-9"))
    assert ledger.get("orders", batch.batch).run == "run-9"


def mark(ledger: Ledger, *keys: str, into: Batch | None = None, reason: str = IMPORTED, run: str = "import-1") -> Batch:
    objects = [an_object(key, 7) for key in keys]
    return ledger.mark("orders", objects, reason=reason, run=run, now=NOON, into=into)


def test_marked_objects_are_claimed_for_a_complete_batch_without_targets(ledger: Ledger):
    """Every complete batch has a history row in each of its targets; this one has none, and needs none."""
    first = mark(ledger, "orders/1.csv", "orders/2.csv")
    batch = mark(ledger, "orders/3.csv", into=first)
    assert batch == Batch(
        "orders", first.batch, BatchStatus.COMPLETE, 3, 21, NOON, NOON, IMPORTED, "import-1", {}, None, 1
    )
    assert batch.is_marked
    assert ledger.get("orders", batch.batch) == batch
    assert sorted(ledger.entries(batch)) == [Entry(f"landing/orders/{n}.csv", 7) for n in (1, 2, 3)]
    found = ledger.find_claim("orders", "landing/orders/3.csv")
    assert found is not None
    assert found.batch == batch.batch
    assert list(ledger.unfinished("orders")) == []
    opened = ledger.open_batch("orders", NOON)
    assert opened.files == 0
    assert list(ledger.batches("orders")) == sorted([opened, batch], key=lambda each: each.batch, reverse=True)


def test_targets_of_a_batch_are_replaced_by_others_and_given_up_in_one_step(ledger: Ledger):
    """And who decided on what was there before decides again."""
    locked = a_locked_batch(ledger)
    settings = {"table": "public.other", "history": "none"}
    moved = ledger.replace(locked, retarget(locked, TARGET, "wh/public.other", settings, "alice-1"))
    assert [*moved.targets] == ["wh/public.other"]
    assert moved == ledger.get("orders", locked.batch)
    assert list(ledger.unfinished("orders")) == [locked.batch]
    for stale in (give_up(locked, TARGET, "bob-1"), begin_attempt(locked, TARGET, Asker("try-1", "dag/run-1"))):
        with pytest.raises(LostRaceError):
            ledger.replace(locked, stale)
    added = ledger.replace(moved, add_target(moved, TARGET, {"table": "public.orders"}, "alice-2"))
    again = ledger.replace(added, give_up(added, TARGET, "bob-2"))
    again = ledger.replace(again, reprocess(again, TARGET, "bob-3", out_of_order=True))
    assert again.progress(TARGET).out_of_order
    assert again == ledger.get("orders", locked.batch)
    given_up = again
    for target in (TARGET, "wh/public.other"):
        given_up = ledger.replace(given_up, give_up(given_up, target, "alice-3"))
        assert given_up == ledger.get("orders", locked.batch)
    assert (given_up.status, {each.state for each in given_up.targets.values()}) == (
        BatchStatus.COMPLETE, {TargetState.GIVEN_UP},
    )  # fmt: skip
    assert (list(ledger.unfinished("orders")), list(ledger.failed("orders"))) == ([], [])


def test_an_object_claimed_already_spoils_a_whole_marking_and_is_named(ledger: Ledger):
    """A run that is at work may be quicker; its batch keeps the object, and nothing else is marked by halves."""
    ledger.claim(ledger.open_batch("orders", NOON), [an_object("orders/1.csv")], LIMITS, NOON)
    first = mark(ledger, "orders/2.csv")
    for into in (None, first):
        with pytest.raises(AlreadyClaimedError) as raised:
            mark(ledger, "orders/0.csv", "orders/1.csv", "orders/2.csv", into=into)
        assert raised.value.names == {"landing/orders/1.csv", "landing/orders/2.csv"}
    assert ledger.find_claim("orders", "landing/orders/0.csv") is None
    assert ledger.get("orders", first.batch) == first
    assert len(ledger.entries(first)) == 1
    assert len([*ledger.batches("orders")]) == 2


def test_nothing_is_marked_into_a_batch_of_another_kind(ledger: Ledger):
    """Else a batch that a run loads would count objects that its COPY never sees."""
    locked, first = a_locked_batch(ledger), mark(ledger, "orders/2.csv")
    loading = ledger.replace(locked, begin_attempt(locked, TARGET, Asker("try-1", "dag/run-1")))
    loaded = ledger.replace(loading, AttemptRecord.newest(loading, TARGET).finished(rows=1, query_id=1).batch)
    unknown = replace(first, batch="01ARZ3NDEKTSV4RRFFQ69G5FAV")
    for into in (ledger.open_batch("orders", NOON), loaded, unknown):
        with pytest.raises(LostRaceError):
            mark(ledger, "orders/3.csv", into=into)
    for other in ({"reason": MARKED}, {"run": "import-2"}):
        with pytest.raises(LostRaceError):
            mark(ledger, "orders/3.csv", into=first, **other)
    assert ledger.find_claim("orders", "landing/orders/3.csv") is None


def test_the_largest_marking_fits_into_one_transaction(ledger: Ledger):
    batch = mark(ledger, *(f"orders/{number:04}.csv" for number in range(CLAIM_OBJECTS)))
    batch = mark(ledger, *(f"orders/{number:04}.txt" for number in range(CLAIM_OBJECTS)), into=batch)
    assert batch.files == len(ledger.entries(batch)) == 2 * CLAIM_OBJECTS


def test_what_a_load_leaves_alone_is_recorded_once_and_comes_with_the_open_batch(ledger: Ledger):
    assert ledger.left_alone("orders") is None
    assert ledger.open_batch("orders", NOON).left_alone is None
    first = {"s3://landing/orders/new/": None, "s3://landing/orders/ü \\'/": NOON}
    ledger.leave_alone("orders", None, first)
    assert ledger.left_alone("orders") == first
    assert ledger.open_batch("orders", NOON).left_alone == first
    for stale in (None, {}, {"s3://landing/orders/new/": None}):
        with pytest.raises(LostRaceError):
            ledger.leave_alone("orders", stale, {})
    ledger.leave_alone("orders", first, {})
    assert ledger.left_alone("orders") == {}
    a_locked_batch(ledger)
    assert ledger.open_batch("orders", NOON).left_alone == {}, "it does not go with the batch"


def test_digests_of_variables_are_recorded_beside_the_open_batch_by_those_who_know_the_last(ledger: Ledger):
    assert ledger.variables("orders") is None
    with pytest.raises(LostRaceError):
        ledger.record_variables("orders", None, {"STAGE": "1"})
    assert ledger.open_batch("orders", NOON).variables is None
    ledger.record_variables("orders", None, {"STAGE": "1"})
    for stale in (None, {}, {"STAGE": "2"}):
        with pytest.raises(LostRaceError):
            ledger.record_variables("orders", stale, {"STAGE": "3"})
    ledger.record_variables("orders", {"STAGE": "1"}, {"STAGE": "2", "TEAM": "1"})
    a_locked_batch(ledger)
    assert ledger.variables("orders") == ledger.open_batch("orders", NOON).variables == {"STAGE": "2", "TEAM": "1"}
    assert ledger.left_alone("orders") is None


def test_nothing_is_left_alone_by_a_load_without_an_open_batch(ledger: Ledger):
    with pytest.raises(LostRaceError):
        ledger.leave_alone("orders", None, {})


def test_a_lock_records_what_is_left_alone_only_if_nothing_is_recorded(ledger: Ledger):
    for key, recorded in (("orders/1.csv", {}), ("orders/2.csv", {"s3://landing/orders/new/": None})):
        batch = ledger.claim(ledger.open_batch("orders", NOON), [an_object(key)], LIMITS, NOON)
        ledger.lock(batch, reason="max_age", run="run", targets=TARGETS, now=NOON, left_alone=recorded)
        assert ledger.left_alone("orders") == {}
