"""Objects that leave their batch: left out, forgotten, or moved into the open one, in one step; and filled ones."""

from collections.abc import Sequence
from datetime import datetime

from rsloader_provider.aws.dynamodb.claiming import Claiming
from rsloader_provider.aws.dynamodb.deleting import note_change
from rsloader_provider.aws.dynamodb.items import DELETED, Item, segment_item, segment_key
from rsloader_provider.aws.dynamodb.requests import LedgerRequests
from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.claims import Place, Segment
from rsloader_provider.core.ledger.contents import fill, leave
from rsloader_provider.core.ledger.objects import S3Object, ledger_key


class Leaving:
    """Takes objects out of segments and counts, together with what becomes of their claims."""

    def __init__(self, requests: LedgerRequests, claiming: Claiming):
        self._requests = requests
        self._names = requests.names
        self._claiming = claiming

    def leave_out(self, place: Place, names: Sequence[str], now: datetime) -> Batch:
        load, batch = place.batch.load, place.batch.batch
        actions, left = self._give_up(place, names)
        values = {":now": now.isoformat(), ":batch": batch}
        marks = [
            self._requests.update(
                load, ledger_key(name), "SET #left_out_at = :now", "#batch = :batch", values,
                table=self._names.files, key="object",
            )
            for name in names
        ]  # fmt: skip
        self._requests.transact_or_lose([*marks, *actions])
        return left

    def fill(self, place: Place, objects: Sequence[S3Object]) -> Batch:
        before = place.batch
        after, segment = fill(place, objects)
        counted = self._requests.update(
            before.load,
            before.batch,
            "SET #size_bytes = :size_bytes, #filled = :filled, #version = :version",
            "#version = :before AND #status <> :open",
            {
                ":size_bytes": after.size_bytes,
                ":filled": after.filled,
                ":version": after.version,
                ":before": before.version,
                ":open": BatchStatus.OPEN,
            },
        )
        claims = [
            self._requests.update(
                before.load, ledger_key(each.name),
                "SET #size_bytes = :size_bytes, #etag = :etag, #last_modified = :last_modified", "#batch = :batch",
                {
                    ":size_bytes": each.size_bytes, ":etag": each.etag, ":batch": before.batch,
                    ":last_modified": each.last_modified.isoformat(),
                },
                table=self._names.files, key="object",
            )
            for each in objects
        ]  # fmt: skip
        put = self._requests.put(self._names.batches, segment_item(before.load, segment), "attribute_exists(#load)")
        self._requests.transact_or_lose([*claims, counted, put])
        return after

    def forget(self, load: str, names: Sequence[str], batch: str, place: Place | None) -> Batch | None:
        actions, left, condition = self.leave(load, batch, place, names)
        claims = [self._requests.delete(self._names.files, load, name, condition, {":batch": batch}) for name in names]
        self._requests.transact_or_lose([*claims, *actions])
        return left

    def move(
        self,
        objects: Sequence[S3Object],
        batch: str,
        place: Place | None,
        into: Batch,
        limits: BatchLimits,
        now: datetime,
    ) -> tuple[Batch | None, Batch]:
        names = [each.name for each in objects]
        actions, left, condition = self.leave(into.load, batch, place, names)
        counted, grown = self._claiming.grow(into, objects, limits, now)
        taken = self._claiming.take(into, objects, now, condition, {":batch": batch})
        self._requests.transact_or_lose([*taken, counted, *actions])
        return left, grown

    def leave(
        self, load: str, batch: str, place: Place | None, names: Sequence[str]
    ) -> tuple[list[Item], Batch | None, str]:
        """Give the actions by which objects leave their batch, the batch as it is then, and what their claims must say.

        Objects without a place were left out, or their batch was deleted. Putting that batch back must notice this.
        """
        if place is not None:
            return *self._give_up(place, names), "#batch = :batch"
        if self._requests.get_row(load, DELETED + batch) is None:
            return [], None, "#batch = :batch AND attribute_exists(#left_out_at)"
        return [note_change(self._requests, load, batch)], None, "#batch = :batch"

    def _give_up(self, place: Place, names: Sequence[str]) -> tuple[list[Item], Batch]:
        """Give the actions that take objects out of their batch, and the batch as it is then."""
        before = place.batch
        after, smaller = leave(place, names)
        change = "SET #files = :files, #size_bytes = :size_bytes, #version = :version"
        values = {
            ":files": after.files,
            ":size_bytes": after.size_bytes,
            ":version": after.version,
            ":before": before.version,
            ":status": before.status,
            ":files_before": before.files,
            ":size_bytes_before": before.size_bytes,
        }
        if before.status is not BatchStatus.OPEN:
            change += ", #taken_out = :taken_out"
            values[":taken_out"] = after.taken_out
        elif after.opened_at is None:
            change += " REMOVE #opened_at"
        counted = self._requests.update(
            before.load,
            before.batch,
            change,
            "#version = :before AND #status = :status AND #files = :files_before AND #size_bytes = :size_bytes_before",
            values,
        )
        return [counted, *self._rewrite(before.load, place.segment, smaller)], after

    def _rewrite(self, load: str, segment: Segment, smaller: Segment | None) -> list[Item]:
        """Give the actions that replace a segment. If its first object left, the new one has another name."""
        key = segment_key(segment)
        if smaller is not None and segment_key(smaller) == key:
            return [self._requests.put(self._names.batches, segment_item(load, smaller), "attribute_exists(#load)")]
        gone = self._requests.delete(self._names.batches, load, key, "attribute_exists(#load)", {})
        if smaller is None:
            return [gone]
        return [
            gone,
            self._requests.put(self._names.batches, segment_item(load, smaller), "attribute_not_exists(#load)"),
        ]
