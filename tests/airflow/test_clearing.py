"""What becomes of a batch whose task is cleared or tried again, on real task instances of Airflow."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from support.airflow_versions import dag_of
from support.load_task import LoadTask
from support.objects import a_config

from rsloader_provider.airflow_compat import task_state
from rsloader_provider.core.ledger.batch import TargetProgress
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.load_batch import load_batch

if TYPE_CHECKING:
    from conftest import Loads

pytestmark = pytest.mark.usefixtures("airflow_database")

LOST_BEFORE, LOST_AFTER = "drop BEFORE '^commit'", "drop AFTER '^commit'"
UP_FOR_RETRY = "up_for_retry"


class ClearedTask(LoadTask):
    """The one `load_batch` task of a run, and what may happen to it."""

    def __init__(self, loads: "Loads", dag: Any, run_id: str):
        super().__init__(dag, run_id)
        self.loads = loads

    def try_with(self, fault: str) -> str:
        """Try again while an accident happens at the local Redshift."""
        self.loads.query(f"LOCAL FAULT {fault}")
        return self.try_again()

    @property
    def progress(self) -> TargetProgress:
        batches = RsloaderHook().get_conn().ledger.batches(self.loads.load)
        (progress,) = [each for batch in batches for each in batch.targets.values()]
        return progress


@pytest.fixture
def loads_folder(loads: "Loads", monkeypatch: pytest.MonkeyPatch) -> Iterator["Loads"]:
    monkeypatch.setenv("AIRFLOW__RSLOADER__LOADS_FOLDER", str(loads.folder))
    yield loads
    loads.query("LOCAL FAULT CLEAR")


def a_task(loads: "Loads", *, loaded: bool | None, **settings: Any) -> ClearedTask:
    """Run a load's DAG for two files of one row each, and what lies there already.

    Args:
        loads: The load.
        loaded: Whether its load task runs; otherwise it is only marked as a success, and the batch waits. None: it
            runs, and what is in the table is for the test to say.
        settings: More of the load file.
    """
    loads.put("1.csv", content="1\n")
    loads.put("2.csv", content="2\n")
    loads.write(**settings)
    dag = dag_of(f"rsloader_{loads.load}")
    run = dag.test(mark_success_pattern="load_batch" if loaded is False else None)
    assert loaded is None or loads.rows() == ([1, 2] if loaded else [])
    return ClearedTask(loads, dag, run.run_id)


def test_a_person_who_clears_a_batch_of_unknown_outcome_has_it_found_not_loaded_again(loads_folder: "Loads"):
    """The load committed and its answer was lost. Nobody can tell from outside; the history can."""
    task = a_task(loads_folder, loaded=False)
    task.clear()
    assert task.try_with(LOST_AFTER) == UP_FOR_RETRY
    assert loads_folder.rows() == [1, 2]
    assert task.progress.state == "loading"
    task.clear()
    assert task.try_again() == "success"
    assert loads_folder.rows() == [1, 2]
    assert (task.progress.state, task.progress.generation, task.progress.rows) == ("loaded", 1, 2)


@pytest.mark.parametrize("fault", [LOST_BEFORE, LOST_AFTER])
def test_an_automatic_retry_after_a_clear_opens_no_further_generation(loads_folder: "Loads", fault: str):
    task = a_task(loads_folder, loaded=True)
    task.clear()
    assert task.try_with(fault) == UP_FOR_RETRY
    assert task.try_again() == "success"
    assert loads_folder.rows() == [1, 1, 2, 2]
    assert (task.progress.state, task.progress.generation) == ("loaded", 2)


@pytest.mark.parametrize("fault", [LOST_BEFORE, LOST_AFTER])
def test_clearing_while_up_for_retry_asks_for_the_same_load_not_for_another(loads_folder: "Loads", fault: str):
    task = a_task(loads_folder, loaded=True)
    task.clear()
    assert task.try_with(fault) == UP_FOR_RETRY
    task.clear()
    assert task.try_again() == "success"
    assert loads_folder.rows() == [1, 1, 2, 2]
    assert (task.progress.state, task.progress.generation) == ("loaded", 2)


def test_the_tries_since_a_clear_belong_to_it_until_one_has_begun(
    loads_folder: "Loads", monkeypatch: pytest.MonkeyPatch
):
    """The first try meets a ledger that does not answer. Its retry must not end green without doing what was asked."""
    task = a_task(loads_folder, loaded=True)
    task.clear()
    with monkeypatch.context() as broken:
        out_of_order = {"conn_type": "aws", "login": "local", "password": "local",
                        "extra": {"endpoint_url": "http://127.0.0.1:9", "region_name": "us-east-1"}}  # fmt: skip
        broken.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(out_of_order))
        assert task.try_again() == UP_FOR_RETRY
    assert task.try_again() == "success"
    assert loads_folder.rows() == [1, 1, 2, 2]
    assert task.progress.generation == 2
    task.becomes(UP_FOR_RETRY)
    assert task.try_again() == "success"
    assert loads_folder.rows() == [1, 1, 2, 2], "the worker was lost after the load: that retry is Airflow's own"


def test_retries_lowered_while_a_run_goes_make_no_retry_a_persons_clear(loads_folder: "Loads"):
    """The worker is lost after the load; `max_tries` - `retries` + 1 is now the number of the retry."""
    task = a_task(loads_folder, loaded=True)
    task.dag.task_dict["load_batch"].retries = 2
    task.becomes(UP_FOR_RETRY)
    assert task.try_again() == "success"
    assert loads_folder.rows() == [1, 2]
    assert task.progress.generation == 1
    task.clear()
    assert task.try_again() == "success"
    assert loads_folder.rows() == [1, 1, 2, 2], "a person's clear is seen all the same"


def test_a_batch_that_buffer_objects_hands_out_anew_was_not_asked_for_by_clearing_it(loads_folder: "Loads"):
    """Map index 0 gets another batch as its second try, and another installation is quicker to load it."""
    task = a_task(loads_folder, loaded=True)
    buffer = LoadTask(task.dag, task.run_id, task_id="buffer_objects", map_index=-1)
    buffer.clear(task)
    task.run_becomes("running")
    loads_folder.put("3.csv", content="3\n")
    loads_folder.put("4.csv", content="4\n")
    assert buffer.try_again() == "success"
    config = a_config(**yaml.safe_load((loads_folder.folder / f"{loads_folder.load}.yaml").read_text()))
    services = RsloaderHook().get_conn()
    (new,) = services.ledger.unfinished(config.load)
    load_batch(config, services, new, config.targets[0].name, Asker("elsewhere/run/load_batch/0/1", "elsewhere/run"))
    assert task.try_again() == "success"
    assert loads_folder.rows() == [1, 2, 3, 4]
    task.run_becomes("success")
    task.clear()
    assert task.try_again() == "success"
    assert loads_folder.rows() == [1, 2, 3, 3, 4, 4], "now a person has asked for that batch"


def test_clearing_buffer_objects_hands_out_again_what_the_run_left_in_error(loads_folder: "Loads"):
    """Else Airflow removes the failed task, the run succeeds, and nobody sees the batch again."""
    loads_folder.put("3.csv", content="3\n")
    loads_folder.put("4.csv", content="four\n")
    loads_folder.put("5.csv", "6.csv", content="5\n")
    task = a_task(loads_folder, loaded=None)
    buffer = LoadTask(task.dag, task.run_id, task_id="buffer_objects", map_index=-1)
    failed = LoadTask(task.dag, task.run_id, map_index=1)
    assert [failed.state, loads_folder.rows()] == ["failed", [1, 2, 5, 5]]
    buffer.clear(task, failed)
    loads_folder.put("4.csv", content="4\n")
    assert buffer.try_again() == "success"
    assert task.try_again() == "success", "the only work that is left is the first in the list"
    assert loads_folder.rows() == [1, 2, 3, 4, 5, 5]
    assert [*RsloaderHook().get_conn().ledger.failed(loads_folder.load)] == []
    failed.becomes("removed")
    assert task_state(task.dag.dag_id, task.run_id, "load_batch", 1) == "removed", "as `rsloader explain` asks"
    assert task_state(task.dag.dag_id, task.run_id, "load_batch", 9) is None


def test_on_clear_skip_leaves_a_loaded_batch_as_it_is(loads_folder: "Loads"):
    task = a_task(loads_folder, loaded=True, on_clear="skip")
    task.clear()
    assert task.try_again() == "success"
    assert loads_folder.rows() == [1, 2]
    assert task.progress.generation == 1


def test_on_clear_skip_still_loads_a_batch_that_is_not(loads_folder: "Loads"):
    task = a_task(loads_folder, loaded=False, on_clear="skip")
    task.clear()
    assert task.try_again() == "success"
    assert loads_folder.rows() == [1, 2]
