"""Moments that a killed process alone does not make.

Somebody else comes in between two steps of a living one, a person changes the load file, or the ledger is lost.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from crash.cells import Isolation, Side
from crash.checks import Told, problems
from crash.play import Verdict
from crash.scene import OBJECTS, Scene
from crash.stage import Stage
from crash.worker import DEADLINE_SECONDS, Ended, StuckError, Worker
from rsloader_provider.core.config.target import Transport
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.operate.change_targets import give_up_target, retarget_batch
from rsloader_provider.loader.operate.recovery.rebuild import Rebuilt, rebuild_ledger
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.ports.warehouse import Session, Warehouse
from rsloader_provider.loader.run.load_batch import Outcome
from rsloader_provider.loader.services import Services

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Race:
    """A race of RACES, or one of STORIES, on one isolation level."""

    name: str
    isolation: Isolation

    def __str__(self) -> str:
        return f"{self.name} · {self.isolation}"


def object_before_the_lock(stage: Stage, isolation: Isolation) -> Verdict:
    """One worker is about to lock a batch whose age is over when another puts one more object into it."""

    def later(services: Services) -> Services:
        return replace(services, now=lambda: datetime.now(UTC) + timedelta(minutes=2))

    with Scene(stage, isolation, batch={"max_files": 10, "max_age": "1m"}) as scene:
        scene.put("1.csv", OBJECTS["1.csv"])
        assert scene.buffer("dag/run-0") == [], "the batch is locked before its age is over"
        locker = scene.process(scene.buffering("dag/run-1"), (Step.LOCK, Side.BEFORE), later)
        locker.wait_until_held()
        scene.put("2.csv", OBJECTS["2.csv"])
        assert scene.buffer("dag/run-2") == [], "the batch is locked before its age is over"
        locker.go_on()
        ended = locker.end()
        assert ended.value, f"the locker gives nothing to load: {ended}"
        (work,) = ended.value
        loaded = scene.do(scene.loading(work, "dag/run-1"))
        assert loaded.value, f"load_batch failed: {loaded}"
        return Verdict(str(loaded.value.outcome), tuple(problems(scene, {work.target: 1}, Told(1))))


class _LateEnd:
    """A session whose orders to end another session are taken, and carried out too late to matter.

    `pg_terminate_backend` answers when it has sent the signal, and not when the other session has ended.
    """

    def __init__(self, session: Session):
        self._session = session

    def execute(self, statement: sql.Statement) -> list[Any] | None:
        return None if isinstance(statement, sql.TerminateSession) else self._session.execute(statement)


class _LateEnds:
    """A warehouse of such sessions."""

    def __init__(self, warehouse: Warehouse):
        self._warehouse = warehouse

    @contextmanager
    def connect(self, conn_id: str, transport: Transport = "driver") -> Iterator[Session]:
        with self._warehouse.connect(conn_id, transport) as session:
            yield _LateEnd(session)


def session_that_ends_late(stage: Stage, isolation: Isolation) -> Verdict:
    """The second attempt begins its transaction while the first, which it believes ended, is about to commit."""
    with Scene(stage, isolation) as scene:
        for name, body in OBJECTS.items():
            scene.put(name, body)
        (work,) = scene.buffer("dag/run-1")
        first = scene.process(scene.loading(work, "dag/run-1", 1), (Step.COMMIT, Side.BEFORE))
        first.wait_until_held()
        second = scene.process(
            scene.loading(work, "dag/run-1", 2),
            (Step.COPY, Side.BEFORE),
            lambda services: replace(services, warehouse=_LateEnds(services.warehouse)),
        )
        _wait_for_the_second(scene, work.target, second)
        first.go_on()
        lost = first.end()
        assert (lost.error or "").startswith("AttemptLostError"), f"the first attempt kept its place: {lost}"
        # If the second attempt fails, as under SERIALIZABLE it might, a third one settles it.
        ended = [second.let_end(), scene.do(scene.loading(work, "dag/run-1", 3))]
        outcomes = [each.value.outcome for each in ended if each.value]
        assert outcomes, f"no attempt came to its end: {ended}"
        told = sum(outcome in {Outcome.LOADED, Outcome.FOUND_LOADED} for outcome in outcomes)
        return Verdict(str(outcomes[0]), tuple(problems(scene, {work.target: 1}, Told(told))))


def _wait_for_the_second(scene: Scene, target: str, worker: Worker) -> None:
    """Return when a worker waits for the lock of the history, or else has come to its step, or its end."""
    history = f"rsloader.{scene.tables[target].replace('.', '__')}"
    waiting = f"SELECT 1 FROM pg_locks WHERE NOT granted AND relation = '{history}'::regclass"
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not scene.query(waiting) and not worker.has_reported(_POLL_SECONDS):
        if time.monotonic() > deadline:
            raise StuckError("the second attempt neither waits for the history nor gets on")


def _asked(scene: Scene, old: str, new: str) -> Ended:
    (batch,) = scene.batches()
    return scene.do(lambda services: retarget_batch(scene.config, services, batch.batch, old, new, by="a person"))


def _renamed(side: Side, *, goes_on: bool = False) -> Callable[[Stage, Isolation], Verdict]:
    """A table is renamed in the load file while a process is stopped at its COMMIT into the old one.

    Args:
        side: Where it is stopped.
        goes_on: Whether it goes on in the end; otherwise it is killed.
    """

    def play(stage: Stage, isolation: Isolation) -> Verdict:
        with Scene(stage, isolation, 2) as scene:
            old, new = scene.targets
            scene.has_only(old)
            for name, body in OBJECTS.items():
                scene.put(name, body)
            (work,) = scene.buffer("dag/run-1")
            first = scene.process(scene.loading(work, "dag/run-1"), (Step.COMMIT, side))
            first.wait_until_held()
            scene.has_only(new)
            early = _asked(scene, old, new)
            assert (early.error or "").startswith("OperationRefusedError"), f"what it does is not known yet: {early}"
            if not goes_on:
                first.kill()
            (taken,) = scene.buffer("dag/run-2")
            outcome = scene.do(scene.loading(taken, "dag/run-2"))
            if side is Side.BEFORE:
                assert (outcome.error or "").startswith("TargetRemovedError"), f"nothing was committed: {outcome}"
                assert scene.buffer("dag/run-3") == [], "it waits for a person"
                assert _asked(scene, old, new).value, "now it is certain"
                (moved,) = scene.buffer("dag/run-4")
                outcome = scene.do(scene.loading(moved, "dag/run-4"))
            else:
                late = _asked(scene, old, new)
                assert (late.error or "").startswith("OperationRefusedError"), f"it is loaded already: {late}"
            if goes_on:
                first.go_on()
                assert first.end().error, "the first attempt kept its place"
            loaded, empty = (new, old) if side is Side.BEFORE else (old, new)
            found = [*problems(scene, {loaded: 1}, Told(1))]
            if rows := scene.rows(empty):
                found.append(f"{empty} holds {dict(rows)}")
            assert outcome.value, f"load_batch failed: {outcome}"
            return Verdict(str(outcome.value.outcome), tuple(found))

    return play


def _decided_too_late(step: Step) -> Callable[[Stage, Isolation], Verdict]:
    """A worker with the old load file loads the batch just before a person's decision about its target is written."""

    def play(stage: Stage, isolation: Isolation) -> Verdict:
        with Scene(stage, isolation, 2) as scene:
            old, new = scene.targets
            scene.has_only(old)
            for name, body in OBJECTS.items():
                scene.put(name, body)
            (work,) = scene.buffer("dag/run-1")
            scene.has_only(new)

            def decide(services: Services) -> object:
                if step is Step.RETARGET:
                    return retarget_batch(scene.config, services, work.batch.batch, old, new, by="a person")
                return give_up_target(scene.config, services, work.batch.batch, old, by="a person")

            person = scene.process(decide, (step, Side.BEFORE))
            person.wait_until_held()
            scene.has_only(old)
            loaded = scene.do(scene.loading(work, "dag/run-1"))
            assert loaded.value, f"load_batch failed: {loaded}"
            person.go_on()
            refused = person.end()
            assert (refused.error or "").startswith("OperationRefusedError"), f"it is loaded already: {refused}"
            return Verdict(str(loaded.value.outcome), tuple(problems(scene, {old: 1}, Told(1))))

    return play


