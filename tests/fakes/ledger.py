"""The ledger in memory. One lock round every call makes each write one step."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from rsloader_provider.core.batch import Batch, BatchStatus, TargetProgress, next_batch_id
from rsloader_provider.core.config import BatchLimits
from rsloader_provider.core.errors import UnknownBatchError
from rsloader_provider.core.manifest import Entry
from rsloader_provider.core.objects import S3Object, ledger_key, ledger_prefix
from rsloader_provider.loader.ports.ledger import AlreadyClaimedError, Claim, LostRaceError


class MemoryLedger:
    def __init__(self, randomness: Callable[[int], bytes] = bytes):
        self._lock = threading.Lock()
        self._randomness = randomness
        self._claims: dict[tuple[str, str], Claim] = {}
        self._batches: dict[tuple[str, str], Batch] = {}
        self._current: dict[str, str] = {}
        self._segments: dict[tuple[str, str], list[Entry]] = defaultdict(list)

    def open_batch(self, load: str, now: datetime) -> Batch:
        with self._lock:
            if load not in self._current:
                self._open(Batch(load, next_batch_id(now, None, self._randomness)))
            return self._batches[load, self._current[load]]

    def claim(self, batch: Batch, objects: Sequence[S3Object], limits: BatchLimits, now: datetime) -> Batch:
        with self._lock:
            self._refuse_taken(batch.load, objects)
            stored = self._batches[batch.load, batch.batch]
            size_bytes = sum(each.size_bytes for each in objects)
            if (
                stored.status is not BatchStatus.OPEN
                or stored.files + len(objects) > limits.max_files
                or stored.size_bytes + size_bytes - objects[-1].size_bytes >= limits.max_bytes
            ):
                raise LostRaceError
            self._take(batch, objects, now)
            self._batches[batch.load, batch.batch] = self._added(stored, len(objects), size_bytes, now)
            return self._added(batch, len(objects), size_bytes, now)

    def lock(
        self, batch: Batch, *, reason: str, run: str, targets: Mapping[str, Mapping[str, Any]], now: datetime
    ) -> tuple[Batch, Batch]:
        with self._lock:
            stored = self._batches[batch.load, batch.batch]
            same = (stored.files, stored.size_bytes) == (batch.files, batch.size_bytes)
            if stored.status is not BatchStatus.OPEN or not same or not stored.files:
                raise LostRaceError
            locked = replace(
                stored,
                status=BatchStatus.LOCKED,
                locked_at=now,
                reason=reason,
                run=run,
                targets={name: TargetProgress(settings) for name, settings in targets.items()},
                version=1,
            )
            self._batches[batch.load, batch.batch] = locked
            return locked, self._open(Batch(batch.load, next_batch_id(now, batch.batch, self._randomness)))

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
        with self._lock:
            self._refuse_taken(load, objects)
            stored = batch = into or Batch(
                load,
                next_batch_id(now, None, self._randomness),
                status=BatchStatus.COMPLETE,
                opened_at=now,
                locked_at=now,
                reason=reason,
                run=run,
                version=1,
            )
            if into is not None:
                found = self._batches.get((load, into.batch))
                if found is None or not found.is_marked or (found.reason, found.run) != (reason, run):
                    raise LostRaceError
                stored = found
            self._take(batch, objects, now)
            size_bytes = sum(each.size_bytes for each in objects)
            self._batches[load, batch.batch] = self._added(stored, len(objects), size_bytes, now)
            return self._added(batch, len(objects), size_bytes, now)

    def replace(self, before: Batch, after: Batch) -> Batch:
        with self._lock:
            if self._batches[before.load, before.batch].version != before.version:
                raise LostRaceError
            after = replace(after, version=before.version + 1)
            self._batches[after.load, after.batch] = after
            return after

    def get(self, load: str, batch: str) -> Batch:
        with self._lock:
            try:
                return self._batches[load, batch]
            except KeyError:
                raise UnknownBatchError(f"Load {load} has no batch {batch}.") from None

    def entries(self, batch: Batch) -> list[Entry]:
        with self._lock:
            return list(self._segments[batch.load, batch.batch])

    def unfinished(self, load: str) -> Iterator[str]:
        return iter(sorted(each.batch for each in self._of(load) if each.unfinished_targets))

    def batches(self, load: str) -> Iterator[Batch]:
        return iter(sorted(self._of(load), key=lambda each: each.batch, reverse=True))

    def claimed_keys(self, load: str, prefix: str) -> Iterator[str]:
        begin = ledger_prefix(prefix)
        with self._lock:
            return iter(sorted(key for owner, key in self._claims if owner == load and key.startswith(begin)))

    def claims(self, load: str, prefix: str) -> Iterator[Claim]:
        claims = [self._claims[load, key] for key in self.claimed_keys(load, prefix)]
        return (claim for claim in claims if claim.name.startswith(prefix))

    def find_claim(self, load: str, name: str) -> Claim | None:
        with self._lock:
            claim = self._claims.get((load, ledger_key(name)))
            return claim if claim and claim.name == name else None

    def edit(self, batch: Batch) -> None:
        """Not in the port: writes a batch as a person with a console does."""
        self._batches[batch.load, batch.batch] = batch

    def delete(self, batch: Batch) -> None:
        """Not in the port: loses a batch, but neither its claims nor its segments."""
        del self._batches[batch.load, batch.batch]

    def edit_claim(self, load: str, name: str, **changes: Any) -> None:
        """Not in the port: writes a claim as a person does; without a change it is deleted. Segments stay."""
        claim = self._claims.pop((load, ledger_key(name)))
        if changes:
            self._claims[load, ledger_key(name)] = replace(claim, **changes)

    def edit_entries(self, batch: Batch, entries: Sequence[Entry]) -> None:
        """Not in the port: writes the segments of a batch as a person does."""
        self._segments[batch.load, batch.batch] = list(entries)

    def segments(self, load: str) -> Iterator[tuple[str, list[Entry]]]:
        """Not in the port: for the fake inventory."""
        return ((batch, entries) for (owner, batch), entries in sorted(self._segments.items()) if owner == load)

    def current(self, load: str) -> str | None:
        """Not in the port: for the fake inventory."""
        return self._current.get(load)

    def _refuse_taken(self, load: str, objects: Sequence[S3Object]) -> None:
        if taken := frozenset(each.name for each in objects if (load, ledger_key(each.name)) in self._claims):
            raise AlreadyClaimedError(taken)

    def _take(self, batch: Batch, objects: Sequence[S3Object], now: datetime) -> None:
        for each in objects:
            self._claims[batch.load, ledger_key(each.name)] = Claim(
                batch.load, each.name, batch.batch, each.size_bytes, each.etag, each.last_modified, now
            )
        self._segments[batch.load, batch.batch].extend(Entry(each.name, each.size_bytes) for each in objects)

    def _of(self, load: str) -> list[Batch]:
        with self._lock:
            return [each for (owner, _), each in self._batches.items() if owner == load]

    def _open(self, opened: Batch) -> Batch:
        self._batches[opened.load, opened.batch] = opened
        self._current[opened.load] = opened.batch
        return opened

    @staticmethod
    def _added(batch: Batch, files: int, size_bytes: int, now: datetime) -> Batch:
        return replace(
            batch,
            files=batch.files + files,
            size_bytes=batch.size_bytes + size_bytes,
            opened_at=batch.opened_at or now,
        )
