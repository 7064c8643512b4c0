"""Who meets whom. Each scenario is told from its beginning to the moment when all actors stand before their first call.

A use case that is new gets its scenarios here: with itself, with a load, and with all else that writes what it writes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from support.airflow_task import AirflowTask
from support.fakes.world import OK_TOPIC
from support.objects import TARGET, a_config

from interleavings.stage import Stage
from interleavings.use_cases import (
    Closing,
    Forgetting,
    GivingUp,
    Loading,
    LosingHistory,
    Moving,
    Reprocessing,
    Retargeting,
    Running,
    enter,
)
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch

OTHER = "redshift_default/public.other"

ONE_TABLE = a_config(notify={"success": OK_TOPIC})
ONE_EACH = a_config(notify={"success": OK_TOPIC}, batch={"max_files": 1, "max_age": "1m"})
TWO_TABLES = a_config(targets=[{"table": "public.orders"}, {"table": "public.other"}], notify={"success": OK_TOPIC})
RENAMED = a_config(targets=[{"table": "public.other"}], notify={"success": OK_TOPIC})
REPLACING = a_config(batch={"max_files": 1, "max_age": "1m"}, targets=[{"table": "public.orders", "mode": "replace"}])
WITHOUT_HISTORY = a_config(targets=[{"table": "public.orders", "history": "none"}])


@dataclass(frozen=True, slots=True)
class Scenario:
    """Some actors, and where they meet.

    Attributes:
        begin: Prepares the stage and puts the actors on it.
        config: The load.
        afterwards: What somebody changes when all actors are through.
        settings: Further settings of the stage.
    """

    begin: Callable[[Stage], None]
    config: LoadConfig = ONE_TABLE
    afterwards: Callable[[Stage], None] = lambda stage: None
    settings: Mapping[str, Any] = ()  # type: ignore[assignment]

    def stage(self) -> Stage:
        """Begin the story."""
        stage = Stage(self.config, **dict(self.settings))
        self.begin(stage)
        return stage


def _locked(stage: Stage, *names: str) -> list[Batch]:
    """Objects are claimed and their batches locked, by a run that then ended."""
    stage.put(*names)
    given = buffer_objects(
        stage.config, stage.services, run="dag/run-0", is_active=lambda _: False, max_work=len(names) * 2
    )
    return list({work.batch.batch: work.batch for work in given}.values())


def _loaded(stage: Stage, *names: str) -> tuple[Batch, AirflowTask]:
    """A batch that a task has loaded into the first target."""
    (batch,) = _locked(stage, *names)
    task = AirflowTask()
    load_batch(stage.config, stage.services, batch.batch, TARGET, task.next_try())
    return batch, task


def _url(name: str) -> str:
    return f"s3://landing/orders/{name}"


# New objects.


def two_runs_buffer(stage: Stage) -> None:
    stage.put("1", "2", "3")
    enter(stage, Running("dag/run-1", loads=False), Running("dag/run-2", loads=False))


def a_run_and_a_person_lock(stage: Stage) -> None:
    stage.put("1", "2", "3")
    enter(stage, Running("dag/run-1", loads=False), Closing("close"))


def two_runs_take_over(stage: Stage) -> None:
    _locked(stage, "1", "2")
    enter(stage, Running("dag/run-1"), Running("dag/run-2"))


# Several attempts at one batch.


def a_task_runs_twice(stage: Stage) -> None:
    """Airflow believes the first try dead."""
    (batch,) = _locked(stage, "1", "2")
    task = AirflowTask()
    enter(stage, Loading(batch.batch, TARGET, task, is_tried_again=False), Loading(batch.batch, TARGET, task))


def two_targets(stage: Stage) -> None:
    (batch,) = _locked(stage, "1", "2")
    enter(
        stage,
        Loading(batch.batch, TARGET, AirflowTask()),
        Loading(batch.batch, OTHER, AirflowTask(map_index=1)),
    )


def two_batches(stage: Stage) -> None:
    first, second = _locked(stage, "1", "2")
    enter(
        stage,
        Loading(first.batch, TARGET, AirflowTask()),
        Loading(second.batch, TARGET, AirflowTask(map_index=1)),
    )


# People who clear.


def cleared_while_it_runs(stage: Stage) -> None:
    (batch,) = _locked(stage, "1", "2")
    task = AirflowTask()
    enter(stage, Loading(batch.batch, TARGET, task, is_tried_again=False))
    task.is_cleared(task.retries, run_ended=False)
    enter(stage, Loading(batch.batch, TARGET, task, asks=True))


def cleared_after_it_was_loaded(stage: Stage) -> None:
    """The try after the clear meets one more of itself."""
    batch, task = _loaded(stage, "1", "2")
    task.is_cleared(task.retries, run_ended=True)
    first = Loading(batch.batch, TARGET, task, asks=True, is_tried_again=False)
    enter(stage, first, Loading(batch.batch, TARGET, task, asks=True))


def cleared_in_two_installations(stage: Stage) -> None:
    batch, task = _loaded(stage, "1", "2")
    other = AirflowTask(installation="theirs")
    other.next_try()
    for each in (task, other):
        each.is_cleared(each.retries, run_ended=True)
    enter(stage, *(Loading(batch.batch, TARGET, each, asks=True) for each in (task, other)))


def buffering_cleared_with_downstream(stage: Stage) -> None:
    """What our run is given then, another installation loads too: nobody asks for it twice."""
    (batch,) = _locked(stage, "1", "2")
    task = AirflowTask(run="dag/run-1")
    task.next_try()
    task.is_cleared(task.retries, run_ended=True)
    theirs = Loading(batch.batch, TARGET, AirflowTask(installation="theirs"))
    enter(stage, Running("dag/run-1", tries=1, tasks={0: task}), theirs)


# People who command.


def forgotten_while_it_is_buffered(stage: Stage) -> None:
    _locked(stage, "1")
    stage.put("2")
    enter(stage, Running("dag/run-1", loads=False), Forgetting("forget", [_url("1")]))


def forgotten_while_it_is_loaded(stage: Stage) -> None:
    (batch,) = _locked(stage, "1", "2")
    enter(stage, Loading(batch.batch, TARGET, AirflowTask()), Forgetting("forget", [_url("1")]))


def reprocessed_while_it_is_loaded(stage: Stage) -> None:
    (batch,) = _locked(stage, "1", "2")
    enter(stage, Loading(batch.batch, TARGET, AirflowTask()), Reprocessing("reprocess", batch.batch))


def reprocessed_and_cleared(stage: Stage) -> None:
    batch, task = _loaded(stage, "1", "2")
    task.is_cleared(task.retries, run_ended=True)
    enter(stage, Loading(batch.batch, TARGET, task, asks=True), Reprocessing("reprocess", batch.batch))


def reprocessed_while_a_run_comes(stage: Stage) -> None:
    batch, _ = _loaded(stage, "1", "2")
    enter(stage, Running("dag/run-1"), Reprocessing("reprocess", batch.batch))


def reprocessed_by_two(stage: Stage) -> None:
    batch, _ = _loaded(stage, "1", "2")
    enter(stage, Reprocessing("reprocess 1", batch.batch), Reprocessing("reprocess 2", batch.batch))


def reprocessed_and_forgotten(stage: Stage) -> None:
    batch, _ = _loaded(stage, "1", "2")
    enter(stage, Reprocessing("reprocess", batch.batch), Forgetting("forget", [_url("1"), _url("2")]))


def moved_while_it_is_loaded(stage: Stage) -> None:
    (batch,) = _locked(stage, "1", "2")
    enter(stage, Loading(batch.batch, TARGET, AirflowTask()), Moving("reprocess-objects", [_url("1")]))


def moved_while_a_run_comes(stage: Stage) -> None:
    _loaded(stage, "1", "2")
    stage.put("3")
    enter(stage, Running("dag/run-1"), Moving("reprocess-objects", [_url("1")]))


def retargeted_while_a_run_comes(stage: Stage) -> None:
    """The table was renamed in the load file after the batch was locked."""
    (batch,) = _locked(stage, "1", "2")
    stage.warehouse.create("public.other")
    stage.config = RENAMED
    enter(stage, Running("dag/run-1"), Retargeting("retarget", batch.batch, TARGET, OTHER))


def given_up_while_it_is_loaded(stage: Stage) -> None:
    (batch,) = _locked(stage, "1", "2")
    enter(stage, Loading(batch.batch, TARGET, AirflowTask()), GivingUp("give up", batch.batch, TARGET))


def emptied_while_it_is_loaded(stage: Stage) -> None:
    """The batch loses its only object; the rows of an earlier one are in the table."""
    _loaded(stage, "1")
    (batch,) = _locked(stage, "2")
    enter(stage, Loading(batch.batch, TARGET, AirflowTask()), Forgetting("forget", [_url("2")]))


# Histories that go.


def history_switched_off(stage: Stage) -> None:
    """While it is not known yet whether an attempt has committed; Redshift may cancel the one that would look."""
    a_task_runs_twice(stage)


def _switch_off(stage: Stage) -> None:
    stage.config = WITHOUT_HISTORY


def history_dropped(stage: Stage) -> None:
    a_task_runs_twice(stage)
    enter(stage, LosingHistory("DROP TABLE of the history", "public.orders"))


# Three at once.


def a_task_runs_three_times(stage: Stage) -> None:
    (batch,) = _locked(stage, "1", "2")
    task = AirflowTask()
    dead = [Loading(batch.batch, TARGET, task, is_tried_again=False) for _ in range(2)]
    enter(stage, *dead, Loading(batch.batch, TARGET, task))


def a_load_a_clear_and_a_reprocess(stage: Stage) -> None:
    cleared_while_it_runs(stage)
    enter(stage, Reprocessing("reprocess", next(stage.ledger.batches("orders")).batch))


def a_load_a_run_and_a_forget(stage: Stage) -> None:
    (batch,) = _locked(stage, "1", "2")
    enter(
        stage,
        Loading(batch.batch, TARGET, AirflowTask()),
        Running("dag/run-1"),
        Forgetting("forget", [_url("1")]),
    )


def three_runs_buffer(stage: Stage) -> None:
    stage.put("1", "2", "3")
    enter(stage, *(Running(f"dag/run-{number}", loads=False) for number in (1, 2, 3)))


_UNSURE = {"has_slow_ends": True, "cancels_waits": True}

TWO: Mapping[str, Scenario] = {
    "two runs buffer": Scenario(two_runs_buffer),
    "two runs buffer, reads lag": Scenario(two_runs_buffer, settings={"lags": True}),
    "a run and a person lock": Scenario(a_run_and_a_person_lock),
    "two runs take over": Scenario(two_runs_take_over),
    "a task runs twice": Scenario(a_task_runs_twice, settings=_UNSURE),
    "a task runs twice, without history": Scenario(a_task_runs_twice, WITHOUT_HISTORY),
    "two targets": Scenario(two_targets, TWO_TABLES),
    "two batches": Scenario(two_batches, ONE_EACH),
    "cleared while it runs": Scenario(cleared_while_it_runs),
    "cleared after it was loaded": Scenario(cleared_after_it_was_loaded),
    "cleared in two installations": Scenario(cleared_in_two_installations),
    "buffering cleared with downstream": Scenario(buffering_cleared_with_downstream),
    "forgotten while it is buffered": Scenario(forgotten_while_it_is_buffered),
    "forgotten while it is buffered, reads lag": Scenario(forgotten_while_it_is_buffered, settings={"lags": True}),
    "forgotten while it is loaded": Scenario(forgotten_while_it_is_loaded),
    "reprocessed while it is loaded": Scenario(reprocessed_while_it_is_loaded),
    "reprocessed and cleared": Scenario(reprocessed_and_cleared),
    "reprocessed while a run comes": Scenario(reprocessed_while_a_run_comes),
    "reprocessed by two": Scenario(reprocessed_by_two),
    "reprocessed and forgotten": Scenario(reprocessed_and_forgotten),
    "moved while it is loaded": Scenario(moved_while_it_is_loaded),
    "moved while a run comes, reads lag": Scenario(moved_while_a_run_comes, settings={"lags": True}),
    "moved while a run comes": Scenario(moved_while_a_run_comes),
    "reprocessed while a run comes, reads lag": Scenario(reprocessed_while_a_run_comes, settings={"lags": True}),
    "retargeted while a run comes": Scenario(retargeted_while_a_run_comes),
    "given up while it is loaded": Scenario(given_up_while_it_is_loaded, TWO_TABLES),
    "emptied while it is loaded": Scenario(emptied_while_it_is_loaded, REPLACING),
    "history switched off": Scenario(history_switched_off, afterwards=_switch_off, settings=_UNSURE),
}
"""Two actors, by name; every order."""

THREE: Mapping[str, Scenario] = {
    "a task runs three times": Scenario(a_task_runs_three_times),
    "a load, a clear and a reprocess": Scenario(a_load_a_clear_and_a_reprocess),
    "a load, a run and a forget": Scenario(a_load_a_run_and_a_forget),
    "three runs buffer": Scenario(three_runs_buffer),
    "history dropped": Scenario(history_dropped, settings=_UNSURE),
}
"""Three actors, by name; as THREE_AT_ONCE bounds them."""
