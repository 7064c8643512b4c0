"""Two moments that a killed process does not make: somebody else comes in between two steps of a living one."""

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
from crash.worker import DEADLINE_SECONDS, StuckError, Worker
from rsloader_provider.core.config.target import Transport
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.ports.warehouse import Session, Warehouse
from rsloader_provider.loader.run.load_batch import Outcome
from rsloader_provider.loader.services import Services

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Race:
    """A race of RACES on one isolation level."""

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


RACES: Mapping[str, Callable[[Stage, Isolation], Verdict]] = {
    "an object that comes before the lock": object_before_the_lock,
    "a session that ends late": session_that_ends_late,
}
"""The races by name."""
