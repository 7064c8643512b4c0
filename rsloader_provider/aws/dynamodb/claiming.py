"""Objects that enter a batch: each claimed, put into a segment and counted, in one step."""

from collections.abc import Callable, Sequence
from datetime import datetime

from rsloader_provider.aws.dynamodb.items import (
    Item,
    batch_item,
    claim_item,
    segment_from,
    segment_item,
    segment_key,
)
from rsloader_provider.aws.dynamodb.requests import LedgerRequests
from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.errors import CorruptLedgerError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.batch_ids import next_batch_id
from rsloader_provider.core.ledger.contents import add_objects, marked_batch, segment_of
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.loader.ports.ledger import AlreadyClaimedError, LostRaceError

_OBJECTS_SHOWN = 10


class Claiming:
    """Claims objects for the open batch, or for one that is complete from the start."""

    def __init__(self, requests: LedgerRequests, randomness: Callable[[int], bytes]):
        self._requests = requests
        self._names = requests.names
        self._randomness = randomness

    def claim(self, batch: Batch, objects: Sequence[S3Object], limits: BatchLimits, now: datetime) -> Batch:
        counted, grown = self.grow(batch, objects, limits, now)
        failed = self._transact_claim([*self.take(batch, objects, now), counted], objects)
        if failed == {len(objects)}:
            # Claims and segment come and go together, so that no race ends like this: all of them were looked at in
            # one moment, and the batch is open.
            raise self._segment_without_claims(batch, objects)
        if failed:
            raise LostRaceError
        return grown

    def mark(
        self,
        load: str,
        objects: Sequence[S3Object],
        *,
        reason: str,
        run: str,
        now: datetime,
        into: Batch | None = None,
    ) -> Batch:
        batch = into or marked_batch(load, next_batch_id(now, None, self._randomness), reason=reason, run=run, now=now)
        marked = add_objects(batch, objects, now)
        if into is None:
            counted = self._requests.put(self._names.batches, batch_item(marked), "attribute_not_exists(#load)")
        else:
            counted = self._requests.update(
                load,
                into.batch,
                "ADD #files :files, #size_bytes :size_bytes",
                "#status = :complete AND attribute_not_exists(#targets) AND #reason = :reason AND #run = :run",
                {
                    ":files": len(objects),
                    ":size_bytes": sum(each.size_bytes for each in objects),
                    ":complete": BatchStatus.COMPLETE,
                    ":reason": reason,
                    ":run": run,
                },
            )
        if self._transact_claim([*self.take(batch, objects, now), counted], objects):
            raise LostRaceError
        return marked

    def take(
        self,
        batch: Batch,
        objects: Sequence[S3Object],
        now: datetime,
        condition: str = "attribute_not_exists(#load)",
        values: Item | None = None,
        *,
        left_out: bool = False,
    ) -> list[Item]:
        """Give the actions that claim objects for a batch, in their order, and the one that puts its segment.

        Objects that are left out of it get no segment.
        """
        segment = segment_item(batch.load, segment_of(batch, objects))
        mark = {"left_out_at": now.isoformat()} if left_out else {}
        actions = [
            self._requests.put(
                self._names.files, {**claim_item(batch.load, each, batch.batch, now), **mark}, condition, values
            )
            for each in objects
        ]
        if left_out:
            return actions
        return [*actions, self._requests.put(self._names.batches, segment, "attribute_not_exists(#load)")]

    def grow(self, batch: Batch, objects: Sequence[S3Object], limits: BatchLimits, now: datetime) -> tuple[Item, Batch]:
        """Give the action that adds objects to the open batch's counts, and the batch as it is then."""
        size_bytes = sum(each.size_bytes for each in objects)
        action = self._requests.update(
            batch.load,
            batch.batch,
            "SET #opened_at = if_not_exists(#opened_at, :now) ADD #files :files, #size_bytes :size_bytes "
            "REMOVE #is_first",
            "#status = :open AND #files <= :most_files AND #size_bytes < :below_bytes",
            {
                ":now": now.isoformat(),
                ":files": len(objects),
                ":size_bytes": size_bytes,
                ":open": BatchStatus.OPEN,
                ":most_files": limits.max_files - len(objects),
                # The last object may cross the limit, but none may be added after that.
                ":below_bytes": limits.max_bytes - (size_bytes - objects[-1].size_bytes),
            },
        )
        return action, add_objects(batch, objects, now)

    def _transact_claim(self, actions: list[Item], objects: Sequence[S3Object]) -> frozenset[int]:
        """Carry out all actions or none; give the places of those whose condition failed, none of them a claim's."""
        failed = self._requests.transact(actions)
        taken = frozenset(each.name for place, each in enumerate(objects) if place in failed)
        if taken:
            raise AlreadyClaimedError(taken)
        return failed

    def _segment_without_claims(self, batch: Batch, objects: Sequence[S3Object]) -> CorruptLedgerError:
        key = segment_key(segment_of(batch, objects))
        item = self._requests.get_row(batch.load, key)
        held = {entry.name for entry in segment_from(item).claimed} if item else set()
        names = [each.url for each in objects if each.name in held] or [objects[0].url]
        listed = ", ".join(names[:_OBJECTS_SHOWN])
        more = f" and {len(names) - _OBJECTS_SHOWN} more" if len(names) > _OBJECTS_SHOWN else ""
        return CorruptLedgerError(
            f"{batch} has the item {key!r} in table {self._names.batches}, which lists {listed}{more}, and table "
            f"{self._names.files} has no claim of them. Nothing was claimed. The two tables were restored to different "
            "moments, or somebody deleted claims. Restore both tables to the same moment; or put an item for each of "
            f"these objects into table {self._names.files}: `load` {batch.load!r}, `object` bucket/key, `batch` "
            f"{batch.batch!r}, `size_bytes`, `etag`, and as ISO times with a zone `last_modified` and `claimed_at`."
        )
