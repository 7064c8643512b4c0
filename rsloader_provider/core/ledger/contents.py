"""What becomes of a batch when objects enter or leave it, wherever the ledger is kept."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.claims import Claim, DeletedBatch, Place, Segment
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.transitions import take_out


def segment_of(batch: Batch, objects: Iterable[S3Object]) -> Segment:
    """Give the segment of objects that are claimed for a batch together."""
    return Segment(batch.batch, tuple(Entry(each.name, each.size_bytes) for each in objects))


def add_objects(batch: Batch, objects: Sequence[S3Object], now: datetime) -> Batch:
    """Objects enter the batch; its age counts from the first."""
    return replace(
        batch,
        files=batch.files + len(objects),
        size_bytes=batch.size_bytes + sum(each.size_bytes for each in objects),
        opened_at=batch.opened_at or now,
        is_first=False,
    )


def marked_batch(load: str, batch_id: str, *, reason: str, run: str, now: datetime) -> Batch:
    """Give an empty batch for objects that are marked as loaded."""
    return Batch(
        load,
        batch_id,
        status=BatchStatus.COMPLETE,
        opened_at=now,
        locked_at=now,
        reason=reason,
        run=run,
        version=1,
    )


def leave(place: Place, names: Iterable[str]) -> tuple[Batch, Segment | None]:
    """Objects leave their place.

    Args:
        place: Where they are.
        names: The objects, all of them in the segment.

    Returns:
        The batch without them, in its next version, and what is left of the segment.

    Raises:
        OperationRefusedError: As `take_out` raises it.
    """
    before, segment, leaving = place.batch, place.segment, frozenset(names)
    after = take_out(before, [entry for entry in segment.entries if entry.name in leaving])
    smaller = segment.without(leaving, is_open=before.status is BatchStatus.OPEN)
    return replace(after, version=before.version + 1), smaller


def fill(place: Place, objects: Sequence[S3Object]) -> tuple[Batch, Segment]:
    """Objects that were empty when they were claimed are known to have been loaded with what they hold now.

    Args:
        place: Where they are.
        objects: The objects, all of them in the segment and empty there.

    Returns:
        The batch in its next version, and the segment.
    """
    size_bytes = place.batch.size_bytes + sum(each.size_bytes for each in objects)
    batch = replace(
        place.batch,
        size_bytes=size_bytes,
        filled=place.batch.filled + len(objects),
        version=place.batch.version + 1,
    )
    filled = (*place.segment.filled, *(Entry(each.name, each.size_bytes) for each in objects))
    return batch, replace(place.segment, filled=filled)


def restored(deleted: DeletedBatch, find_claim: Callable[[str], Claim | None]) -> tuple[Batch, list[Segment]]:
    """A deleted batch is put back, without the objects that have left it since.

    Args:
        deleted: The batch as it was.
        find_claim: Gives the claim of an object by its name; None where it has none.

    Returns:
        The batch in its next version, and its segments.
    """
    segments: list[Segment] = []
    gone: list[Entry] = []
    for segment in deleted.segments:
        lost = [each for each in segment.entries if not _has(deleted.batch, find_claim(each.name))]
        gone.extend(lost)
        segments.append(replace(segment, taken_out=segment.taken_out | {each.name for each in lost}))
    return replace(take_out(deleted.batch, gone), version=deleted.batch.version + 1), segments


def _has(batch: Batch, claim: Claim | None) -> bool:
    return claim is not None and claim.batch == batch.batch and claim.left_out_at is None
