"""What a batch records of an attempt, and what it becomes by the attempt's steps."""

from collections.abc import Callable

import pytest

from rsloader_provider.core.errors import AttemptLostError, UnknownBatchError
from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import (
    Batch,
    BatchStatus,
    Notification,
    TargetProgress,
    TargetState,
    UnansweredCommit,
)
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt

LOCKED = Batch(
    "orders",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    BatchStatus.LOCKED,
    files=2,
    targets={"a": TargetProgress({}), "b": TargetProgress({})},
)


def begin(batch: Batch, target: str) -> AttemptRecord:
    return AttemptRecord.newest(begin_attempt(batch, target, Asker("a try", "dag/run-1")), target)


def loaded(batch: Batch, target: str) -> Batch:
    return begin(batch, target).finished(rows=5, query_id=9).batch


STEPS: dict[str, Callable[[AttemptRecord], AttemptRecord]] = {
    "session recorded": lambda record: record.session_recorded(4711),
    "commit announced": lambda record: record.commit_announced(rows=1, query_id=1),
    "finished": lambda record: record.finished(rows=1, query_id=1),
    "ended": lambda record: record.ended(error="", final=True),
    "left undecided": lambda record: record.left_undecided(error=""),
}


def test_a_batch_is_complete_when_every_target_is_loaded():
    one = loaded(LOCKED, "a")
    assert one.status is BatchStatus.LOCKED
    assert one.unfinished_targets == ("b",)
    assert loaded(one, "b").status is BatchStatus.COMPLETE


def test_one_failed_target_makes_the_batch_an_error_until_its_next_attempt():
    failed = begin(LOCKED, "a").ended(error="bad data", final=True)
    assert (failed.batch.status, failed.progress.error) == (BatchStatus.ERROR, "bad data")
    assert loaded(failed.batch, "b").status is BatchStatus.ERROR, "the other target does not hide it"
    again = begin(failed.batch, "a")
    assert (again.batch.status, again.progress.error) == (BatchStatus.LOCKED, None)


def test_an_attempt_that_ended_without_a_verdict_leaves_the_target_waiting():
    begun = begin(LOCKED, "a").session_recorded(4711)
    assert begun.progress.session == 4711
    ended = begun.ended(error="throttled", final=False)
    assert (ended.progress.state, ended.progress.session) == (TargetState.WAITING, None)
    assert ended.batch.status is BatchStatus.LOCKED


def test_a_session_is_remembered_until_an_attempt_after_it_has_its_own():
    hung = begin(LOCKED, "a").session_recorded(4711)
    second = begin(hung.batch, "a").ended(error="unreachable", final=False, had_session=False)
    assert second.progress.session == 4711
    third = begin(second.batch, "a").session_recorded(4712)
    assert third.progress.session == 4712
    assert third.ended(error="1023", final=False).progress.session is None


def test_a_commit_that_was_announced_is_asked_about_until_its_outcome_is_recorded():
    """An attempt that cannot find that out leaves the question; only a session of its own says that it was found."""
    announced = begin(LOCKED, "a").session_recorded(4711, announces=True).commit_announced(rows=2, query_id=7)
    commit = UnansweredCommit(1, 4711, 2, 7)
    assert announced.progress.unanswered == commit
    left = begin(announced.batch, "a").left_undecided(error="nobody knows")
    assert (left.progress.unanswered, left.progress.session, left.progress.is_undecided) == (commit, None, True)
    assert begin(left.batch, "a").session_recorded(4712).progress.unanswered is None


@pytest.mark.parametrize("step", STEPS)
def test_only_the_newest_attempt_may_change_the_target(step: str):
    """The fencing: a process that slept through its own replacement must not record anything."""
    first = begin(LOCKED, "a")
    slept = first.within(begin(first.batch, "a").batch)
    with pytest.raises(AttemptLostError, match=r"Attempt 1 .* is over: attempt 2 is the newest \(loading\)"):
        STEPS[step](slept)


@pytest.mark.parametrize("step", STEPS)
def test_an_attempt_that_has_ended_takes_no_further_step(step: str):
    finished = begin(LOCKED, "a").finished(rows=1, query_id=1)
    with pytest.raises(AttemptLostError, match=r"attempt 1 is the newest \(loaded\)"):
        STEPS[step](finished)


def test_the_end_is_to_be_told_once_the_last_target_is_loaded_or_one_has_failed_for_good():
    def due(record: AttemptRecord) -> bool:
        return record.batch.notification is Notification.DUE

    first = begin(LOCKED, "a").finished(rows=1, query_id=1, notify=True)
    assert not due(first), "the other target is missing"
    assert due(begin(first.batch, "b").finished(rows=1, query_id=1, notify=True))
    assert not due(begin(first.batch, "b").finished(rows=1, query_id=1)), "nobody is to be told"
    assert due(begin(LOCKED, "a").ended(error="bad data", final=True, notify=True))
    assert not due(begin(LOCKED, "a").ended(error="throttled", final=False, notify=True)), "it is tried again"
    assert due(begin(LOCKED, "a").left_undecided(error="nobody knows", notify=True))


def test_a_step_leaves_the_other_targets_of_the_batch_alone():
    begun = begin(LOCKED, "a").session_recorded(4711)
    assert begun.batch.targets["b"] == LOCKED.targets["b"]
    assert begun.finished(rows=1, query_id=1).batch.targets["b"] == LOCKED.targets["b"]


def test_there_is_no_attempt_at_a_target_that_the_batch_was_not_locked_with():
    with pytest.raises(UnknownBatchError, match=r"no target c\. Its targets: a, b"):
        AttemptRecord.newest(LOCKED, "c")
