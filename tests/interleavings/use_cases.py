"""What actors do: the real use cases, called as tasks of Airflow and commands of people call them.

Each is an object whose `do` plays it for an actor. A task of Airflow is tried again by calling that again: it goes on
as Airflow would, which knows what it has handed out and what has succeeded.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from support.airflow_task import AirflowTask

from interleavings.actors import EXPECTED_FAILURES, Actor
from interleavings.stage import Stage
from rsloader_provider.loader.operate.batches import close_now, reprocess_batch
from rsloader_provider.loader.operate.change_targets import give_up_target, retarget_batch
from rsloader_provider.loader.operate.forget_objects import forget_objects
from rsloader_provider.loader.operate.move_objects import reprocess_objects
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch

EVERYTHING = 99
"""More than a run is ever given."""


class UseCase(Protocol):
    """What an actor does."""

    name: str
    request: str | None
    """What a person asks by it for what is loaded already; None if nobody does."""
    is_tried_again: bool
    """Whether Airflow tries it again when it was stopped or has failed."""

    def do(self, stage: Stage, actor: Actor) -> object:
        """Play it, from where it stands."""
        ...


@dataclass
class Loading:
    """A task loads a batch into a target.

    Attributes:
        batch: Its id.
        target: The target's name.
        task: The task, which counts its tries.
        asks: Whether a person has cleared it.
        is_tried_again: False for a try that Airflow believes dead, while another one has taken its place.
    """

    batch: str
    target: str
    task: AirflowTask
    asks: bool = False
    is_tried_again: bool = True

    @property
    def name(self) -> str:
        return f"try {self.task.tries + 1} of {self.task.installation}, {self.task.name}"

    @property
    def request(self) -> str | None:
        """The clear; all tries since belong to it."""
        return f"clear of {self.task.installation}, {self.task.name}, {self.task.max_tries}" if self.asks else None

    def is_lost(self, stage: Stage) -> bool:
        """Tell whether it was cleared, and the batch has never heard of that."""
        progress = stage.ledger.get(stage.config.load, self.batch).progress(self.target)
        return self.asks and self.is_tried_again and not progress.has_counted(self.task.facts.clear)

    def do(self, stage: Stage, actor: Actor) -> object:
        asker = self.task.next_try()
        return load_batch(stage.config, stage.services_of(actor), self.batch, self.target, asker)


@dataclass
class Running:
    """A whole run: it buffers, and then loads what it is given, one after the other.

    Attributes:
        run: The DAG run.
        installation: Its Airflow; those of another one are over for all that this one knows.
        loads: Whether it goes on to load; otherwise it only buffers.
        tries: Tries of its `buffer_objects`.
        tasks: Its tasks that load, by map index.
        left: What is left to load; None until it has buffered.
    """

    run: str
    installation: str = "ours"
    loads: bool = True
    tries: int = 0
    tasks: dict[int, AirflowTask] = field(default_factory=dict)
    left: list[Loading] | None = None
    is_tried_again: bool = True
    request = None

    @property
    def name(self) -> str:
        return f"{self.run} of {self.installation}"

    def do(self, stage: Stage, actor: Actor) -> object:
        services = stage.services_of(actor)
        if self.left is None:
            self.tries += 1
            again = f"{self.run}/buffer_objects/{self.tries}" if self.tries > 1 else None
            given = buffer_objects(
                stage.config, services, run=self.run, is_active=lambda _: False, max_work=EVERYTHING, again=again
            )
            self.left = [
                Loading(work.batch.batch, work.target, self._hand_out(index)) for index, work in enumerate(given)
            ]
        while self.left and self.loads:
            with suppress(*EXPECTED_FAILURES):
                self.left[0].do(stage, actor)
            self.left.pop(0)
        return None

    def _hand_out(self, index: int) -> AirflowTask:
        if index not in self.tasks:
            self.tasks[index] = AirflowTask(run=self.run, map_index=index, installation=self.installation)
        self.tasks[index].hand_out(by_try=self.tries)
        return self.tasks[index]


@dataclass
class Command(ABC):
    """A person asks for something, once, and does not look whether it was stopped."""

    name: str
    is_tried_again = False

    @property
    def request(self) -> str:
        """Itself."""
        return self.name

    @abstractmethod
    def do(self, stage: Stage, actor: Actor) -> object:
        """Ask once."""


@dataclass
class Forgetting(Command):
    """Objects are to be new to the next run."""

    urls: Sequence[str]

    def do(self, stage: Stage, actor: Actor) -> object:
        return [*forget_objects(stage.config, stage.services_of(actor), by=self.name, urls=self.urls)]


@dataclass
class Moving(Command):
    """Objects are to be loaded again, in a batch of their own."""

    urls: Sequence[str]

    def do(self, stage: Stage, actor: Actor) -> object:
        return [*reprocess_objects(stage.config, stage.services_of(actor), by=self.name, urls=self.urls)]


@dataclass
class Reprocessing(Command):
    """A batch is to be loaded again."""

    batch: str

    def do(self, stage: Stage, actor: Actor) -> object:
        return reprocess_batch(stage.config, stage.services_of(actor), self.batch, by=self.name)


@dataclass
class Retargeting(Command):
    """A batch is to be loaded into another target, in the place of one that the load no longer has."""

    batch: str
    old: str
    new: str

    def do(self, stage: Stage, actor: Actor) -> object:
        services = stage.services_of(actor)
        return retarget_batch(stage.config, services, self.batch, self.old, self.new, by=self.name)


@dataclass
class GivingUp(Command):
    """A batch is never to be loaded into a target."""

    batch: str
    target: str

    def do(self, stage: Stage, actor: Actor) -> object:
        return give_up_target(stage.config, stage.services_of(actor), self.batch, self.target, by=self.name)


@dataclass
class Closing(Command):
    """The open batch is to be loaded without waiting for its limits."""

    def do(self, stage: Stage, actor: Actor) -> object:
        return close_now(stage.config, stage.services_of(actor), by=self.name)


@dataclass
class LosingHistory(Command):
    """Somebody drops a load history once nobody holds it. `rsloader setup` makes an empty one, but not at once."""

    table: str

    def do(self, stage: Stage, actor: Actor) -> object:
        lock = stage.warehouse.locks[self.table]
        actor.pause("DROP TABLE", lambda: not lock.locked())
        stage.is_lost.add(self.table)
        return stage.warehouse.drop_history(self.table)


def enter(stage: Stage, *cast: UseCase) -> None:
    """Put actors on the stage, each before its first call."""
    for use_case in cast:
        stage.actors.append(begin(stage, use_case))
        stage.cast.append(use_case)


def begin(stage: Stage, use_case: UseCase) -> Actor:
    """Make an actor that stands before its first call."""
    return Actor(use_case.name, lambda actor: use_case.do(stage, actor), use_case.request)
