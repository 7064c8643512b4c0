"""Objects that enter a batch: each claimed, put into a segment and counted, in one step."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from rsloader_provider.aws.dynamodb.items import Item, batch_item, claim_item, segment_item
from rsloader_provider.aws.dynamodb.requests import LedgerRequests
from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.batch_ids import next_batch_id
from rsloader_provider.core.ledger.claims import Segment
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.loader.ports.ledger import AlreadyClaimedError, LostRaceError


class Claiming:
    """Claims objects for the open batch, or for one that is complete from the start."""

    def __init__(self, requests: LedgerRequests, randomness: Callable[[int], bytes]):
        self._requests = requests
        self._names = requests.names
        self._randomness = randomness

    def claim(self, batch: Batch, objects: Sequence[S3Object], limits: BatchLimits, now: datetime) -> Batch:
        counted, grown = self.grow(batch, objects, limits, now)
        self._transact_claim([*self.take(batch, objects, now), counted], objects)
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
        batch = into or Batch(
            load,
            next_batch_id(now, None, self._randomness),
            status=BatchStatus.COMPLETE,
            opened_at=now,
            locked_at=now,
            reason=reason,
            run=run,
            version=1,
        )
        files, size_bytes = len(objects), sum(each.size_bytes for each in objects)
        marked = replace(batch, files=batch.files + files, size_bytes=batch.size_bytes + size_bytes)
        if into is None:
            counted = self._requests.put(self._names.batches, batch_item(marked), "attribute_not_exists(#load)")
        else:
            counted = self._requests.update(
                load,
                into.batch,
                "ADD #files :files, #size_bytes :size_bytes",
                "#status = :complete AND attribute_not_exists(#targets) AND #reason = :reason AND #run = :run",
                {
                    ":files": files,
                    ":size_bytes": size_bytes,
                    ":complete": BatchStatus.COMPLETE,
                    ":reason": reason,
                    ":run": run,
                },
            )
        self._transact_claim([*self.take(batch, objects, now), counted], objects)
        return marked

    def take(
        self,
        batch: Batch,
        objects: Sequence[S3Object],
        now: datetime,
        condition: str = "attribute_not_exists(#load)",
        values: Item | None = None,
    ) -> list[Item]:
        """Give the actions that claim objects for a batch, in their order, and the one that puts its segment."""
        claimed = tuple(Entry(each.name, each.size_bytes) for each in objects)
        segment = segment_item(batch.load, Segment(batch.batch, claimed))
        actions = [
            self._requests.put(self._names.files, claim_item(batch.load, each, batch.batch, now), condition, values)
            for each in objects
        ]
        return [*actions, self._requests.put(self._names.batches, segment, "attribute_not_exists(#load)")]

    def grow(self, batch: Batch, objects: Sequence[S3Object], limits: BatchLimits, now: datetime) -> tuple[Item, Batch]:
        """Give the action that adds objects to the open batch's counts, and the batch as it is then."""
        size_bytes = sum(each.size_bytes for each in objects)
        action = self._requests.update(
            batch.load,
            batch.batch,
            "SET #opened_at = if_not_exists(#opened_at, :now) ADD #files :files, #size_bytes :size_bytes",
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
        grown = replace(
            batch,
            files=batch.files + len(objects),
            size_bytes=batch.size_bytes + size_bytes,
            opened_at=batch.opened_at or now,
        )
        return action, grown

    def _transact_claim(self, actions: list[Item], objects: Sequence[S3Object]) -> None:
        failed = self._requests.transact(actions)
        taken = frozenset(each.name for place, each in enumerate(objects) if place in failed)
        if taken:
            raise AlreadyClaimedError(taken)
        if failed:
            raise LostRaceError
