"""Who asks for a batch: a person who cleared the task, or Airflow that tries it again."""

from types import SimpleNamespace

import pytest
from support.objects import TARGET, a_config

from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.operators.load_batch import LoadBatchOperator

RETRIES = 3


@pytest.mark.parametrize(
    ("story", "retries", "try_number", "max_tries", "cleared"),
    [
        ("the first try", RETRIES, 1, 3, False),
        ("its automatic retry", RETRIES, 2, 3, False),
        ("its last automatic retry", RETRIES, 4, 3, False),
        ("cleared after it succeeded at once", RETRIES, 2, 4, True),
        ("cleared after all its tries had failed", RETRIES, 5, 7, True),
        ("the automatic retry after a clear", RETRIES, 3, 4, False),
        ("cleared twice", RETRIES, 3, 5, True),
        ("cleared while it was up for its first retry", RETRIES, 2, 4, True),
        ("cleared while it was up for the retry after a clear", RETRIES, 4, 6, True),
        ("the first try of a task without retries", 0, 1, 0, False),
        ("cleared, without retries", 0, 2, 1, True),
    ],
)
def test_only_the_first_try_since_a_clear_is_a_persons(
    story: str, retries: int, try_number: int, max_tries: int, cleared: bool
):
    """Clearing sets `max_tries` to `try_number` + `retries`; a retry leaves it. Seen on 3.3.2 and 2.11.2."""
    task = LoadBatchOperator(
        task_id="load_batch", load_config=a_config().model_dump(), batch="b", target=TARGET, retries=retries
    )
    ti = SimpleNamespace(
        dag_id="rsloader_orders", run_id="run-1", task_id="load_batch", map_index=4, try_number=try_number,
        max_tries=max_tries,
    )  # fmt: skip
    expected = Asker(f"rsloader_orders/run-1/load_batch/4/{try_number}", "rsloader_orders/run-1", cleared)
    assert task._asker({"ti": ti}) == expected, story  # type: ignore[typeddict-item]
