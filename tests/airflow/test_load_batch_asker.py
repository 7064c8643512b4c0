"""Who asks for a batch: a person who cleared the task, or Airflow that tries it again."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from support.objects import TARGET, a_config

from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetProgress, TargetState
from rsloader_provider.core.ledger.clearing import HandedOut, TaskFacts
from rsloader_provider.core.ledger.transitions import Asker, asks_anew, begin_attempt
from rsloader_provider.operators.load_batch import LoadBatchOperator

RETRIES = 3
TASK = "rsloader_orders/run-1/load_batch/4"
BEGAN = datetime(2026, 1, 2, tzinfo=UTC)
HANDED_OUT = {"by_try": 1, "at": "2026-01-02T00:00:01+00:00", "max_tries": RETRIES, "clears": 0, "run_began": None}


def asker(
    *,
    try_number: int,
    max_tries: int,
    retries: int = RETRIES,
    handed_out: dict[str, Any] | None = None,
    clears: int = 0,
) -> Asker:
    """What the operator makes of its task instance."""
    task = LoadBatchOperator(
        task_id="load_batch", load_config=a_config().model_dump(), batch="b", target=TARGET, retries=retries,
        handed_out=handed_out,
    )  # fmt: skip
    ti = SimpleNamespace(
        dag_id="rsloader_orders", run_id="run-1", task_id="load_batch", map_index=4, try_number=try_number,
        max_tries=max_tries,
    )  # fmt: skip
    dag_run = SimpleNamespace(clear_number=clears, start_date=BEGAN)
    return task._asker({"ti": ti, "dag_run": dag_run})  # type: ignore[typeddict-item]


def test_the_asker_says_what_airflow_says_and_what_was_handed_out():
    """The task instance, its run, and when buffer_objects gave it the batch: a clear is told by these."""
    assert asker(try_number=2, max_tries=4, handed_out=HANDED_OUT, clears=1) == Asker(
        f"{TASK}/2",
        "rsloader_orders/run-1",
        cleared=True,
        try_number=2,
        task=TaskFacts(TASK, 4, 1, BEGAN.isoformat(), HANDED_OUT["at"], try_number=2),
        handed_out=HandedOut(1, HANDED_OUT["at"], RETRIES),
    )


STORIES = [
    ("the first try", RETRIES, 1, 3, False),
    ("its automatic retry", RETRIES, 2, 3, False),
    ("its last automatic retry", RETRIES, 4, 3, False),
    ("cleared after it succeeded at once", RETRIES, 2, 4, True),
    ("cleared after all its tries had failed", RETRIES, 5, 7, True),
    ("cleared twice", RETRIES, 3, 5, True),
    ("cleared while it was up for its first retry", RETRIES, 2, 4, True),
    ("the first try of a task without retries", 0, 1, 0, False),
    ("cleared, without retries", 0, 2, 1, True),
]


@pytest.mark.parametrize(("story", "retries", "try_number", "max_tries", "cleared"), STORIES)
def test_a_task_that_an_older_version_handed_a_batch_is_still_understood(
    story: str, retries: int, try_number: int, max_tries: int, cleared: bool
):
    """Its arguments have `batch`, `target` and `summary` only. So have those of people's own mapped tasks."""
    loaded = TargetProgress({}, state=TargetState.LOADED)
    assert asks_anew(loaded, asker(try_number=try_number, max_tries=max_tries, retries=retries)) == cleared, story


@pytest.mark.parametrize(("story", "retries", "try_number", "max_tries", "cleared"), STORIES)
def test_what_was_handed_out_tells_the_same_where_retries_never_changed(
    story: str, retries: int, try_number: int, max_tries: int, cleared: bool
):
    loaded = TargetProgress({}, state=TargetState.LOADED)
    handed_out = {**HANDED_OUT, "max_tries": retries, "run_began": BEGAN.isoformat()}
    this = asker(
        try_number=try_number, max_tries=max_tries, retries=retries, handed_out=handed_out, clears=int(cleared)
    )
    assert asks_anew(loaded, this) == cleared, story


def test_lowered_retries_are_no_clear_for_a_batch_that_an_older_version_handed_out_either():
    """As long as one try has begun an attempt, the batch remembers what max_tries was."""
    batch = Batch("orders", "b", BatchStatus.LOCKED, targets={TARGET: TargetProgress({})})
    begun = begin_attempt(batch, TARGET, asker(try_number=1, max_tries=3)).targets[TARGET]
    lowered = asker(try_number=3, max_tries=3, retries=1)
    assert lowered.cleared, "by the number of the try alone"
    assert lowered.request(begun) is None
