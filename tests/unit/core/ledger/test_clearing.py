"""Telling a person who cleared a task from Airflow that tries it again, whatever became of `retries`."""

from dataclasses import replace
from itertools import product

import pytest
from support.airflow_task import AirflowTask

from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetProgress, TargetState
from rsloader_provider.core.ledger.clearing import HandedOut
from rsloader_provider.core.ledger.transitions import Asker, asks_anew, begin_attempt

LOADED = TargetProgress({}, state=TargetState.LOADED, attempt=1)
"""Loaded, and not by the task that asks: by another installation, for example."""


def begun(progress: TargetProgress, asker: Asker) -> TargetProgress:
    """An attempt of that try, which loads the batch."""
    batch = Batch("orders", "b", BatchStatus.COMPLETE, targets={"a": progress})
    return replace(begin_attempt(batch, "a", asker).targets["a"], state=TargetState.LOADED)


@pytest.mark.parametrize("counts_every_clear", [False, True])
@pytest.mark.parametrize("retries_before", range(4))
def test_a_retry_is_never_taken_for_a_clear_when_retries_is_changed(retries_before: int, counts_every_clear: bool):
    """Also while other tasks of the run are cleared, and whether or not a try has begun an attempt."""
    for retries_after, tries, begins in product(range(5), range(1, 5), (True, False)):
        task = AirflowTask(retries_before, counts_every_clear)
        progress = LOADED
        for _ in range(tries):
            asker = task.next_try()
            assert not asks_anew(progress, asker)
            progress = begun(progress, asker) if begins else progress
        task.retries = retries_after
        task.another_task_is_cleared()
        for number in range(tries):
            assert not asks_anew(progress, task.next_try()), (retries_after, tries, begins, number)


@pytest.mark.parametrize("counts_every_clear", [False, True])
@pytest.mark.parametrize("retries_before", range(4))
@pytest.mark.parametrize("run_ended", [True, False])
def test_a_clear_is_seen_whatever_retries_was_and_is(retries_before: int, counts_every_clear: bool, run_ended: bool):
    """Its first try, its retries where that one did not begin, and none once one has begun: all with one text."""
    for retries_after, tries in product(range(5), range(1, 5)):
        task = AirflowTask(retries_before, counts_every_clear)
        progress = LOADED
        for _ in range(tries):
            progress = begun(progress, task.next_try())
        before = task.max_tries
        task.is_cleared(retries_after, run_ended=run_ended)
        first, second = task.next_try(), task.next_try()
        story = (retries_after, tries)
        if task.max_tries == before and not run_ended:
            assert not asks_anew(progress, first), ("nothing tells it from a retry", story)
            continue
        assert asks_anew(progress, first), story
        assert asks_anew(progress, second), ("the first one may not have begun", story)
        assert first.request(progress) == second.request(progress)
        progress = begun(progress, second)
        assert not asks_anew(progress, first), ("it runs a second time, or goes on late", story)
        assert not asks_anew(progress, task.next_try()), ("an automatic retry", story)


@pytest.mark.parametrize("run_ended", [True, False])
def test_a_try_that_wakes_up_after_the_tries_that_follow_a_clear_is_not_taken_for_one_of_them(run_ended: bool):
    """Its worker was cut off before its attempt began: `max_tries` differs, but it is the older one of the two."""
    for retries_before, retries_after in product(range(4), range(5)):
        task = AirflowTask(retries_before, counts_every_clear=False)
        cut_off = task.next_try()
        task.is_cleared(retries_after, run_ended=run_ended)
        progress = begun(TargetProgress({}), task.next_try())
        assert not asks_anew(progress, cut_off), (retries_before, retries_after)


def test_a_try_of_an_earlier_version_of_the_loader_says_nothing_of_its_number():
    task = AirflowTask(3, counts_every_clear=False)
    earlier = task.next_try()
    assert earlier.task is not None
    progress = begun(LOADED, replace(earlier, task=replace(earlier.task, try_number=None)))
    task.is_cleared(3, run_ended=False)
    assert asks_anew(progress, task.next_try())


@pytest.mark.parametrize("counts_every_clear", [False, True])
def test_a_clear_is_seen_although_no_try_has_ever_begun(counts_every_clear: bool):
    """Connections were missing, so the batch remembers nothing of the task, and another installation loaded it."""
    for retries_before, retries_after, tries in product(range(4), range(5), range(1, 5)):
        task = AirflowTask(retries_before, counts_every_clear)
        for _ in range(tries):
            task.next_try()
        task.is_cleared(retries_after, run_ended=True)
        assert asks_anew(LOADED, task.next_try()), (retries_before, retries_after, tries)
        assert asks_anew(LOADED, task.next_try())


@pytest.mark.parametrize("counts_every_clear", [False, True])
def test_a_clear_counts_only_for_a_batch_that_was_handed_out_before_it(counts_every_clear: bool):
    """`buffer_objects` is cleared with downstream: the task's second try is handed another batch."""
    task = AirflowTask(3, counts_every_clear)
    task.next_try()
    task.is_cleared(3, run_ended=True)
    task.hand_out(by_try=2)
    assert not asks_anew(LOADED, task.next_try())
    assert not asks_anew(LOADED, task.next_try()), "an automatic retry"
    task.is_cleared(3, run_ended=True)
    assert asks_anew(LOADED, task.next_try()), "now a person has asked for this batch"


def test_the_same_batch_handed_out_again_after_the_clear_is_not_asked_for_by_it():
    task = AirflowTask(3, counts_every_clear=True)
    progress = begun(LOADED, task.next_try())
    task.is_cleared(3, run_ended=True)
    task.hand_out(by_try=2)
    assert not asks_anew(progress, task.next_try())


def test_a_request_counts_once_although_others_asked_and_loaded_in_between():
    """A first try opened a generation and died; before its retry, another installation's person asks as well."""
    task = AirflowTask(3, counts_every_clear=False)
    progress = begun(LOADED, task.next_try())
    task.is_cleared(3, run_ended=True)
    progress = begun(progress, task.next_try())
    other = Asker("other/run/load_batch/0/2", "other/run", cleared=True)
    progress = begun(progress, other)
    assert (progress.begun_by, progress.opened_by) == (None, other.task_try)
    assert not asks_anew(progress, task.next_try())
    assert not asks_anew(progress, other)


def test_a_run_of_the_same_id_in_another_airflow_says_nothing_about_this_one():
    """Two installations with one DAG: their scheduled runs have the same ids, and so have their tasks."""
    theirs, ours = AirflowTask(3, counts_every_clear=True), AirflowTask(3, counts_every_clear=True)
    ours.handed_out = replace(ours.handed_out, at="another moment")
    ours.next_try()
    theirs.next_try()
    theirs.is_cleared(3, run_ended=True)
    progress = begun(LOADED, theirs.next_try())
    assert not asks_anew(progress, ours.next_try())


def test_requests_are_remembered_a_few_at_most():
    """The batch is one item of DynamoDB, which must not grow."""
    progress = LOADED
    for number in range(30):
        progress = progress.asked_by(f"request {number}")
    assert progress.opened_by == "request 29"
    assert progress.asked_before == tuple(f"request {number}" for number in range(19, 29))
    assert progress.has_counted("request 19")
    assert progress.asked_by("request 20") is progress


def test_what_was_handed_out_is_read_also_when_a_later_version_tells_more():
    told = {"by_try": 2, "at": "2026-01-01T00:00:00+00:00", "something": "new"}
    assert HandedOut.from_json(told) == HandedOut(2, "2026-01-01T00:00:00+00:00")
