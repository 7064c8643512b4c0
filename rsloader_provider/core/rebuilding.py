"""A batch that the ledger has lost, as the load histories and its manifests tell of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rsloader_provider.core.ledger.batch import REBUILT, Batch, BatchStatus, TargetProgress, TargetState
from rsloader_provider.core.ledger.batch_ids import batch_time
from rsloader_provider.core.ledger.claims import UNKNOWN_ETAG, Claim, Segment
from rsloader_provider.core.ledger.manifest import Entry, digest_of_names
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.transitions import settle
from rsloader_provider.core.redshift.rows import HistoryRow

_SEGMENT_OBJECTS = 1000
"""Few enough for an item of DynamoDB."""


def was_loaded(batch: Batch, progress: TargetProgress) -> bool:
    """Tell whether a target of a batch is recorded as loaded because something was loaded under the batch's name.

    A batch that has lost its objects ends as loaded without a look into the history. If the ledger was put back to a
    moment at which it was open, another batch of its name may stand there. One that was put back, or that a person has
    asked for again, was loaded before.
    """
    if progress.state is not TargetState.LOADED:
        return False
    has_loaded = batch.files > 0 or progress.rows or progress.query_id is not None
    return bool(has_loaded or progress.generation > 1 or batch.reason == REBUILT)


@dataclass(frozen=True, slots=True)
class Read:
    """What a COPY of a batch may have read: a manifest of the batch, or what Redshift shows of the COPY.

    Attributes:
        entries: The objects; empty ones are missing.
        written_at: When it was written (aware, UTC); an attempt writes its manifest before its transaction begins.
    """

    entries: tuple[Entry, ...]
    written_at: datetime


@dataclass(frozen=True, slots=True)
class LostBatch:
    """What is known of a batch that the ledger has lost.

    Attributes:
        load: Name of the load.
        batch: Its id.
        rows: Its history rows by target, sorted by generation; at least one.
        entries: The objects that any of its loads had read; None if nothing tells those of the last ones.
        left_out: Names of those that its last loads did not read: people left them out, or had them loaded elsewhere.
    """

    load: str
    batch: str
    rows: Mapping[str, Sequence[HistoryRow]]
    entries: tuple[Entry, ...] | None
    left_out: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Load and batch, as messages name them."""
        return f"batch {self.batch} of load {self.load}"

    @property
    def files(self) -> int:
        """The most objects that one of its loads had."""
        return max(row.files for rows in self.rows.values() for row in rows)

    @property
    def loaded_at(self) -> datetime:
        """The moment before which all that it has loaded was written."""
        began = [row.loaded_at for rows in self.rows.values() for row in rows if row.loaded_at is not None]
        return max(began, default=batch_time(self.batch))

    def claimed(self, entry: Entry, claim: Claim | None) -> S3Object:
        """Give an object as it is to be claimed for the batch, with what an older claim knows of it, if that helps."""
        bucket, _, key = entry.name.partition("/")
        if claim and claim.size_bytes == entry.size_bytes and claim.last_modified <= self.loaded_at:
            return S3Object(bucket, key, claim.size_bytes, claim.etag, claim.last_modified)
        return S3Object(bucket, key, entry.size_bytes, UNKNOWN_ETAG, self.loaded_at)

    def gone(self, entries: Iterable[Entry]) -> list[Segment]:
        """Give segments of the objects that the batch has loaded and that are no longer in it.

        Args:
            entries: The objects that are in it.
        """
        present = {entry.name for entry in entries}
        gone = [entry for entry in self.entries or () if entry.name not in present]
        pages = (tuple(gone[start : start + _SEGMENT_OBJECTS]) for start in range(0, len(gone), _SEGMENT_OBJECTS))
        return [Segment(self.batch, page, frozenset(entry.name for entry in page)) for page in pages]

    def rebuilt(
        self,
        entries: Sequence[Entry],
        settings: Mapping[str, Mapping[str, Any]],
        waiting: Iterable[str],
        trusted: Iterable[str],
    ) -> Batch:
        """Give the batch as it is put back.

        Args:
            entries: The objects that are claimed for it; the others have been loaded by later batches since.
            settings: The settings of all targets by name.
            waiting: Targets that it is still to be loaded into.
            trusted: Targets without a history; nothing but the other targets tells that it was loaded into them.
        """
        opened_at = batch_time(self.batch)
        loaded = {name: _loaded(rows, settings[name]) for name, rows in self.rows.items()}
        taken = {name: TargetProgress(settings[name], state=TargetState.LOADED, attempt=1) for name in trusted}
        waits = {name: TargetProgress(settings[name]) for name in waiting}
        batch = Batch(
            self.load,
            self.batch,
            status=BatchStatus.COMPLETE,
            files=len(entries),
            size_bytes=sum(entry.size_bytes for entry in entries),
            opened_at=opened_at,
            locked_at=opened_at,
            reason=REBUILT,
            run=max(self.rows.items())[1][-1].run or None,
            targets={**loaded, **taken, **waits},
            version=1,
            # Empty objects, which no manifest lists, and those that later batches have.
            taken_out=max(0, self.files - len(entries)),
        )
        return settle(batch)


def lost_batch(load: str, batch: str, rows: Mapping[str, Sequence[HistoryRow]], reads: Sequence[Read]) -> LostBatch:
    """Find out which objects a batch has loaded.

    Args:
        load: Name of the load.
        batch: Its id.
        rows: Its history rows by target, sorted by generation; at least one.
        reads: What its COPYs may have read.
    """
    last = [_entries_of(each[-1], reads) for each in rows.values()]
    if any(each is None for each in last):
        return LostBatch(load, batch, rows, None)
    before = [_entries_of(row, reads) for each in rows.values() for row in each[:-1]]
    entries = {entry.name: entry for each in (*before, *last) for entry in each or ()}
    present = {entry.name for each in last for entry in each or ()}
    return LostBatch(load, batch, rows, tuple(entries.values()), frozenset(entries.keys() - present))


def _entries_of(row: HistoryRow, reads: Sequence[Read]) -> Sequence[Entry] | None:
    """Give the objects that a load has read; None if nothing tells.

    A manifest leaves out empty objects, so if none has all of them, the one with most is it. But not one that was
    written after the load had begun, which may be of other objects: the ledger was restored, and the batch refilled.
    """
    if row.query_id is None:
        return ()
    for each in reads:
        digest = digest_of_names(entry.name for entry in each.entries)
        if len(each.entries) == row.files and row.names_digest in {None, digest}:
            return each.entries
    earlier = (
        each.entries
        for each in reads
        if len(each.entries) < row.files and row.loaded_at is not None and each.written_at <= row.loaded_at
    )
    return max(earlier, key=len, default=None)


def _loaded(rows: Sequence[HistoryRow], settings: Mapping[str, Any]) -> TargetProgress:
    last = rows[-1]
    return TargetProgress(
        settings,
        state=TargetState.LOADED,
        generation=last.generation,
        attempt=last.attempt,
        rows=last.rows,
        query_id=last.query_id,
    )
