"""What becomes of commands that are stopped: each is asked for again, and then everything is loaded once."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from crash.cells import Isolation, Side
from crash.checks import ROWS, Told, problems
from crash.play import Verdict
from crash.scene import OBJECTS, Scene
from crash.stage import LANDING, Stage
from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.loader.operate.batches import close_now
from rsloader_provider.loader.operate.change_targets import give_up_target, retarget_batch
from rsloader_provider.loader.operate.recovery.rebuild import Rebuilt, rebuild_ledger
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.services import Services

_BY = "a person"
_REFUSALS = ("LedgerLostError", "CorruptLedgerError")
_NEW = "10.csv"
"""Between the two objects that were loaded, as S3 sorts; its row is 7."""


def _retargeted(side: Side) -> Callable[[Stage, Isolation], Verdict]:
    """A table is renamed in the load file while a batch waits."""

    def play(stage: Stage, isolation: Isolation) -> Verdict:
        with Scene(stage, isolation, 2) as scene:
            old, new = scene.targets
            scene.has_only(old)
            _put_objects(scene)
            (work,) = scene.buffer("dag/run-1")
            scene.has_only(new)
            _ask_twice(
                scene,
                lambda services: retarget_batch(scene.config, services, work.batch.batch, old, new, by=_BY),
                (Step.RETARGET, side),
            )
            return _loaded_only(scene, new, old)

    return play


def _given_up(side: Side) -> Callable[[Stage, Isolation], Verdict]:
    """A batch is not to be loaded into one of two targets."""

    def play(stage: Stage, isolation: Isolation) -> Verdict:
        with Scene(stage, isolation, 2) as scene:
            given_up, other = scene.targets
            _put_objects(scene)
            work, _ = scene.buffer("dag/run-1")
            _ask_twice(
                scene,
                lambda services: give_up_target(scene.config, services, work.batch.batch, given_up, by=_BY),
                (Step.GIVE_UP, side),
            )
            return _loaded_only(scene, other, given_up)

    return play


def _ask_twice(scene: Scene, job: Callable[[Services], Any], hold: tuple[Step, Side]) -> None:
    """Kill it at its write, and ask for the same once more."""
    killed = scene.process(job, hold)
    killed.wait_until_held()
    killed.kill()
    again = scene.do(job)
    assert again.value, f"asked for again, it fails: {again}"


def _loaded_only(scene: Scene, target: str, empty: str) -> Verdict:
    """Let the next run load what is left: into one target, and nothing into the other."""
    (work,) = scene.buffer("dag/run-2")
    assert work.target == target, f"the run has to load {work}"
    loaded = scene.do(scene.loading(work, "dag/run-2"))
    assert loaded.value, f"load_batch failed: {loaded}"
    found = [*problems(scene, {target: 1}, Told(1))]
    if rows := scene.rows(empty):
        found.append(f"{empty} holds {dict(rows)}")
    return Verdict(str(loaded.value.outcome), tuple(found))


def _emptied(scene: Scene) -> None:
    """The ledger's tables were created again."""
    _put_objects(scene)
    _run(scene, "dag/run-1")
    scene.stage.lose(scene.load)
    scene.put(_NEW, "7\n")


def _restored(scene: Scene) -> None:
    """The ledger is as before the batch was full, and a run fills it up with another object than it has loaded."""
    first, second = OBJECTS
    scene.put(first, OBJECTS[first])
    assert scene.buffer("dag/run-0") == [], "the batch is locked before it is full"
    backup = scene.stage.backup(scene.load)
    scene.put(second, OBJECTS[second])
    _run(scene, "dag/run-1")
    scene.stage.restore(scene.load, backup)
    scene.put(_NEW, "7\n")
    _run(scene, "dag/run-2")


def _rebuilt(lose: Callable[[Scene], None]) -> Callable[[Stage, Isolation], Verdict]:
    """`rebuild-ledger` is killed after each of its steps and asked for again; each time a run comes in between."""

    def play(stage: Stage, isolation: Isolation) -> Verdict:
        with Scene(stage, isolation) as scene:
            lose(scene)

            def rebuild(services: Services) -> Rebuilt:
                return rebuild_ledger(scene.config, services, by=_BY)

            steps = 0
            side = Side.BEFORE
            while (ended := (process := scene.process(rebuild, (None, side))).reach()) is None:
                process.kill()
                steps += side is Side.AFTER
                side = Side.AFTER
                _run(scene, f"dag/after-{steps}")
            assert ended.value, f"the rebuilding failed: {ended}"
            _run(scene, "dag/clean-1")
            scene.do(lambda services: close_now(scene.config, services, by=_BY))
            _run(scene, "dag/clean-2")
            return Verdict(f"put back in {steps} steps", tuple(_problems_of_rebuilt(scene)))

    return play


def _problems_of_rebuilt(scene: Scene) -> Iterator[str]:
    (target,) = scene.targets
    if (rows := scene.rows(target)) != ROWS + Counter([7]):
        yield f"{target} holds {dict(rows)}, and not {dict(ROWS)} and the new row 7"
    loaded = {batch: files for batch, _, _, files in scene.history(target)}
    if sorted(loaded.values()) != [1, len(OBJECTS)]:
        yield f"the history is {scene.history(target)}, and not of the batch of before and one with the new object"
    ledger = scene.stage.ledger
    for batch in ledger.batches(scene.load):
        if batch.status is not BatchStatus.COMPLETE and (batch.files or batch.status is not BatchStatus.OPEN):
            yield f"{batch} is {batch.status}, with {batch.files} objects"
        if batch.files != loaded.get(batch.batch, 0) or batch.files != len(ledger.entries(batch)):
            yield f"{batch} has {len(ledger.entries(batch))} objects and counts {batch.files}"
    claims = {claim.name for claim in ledger.claims(scene.load, LANDING) if claim.batch in loaded}
    if claims != {f"{LANDING}/{scene.prefix}{name}" for name in (*OBJECTS, _NEW)}:
        yield f"claimed for batches that were loaded are {claims}"


def _run(scene: Scene, run: str) -> None:
    """A run of the DAG, of which each task is tried once; while the ledger is lost, it may refuse to load."""
    buffered = scene.do(scene.buffering(run))
    tasks = [scene.do(scene.loading(work, run)) for work in buffered.value or ()]
    for ended in (buffered, *tasks):
        assert ended.value is not None or (ended.error or "").startswith(_REFUSALS), f"{run}: {ended}"


def _put_objects(scene: Scene) -> None:
    for name, body in OBJECTS.items():
        scene.put(name, body)


COMMANDS: Mapping[str, Callable[[Stage, Isolation], Verdict]] = {
    "retarget is killed before its write": _retargeted(Side.BEFORE),
    "retarget is killed after its write": _retargeted(Side.AFTER),
    "give-up is killed before its write": _given_up(Side.BEFORE),
    "give-up is killed after its write": _given_up(Side.AFTER),
    "rebuild-ledger is killed after each step, the tables were emptied": _rebuilt(_emptied),
    "rebuild-ledger is killed after each step, the tables were put back": _rebuilt(_restored),
}
"""The stories by name."""
