"""When a batch is full, when it is due, and how many objects still fit."""

from collections.abc import Sequence
from datetime import datetime

from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.objects import S3Object


def due_reason(batch: Batch, limits: BatchLimits, now: datetime) -> str | None:
    """Tell why an open batch should be locked and loaded, or None while it should wait.

    The first limit reached decides. An empty batch is never due.

    Args:
        batch: The open batch.
        limits: The load's limits.
        now: The moment of asking (aware, UTC), passed in so that tests choose it.

    Returns:
        `max_files`, `max_bytes`, `max_age` or None.
    """
    if batch.opened_at is None:
        return None
    if batch.files >= limits.max_files:
        return "max_files"
    if batch.size_bytes >= limits.max_bytes:
        return "max_bytes"
    # A batch that was opened in the future was opened by another clock. With a negative age it would wait until this
    # clock catches up; without the sign, batches are early by as much as the clocks disagree, never late.
    if abs(now - batch.opened_at) >= limits.max_age:
        return "max_age"
    return None


def count_fitting(objects: Sequence[S3Object], batch: Batch, limits: BatchLimits) -> int:
    """Count how many of the objects, in their order, the open batch takes before a limit is reached.

    The object that reaches `max_bytes` still goes in, so that one larger than the limit can be loaded.
    """
    size_bytes = batch.size_bytes
    room = max(0, limits.max_files - batch.files)
    for count, each in enumerate(objects[:room]):
        if size_bytes >= limits.max_bytes:
            return count
        size_bytes += each.size_bytes
    return min(room, len(objects))
