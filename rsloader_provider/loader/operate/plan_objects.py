"""What forgetting or reprocessing objects would do, counted without changing anything."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import OperationRefusedError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.loader.operate.object_fates import ObjectFate, fate_of, find_batch
from rsloader_provider.loader.operate.objects_named import ClaimedObject
from rsloader_provider.loader.services import Services

_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class ObjectsPlan:
    """What a call would do.

    Attributes:
        fates: Number of objects by what would become of them.
        size_bytes: Bytes of those that would be forgotten or reprocessed.
        examples: The first of them, as URLs.
        batches: How many batches they are in.
        emptied: How many locked batches would be left without objects.
        unclaimed: Objects below the prefix that nothing has claimed; only for reprocessing. Runs load them anyway.
    """

    fates: Mapping[ObjectFate, int]
    size_bytes: int
    examples: tuple[str, ...]
    batches: int
    emptied: int = 0
    unclaimed: int = 0

    @property
    def objects(self) -> int:
        """Objects that would be forgotten or reprocessed."""
        return self.fates.get(ObjectFate.FORGOTTEN, 0) + self.fates.get(ObjectFate.MOVED, 0)

    @property
    def about_emptied(self) -> str | None:
        """What becomes of batches that are left without objects, for people; None if none is."""
        if not self.emptied:
            return None
        return (
            f"left without objects: {self.emptied:,} batches. A run that loads one of them finishes it without "
            "touching the table."
        )


def plan_objects(
    config: LoadConfig, services: Services, objects: Iterable[ClaimedObject], wanted: ObjectFate, *, strict: bool
) -> ObjectsPlan:
    """Count what would become of objects.

    Args:
        config: The load.
        services: The ports and the clock.
        objects: The objects.
        wanted: What is to become of them.
        strict: Whether an object that is being loaded is refused, and not only counted.

    Raises:
        OperationRefusedError: An object is being loaded, and `strict`.
    """
    batches: dict[str, Batch | None] = {}
    fates: dict[ObjectFate, int] = defaultdict(int)
    left: dict[str, int] = {}
    size_bytes = 0
    examples: list[str] = []
    for each in objects:
        claim = each.claim
        if claim.batch not in batches:
            batches[claim.batch] = find_batch(services.ledger, config.load, claim.batch)
        batch = batches[claim.batch]
        fate = fate_of(batch, wanted, left_out=claim.left_out_at is not None)
        if strict and fate is ObjectFate.BEING_LOADED:
            raise OperationRefusedError(
                f"s3://{claim.name} is in {batch}, which is being loaded. Nothing was changed. Try again when "
                f"that has ended; `rsloader unlock {config.load} {claim.batch}` shows who is at work."
            )
        fates[fate] += 1
        if fate is wanted:
            if batch is not None and batch.status is not BatchStatus.OPEN and claim.left_out_at is None:
                left[claim.batch] = left.get(claim.batch, batch.files) - 1
            size_bytes += each.found.size_bytes
            if len(examples) < _EXAMPLES:
                examples.append(f"s3://{claim.name}")
    emptied = sum(not files for files in left.values())
    return ObjectsPlan(dict(fates), size_bytes, tuple(examples), len(batches), emptied)
