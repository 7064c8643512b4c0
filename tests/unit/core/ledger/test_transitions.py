"""A batch and the changes that are legal."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.objects import NOON, counting_randomness

from rsloader_provider.core.errors import OperationRefusedError, UnknownBatchError
from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetProgress
from rsloader_provider.core.ledger.batch_ids import next_batch_id
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt, needs_loading, reprocess, take_out

LOCKED = Batch(
    "orders",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    BatchStatus.LOCKED,
    files=2,
    targets={"a": TargetProgress({}), "b": TargetProgress({})},
)


def begin(batch: Batch, target: str, asker: Asker = Asker("try-1", "dag/run-1")) -> AttemptRecord:  # noqa: B008 (frozen)
    return AttemptRecord.newest(begin_attempt(batch, target, asker), target)


def loaded(batch: Batch, target: str, asker: Asker = Asker("try-1", "dag/run-1")) -> Batch:  # noqa: B008 (frozen)
    return begin(batch, target, asker).finished(rows=5, query_id=9).batch


def test_only_a_person_has_a_loaded_batch_loaded_again():
    done = loaded(LOCKED, "a").targets["a"]
    assert needs_loading(TargetProgress({}), Asker("try-1", "dag/run-1"))
    assert not needs_loading(done, Asker("try-2", "dag/run-1"))
    assert needs_loading(done, Asker("try-2", "dag/run-1", cleared=True))


def test_the_same_try_of_a_cleared_task_opens_a_generation_once():
    """A worker that is started twice for the same try must not load twice."""
    asker = Asker("run/load_batch/0/3", "dag/run-1", cleared=True)
    again = loaded(loaded(LOCKED, "a"), "a", asker)
    assert (again.targets["a"].generation, again.targets["a"].attempt) == (2, 2)
    assert not needs_loading(again.targets["a"], asker)
    assert needs_loading(again.targets["a"], Asker("run/load_batch/0/4", "dag/run-1", cleared=True))


def test_clearing_a_load_whose_outcome_is_unknown_is_one_more_attempt_at_the_same_generation():
    """It may have been committed: a new generation would load it twice."""
    unknown = begin_attempt(LOCKED, "a", Asker("try-1", "dag/run-1"))
    again = begin_attempt(unknown, "a", Asker("try-2", "dag/run-1", cleared=True))
    assert (again.targets["a"].generation, again.targets["a"].attempt) == (1, 2)


def test_a_target_that_the_batch_was_not_locked_with_is_an_error_that_names_those_it_has():
    with pytest.raises(UnknownBatchError, match=r"no target c\. Its targets: a, b"):
        LOCKED.progress("c")


@given(st.lists(st.integers(min_value=-(10**6), max_value=10**6), min_size=1, max_size=20))
def test_batches_sort_in_the_order_in_which_they_were_opened(jumps: list[int]):
    """Clocks of workers differ and jump; the order of batches must not."""
    randomness = counting_randomness()
    ids: list[str] = []
    for jump in jumps:
        ids.append(next_batch_id(NOON + timedelta(milliseconds=jump), ids[-1] if ids else None, randomness))
    assert ids == sorted(set(ids))


def test_a_request_opens_the_next_generation_of_a_loaded_target_and_lets_a_failed_one_wait():
    mixed = begin(loaded(LOCKED, "a"), "b").ended(error="bad data", final=True).batch
    asked = reprocess(reprocess(mixed, "a", "request"), "b", "request")
    assert (asked.status, asked.unfinished_targets) == (BatchStatus.LOCKED, ("a", "b"))
    assert [(each.generation, each.rows, each.opened_by) for each in asked.targets.values()] == [
        (2, None, "request"),
        (1, None, "request"),
    ]
    assert reprocess(asked, "a", "another request") == asked, "it waits already"
    again = loaded(asked, "a")
    assert reprocess(again, "a", "request") == again, "the same request counts once"


@pytest.mark.parametrize("had_session", [False, True])
def test_no_object_leaves_a_batch_that_an_attempt_may_still_commit(had_session: bool):
    """The session of an attempt before the last one may never have been ended; it would commit what it has read."""
    one = [Entry("landing/orders/1.csv", 7)]
    assert take_out(LOCKED, one) == replace(LOCKED, files=1, size_bytes=-7, taken_out=1)
    hung = begin(LOCKED, "a").session_recorded(4711).batch
    with pytest.raises(OperationRefusedError, match="is being loaded into a"):
        take_out(hung, one)
    second = begin(hung, "a", Asker("try-2", "dag/run-1"))
    ended = second.ended(error="unreachable", final=True, had_session=had_session).batch
    if had_session:
        assert take_out(ended, one).files == 1
    else:
        with pytest.raises(OperationRefusedError, match="is not known yet"):
            take_out(ended, one)
