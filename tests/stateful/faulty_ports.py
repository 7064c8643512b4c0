"""What stands between one actor and the outside: a ledger that loses answers, sessions that outlive their client."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from stateful.actors import Actor, KilledError
from support.fakes.warehouse import MemorySession, MemoryWarehouse

from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.errors import ConnectionLostError, OperationRefusedError, TransientError
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.ports.ledger import AlreadyClaimedError, Ledger, LostRaceError

T = TypeVar("T")


class LedgerFault(StrEnum):
    """What becomes of a write."""

    REFUSED_THOUGH_DONE = "refused though done"
    """It is carried out; boto3 asks again after a lost answer, and its own condition no longer holds."""
    UNHEARD = "unheard"
    """It is carried out, and the answer never comes."""
    LOST = "lost"
    """It is not carried out, and the caller hears nothing."""
    LATE = "late"
    """The caller hears nothing, and it is carried out at some later moment, if its condition still holds."""


class FaultyLedger:
    """A ledger whose next writes meet faults, each its own or none.

    Args:
        ledger: The ledger that keeps everything.
        late: Gets the writes that are on their way.
    """

    def __init__(self, ledger: Ledger, late: list[Callable[[], object]]):
        self._ledger = ledger
        self._late = late
        self.faults: list[LedgerFault | None] = []
        self.pause: Callable[[str], None] = lambda _: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def claim(self, batch: Batch, objects: Sequence[S3Object], limits: BatchLimits, now: datetime) -> Batch:
        return self._write(
            lambda: self._ledger.claim(batch, objects, limits, now),
            AlreadyClaimedError(frozenset(each.name for each in objects)),
        )

    def lock(self, batch: Batch, **given: Any) -> tuple[Batch, Batch]:
        return self._write(lambda: self._ledger.lock(batch, **given), LostRaceError())

    def leave_alone(self, *given: Any) -> None:
        return self._write(lambda: self._ledger.leave_alone(*given), LostRaceError())

    def replace(self, before: Batch, after: Batch) -> Batch:
        return self._write(lambda: self._ledger.replace(before, after), LostRaceError())

    def fill(self, *given: Any) -> Batch:
        return self._write(lambda: self._ledger.fill(*given), LostRaceError())

    def leave_out(self, *given: Any) -> Batch:
        return self._write(lambda: self._ledger.leave_out(*given), LostRaceError())

    def forget(self, *given: Any) -> Batch | None:
        return self._write(lambda: self._ledger.forget(*given), LostRaceError())

    def move(self, *given: Any) -> tuple[Batch | None, Batch]:
        return self._write(lambda: self._ledger.move(*given), LostRaceError())

    def _write(self, write: Callable[[], T], refusal: Exception) -> T:
        fault = self.faults.pop(0) if self.faults else None
        if fault is LedgerFault.LATE:
            self._late.append(write)
        if fault in {LedgerFault.LATE, LedgerFault.LOST}:
            raise TransientError("no answer")
        answer = write()
        if fault is None:
            return answer
        self.pause("the answer")
        raise TransientError("no answer") if fault is LedgerFault.UNHEARD else refusal


def arrive(write: Callable[[], object]) -> None:
    """Carry out a write that is late; one that the port itself refuses is never sent."""
    with suppress(LostRaceError, AlreadyClaimedError, OperationRefusedError):
        write()


@dataclass
class SlowWarehouse(MemoryWarehouse):
    """A warehouse that may take its time to end a session, as `pg_terminate_backend` does.

    Attributes:
        is_slow: Whether it does now.
        ending: Sessions that are to end.
    """

    is_slow: bool = False
    ending: list[MemorySession] = field(default_factory=list)


class PatientSession(MemorySession):
    """A session that waits for a lock where the test can see it."""

    warehouse: SlowWarehouse
    actor: Actor

    def _lock(self, table: str) -> None:
        lock = self.warehouse.locks[table]
        while not lock.acquire(blocking=False):
            self.actor.pause("the lock")
            if self.broken:
                raise ConnectionLostError("the session was ended while it waited for the lock")
        self.held.append(lock)

    def _run(self, statement: sql.Statement) -> Sequence[Sequence[Any]]:
        if isinstance(statement, sql.TerminateSession) and self.warehouse.is_slow:
            self.warehouse.ending.append(self.warehouse.sessions[statement.pid])
            return ()
        return super()._run(statement)

    def commit_late(self) -> None:
        """A COMMIT of a client that is gone arrives, if it was at that point and nobody has ended the session."""
        if self.recorded and not self.broken:
            self._commit()


class WarehouseOfOne:
    """The warehouse as one actor reaches it.

    Args:
        warehouse: The warehouse of all.
        actor: The actor.
    """

    def __init__(self, warehouse: SlowWarehouse, actor: Actor):
        self._warehouse = warehouse
        self._actor = actor
        self.left_behind: PatientSession | None = None
        """The session of an actor that was killed: the server does not know yet that its client is gone."""

    @contextmanager
    def connect(self, conn_id: str, transport: str = "driver") -> Iterator[PatientSession]:
        session = PatientSession(self._warehouse, next(self._warehouse.pids))
        session.actor = self._actor
        self._warehouse.sessions[session.pid] = session
        try:
            yield session
        except KilledError:
            self.left_behind = session
            raise
        except BaseException:
            session.close()
            raise
        session.close()
