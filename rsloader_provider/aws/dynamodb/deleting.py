"""Batches that are deleted and put back. What an interrupted deletion left behind is swept up."""

from collections.abc import Sequence
from datetime import datetime

from rsloader_provider.aws.dynamodb.items import (
    DELETED,
    SEGMENTS,
    Item,
    batch_item,
    deleted_item,
    segment_batch,
    segment_item,
    segment_key,
)
from rsloader_provider.aws.dynamodb.reading import Reading
from rsloader_provider.aws.dynamodb.requests import PAGE_ITEMS, PAGE_SEGMENTS, LedgerRequests
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.claims import DeletedBatch
from rsloader_provider.core.ledger.contents import restored
from rsloader_provider.loader.ports.ledger import LostRaceError


class Deleting:
    """Removes a batch with its segments, and keeps a note of it; claims stay."""

    def __init__(self, requests: LedgerRequests, reading: Reading):
        self._requests = requests
        self._names = requests.names
        self._reading = reading

    def delete(self, deleted: DeletedBatch, now: datetime) -> None:
        batch = deleted.batch
        # A batch of marked objects may grow without another version.
        unchanged = "#version = :version AND #status = :complete AND #files = :files"
        values = {":version": batch.version, ":complete": BatchStatus.COMPLETE, ":files": batch.files}
        self._requests.transact_or_lose(
            [
                self._requests.put(self._names.batches, deleted_item(batch, now), "attribute_not_exists(#load)"),
                self._requests.delete(self._names.batches, batch.load, batch.batch, unchanged, values),
            ]
        )
        self._remove_segments(batch.load, batch.batch, [segment_key(each) for each in deleted.segments])

    def sweep(self, load: str) -> int:
        deleted = {
            str(item["batch"]).removeprefix(DELETED)
            for item in self._requests.query_rows(load, DELETED, projection="#batch")
        }
        if not deleted:
            return 0
        left: dict[str, list[str]] = {}
        for item in self._requests.query_rows(load, SEGMENTS, projection="#batch"):
            if (batch := segment_batch(item)) in deleted:
                left.setdefault(batch, []).append(str(item["batch"]))
        return sum(self._remove_segments(load, batch, keys) for batch, keys in left.items())

    def restore(self, deleted: DeletedBatch) -> Batch:
        batch, segments = deleted.batch, deleted.segments
        note = self._requests.get_row(batch.load, DELETED + batch.batch)
        if note is None:
            raise LostRaceError
        claims = self._reading.find_claims(
            batch.load, [entry.name for segment in segments for entry in segment.entries]
        )
        back, kept = restored(deleted, claims.get)
        # What was read holds only while nobody takes objects or segments away, or puts the batch back as well.
        changes, unchanged = int(note["changes"]), "#changes = :changes AND #deleted_at = :deleted_at"
        for start in range(0, len(kept), PAGE_SEGMENTS):
            page = kept[start : start + PAGE_SEGMENTS]
            seen = {":changes": changes, ":deleted_at": note["deleted_at"]}
            self._requests.transact_or_lose(
                [
                    self._requests.update(
                        batch.load,
                        DELETED + batch.batch,
                        "SET #changes = :next",
                        unchanged,
                        {**seen, ":next": changes + 1},
                    ),
                    *(
                        {"Put": {"TableName": self._names.batches, "Item": segment_item(batch.load, each)}}
                        for each in page
                    ),
                ]
            )
            changes += 1
        self._requests.transact_or_lose(
            [
                self._requests.put(self._names.batches, batch_item(back), "attribute_not_exists(#load)"),
                self._requests.delete(
                    self._names.batches,
                    batch.load,
                    DELETED + batch.batch,
                    unchanged,
                    {":changes": changes, ":deleted_at": note["deleted_at"]},
                ),
            ]
        )
        return back

    def _remove_segments(self, load: str, batch: str, keys: Sequence[str]) -> int:
        """Remove segments of a deleted batch, unless it is put back meanwhile; give how many were removed."""
        for start in range(0, len(keys), PAGE_ITEMS - 1):
            page = keys[start : start + PAGE_ITEMS - 1]
            gone = [{"Delete": {"TableName": self._names.batches, "Key": {"load": load, "batch": key}}} for key in page]
            if self._requests.transact([note_change(self._requests, load, batch), *gone]):
                return start
        return len(keys)


def note_change(requests: LedgerRequests, load: str, batch: str) -> Item:
    """Give the action that notes that a deleted batch has lost objects or segments; putting it back checks this."""
    return requests.update(load, DELETED + batch, "ADD #changes :one", "attribute_exists(#load)", {":one": 1})
