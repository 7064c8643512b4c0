"""The ledger in memory. One lock round every call makes each write one step.

What the port does not promise to be up to date may lag, one item at a time, so that the order of writes is not kept.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.errors import CorruptLedgerError, DeletedBatchError, UnknownBatchError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.batch_ids import next_batch_id
from rsloader_provider.core.ledger.boundary import LeftAlone
from rsloader_provider.core.ledger.claims import Claim, DeletedBatch, Place, Segment
from rsloader_provider.core.ledger.contents import add_objects, fill, leave, marked_batch, restored, segment_of
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import S3Object, ledger_key, ledger_prefix
from rsloader_provider.core.ledger.transitions import lock
from rsloader_provider.loader.ports.ledger import AlreadyClaimedError, LostRaceError
from support.fakes.lagging import LaggingItems
from support.fakes.renames import MemoryRenames

V = TypeVar("V")


class MemoryLedger(MemoryRenames):
    def __init__(self, randomness: Callable[[int], bytes] = bytes, *, lags: bool = False):
        super().__init__()
        self._lock = threading.Lock()
        self._randomness = randomness
        self.lags = lags
        self._claims: LaggingItems[tuple[str, str], Claim] = LaggingItems()
        self._batches: LaggingItems[tuple[str, str], Batch] = LaggingItems()
        self._current: dict[str, str] = {}
        self._left_alone: dict[str, LeftAlone] = {}
        self._variables: dict[str, Mapping[str, str]] = {}
        self._segments: dict[tuple[str, str], list[Segment]] = defaultdict(list)
        self._deleted: set[tuple[str, str]] = set()

    def open_batch(self, load: str, now: datetime) -> Batch:
        with self._lock:
            if load in self._renamings:
                raise self._renamings[load].refusal(load)
            if load not in self._current:
                self._open(Batch(load, next_batch_id(now, None, self._randomness), is_first=True))
            beside = {"left_alone": self._left_alone.get(load), "variables": self._variables.get(load)}
            return replace(self._batches[load, self._current[load]], **beside)

    def left_alone(self, load: str) -> LeftAlone | None:
        with self._lock:
            return self._left_alone.get(load)

    def leave_alone(self, load: str, before: LeftAlone | None, after: LeftAlone) -> None:
        with self._lock:
            if load not in self._current or self._left_alone.get(load) != before:
                raise LostRaceError
            self._left_alone[load] = {**after}

    def variables(self, load: str) -> Mapping[str, str] | None:
        with self._lock:
            return self._variables.get(load)

    def record_variables(self, load: str, before: Mapping[str, str] | None, after: Mapping[str, str]) -> None:
        with self._lock:
            if load not in self._current or self._variables.get(load) != before:
                raise LostRaceError
            self._variables[load] = {**after}

    def claim(self, batch: Batch, objects: Sequence[S3Object], limits: BatchLimits, now: datetime) -> Batch:
        with self._lock:
            self._refuse_taken(batch.load, objects)
            self._refuse_overfilling(batch, objects, limits)
            try:
                return self._grow(batch, objects, now)
            except LostRaceError:
                raise CorruptLedgerError(f"{batch} has a segment whose objects have no claim.") from None

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
        with self._lock:
            stored = self._batches.get((batch.load, batch.batch))
            same = stored and (stored.files, stored.size_bytes) == (batch.files, batch.size_bytes)
            if stored is None or stored.status is not BatchStatus.OPEN or not same or not stored.files:
                raise LostRaceError
            locked = lock(stored, reason=reason, run=run, targets=targets, now=now)
            self._batches[batch.load, batch.batch] = locked
            if left_alone is not None:
                self._left_alone.setdefault(batch.load, {**left_alone})
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
            stored = batch = into or marked_batch(
                load, next_batch_id(now, None, self._randomness), reason=reason, run=run, now=now
            )
            if into is not None:
                found = self._batches.get((load, into.batch))
                if found is None or not found.is_marked or (found.reason, found.run) != (reason, run):
                    raise LostRaceError
                stored = found
            self._take(batch, objects, now)
            self._batches[load, batch.batch] = add_objects(stored, objects, now)
            return add_objects(batch, objects, now)

    def replace(self, before: Batch, after: Batch) -> Batch:
        with self._lock:
            stored = self._batches.get((before.load, before.batch))
            if stored is None or stored.version != before.version:
                raise LostRaceError
            after = replace(after, version=before.version + 1)
            self._batches[after.load, after.batch] = after
            return after

    def fill(self, place: Place, objects: Sequence[S3Object]) -> Batch:
        with self._lock:
            load, batch = place.batch.load, place.batch.batch
            self._refuse_unless_claimed(load, [each.name for each in objects], batch, place)
            self._refuse_unless_there(place)
            after, segment = fill(place, objects)
            segments = self._segments[load, batch]
            segments[segments.index(place.segment)] = segment
            self._batches[load, batch] = after
            for each in objects:
                key = load, ledger_key(each.name)
                self._claims[key] = replace(
                    self._claims[key],
                    size_bytes=each.size_bytes,
                    etag=each.etag,
                    last_modified=each.last_modified,
                )
            return after

    def leave_out(self, place: Place, names: Sequence[str], now: datetime) -> Batch:
        with self._lock:
            load, batch = place.batch.load, place.batch.batch
            self._refuse_unless_claimed(load, names, batch, place)
            left = self._give_up(place, names)
            for name in names:
                key = load, ledger_key(name)
                self._claims[key] = replace(self._claims[key], left_out_at=now)
            return left

    def forget(self, load: str, names: Sequence[str], batch: str, place: Place | None) -> Batch | None:
        with self._lock:
            self._refuse_unless_claimed(load, names, batch, place)
            left = self._give_up(place, names) if place else None
            for name in names:
                del self._claims[load, ledger_key(name)]
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
        with self._lock:
            names = [each.name for each in objects]
            self._refuse_unless_claimed(into.load, names, batch, place)
            self._refuse_overfilling(into, objects, limits)
            left = self._give_up(place, names) if place else None
            return left, self._grow(into, objects, now)

    def delete(self, deleted: DeletedBatch, now: datetime) -> None:
        with self._lock:
            key = deleted.batch.load, deleted.batch.batch
            if self._batches.get(key) != deleted.batch or deleted.batch.status is not BatchStatus.COMPLETE:
                raise LostRaceError
            self._deleted.add(key)
            del self._batches[key]
            self._segments.pop(key, None)

    def sweep(self, load: str) -> int:
        with self._lock:
            left = [self._segments.pop(key) for key in self._deleted if key[0] == load and key in self._segments]
            return sum(map(len, left))

    def restore(self, deleted: DeletedBatch) -> Batch:
        with self._lock:
            key = deleted.batch.load, deleted.batch.batch
            if key not in self._deleted:
                raise LostRaceError
            back, self._segments[key] = restored(deleted, lambda name: self._claims.get((key[0], ledger_key(name))))
            self._deleted.remove(key)
            self._batches[key] = back
            return back

    def drop(self, batch: Batch, now: datetime) -> None:
        with self._lock:
            key = batch.load, batch.batch
            if self._batches.get(key) != batch or batch.files:
                raise LostRaceError
            del self._batches[key]
            self._segments.pop(key, None)
            if batch.status is BatchStatus.OPEN:
                self._open(Batch(batch.load, next_batch_id(now, batch.batch, self._randomness)))

    def take_back(
        self,
        objects: Sequence[S3Object],
        batch: str | None,
        place: Place | None,
        into: Batch,
        now: datetime,
        *,
        left_out: bool = False,
    ) -> Batch | None:
        with self._lock:
            names = [each.name for each in objects]
            if batch is None and any((into.load, ledger_key(name)) in self._claims for name in names):
                raise LostRaceError
            if batch == into.batch and not all(
                self._is_claimed(into.load, each, batch, left_out=True) for each in names
            ):
                raise LostRaceError
            if batch is not None and batch != into.batch:
                self._refuse_unless_claimed(into.load, names, batch, place)
            left = self._give_up(place, names) if place else None
            self._take(into, objects, now)
            if left_out:
                del self._segments[into.load, into.batch][-1]
                for name in names:
                    self.edit_claim(into.load, name, left_out_at=now)
            return left

    def put_back(self, batch: Batch, left: Sequence[Segment]) -> None:
        with self._lock:
            if (batch.load, batch.batch) in self._batches:
                raise LostRaceError
            self._batches[batch.load, batch.batch] = batch
            self._segments[batch.load, batch.batch].extend(left)

    def deleted(self, load: str) -> Iterator[str]:
        return iter(self.stored_deletions(load))

    def get(self, load: str, batch: str) -> Batch:
        with self._lock:
            if (load, batch) in self._deleted:
                raise DeletedBatchError(f"Batch {batch} of load {load} was deleted. `rsloader restore` puts it back.")
            try:
                return self._batches[load, batch]
            except KeyError:
                raise UnknownBatchError(f"Load {load} has no batch {batch}.") from None

    def entries(self, batch: Batch) -> list[Entry]:
        return [entry for segment in self.segments(batch) for entry in segment.entries]

    def segments(self, batch: Batch) -> list[Segment]:
        with self._lock:
            return list(self._segments.get((batch.load, batch.batch), ()))

    def unfinished(self, load: str) -> Iterator[str]:
        return iter(sorted(each.batch for each in self._indexed(load) if each.unfinished_targets))

    def failed(self, load: str) -> Iterator[str]:
        return iter(
            sorted(
                each.batch
                for each in self._indexed(load)
                if each.status is BatchStatus.ERROR and not each.unfinished_targets
            )
        )

    def batches(self, load: str) -> Iterator[Batch]:
        return iter(sorted(self._of(load), key=lambda each: each.batch, reverse=True))

    def claimed_keys(self, load: str, prefix: str) -> Iterator[str]:
        begin = ledger_prefix(prefix)
        return iter(sorted(key for owner, key in self._seen(self._claims) if owner == load and key.startswith(begin)))

    def claims(self, load: str, prefix: str) -> Iterator[Claim]:
        seen = self._seen(self._claims)
        claims = [seen[load, key] for key in self.claimed_keys(load, prefix)]
        return (claim for claim in claims if claim.name.startswith(prefix))

    def find_claim(self, load: str, name: str) -> Claim | None:
        with self._lock:
            claim = self._claims.get((load, ledger_key(name)))
            return claim if claim and claim.name == name else None

    def find_claims(self, load: str, names: Sequence[str]) -> dict[str, Claim]:
        found = {name: self.find_claim(load, name) for name in names}
        return {name: claim for name, claim in found.items() if claim}

    def edit(self, batch: Batch) -> None:
        """Not in the port: writes a batch as a person with a console does."""
        self._batches[batch.load, batch.batch] = batch

    def lose(self, batch: Batch) -> None:
        """Not in the port: loses a batch, but neither its claims nor its segments."""
        del self._batches[batch.load, batch.batch]

    def edit_claim(self, load: str, name: str, **changes: Any) -> None:
        """Not in the port: writes a claim as a person does; without a change it is deleted. Segments stay."""
        claim = self._claims.pop((load, ledger_key(name)))
        if changes:
            self._claims[load, ledger_key(name)] = replace(claim, **changes)

    def edit_entries(self, batch: Batch, entries: Sequence[Entry]) -> None:
        """Not in the port: writes the segments of a batch as a person does."""
        self._segments[batch.load, batch.batch] = [Segment(batch.batch, tuple(entries))] if entries else []

    def stored_segments(self, load: str) -> list[Segment]:
        """Not in the port: for the fake inventory."""
        keys = sorted(key for key in self._segments if key[0] == load)
        return [segment for key in keys for segment in self._segments[key]]

    def stored_deletions(self, load: str) -> list[str]:
        """Not in the port: for the fake inventory."""
        return sorted(batch for owner, batch in self._deleted if owner == load)

    def current(self, load: str) -> str | None:
        """Not in the port: for the fake inventory."""
        return self._current.get(load)

    def _refuse_taken(self, load: str, objects: Sequence[S3Object]) -> None:
        if taken := frozenset(each.name for each in objects if (load, ledger_key(each.name)) in self._claims):
            raise AlreadyClaimedError(taken)

    def _take(self, batch: Batch, objects: Sequence[S3Object], now: datetime) -> None:
        segment = segment_of(batch, objects)
        if any(each.claimed[0].name == segment.claimed[0].name for each in self._segments[batch.load, batch.batch]):
            raise LostRaceError
        for each in objects:
            self._claims[batch.load, ledger_key(each.name)] = Claim(
                batch.load, each.name, batch.batch, each.size_bytes, each.etag, each.last_modified, now
            )
        self._segments[batch.load, batch.batch].append(segment)

    def _grow(self, batch: Batch, objects: Sequence[S3Object], now: datetime) -> Batch:
        """Add objects to the open batch; return it as the caller knows it, with the objects."""
        stored = self._batches[batch.load, batch.batch]
        self._take(batch, objects, now)
        self._batches[batch.load, batch.batch] = add_objects(stored, objects, now)
        return add_objects(batch, objects, now)

    def _refuse_overfilling(self, batch: Batch, objects: Sequence[S3Object], limits: BatchLimits) -> None:
        stored = self._batches.get((batch.load, batch.batch))
        size_bytes = sum(each.size_bytes for each in objects)
        if (
            stored is None
            or stored.status is not BatchStatus.OPEN
            or stored.files + len(objects) > limits.max_files
            or stored.size_bytes + size_bytes - objects[-1].size_bytes >= limits.max_bytes
        ):
            raise LostRaceError

    def _refuse_unless_claimed(self, load: str, names: Sequence[str], batch: str, place: Place | None) -> None:
        if not all(self._is_claimed(load, name, batch, left_out=True) for name in names):
            raise LostRaceError
        inside = (self._is_claimed(load, name, batch, left_out=False) for name in names)
        if place is None and (load, batch) not in self._deleted and any(inside):
            raise LostRaceError

    def _is_claimed(self, load: str, name: str, batch: str, *, left_out: bool) -> bool:
        claim = self._claims.get((load, ledger_key(name)))
        return claim is not None and claim.batch == batch and (left_out or claim.left_out_at is None)

    def _refuse_unless_there(self, place: Place) -> None:
        key = place.batch.load, place.batch.batch
        if self._batches.get(key) != place.batch or place.segment not in self._segments[key]:
            raise LostRaceError

    def _give_up(self, place: Place, names: Sequence[str]) -> Batch:
        self._refuse_unless_there(place)
        key = place.batch.load, place.batch.batch
        after, smaller = leave(place, names)
        index = self._segments[key].index(place.segment)
        self._segments[key][index : index + 1] = [smaller] if smaller else []
        self._batches[key] = after
        return after

    def _seen(self, items: LaggingItems[tuple[str, str], V]) -> dict[tuple[str, str], V]:
        """Give items as a read shows them that is not consistent."""
        with self._lock:
            return items.lagging() if self.lags else dict(items)

    def _indexed(self, load: str) -> list[Batch]:
        return [each for (owner, _), each in self._seen(self._batches).items() if owner == load]

    def _of(self, load: str) -> list[Batch]:
        with self._lock:
            return [each for (owner, _), each in self._batches.items() if owner == load]

    def _open(self, opened: Batch) -> Batch:
        self._batches[opened.load, opened.batch] = opened
        self._current[opened.load] = opened.batch
        return opened
