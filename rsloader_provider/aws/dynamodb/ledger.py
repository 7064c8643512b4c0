"""The ledger in DynamoDB. Each write is one conditional request; a batch is never one growing item."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from rsloader_provider.aws.dynamodb.items import (
    CURRENT,
    DELETED,
    FIRST_BATCH,
    SEGMENTS,
    UNFINISHED,
    Item,
    attention,
    batch_from,
    batch_item,
    claim_from,
    claim_item,
    deleted_item,
    progress_map,
    segment_batch,
    segment_from,
    segment_item,
    segment_key,
    segment_prefix,
)
from rsloader_provider.aws.dynamodb.requests import PAGE_ITEMS, LedgerRequests
from rsloader_provider.aws.dynamodb.tables import ATTENTION_INDEX, TableNames
from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.errors import (
    ContentionError,
    CorruptLedgerError,
    DeletedBatchError,
    UnknownBatchError,
)
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetProgress
from rsloader_provider.core.ledger.batch_ids import next_batch_id
from rsloader_provider.core.ledger.claims import Claim, DeletedBatch, Place, Segment
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import S3Object, ledger_key, ledger_prefix
from rsloader_provider.core.ledger.transitions import take_out
from rsloader_provider.loader.ports.ledger import AlreadyClaimedError, LostRaceError

_MOVES = 20


class DynamoLedger:
    """The ledger of all loads in two tables.

    Args:
        client: The client of a boto3 DynamoDB *resource* (`resource.meta.client`), which takes and gives plain
            Python values.
        names: Names of the tables.
        randomness: Gives so many random bytes, for the ids of batches.
    """

    def __init__(self, client: Any, names: TableNames, randomness: Callable[[int], bytes] = os.urandom):
        self._names = names
        self._requests = LedgerRequests(client, names)
        self._randomness = randomness

    def open_batch(self, load: str, now: datetime) -> Batch:
        for _ in range(_MOVES):
            current = self._get(load, CURRENT)
            if current is None:
                self._open_first(load, now)
                continue
            named = current.get("open_batch")
            item = self._get(load, named) if isinstance(named, str) and named >= FIRST_BATCH else None
            if item is None:
                raise CorruptLedgerError(
                    f"Load {load}: its open batch, which item {CURRENT} names as {named!r}, is not in table "
                    f"{self._names.batches}. Put the item back from a backup of the table."
                )
            batch = batch_from(item)
            if batch.status is BatchStatus.OPEN:
                return batch
        raise ContentionError(f"Load {load}: its open batch was locked by others {_MOVES} times in a row. Try again.")

    def claim(self, batch: Batch, objects: Sequence[S3Object], limits: BatchLimits, now: datetime) -> Batch:
        counted, grown = self._grow(batch, objects, limits, now)
        self._transact_claim([*self._take(batch, objects, now), counted], objects)
        return grown

    def lock(
        self, batch: Batch, *, reason: str, run: str, targets: Mapping[str, Mapping[str, Any]], now: datetime
    ) -> tuple[Batch, Batch]:
        locked = replace(
            batch,
            status=BatchStatus.LOCKED,
            locked_at=now,
            reason=reason,
            run=run,
            targets={name: TargetProgress(settings) for name, settings in targets.items()},
            version=1,
        )
        opened = Batch(batch.load, next_batch_id(now, batch.batch, self._randomness))
        failed = self._requests.transact(
            [
                self._requests.update(
                    batch.load,
                    batch.batch,
                    "SET #status = :locked, #attention = :attention, #locked_at = :now, #reason = :reason, "
                    "#run = :run, #targets = :targets, #version = :version",
                    "#status = :open AND #files = :files AND #size_bytes = :size_bytes AND #files > :none",
                    {
                        ":locked": locked.status,
                        ":attention": attention(locked),
                        ":now": now.isoformat(),
                        ":reason": reason,
                        ":run": run,
                        ":targets": _targets_map(locked),
                        ":version": locked.version,
                        ":open": BatchStatus.OPEN,
                        ":files": batch.files,
                        ":size_bytes": batch.size_bytes,
                        ":none": 0,
                    },
                ),
                self._requests.update(
                    batch.load,
                    CURRENT,
                    "SET #open_batch = :opened",
                    "#open_batch = :batch",
                    {":opened": opened.batch, ":batch": batch.batch},
                ),
                self._requests.put(self._names.batches, batch_item(opened), "attribute_not_exists(#load)"),
            ]
        )
        if failed:
            raise LostRaceError
        return locked, opened

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
        self._transact_claim([*self._take(batch, objects, now), counted], objects)
        return marked

    def replace(self, before: Batch, after: Batch) -> Batch:
        after = replace(after, version=before.version + 1)
        sets = "SET #status = :status, #run = :run, #targets = :targets, #version = :version"
        values = {
            ":status": after.status,
            ":run": after.run,
            ":targets": _targets_map(after),
            ":version": after.version,
            ":before": before.version,
        }
        removes = ""
        for name, value in (("attention", attention(after)), ("notification", after.notification)):
            if value is None:
                removes += f", #{name}" if removes else f" REMOVE #{name}"
            else:
                sets += f", #{name} = :{name}"
                values[f":{name}"] = str(value)
        self._requests.write_or_lose(
            self._requests.update(after.load, after.batch, sets + removes, "#version = :before", values)
        )
        return after

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

    def forget(self, load: str, names: Sequence[str], batch: str, place: Place | None) -> Batch | None:
        actions, left, condition = self._leave(load, batch, place, names)
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
        actions, left, condition = self._leave(into.load, batch, place, names)
        counted, grown = self._grow(into, objects, limits, now)
        taken = self._take(into, objects, now, condition, {":batch": batch})
        self._requests.transact_or_lose([*taken, counted, *actions])
        return left, grown

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
            str(item["batch"]).removeprefix(DELETED) for item in self._batch_items(load, DELETED, projection="#batch")
        }
        if not deleted:
            return 0
        left: dict[str, list[str]] = {}
        for item in self._batch_items(load, SEGMENTS, projection="#batch"):
            if (batch := segment_batch(item)) in deleted:
                left.setdefault(batch, []).append(str(item["batch"]))
        return sum(self._remove_segments(load, batch, keys) for batch, keys in left.items())

    def restore(self, deleted: DeletedBatch) -> Batch:
        batch, segments = deleted.batch, deleted.segments
        note = self._get(batch.load, DELETED + batch.batch)
        if note is None:
            raise LostRaceError
        claims = self.find_claims(batch.load, [entry.name for segment in segments for entry in segment.entries])
        kept: list[Segment] = []
        gone: list[Entry] = []
        for segment in segments:
            lost = [each for each in segment.entries if not _is_claimed_for(claims.get(each.name), batch.batch)]
            gone.extend(lost)
            kept.append(replace(segment, taken_out=segment.taken_out | {each.name for each in lost}))
        restored = replace(take_out(batch, gone), version=batch.version + 1)
        # What was read holds only while nobody takes objects or segments away, or puts the batch back as well.
        changes, unchanged = int(note["changes"]), "#changes = :changes AND #deleted_at = :deleted_at"
        for start in range(0, len(kept), PAGE_ITEMS - 1):
            page = kept[start : start + PAGE_ITEMS - 1]
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
                self._requests.put(self._names.batches, batch_item(restored), "attribute_not_exists(#load)"),
                self._requests.delete(
                    self._names.batches,
                    batch.load,
                    DELETED + batch.batch,
                    unchanged,
                    {":changes": changes, ":deleted_at": note["deleted_at"]},
                ),
            ]
        )
        return restored

    def get(self, load: str, batch: str) -> Batch:
        item = self._get(load, batch)
        if item is None or batch == CURRENT:
            deleted = self._get(load, DELETED + batch)
            if deleted is not None:
                raise DeletedBatchError(
                    f"Batch {batch} of load {load} was deleted at {deleted.get('deleted_at')}. Its objects stay "
                    "claimed. `rsloader restore FILE` puts it back, FILE being what its deletion printed."
                )
            raise UnknownBatchError(f"Load {load} has no batch {batch}. `rsloader batches {load}` lists them.")
        return batch_from(item)

    def entries(self, batch: Batch) -> list[Entry]:
        return [entry for segment in self.segments(batch) for entry in segment.entries]

    def segments(self, batch: Batch) -> list[Segment]:
        found = self._batch_items(batch.load, segment_prefix(batch.batch))
        return [segment_from(item) for item in found]

    def unfinished(self, load: str) -> Iterator[str]:
        found = self._requests.query(
            self._names.batches,
            "#load = :load AND begins_with(#attention, :unfinished)",
            {":load": load, ":unfinished": UNFINISHED},
            IndexName=ATTENTION_INDEX,
        )
        return (item["batch"] for item in found)

    def batches(self, load: str) -> Iterator[Batch]:
        found = self._requests.query(
            self._names.batches,
            "#load = :load AND #batch >= :first",
            {":load": load, ":first": FIRST_BATCH},
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        return (batch_from(item) for item in found)

    def claimed_keys(self, load: str, prefix: str) -> Iterator[str]:
        return (item["object"] for item in self._claims(load, prefix, "#object"))

    def claims(self, load: str, prefix: str) -> Iterator[Claim]:
        claims = map(claim_from, self._claims(load, prefix, None))
        return (claim for claim in claims if claim.name.startswith(prefix))

    def find_claim(self, load: str, name: str) -> Claim | None:
        item = self._requests.get(self._names.files, {"load": load, "object": ledger_key(name)})
        claim = claim_from(item) if item else None
        # A name may read like the cut key of another one.
        return claim if claim and claim.name == name else None

    def find_claims(self, load: str, names: Sequence[str]) -> dict[str, Claim]:
        wanted = [*dict.fromkeys(names)]
        found: dict[str, Claim] = {}
        for start in range(0, len(wanted), PAGE_ITEMS):
            keys = {ledger_key(name) for name in wanted[start : start + PAGE_ITEMS]}
            for item in self._requests.get_page(
                self._names.files, [{"load": load, "object": key} for key in sorted(keys)]
            ):
                claim = claim_from(item)
                found[claim.name] = claim
        return {name: found[name] for name in wanted if name in found}

    def _take(
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

    def _grow(
        self, batch: Batch, objects: Sequence[S3Object], limits: BatchLimits, now: datetime
    ) -> tuple[Item, Batch]:
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

    def _leave(
        self, load: str, batch: str, place: Place | None, names: Sequence[str]
    ) -> tuple[list[Item], Batch | None, str]:
        """Give the actions by which objects leave their batch, the batch as it is then, and what their claims must say.

        Objects without a place were left out, or their batch was deleted, which whoever puts it back has to notice.
        """
        if place is not None:
            return *self._give_up(place, names), "#batch = :batch"
        if self._get(load, DELETED + batch) is None:
            return [], None, "#batch = :batch AND attribute_exists(#left_out_at)"
        return [self._note_change(load, batch)], None, "#batch = :batch"

    def _note_change(self, load: str, batch: str) -> Item:
        return self._requests.update(load, DELETED + batch, "ADD #changes :one", "attribute_exists(#load)", {":one": 1})

    def _give_up(self, place: Place, names: Sequence[str]) -> tuple[list[Item], Batch]:
        """Give the actions that take objects out of their batch, and the batch as it is then."""
        before, segment, leaving = place.batch, place.segment, frozenset(names)
        after = take_out(before, [entry for entry in segment.entries if entry.name in leaving])
        after = replace(after, version=before.version + 1)
        is_open = before.status is BatchStatus.OPEN
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
        if not is_open:
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
        return [counted, *self._rewrite(before.load, segment, segment.without(leaving, is_open=is_open))], after

    def _rewrite(self, load: str, segment: Segment, smaller: Segment | None) -> list[Item]:
        """Give the actions that put a segment in the place of another: where its first object left, under its name."""
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

    def _remove_segments(self, load: str, batch: str, keys: Sequence[str]) -> int:
        """Remove segments of a deleted batch, unless it is put back meanwhile; give how many were removed."""
        for start in range(0, len(keys), PAGE_ITEMS - 1):
            page = keys[start : start + PAGE_ITEMS - 1]
            gone = [{"Delete": {"TableName": self._names.batches, "Key": {"load": load, "batch": key}}} for key in page]
            if self._requests.transact([self._note_change(load, batch), *gone]):
                return start
        return len(keys)

    def _batch_items(self, load: str, prefix: str, *, projection: str | None = None) -> Iterator[Item]:
        return self._requests.query(
            self._names.batches,
            "#load = :load AND begins_with(#batch, :prefix)",
            {":load": load, ":prefix": prefix},
            projection=projection,
            ConsistentRead=True,
        )

    def _transact_claim(self, actions: list[Item], objects: Sequence[S3Object]) -> None:
        failed = self._requests.transact(actions)
        taken = frozenset(each.name for place, each in enumerate(objects) if place in failed)
        if taken:
            raise AlreadyClaimedError(taken)
        if failed:
            raise LostRaceError

    def _claims(self, load: str, prefix: str, projection: str | None) -> Iterator[Item]:
        # DynamoDB takes no empty prefix.
        condition = "#load = :load AND begins_with(#object, :prefix)" if prefix else "#load = :load"
        values = {":load": load, ":prefix": ledger_prefix(prefix)} if prefix else {":load": load}
        return self._requests.query(self._names.files, condition, values, projection=projection)

    def _open_first(self, load: str, now: datetime) -> None:
        opened = Batch(load, next_batch_id(now, None, self._randomness))
        current = {"load": load, "batch": CURRENT, "open_batch": opened.batch}
        # Whoever loses finds the winner's batch when it looks again.
        self._requests.transact(
            [
                self._requests.put(self._names.batches, current, "attribute_not_exists(#load)"),
                self._requests.put(self._names.batches, batch_item(opened), "attribute_not_exists(#load)"),
            ]
        )

    def _get(self, load: str, batch: str) -> Item | None:
        return self._requests.get(self._names.batches, {"load": load, "batch": batch})


def _is_claimed_for(claim: Claim | None, batch: str) -> bool:
    return claim is not None and claim.batch == batch and claim.left_out_at is None


def _targets_map(batch: Batch) -> Item:
    return {name: progress_map(progress) for name, progress in batch.targets.items()}
