"""What the actors of one story work on, and the ports as each of them has them: every call waits for its turn."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from support.fakes.ledger import MemoryLedger
from support.fakes.notifier import MemoryNotifier
from support.fakes.storage import MemoryStorage
from support.fakes.warehouse import MemorySession, MemoryWarehouse
from support.fakes.world import OK_TOPIC
from support.objects import Clock, counting_randomness

from interleavings.actors import Actor, Late, StoppedError, TimedOutError
from interleavings.asked import Asked
from interleavings.schedules import Move, Turn, letter_of
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConnectionLostError, NotSetUpError, TransientError
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.claims import Place
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.services import Services

NUMBERS_APART = 100
"""Each actor's sessions and COPYs have numbers of their own: who comes first makes no other state by that alone."""

OF_ONES_OWN = (sql.BackendPid, sql.Begin, sql.LastCopy)
"""Statements that take no turn, as opening a session takes none: nobody else sees them, and they see nobody."""


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
            _LedgerOfOne(self, actor),
            _StorageOfOne(self.storage, actor),
            _WarehouseOfOne(self, actor),
            _NotifierOfOne(self.notifier, actor),
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
        is_committing = actor.place == sql.Commit.__name__
        actor.stop()
        for session in self._sessions_of(actor):
            if is_committing and session.in_transaction and not session.broken:
                # It may have been sent with the last breath.
                self.actors.append(Late(f"COMMIT of {actor.name} arrives", lambda session=session: _arrive(session)))

    def _sessions_of(self, actor: Actor | Late) -> list["_Session"]:
        sessions = self.warehouse.sessions.values()
        return [each for each in sessions if isinstance(each, _Session) and each.actor is actor]

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

    def fingerprint(self) -> int:
        """Tell this state from others: from equal ones everything goes on in the same way."""
        ledger, warehouse = self.ledger, self.warehouse
        outside = (
            ledger._seen(ledger._batches), ledger._seen(ledger._claims), ledger._batches, ledger._claims,
            ledger._segments, ledger._current, self.storage._buckets, warehouse.tables, warehouse.histories,
            warehouse.loads, self.notifier.messages, self.is_lost, self.asked,
            [_state(session) for session in warehouse.sessions.values() if isinstance(session, _Session)],
        )  # fmt: skip
        return hash((repr(outside), *map(self._knowledge, range(len(self.actors)))))

    def _knowledge(self, number: int) -> object:
        """Tell what makes a difference of an actor: what it knows, and once it is over, what is left to others."""
        actor = self.actors[number]
        if not actor.is_over:
            return actor.place, actor.digest
        left = repr(self.cast[number]) if number < len(self.cast) else ""
        return actor.is_stopped, actor.error and actor.error.retryable, actor.bug and repr(actor.bug), left

    def describe(self, move: Move) -> str:
        """Say in one line what a move is."""
        actor = self.actors[move.actor]
        what = {Turn.CALL: actor.place, Turn.STOP: f"stopped before {actor.place}", Turn.TIME_OUT: "canceled"}
        return f"{letter_of(move.actor)}  {actor.name:<40} {what[move.turn]}"

    def clear(self) -> None:
        """End all actors that stand in the middle."""
        for actor in self.actors:
            actor.stop()


def _arrive(session: "_Session") -> None:
    if not session.broken:
        session._commit()


def _state(session: "_Session") -> object:
    seen = session._tables() if session.writes else None
    held = sorted(table for table, lock in session.warehouse.locks.items() if lock in session.held)
    return session.pid, session.broken, session.in_transaction, session.failed, session.recorded, seen, held


class _OfOne:
    """A port as one actor has it."""

    def __init__(self, port: Any, actor: Actor):
        self._port = port
        self._actor = actor

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self._port, name)
        return lambda *args, **settings: self._actor.call(name, function, *args, **settings)


class _StorageOfOne(_OfOne):
    """S3."""


class _NotifierOfOne(_OfOne):
    """The topics."""