def rebuilding_that_is_killed(stage: Stage, isolation: Isolation) -> Verdict:
    """The ledger is lost; what puts it back is killed before its first write and after it, each time beside a run."""
    with Scene(stage, isolation) as scene:
        for name, body in OBJECTS.items():
            scene.put(name, body)
        (work,) = scene.buffer("dag/run-1")
        assert scene.do(scene.loading(work, "dag/run-1")).value
        stage.lose(scene.load)

        def rebuild(services: Services) -> Rebuilt:
            return rebuild_ledger(scene.config, services, by="a person")

        for number, side in enumerate(Side, start=2):
            killed = scene.process(rebuild, (Step.REBUILD, side))
            killed.wait_until_held()
            beside = scene.do(scene.buffering(f"dag/run-{number}"))
            assert beside.value == [] or (beside.error or "").startswith("LedgerLostError"), f"it loads: {beside}"
            killed.kill()
        rebuilt = scene.do(rebuild)
        assert rebuilt.value, f"the rebuilding failed: {rebuilt}"
        assert scene.buffer("dag/run-4") == [], "there is something to load again"
        return Verdict("put back", tuple(problems(scene, {work.target: 1}, None)))


RACES: Mapping[str, Callable[[Stage, Isolation], Verdict]] = {
    "an object that comes before the lock": object_before_the_lock,
    "a session that ends late": session_that_ends_late,
    "a table renamed before the commit": _renamed(Side.BEFORE),
    "a table renamed after the commit": _renamed(Side.AFTER),
    "a table renamed before the commit, and the first goes on": _renamed(Side.BEFORE, goes_on=True),
    "a table renamed after the commit, and the first goes on": _renamed(Side.AFTER, goes_on=True),
    "a load before a retarget": _decided_too_late(Step.RETARGET),
    "a load before a give-up": _decided_too_late(Step.GIVE_UP),
    "a rebuilding that is killed": rebuilding_that_is_killed,
}
"""The races by name."""
