"""What becomes of objects that are to leave their batch."""

from dataclasses import dataclass
from enum import StrEnum

from rsloader_provider.core.errors import DeletedBatchError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetState
from rsloader_provider.loader.ports.ledger import Ledger


class ObjectFate(StrEnum):
    """What becomes, or would become, of objects."""

    FORGOTTEN = "forgotten"
    """The claim is gone: an object that is still in S3 is new to the next run."""
    MOVED = "reprocessed"
    """It is in a batch that the next run loads."""
    WAITS = "waits already"
    """It is in a batch that waits for its load anyway, and was left there."""
    BEING_LOADED = "being loaded"
    """Its batch is being loaded, or what an attempt did is not known yet: it was left there. Ask again later."""
    PUT_BACK = "put back"
    """It is in the batch again that has loaded it, which the ledger had lost."""
    TAKEN = "taken by somebody else"
    """Another person forgot it or had it reprocessed at the same moment: it was left to that person."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A step of a call.

    Attributes:
        batch: The id of the batch that the objects were in.
        names: Their names, `bucket/key`.
        fate: What became of them.
    """

    batch: str
    names: tuple[str, ...]
    fate: ObjectFate


def find_batch(ledger: Ledger, load: str, batch_id: str) -> Batch | None:
    """Give a batch; None if a person deleted it."""
    try:
        return ledger.get(load, batch_id)
    except DeletedBatchError:
        return None


def fate_of(batch: Batch | None, wanted: ObjectFate, *, left_out: bool) -> ObjectFate:
    """Tell what becomes of objects of a batch.

    Args:
        batch: The batch; None if it was deleted.
        wanted: What a person wants to become of them.
        left_out: Whether a person has left them out of the batch before.
    """
    if batch is None or left_out:
        return wanted
    if any(progress.may_commit for progress in batch.targets.values()):
        return ObjectFate.BEING_LOADED
    waits = batch.status is BatchStatus.OPEN or any(
        progress.state is TargetState.WAITING for progress in batch.targets.values()
    )
    return ObjectFate.WAITS if wanted is ObjectFate.MOVED and waits else wanted
