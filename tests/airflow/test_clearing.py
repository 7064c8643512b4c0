"""What becomes of a batch whose task is cleared or tried again, on real task instances of Airflow."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from support.load_task import LoadTask

from rsloader_provider.core.ledger.batch import TargetProgress
from rsloader_provider.hooks.rsloader import RsloaderHook

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


def a_task(loads: "Loads", *, loaded: bool, **settings: Any) -> ClearedTask:
    """Run a load's DAG for two files of one row each.

    Args:
        loads: The load.
        loaded: Whether its load task runs; otherwise it is only marked as a success, and the batch waits.
        settings: More of the load file.
    """
    loads.put("1.csv", content="1\n")
    loads.put("2.csv", content="2\n")
    loads.write(**settings)
    dag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[f"rsloader_{loads.load}"]
    run = dag.test(mark_success_pattern=None if loaded else "load_batch")
    assert loads.rows() == ([1, 2] if loaded else [])
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
