"""What the actors of one story work on."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from support.fakes.ledger import MemoryLedger
from support.fakes.notifier import MemoryNotifier
from support.fakes.storage import MemoryStorage
from support.fakes.warehouse import MemorySession, MemoryWarehouse
from support.fakes.world import OK_TOPIC
from support.objects import Clock, counting_randomness

from interleavings.actors import NOTHING, WAREHOUSE, Actor, Late, Reach
from interleavings.asked import Asked
from interleavings.ports import LedgerOfOne, NotifierOfOne, SessionOfOne, StorageOfOne, WarehouseOfOne
from interleavings.schedules import Move, Turn, letter_of
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.services import Services


class _Silent:
    """Steps that nobody hears of."""

    def taking(self, step: object, subject: object) -> nullcontext[None]:
        return nullcontext()


@dataclass
class Stage:
    """One story.

    Attributes:
        config: The load as it is now.
        has_slow_ends: Whether a session that is terminated may live on for a while, as in Redshift.
        cancels_waits: Whether Redshift may cancel what waits for a lock.
        lags: Whether each read of the ledger that may lag does.
        actors: Who is there; behind those of the cast, what is on its way since somebody was stopped or is to end.
        cast: The use case of each.
        asked: How often each object is to be loaded.
        is_lost: The tables whose history somebody has dropped.
    """

    config: LoadConfig
    has_slow_ends: bool = False
    cancels_waits: bool = False
    lags: bool = False
    actors: list[Actor | Late] = field(default_factory=list)
    cast: list[Any] = field(default_factory=list)
    asked: Asked = field(default_factory=Asked)
    is_lost: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ledger = MemoryLedger(counting_randomness(), lags=self.lags)
        self.storage = MemoryStorage("landing", "loader")
        self.clock = Clock()
        self.notifier = MemoryNotifier(OK_TOPIC)
        self.warehouse = MemoryWarehouse(self.storage, now=self.clock)
        for target in self.config.targets:
            self.warehouse.create(f"{target.schema_name}.{target.table_name}")
        self.numbers = count(1)
        self.objects: list[str] = []

    @property
    def targets(self) -> list[str]:
        """Names of the load's targets."""
        return [target.name for target in self.config.targets]

    @property
    def replaces(self) -> bool:
        """Whether each batch takes the place of the rows before it."""
        return any(target.mode == "replace" for target in self.config.targets)

    @property
    def keeps_no_history(self) -> bool:
        """Whether the load has ceased to keep a history."""
        return any(target.history == "none" for target in self.config.targets)

    @property
    def services(self) -> Services:
        """The ports without turns, for what comes before and after the actors."""
        return Services(
            self.ledger, self.storage, self.warehouse, self.notifier, self.clock, _Silent(), sleep=lambda _: None
        )

    def services_of(self, actor: Actor) -> Services:
        """The ports with turns."""
        return Services(
            LedgerOfOne(self, actor),
            StorageOfOne(self.storage, actor),
            WarehouseOfOne(self, actor),
            NotifierOfOne(self.notifier, actor),
            self.clock,
            _Silent(),
            sleep=lambda _: None,
        )

    def put(self, *names: str) -> None:
        """Put objects into S3; each holds one row, its own name."""
        for name in names:
            self.storage.write("landing", f"orders/{name}", f"{name}\n".encode())
            self.objects.append(name)

    def moves(self) -> list[Move]:
        """Give what can happen next, without stops."""
        found = []
        for number, actor in enumerate(self.actors):
            if actor.is_over:
                continue
            if actor.is_ready():
                found.append(Move(number))
            elif actor.may_time_out:
                found.append(Move(number, Turn.TIME_OUT))
        return found

    def make(self, move: Move) -> None:
        """Let it happen."""
        actor = self.actors[move.actor]
        if move.turn is not Turn.STOP:
            actor.advance(times_out=move.turn is Turn.TIME_OUT)
            return
        is_committing = self._is_committing(actor)
        actor.stop()
        for session in self._sessions_of(actor):
            if is_committing and session.in_transaction and not session.broken:
                # It may have been sent with the last breath.
                self.actors.append(Late(f"COMMIT of {actor.name} arrives", lambda session=session: _arrive(session)))

    def _sessions_of(self, actor: Actor | Late) -> list["SessionOfOne"]:
        sessions = self.warehouse.sessions.values()
        return [each for each in sessions if isinstance(each, SessionOfOne) and each.actor is actor]

    def terminate_later(self, session: MemorySession) -> None:
        """The session ends at some moment, and may go on until then."""
        if not session.broken:
            self.actors.append(Late(f"session {session.pid} ends", session.close, is_certain=True))

    @property
    def is_at_its_end(self) -> bool:
        """Whether no actor can go on, but for what is on its way."""
        return all(self.is_late(move) for move in self.moves())

    def is_late(self, move: Move) -> bool:
        """Tell whether a move is that something arrives that was on its way."""
        return isinstance(self.actors[move.actor], Late)

    def state(self) -> "State":
        """Tell this state from others: from equal ones everything goes on in the same way."""
        ledger, warehouse = self.ledger, self.warehouse
        outside = (
            _sorted(ledger._batches), _sorted(ledger._claims), _sorted(ledger._segments), ledger._current,
            self.lags and (_sorted(ledger._seen(ledger._batches)), _sorted(ledger._seen(ledger._claims))),
            [_sorted(objects) for objects in self.storage._buckets.values()],
            [(name, sorted(rows)) for name, rows in _sorted(warehouse.tables)],
            [(name, sorted(map(repr, rows))) for name, rows in _sorted(warehouse.histories)],
            sorted(map(repr, warehouse.loads)), [sorted(map(repr, each)) for each in self.notifier.messages.values()],
            sorted(self.is_lost), self.asked,
            sorted(_state(each) for each in warehouse.sessions.values() if isinstance(each, SessionOfOne)),
        )  # fmt: skip
        return State(hash(repr(outside)), tuple(map(self._knowledge, range(len(self.actors)))))

    def _knowledge(self, number: int) -> int:
        """Tell what makes a difference of an actor: what it knows, and once it is over, what is left to others."""
        actor = self.actors[number]
        if not actor.is_over:
            return hash((actor.place, actor.digest))
        error = actor.error and actor.error.retryable
        return hash((actor.is_stopped, error, actor.bug and repr(actor.bug), self._left(number)))

    def _left(self, number: int) -> str:
        return repr(self.cast[number]) if number < len(self.cast) else ""

    def reach(self, move: Move) -> Reach:
        """Tell what a move touches of what the actors share."""
        actor = self.actors[move.actor]
        if move.turn is Turn.STOP:
            return WAREHOUSE if self._is_committing(actor) else NOTHING
        return actor.reach

    def foresee_stop(self, state: "State", move: Move) -> "State | None":
        """Give the state that this one becomes when an actor is stopped; None if more happens, or it is no stop."""
        if move.turn is not Turn.STOP or self._is_committing(self.actors[move.actor]):
            return None
        knowledge = [*state.knowledge]
        knowledge[move.actor] = hash((True, None, None, self._left(move.actor)))
        return State(state.outside, tuple(knowledge))

    @staticmethod
    def _is_committing(actor: Actor | Late) -> bool:
        return actor.place == sql.Commit.__name__

    def describe(self, move: Move) -> str:
        """Say in one line what a move is."""
        actor = self.actors[move.actor]
        what = {Turn.CALL: actor.place, Turn.STOP: f"stopped before {actor.place}", Turn.TIME_OUT: "canceled"}
        return f"{letter_of(move.actor)}  {actor.name:<40} {what[move.turn]}"

    def clear(self) -> None:
        """End all actors that stand in the middle."""
        for actor in self.actors:
            actor.stop()


class State(NamedTuple):
    """A state of the story, as far as it makes a difference for what may follow.

    Attributes:
        outside: What the actors share.
        knowledge: What each of them knows.
    """

    outside: int
    knowledge: tuple[int, ...]


def _sorted(items: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """Give items by key: who came first makes no other state."""
    return sorted(items.items(), key=lambda item: item[0])


def _arrive(session: "SessionOfOne") -> None:
    if not session.broken:
        session._commit()


def _state(session: "SessionOfOne") -> str:
    seen = session._tables() if session.writes or session.temporary else None
    held = sorted(table for table, lock in session.warehouse.locks.items() if lock in session.held)
    return repr((session.pid, session.broken, session.in_transaction, session.failed, session.recorded, seen, held))
