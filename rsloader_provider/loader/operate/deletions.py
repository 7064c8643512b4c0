"""Delete complete batches that are old, so that what is printed of them can be put back."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import chain

from pydantic import TypeAdapter, ValidationError

from rsloader_provider.core.errors import ConfigurationError, DeletedBatchError, UnknownBatchError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.batch_ids import batch_time
from rsloader_provider.core.ledger.claims import DeletedBatch
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.races import until_won
from rsloader_provider.loader.services import Services

log = logger_of(__name__)

_RECORD = TypeAdapter(DeletedBatch)


def plan_deletion(load: str, services: Services, before: datetime) -> Iterator[Batch]:
    """Give the batches that would be deleted, newest first: complete ones that were locked before a moment.

    Args:
        load: Name of the load.
        services: The ports and the clock.
        before: The moment (aware, UTC).

    Raises:
        UnknownBatchError: The ledger knows no such load. Raised by the call, not by the iteration.
    """
    batches = services.ledger.batches(load)
    first = next(batches, None)
    if first is None:
        raise UnknownBatchError(f"There is no batch of load {load} yet: it has never run, or the name is wrong.")
    known = first

    def old() -> Iterator[Batch]:
        for batch in chain((known,), batches):
            if batch.status is BatchStatus.COMPLETE and batch.locked_at is not None and batch.locked_at < before:
                yield batch

    return old()


def delete_batches(
    load: str, services: Services, before: datetime, *, by: str, keep: Callable[[str], None]
) -> Iterator[Batch]:
    """Delete complete batches that were locked before a moment. The claims of all their objects stay.

    Args:
        load: Name of the load.
        services: The ports and the clock.
        before: The moment (aware, UTC).
        by: Who asks.
        keep: Gets each batch as one line of JSON before it is deleted, for `restore_batches`. If it raises, nothing
            more is deleted.

    Yields:
        Each batch after it was deleted.

    Raises:
        UnknownBatchError: The ledger knows no such load.
    """
    if swept := services.ledger.sweep(load):
        log.info("load %s: %d segments removed that an interrupted deletion had left", load, swept)
    for each in plan_deletion(load, services, before):
        deleted = DeletedBatch(each, tuple(services.ledger.segments(each)))
        keep(_RECORD.dump_json(deleted).decode())
        try:
            with services.steps.taking(Step.DELETE_BATCH, each):
                services.ledger.delete(deleted, services.now())
        except LostRaceError:
            if not _is_deleted(services, each):
                log.warning("%s: another writer changed it at the same moment, so it was not deleted", each)
                continue
        log.info("%s: deleted, asked for by %s", each, by)
        yield each


def _is_deleted(services: Services, batch: Batch) -> bool:
    try:
        services.ledger.get(batch.load, batch.batch)
    except UnknownBatchError as error:
        return isinstance(error, DeletedBatchError)
    return False


class Restoration(StrEnum):
    """What became of a batch that was to be put back."""

    RESTORED = "restored"
    NOT_DELETED = "not deleted"
    """It is there, or was never deleted: nothing was changed."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A batch of the file.

    Attributes:
        load: Name of the load.
        batch: Its id.
        outcome: See Restoration.
        files: Objects in it now; fewer than before if some were forgotten or reprocessed meanwhile.
    """

    load: str
    batch: str
    outcome: Restoration
    files: int


def read_deleted(lines: Iterable[str]) -> list[DeletedBatch]:
    """Read what a deletion printed.

    Raises:
        ConfigurationError: A line is not what a deletion prints; the message says which.
    """
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            deleted = _RECORD.validate_json(line)
            _check(deleted)
        except (ValidationError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigurationError(
                f"Line {number} is not what `rsloader delete-batches` prints: {reason}. Nothing was put back."
            ) from error
        found.append(deleted)
    return found


def _check(deleted: DeletedBatch) -> None:
    batch, segments = deleted.batch, deleted.segments
    batch_time(batch.batch)
    if batch.status is not BatchStatus.COMPLETE:
        raise ValueError(f"batch {batch.batch} is {batch.status}")
    if any(segment.batch != batch.batch or not segment.claimed for segment in segments):
        raise ValueError(f"batch {batch.batch} has segments of another batch")
    if sum(len(segment.entries) for segment in segments) != batch.files:
        raise ValueError(f"batch {batch.batch} counts {batch.files} objects, but its segments hold others")


def restore_batches(services: Services, batches: Iterable[DeletedBatch], *, by: str) -> Iterator[Restored]:
    """Put deleted batches back. Safe to call again with the same ones.

    Args:
        services: The ports and the clock.
        batches: What `read_deleted` gave.
        by: Who asks.

    Yields:
        What became of each.
    """
    for deleted in batches:
        batch = deleted.batch
        restored = _restored(services, deleted)
        if restored is None:
            yield Restored(batch.load, batch.batch, Restoration.NOT_DELETED, batch.files)
        else:
            log.info("%s: put back, asked for by %s", restored, by)
            yield Restored(batch.load, batch.batch, Restoration.RESTORED, restored.files)


def _restored(services: Services, deleted: DeletedBatch) -> Batch | None:
    def restore() -> Batch | None:
        try:
            with services.steps.taking(Step.RESTORE_BATCH, deleted.batch):
                return services.ledger.restore(deleted)
        except LostRaceError:
            if not _is_deleted(services, deleted.batch):
                return None
            raise

    return until_won(deleted.batch, restore)