class _LedgerOfOne(_OfOne):
    """The ledger; what people ask for by it is counted."""

    def __init__(self, stage: Stage, actor: Actor):
        super().__init__(stage.ledger, actor)
        self._stage = stage

    def replace(self, before: Batch, after: Batch) -> Batch:
        return self._actor.call("replace", self._replace, before, after)

    def forget(self, load: str, names: Sequence[str], batch: str, place: Place | None) -> Batch | None:
        return self._actor.call("forget", self._forget, load, names, batch, place)

    def move(self, objects: Sequence[Any], batch: str, place: Place | None, *rest: Any) -> Any:
        return self._actor.call("move", self._move, objects, batch, place, *rest)

    def _replace(self, before: Batch, after: Batch) -> Batch:
        written = self._port.replace(before, after)
        entries = self._port.entries(before)
        self._stage.asked.hear_change(before, after, entries, self._actor.request)
        return written

    def _forget(self, load: str, names: Sequence[str], batch: str, place: Place | None) -> Batch | None:
        left = self._port.forget(load, names, batch, place)
        if place is not None:
            self._stage.asked.hear_taken_out(place.batch, names)
        return left

    def _move(self, objects: Sequence[Any], batch: str, place: Place | None, *rest: Any) -> Any:
        moved = self._port.move(objects, batch, place, *rest)
        if place is not None:
            self._stage.asked.hear_taken_out(place.batch, [each.name for each in objects])
        return moved


class _WarehouseOfOne:
    """Redshift; a session whose client is stopped lives on, as Redshift does not know of that."""

    def __init__(self, stage: Stage, actor: Actor):
        self._stage = stage
        self._actor = actor
        self._numbers = count(NUMBERS_APART * next(stage.numbers))

    @contextmanager
    def connect(self, conn_id: str, transport: str = "driver") -> Iterator["_Session"]:
        session = self._actor.call_at_once(self._open)
        try:
            yield session
        except StoppedError:
            raise
        except BaseException:
            session.close()
            raise
        self._actor.call("close", session.close)

    def _open(self) -> "_Session":
        session = _Session(self._stage, self._actor, next(self._numbers), self._numbers)
        self._stage.warehouse.sessions[session.pid] = session
        return session


class _Session(MemorySession):
    """A session each of whose statements waits for its turn."""

    def __init__(self, stage: Stage, actor: Actor, pid: int, numbers: "count[int]"):
        super().__init__(stage.warehouse, pid)
        self.actor = actor
        self._stage = stage
        self._numbers = numbers

    def __repr__(self) -> str:
        """As an answer that an actor gets."""
        return f"session {self.pid}"

    def execute(self, statement: sql.Statement) -> list[Any] | None:
        if isinstance(statement, OF_ONES_OWN):
            return self.actor.call_at_once(super().execute, statement)
        return self.actor.call(type(statement).__name__, super().execute, statement)

    def _run(self, statement: sql.Statement) -> Sequence[Any]:
        if isinstance(statement, sql.TerminateSession) and self._stage.has_slow_ends:
            if statement.pid in self.warehouse.sessions:
                self._stage.terminate_later(self.warehouse.sessions[statement.pid])
            return ()
        if isinstance(statement, sql.Copy):
            self.warehouse.query_ids = self._numbers
        return super()._run(statement)

    def _lock(self, table: str) -> None:
        locks: Mapping[str, Any] = self.warehouse.locks
        if table not in locks:
            return super()._lock(table)
        lock = locks[table]
        while not lock.acquire(blocking=False):
            try:
                self.actor.pause(
                    "LockHistory, which waits",
                    lambda: self.broken or not lock.locked() or locks.get(table) is not lock,
                    may_time_out=self._stage.cancels_waits,
                )
            except TimedOutError:
                raise TransientError("LockHistory: canceled") from None
            if self.broken:
                raise ConnectionLostError("the session was ended while it waited for the lock")
            if locks.get(table) is not lock:
                raise NotSetUpError(f"relation rsloader.{table} does not exist")
        self.held.append(lock)
        return None
