"""What people do between a crash and the next try: they clear, change the load file, take objects out."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from support.airflow_task import AirflowTask

from crash.cells import Isolation, Side
from crash.checks import ROWS, Told, problems
from crash.commands import COMMANDS
from crash.play import Verdict
from crash.scene import OBJECTS, Scene
from crash.stage import LANDING, Stage
from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.loader.operate.batches import close_now
from rsloader_provider.loader.operate.forget_objects import forget_objects
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.run.load_batch import Outcome, load_batch
from rsloader_provider.loader.run.take_over import Work
from rsloader_provider.loader.services import Services


def first_try_after_a_clear(stage: Stage, isolation: Isolation) -> Verdict:
    """It is killed before its attempt begins: the next try does what the person asked for, and then that is done."""
    with Scene(stage, isolation) as scene:
        work, task = _filled(scene), AirflowTask()
        assert _outcome(scene, work, task.next_try()) == Outcome.LOADED
        task.is_cleared(task.retries, run_ended=True)
        killed = scene.process(_loading(scene, work, task.next_try()), (Step.BEGIN_ATTEMPT, Side.BEFORE))
        killed.wait_until_held()
        killed.kill()
        outcomes = [_outcome(scene, work, task.next_try()) for _ in range(2)]
        assert outcomes == [Outcome.LOADED, Outcome.NOTHING_TO_DO], outcomes
        return Verdict(outcomes[0], tuple(problems(scene, {work.target: 2}, Told(2))))


def buffering_cleared_with_downstream(stage: Stage, isolation: Isolation) -> Verdict:
    """Another installation loads what our second try was given, as that is about to begin: nobody asked for it."""
    with Scene(stage, isolation) as scene:
        task = AirflowTask()
        task.next_try()
        task.is_cleared(task.retries, run_ended=True)
        work = _filled(scene)
        task.hand_out(by_try=2)
        ours = scene.process(_loading(scene, work, task.next_try()), (Step.BEGIN_ATTEMPT, Side.BEFORE))
        ours.wait_until_held()
        assert _outcome(scene, work, AirflowTask(installation="theirs").next_try()) == Outcome.LOADED
        ours.go_on()
        ended = ours.end()
        assert ended.value, f"our try failed: {ended}"
        return Verdict(str(ended.value.outcome), tuple(problems(scene, {work.target: 1}, Told(1))))


def history_switched_off(stage: Stage, isolation: Isolation) -> Verdict:
    """An attempt dies after its COMMIT, the next before it has looked; then the load keeps no history any more."""
    with Scene(stage, isolation) as scene:
        work = _filled(scene)
        for step, side in ((Step.COMMIT, Side.AFTER), (Step.BEGIN_TRANSACTION, Side.BEFORE)):
            killed = scene.process(scene.loading(work, "dag/run-1"), (step, side))
            killed.wait_until_held()
            killed.kill()
        targets = tuple(target.model_copy(update={"history": "none"}) for target in scene.config.targets)
        scene.config = scene.config.model_copy(update={"targets": targets})
        ended = scene.do(scene.loading(work, "dag/run-1", 3))
        assert ended.value, f"the third try failed: {ended}"
        return Verdict(str(ended.value.outcome), tuple(problems(scene, {work.target: 1}, Told(1))))


def batch_emptied(stage: Stage, isolation: Isolation) -> Verdict:
    """A batch that would replace the table's rows waits after a crash, and a person takes its only object out."""
    with Scene(stage, isolation, mode="replace") as scene:
        loaded = scene.do(scene.loading(_filled(scene), "dag/run-1"))
        assert loaded.value, f"load_batch failed: {loaded}"
        scene.put("3.csv", "7\n")
        assert scene.buffer("dag/run-2") == [], "the batch is locked before it is full"
        scene.do(lambda services: close_now(scene.config, services, by="a person"))
        (work,) = scene.buffer("dag/run-3")
        killed = scene.process(scene.loading(work, "dag/run-3"), (Step.BEGIN_ATTEMPT, Side.BEFORE))
        killed.wait_until_held()
        killed.kill()
        url = f"s3://{LANDING}/{scene.prefix}3.csv"
        taken = scene.do(lambda services: [*forget_objects(scene.config, services, by="a person", urls=[url])])
        assert taken.value, f"it could not be taken out: {taken}"
        (work,) = scene.buffer("dag/run-4")
        ended = scene.do(scene.loading(work, "dag/run-4"))
        assert ended.value, f"the emptied batch failed: {ended}"
        return Verdict(str(ended.value.outcome), tuple(_problems_of_emptied(scene, work)))


def _problems_of_emptied(scene: Scene, work: Work) -> Iterator[str]:
    if (rows := scene.rows(work.target)) != ROWS:
        yield f"{work.target} holds {dict(rows)}, and not {dict(ROWS)}"
    if len(history := scene.history(work.target)) != 1:
        yield f"the history is {history}, and not of the one batch that has objects"
    if left := [batch for batch in scene.batches() if batch.status is not BatchStatus.COMPLETE]:
        yield f"batches are left: {left}"


def _filled(scene: Scene) -> Work:
    """Objects are there, and a run has locked them."""
    for name, body in OBJECTS.items():
        scene.put(name, body)
    (work,) = scene.buffer("dag/run-1")
    return work


def _loading(scene: Scene, work: Work, asker: Asker) -> Callable[[Services], Any]:
    return lambda services: load_batch(scene.config, services, work.batch.batch, work.target, asker)


def _outcome(scene: Scene, work: Work, asker: Asker) -> str:
    ended = scene.do(_loading(scene, work, asker))
    return str(ended.value.outcome) if ended.value else str(ended)


STORIES: Mapping[str, Callable[[Stage, Isolation], Verdict]] = {
    "the first try after a clear is killed": first_try_after_a_clear,
    "buffer_objects is cleared with downstream": buffering_cleared_with_downstream,
    "the history is switched off in doubt": history_switched_off,
    "a batch loses its only object": batch_emptied,
    **COMMANDS,
}
"""The stories by name."""
