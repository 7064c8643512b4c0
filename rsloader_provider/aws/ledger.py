"""The ledger in DynamoDB. Each write is one conditional request; a batch is never one growing item."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from rsloader_provider.aws.errors import cancellation_reasons, explained, is_passing_conflict
from rsloader_provider.aws.items import (
    CURRENT,
    FIRST_BATCH,
    UNFINISHED,
    Item,
    attention,
    batch_from,
    batch_item,
    claim_from,
    claim_item,
    entries_from,
    pack_entries,
    progress_map,
    segment_prefix,
)
from rsloader_provider.aws.tables import ATTENTION_INDEX, TableNames
from rsloader_provider.core.batch import Batch, BatchStatus, TargetProgress, next_batch_id
from rsloader_provider.core.config import BatchLimits
from rsloader_provider.core.errors import ContentionError, CorruptLedgerError, UnknownBatchError
from rsloader_provider.core.manifest import Entry
from rsloader_provider.core.objects import S3Object, ledger_key, ledger_prefix
from rsloader_provider.loader.ports.ledger import AlreadyClaimedError, Claim, LostRaceError

_CONDITION_FAILED = "ConditionalCheckFailed"
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
        self._client = client
        self._names = names
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
        size_bytes = sum(each.size_bytes for each in objects)
        actions = self._take(batch, objects, now)
        actions.append(
            self._update(
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
        )
        self._transact_claim(actions, objects)
        return replace(
            batch,
            files=batch.files + len(objects),
            size_bytes=batch.size_bytes + size_bytes,
            opened_at=batch.opened_at or now,
        )

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
        failed = self._transact(
            [
                self._update(
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
                self._update(
                    batch.load,
                    CURRENT,
                    "SET #open_batch = :opened",
                    "#open_batch = :batch",
                    {":opened": opened.batch, ":batch": batch.batch},
                ),
                self._put(self._names.batches, batch_item(opened), "attribute_not_exists(#load)"),
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
            counted = self._put(self._names.batches, batch_item(marked), "attribute_not_exists(#load)")
        else:
            counted = self._update(
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
        action = self._update(after.load, after.batch, sets + removes, "#version = :before", values)["Update"]
        with self._explained(self._names.batches):
            try:
                _persistently(self._client.update_item, **action)
            except self._client.exceptions.ConditionalCheckFailedException as error:
                raise LostRaceError from error
        return after

    def get(self, load: str, batch: str) -> Batch:
        item = self._get(load, batch)
        if item is None or batch == CURRENT:
            raise UnknownBatchError(f"Load {load} has no batch {batch}. `rsloader batches {load}` lists them.")
        return batch_from(item)

    def entries(self, batch: Batch) -> list[Entry]:
        segments = self._query(
            self._names.batches,
            "#load = :load AND begins_with(#batch, :prefix)",
            {":load": batch.load, ":prefix": segment_prefix(batch.batch)},
            ConsistentRead=True,
        )
        return [entry for segment in segments for entry in entries_from(segment)]

    def unfinished(self, load: str) -> Iterator[str]:
        found = self._query(
            self._names.batches,
            "#load = :load AND begins_with(#attention, :unfinished)",
            {":load": load, ":unfinished": UNFINISHED},
            IndexName=ATTENTION_INDEX,
        )
        return (item["batch"] for item in found)

    def batches(self, load: str) -> Iterator[Batch]:
        found = self._query(
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
        with self._explained(self._names.files):
            answer = self._client.get_item(
                TableName=self._names.files, Key={"load": load, "object": ledger_key(name)}, ConsistentRead=True
            )
        claim = claim_from(answer["Item"]) if "Item" in answer else None
        # A name may read like the cut key of another one.
        return claim if claim and claim.name == name else None

    def _take(self, batch: Batch, objects: Sequence[S3Object], now: datetime) -> list[Item]:
        """Give the actions that claim objects for a batch, in their order, and the one that puts its segment."""
        segment = {
            "load": batch.load,
            "batch": segment_prefix(batch.batch) + _segment_name(objects),
            "entries": pack_entries(objects),
        }
        actions = [
            self._put(self._names.files, claim_item(batch.load, each, batch.batch, now), "attribute_not_exists(#load)")
            for each in objects
        ]
        return [*actions, self._put(self._names.batches, segment, "attribute_not_exists(#load)")]

    def _transact_claim(self, actions: list[Item], objects: Sequence[S3Object]) -> None:
        failed = self._transact(actions)
        taken = frozenset(each.name for place, each in enumerate(objects) if place in failed)
        if taken:
            raise AlreadyClaimedError(taken)
        if failed:
            raise LostRaceError

    def _claims(self, load: str, prefix: str, projection: str | None) -> Iterator[Item]:
        # DynamoDB takes no empty prefix.
        condition = "#load = :load AND begins_with(#object, :prefix)" if prefix else "#load = :load"
        values = {":load": load, ":prefix": ledger_prefix(prefix)} if prefix else {":load": load}
        return self._query(self._names.files, condition, values, projection=projection)

    def _open_first(self, load: str, now: datetime) -> None:
        opened = Batch(load, next_batch_id(now, None, self._randomness))
        current = {"load": load, "batch": CURRENT, "open_batch": opened.batch}
        # Whoever loses finds the winner's batch when it looks again.
        self._transact(
            [
                self._put(self._names.batches, current, "attribute_not_exists(#load)"),
                self._put(self._names.batches, batch_item(opened), "attribute_not_exists(#load)"),
            ]
        )

    def _get(self, load: str, batch: str) -> Item | None:
        with self._explained(self._names.batches):
            answer = self._client.get_item(
                TableName=self._names.batches, Key={"load": load, "batch": batch}, ConsistentRead=True
            )
        item: Item | None = answer.get("Item")
        return item

    def _query(
        self, table: str, condition: str, values: Item, *, projection: str | None = None, **options: Any
    ) -> Iterator[Item]:
        request = {
            "TableName": table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": _names(condition + (projection or "")),
            "ExpressionAttributeValues": values,
            **options,
        }
        if projection:
            request["ProjectionExpression"] = projection
        with self._explained(table):
            for page in self._client.get_paginator("query").paginate(**request):
                yield from page["Items"]

    def _put(self, table: str, item: Item, condition: str) -> Item:
        return {
            "Put": {
                "TableName": table,
                "Item": item,
                "ConditionExpression": condition,
                "ExpressionAttributeNames": _names(condition),
            }
        }

    def _update(self, load: str, batch: str, change: str, condition: str, values: Item) -> Item:
        return {
            "Update": {
                "TableName": self._names.batches,
                "Key": {"load": load, "batch": batch},
                "UpdateExpression": change,
                "ConditionExpression": condition,
                "ExpressionAttributeNames": _names(change + condition),
                "ExpressionAttributeValues": values,
            }
        }

    def _transact(self, actions: list[Item]) -> frozenset[int]:
        """Carry out all actions or none.

        Returns:
            The places of the actions whose condition failed; none when all were carried out.

        Raises:
            TransientError: Other transactions on the same items won every time, or the table was throttled throughout.
        """
        with self._explained(f"{self._names.files} and {self._names.batches}"):
            try:
                _persistently(self._client.transact_write_items, TransactItems=actions)
            except self._client.exceptions.TransactionCanceledException as error:
                reasons = cancellation_reasons(error)
                if set(reasons) not in ({_CONDITION_FAILED}, {"None", _CONDITION_FAILED}):
                    raise
                return frozenset(place for place, reason in enumerate(reasons) if reason == _CONDITION_FAILED)
        return frozenset()

    def _explained(self, table: str) -> Any:
        return explained(f"DynamoDB table {table}", "Run `rsloader setup` once to create it.")


def _persistently(write: Callable[..., Any], **request: Any) -> None:
    """Write, and do so again while others are at work on the same items."""
    attempts = Retrying(
        retry=retry_if_exception(is_passing_conflict),
        wait=wait_random_exponential(multiplier=0.05, max=2),
        stop=stop_after_attempt(10),
        reraise=True,
    )
    attempts(write, **request)


def _segment_name(objects: Sequence[S3Object]) -> str:
    """Name a segment after its first object, which no other segment can have."""
    return hashlib.sha256(objects[0].name.encode()).hexdigest()[:32]


def _targets_map(batch: Batch) -> Item:
    return {name: progress_map(progress) for name, progress in batch.targets.items()}


def _names(expression: str) -> dict[str, str]:
    """Name each `#attribute` of an expression, because many good names are reserved words of DynamoDB."""
    return {f"#{name}": name for name in re.findall(r"#(\w+)", expression)}
