"""The ports as one actor has them: every call waits for its turn."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from support.fakes.warehouse import MemorySession

from interleavings.actors import WAREHOUSE, Actor, Reach, StoppedError, TimedOutError
from rsloader_provider.core.errors import ConnectionLostError, NotSetUpError, TransientError
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.claims import Place
from rsloader_provider.core.redshift import sql

if TYPE_CHECKING:
    from interleavings.stage import Stage

NUMBERS_APART = 100
"""Each actor's sessions and COPYs have numbers of their own: who comes first makes no other state by that alone."""

OF_ONES_OWN = (sql.BackendPid, sql.Begin, sql.LastCopy)
"""Statements that take no turn, as opening a session takes none: nobody else sees them, and they see nobody."""

WRITES_LEDGER = Reach(writes=frozenset({"ledger"}))


def _reach(statement: sql.Statement) -> Reach:
    """Tell what a statement touches. What a transaction writes is its own until COMMIT, unless its session is ended."""
    sessions, tables = frozenset({"sessions"}), frozenset({"tables"})
    match statement:
        case sql.TerminateSession() | sql.UserStatement():
            return WAREHOUSE
        case sql.Copy():
            return Reach(reads=sessions | {"storage"})
        case sql.SetStatementTimeout() | sql.DeleteAll() | sql.RecordLoaded() | sql.CountSessions():
            return Reach(reads=sessions)
        case sql.Query():
            return Reach(reads=sessions | tables)
        case _:
            return Reach(reads=sessions, writes=tables)


class _OfOne:
    """A port as one actor has it.

    Attributes:
        name: The port.
        reading: Its methods that change nothing.
    """

    name = ""
    reading: frozenset[str] = frozenset()

    def __init__(self, port: Any, actor: Actor):
        self._port = port
        self._actor = actor

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self._port, name)
        touched = frozenset({self.name})
        reach = Reach(reads=touched) if name in self.reading else Reach(writes=touched)
        return lambda *args, **settings: self._actor.call(name, function, *args, reach=reach, **settings)


class StorageOfOne(_OfOne):
    """S3."""

    name = "storage"
    reading = frozenset({"objects", "find", "read"})


class NotifierOfOne(_OfOne):
    """The topics."""

    name = "notifier"


class LedgerOfOne(_OfOne):
    """The ledger; what people ask for by it is counted."""

    name = "ledger"
    reading = frozenset(
        {"get", "entries", "segments", "unfinished", "failed", "batches", "claimed_keys", "claims", "find_claim",
         "find_claims", "deleted", "left_alone", "variables"}
    )  # fmt: skip

    def __init__(self, stage: "Stage", actor: Actor):
        super().__init__(stage.ledger, actor)
        self._stage = stage

    def replace(self, before: Batch, after: Batch) -> Batch:
        return self._actor.call("replace", self._replace, before, after, reach=WRITES_LEDGER)

    def forget(self, load: str, names: Sequence[str], batch: str, place: Place | None) -> Batch | None:
        return self._actor.call("forget", self._forget, load, names, batch, place, reach=WRITES_LEDGER)

    def move(self, objects: Sequence[Any], batch: str, place: Place | None, *rest: Any) -> Any:
        return self._actor.call("move", self._move, objects, batch, place, *rest, reach=WRITES_LEDGER)

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


class WarehouseOfOne:
    """Redshift; a session whose client is stopped lives on, as Redshift does not know of that."""

    def __init__(self, stage: "Stage", actor: Actor):
        self._stage = stage
        self._actor = actor
        self._numbers = count(NUMBERS_APART * next(stage.numbers))

    @contextmanager
    def connect(self, conn_id: str, transport: str = "driver") -> Iterator["SessionOfOne"]:
        session = self._actor.call_at_once(self._open)
        try:
            yield session
        except StoppedError:
            raise
        except BaseException:
            session.close()
            raise
        self._actor.call("close", session.close, reach=WAREHOUSE)

    def _open(self) -> "SessionOfOne":
        session = SessionOfOne(self._stage, self._actor, next(self._numbers), self._numbers)
        self._stage.warehouse.sessions[session.pid] = session
        return session


class SessionOfOne(MemorySession):
    """A session each of whose statements waits for its turn."""

    def __init__(self, stage: "Stage", actor: Actor, pid: int, numbers: "count[int]"):
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
        reach = _reach(statement)
        return self.actor.call(type(statement).__name__, super().execute, statement, reach=reach)

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
                    reach=WAREHOUSE,
                )
            except TimedOutError:
                raise TransientError("LockHistory: canceled") from None
            if self.broken:
                raise ConnectionLostError("the session was ended while it waited for the lock")
            if locks.get(table) is not lock:
                raise NotSetUpError(f"relation rsloader.{table} does not exist")
        self.held.append(lock)
        return None
