"""A batch from one state to the next: opened, locked, and changed by what an attempt or a person does."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from rsloader_provider.aws.dynamodb.beside import left_alone_from, left_alone_map, renaming_from, variables_from
from rsloader_provider.aws.dynamodb.items import (
    CURRENT,
    FIRST_BATCH,
    Item,
    attention,
    batch_from,
    batch_item,
    progress_map,
)
from rsloader_provider.aws.dynamodb.requests import LedgerRequests
from rsloader_provider.core.errors import ContentionError, CorruptLedgerError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.batch_ids import next_batch_id
from rsloader_provider.core.ledger.boundary import LeftAlone
from rsloader_provider.core.ledger.transitions import lock
from rsloader_provider.loader.ports.ledger import LostRaceError

_MOVES = 20


class BatchStates:
    """Writes the item of one batch, and which one is open."""

    def __init__(self, requests: LedgerRequests, randomness: Callable[[int], bytes]):
        self._requests = requests
        self._names = requests.names
        self._randomness = randomness

    def open_batch(self, load: str, now: datetime) -> Batch:
        for _ in range(_MOVES):
            current = self._requests.get_row(load, CURRENT)
            if current is None:
                self._open_first(load, now)
                continue
            if renaming := renaming_from(current):
                raise renaming.refusal(load)
            named = current.get("open_batch")
            item = self._requests.get_row(load, named) if isinstance(named, str) and named >= FIRST_BATCH else None
            if item is None:
                raise CorruptLedgerError(
                    f"Load {load}: item {CURRENT} names {named!r} as the open batch, but table "
                    f"{self._names.batches} does not have it. Put the batch's item back from a backup of the table."
                )
            batch = batch_from(item)
            if batch.status is BatchStatus.OPEN:
                return replace(batch, left_alone=left_alone_from(current), variables=variables_from(current))
        raise ContentionError(f"Load {load}: other writers locked its open batch {_MOVES} times in a row. Try again.")

    def left_alone(self, load: str) -> LeftAlone | None:
        current = self._requests.get_row(load, CURRENT)
        return None if current is None else left_alone_from(current)

    def leave_alone(self, load: str, before: LeftAlone | None, after: LeftAlone) -> None:
        self.record(load, "left_alone", None if before is None else left_alone_map(before), left_alone_map(after))

    def variables(self, load: str) -> Mapping[str, str] | None:
        current = self._requests.get_row(load, CURRENT)
        return None if current is None else variables_from(current)

    def record_variables(self, load: str, before: Mapping[str, str] | None, after: Mapping[str, str]) -> None:
        self.record(load, "variables", None if before is None else {**before}, {**after})

    def lock(
        self,
        batch: Batch,
        *,
        reason: str,
        run: str,
        targets: Mapping[str, Mapping[str, Any]],
        now: datetime,
        left_alone: LeftAlone | None = None,
    ) -> tuple[Batch, Batch]:
        locked = lock(batch, reason=reason, run=run, targets=targets, now=now)
        opened = Batch(batch.load, next_batch_id(now, batch.batch, self._randomness))
        recorded, values = "", {}
        if left_alone is not None:
            recorded = ", #left_alone = if_not_exists(#left_alone, :left_alone)"
            values = {":left_alone": left_alone_map(left_alone)}
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
                    "SET #open_batch = :opened" + recorded,
                    "#open_batch = :batch",
                    {":opened": opened.batch, ":batch": batch.batch, **values},
                ),
                self._requests.put(self._names.batches, batch_item(opened), "attribute_not_exists(#load)"),
            ]
        )
        if failed:
            raise LostRaceError
        return locked, opened

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

    def record(self, load: str, name: str, before: Item | None, after: Item) -> None:
        """Write beside the open batch what a load remembers, if nobody else has since it was read.

        Raises:
            LostRaceError: Somebody has.
        """
        same, values = f"attribute_not_exists(#{name})", {":after": after}
        if before is not None:
            same, values = f"#{name} = :before", {**values, ":before": before}
        self._requests.write_or_lose(
            self._requests.update(load, CURRENT, f"SET #{name} = :after", f"attribute_exists(#load) AND {same}", values)
        )

    def _open_first(self, load: str, now: datetime) -> None:
        opened = Batch(load, next_batch_id(now, None, self._randomness), is_first=True)
        current = {"load": load, "batch": CURRENT, "open_batch": opened.batch}
        # The loser finds the winner's batch when it looks again.
        self._requests.transact(
            [
                self._requests.put(self._names.batches, current, "attribute_not_exists(#load)"),
                self._requests.put(self._names.batches, batch_item(opened), "attribute_not_exists(#load)"),
            ]
        )


def _targets_map(batch: Batch) -> Item:
    return {name: progress_map(progress) for name, progress in batch.targets.items()}
