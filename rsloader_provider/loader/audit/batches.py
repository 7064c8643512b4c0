"""The part of an audit that goes by batch: DynamoDB's batches, segments, history rows, files of COPYs and manifests.

All of them sort by batch, so they are read side by side, and memory holds what a window of batches needs.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from heapq import merge
from itertools import groupby
from operator import itemgetter

from rsloader_provider.core.audit import (
    HistoryRow,
    ObjectState,
    Verdict,
    judge_batch,
    loaded_since,
    mended,
    missing_in_history,
)
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import CorruptLedgerError, RsloaderError, UnknownBatchError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.batch_ids import batch_time
from rsloader_provider.core.ledger.claims import Segment
from rsloader_provider.core.ledger.manifest import Entry, render_manifest
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.transitions import settle
from rsloader_provider.loader.audit.report import AuditReport, Finding
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.ports.inventory import Inventory, StoredBatch, Unreadable
from rsloader_provider.loader.services import Services

WINDOW_ENTRIES = 20_000
WINDOW_BATCHES = 200
FAR_AHEAD = timedelta(days=1)
_VIEW_BYTES = 256
_SUFFIX = ".manifest"
_SUM = 2**64
_SUSPICIOUS = {
    ObjectState.LOADED_TWICE, ObjectState.NOT_IN_HISTORY, ObjectState.BROKEN, ObjectState.NOT_CLAIMED,
}  # fmt: skip

Fingerprint = tuple[int, int]
"""How many names, and the sum of their hashes: two sets of names that differ in it differ."""


def fingerprint(names: Iterable[str], start: Fingerprint = (0, 0)) -> Fingerprint:
    """Add names to a fingerprint. It holds within one process."""
    count, total = start
    for name in names:
        count, total = count + 1, (total + hash(name)) % _SUM
    return count, total


@dataclass(slots=True)
class BatchFindings:
    """What the walk over the batches leaves for the walk over the objects.

    Attributes:
        verdicts: By batch; one each.
        copied: Names of objects that a committed COPY read although they are not its batch's, with those batches.
            Grows with what is wrong only.
    """

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    copied: dict[str, frozenset[str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Group:
    """Everything that there is under one batch id."""

    batch_id: str
    stored: StoredBatch | None = None
    unreadable: list[str] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    is_deleted: bool = False
    rows: dict[str, list[HistoryRow]] = field(default_factory=dict)
    manifests: dict[str, S3Object] = field(default_factory=dict)

    @property
    def entries(self) -> list[Entry]:
        """The objects that are in the batch."""
        return [entry for segment in self.segments for entry in segment.entries]

    @property
    def taken_out(self) -> list[Entry]:
        """The objects that a person has taken out of it; an earlier generation may have loaded them."""
        return [entry for segment in self.segments for entry in segment.claimed if entry.name in segment.taken_out]


class BatchWalk:
    """Judges every batch of a load.

    Args:
        config: The load.
        services: The ports and the clock.
        inventory: What the ledger holds.
        histories: What Redshift committed.
        claimed: The fingerprint of the names that are claimed for each batch.
        report: Gets the findings, and objects that are known to Redshift only.
    """

    def __init__(
        self,
        config: LoadConfig,
        services: Services,
        inventory: Inventory,
        histories: Histories,
        claimed: Mapping[str, Fingerprint],
        report: AuditReport,
    ):
        self._config = config
        self._services = services
        self._inventory = inventory
        self._histories = histories
        self._claimed = claimed
        self._report = report
        self._found = BatchFindings()

    def run(self) -> BatchFindings:
        """Walk once."""
        window: list[_Group] = []
        entries = 0
        for group in self._groups():
            window.append(group)
            entries += sum(len(segment.claimed) for segment in group.segments)
            if entries >= WINDOW_ENTRIES or len(window) >= WINDOW_BATCHES:
                self._judge_window(window)
                window, entries = [], 0
        self._judge_window(window)
        self._tell_unreadable()
        return self._found

    def _groups(self) -> Iterator[_Group]:
        load = self._config.load
        streams: list[Iterator[tuple[str, object]]] = [
            ((_id_of(each), each) for each in self._inventory.batches(load)),
            ((each.batch if isinstance(each, Segment) else each.key, each) for each in self._inventory.segments(load)),
            ((batch_id, _DELETED) for batch_id in self._inventory.deleted(load)),
            self._manifests(),
            *(self._rows(name) for name in self._histories.targets),
        ]
        for batch_id, items in groupby(merge(*streams, key=itemgetter(0)), itemgetter(0)):
            group = _Group(batch_id)
            for _, item in items:
                match item:
                    case StoredBatch():
                        group.stored = item
                    case Unreadable():
                        group.unreadable.append(item.reason)
                    case Segment():
                        group.segments.append(item)
                    case S3Object():
                        group.manifests[item.key.rpartition("/")[2]] = item
                    case _Deleted():
                        group.is_deleted = True
                    case (str(name), list(rows)):
                        group.rows[name] = rows
            yield group

    def _rows(self, name: str) -> Iterator[tuple[str, object]]:
        return ((batch, (name, rows)) for batch, rows in self._histories.stream(name))

    def _manifests(self) -> Iterator[tuple[str, object]]:
        prefix = self._config.manifests.join(f"{self._config.load}/")
        try:
            for found in self._services.storage.objects(prefix.bucket, prefix.key):
                name = found.key.removeprefix(prefix.key)
                if name.endswith(_SUFFIX) and "/" not in name:
                    # Behind the batch stands, after a '-', how many objects had been taken out of it, or, of a manifest
                    # with sizes of its own, what tells it from others.
                    yield name.removesuffix(_SUFFIX).partition("-")[0], found
        except RsloaderError as error:
            text = f"the manifests cannot be listed and were not compared: {error}"
            self._report.add(Finding(f"load {self._config.load}", text, is_wrong=False))

    def _tell_unreadable(self) -> None:
        for target in self._config.targets:
            if target.history == "none":
                text = "it has no load history (history: none): that it is loaded is DynamoDB's word alone."
                self._report.add(Finding(f"target {target.name}", text, is_wrong=False))
        for name, error in self._histories.unreadable.items():
            text = f"its load history cannot be read, and was not compared: {type(error).__name__}: {error}"
            self._report.add(Finding(f"target {name}", text))
        for conn_id, error in self._histories.without_files.items():
            text = f"SYS_LOAD_DETAIL cannot be read; what each COPY read was not compared: {error}"
            self._report.add(Finding(f"connection {conn_id}", text, is_wrong=False))

    def _judge_window(self, window: list[_Group]) -> None:
        files = self._files(window)
        for group in window:
            self._judge(group, files)

    def _files(self, window: list[_Group]) -> dict[tuple[str, int], frozenset[str]]:
        query_ids: dict[str, list[int]] = defaultdict(list)
        for group in window:
            for name, rows in group.rows.items():
                query_ids[name].extend(row.query_id for row in rows if row.query_id is not None)
        return {
            (name, query_id): urls
            for name, wanted in query_ids.items()
            for query_id, urls in self._histories.files(name, wanted).items()
        }

    def _judge(self, group: _Group, files: Mapping[tuple[str, int], frozenset[str]]) -> None:
        for reason in group.unreadable:
            self._add(group.batch_id, reason)
        if group.stored is None:
            self._judge_without_batch(group, files)
            return
        batch, rows = group.stored.batch, self._complete(group.rows)
        state = judge_batch(batch, rows)
        if state in _SUSPICIOUS or len(group.entries) != batch.files or _contradicts(batch, rows):
            # Somebody may be at work on it: what was read page by page is read again in one moment.
            batch, rows, group.segments = self._read_again(batch, group)
            state = judge_batch(batch, rows)
        names = {entry.name for entry in group.entries}
        unread = self._compare_files(rows, group, files)
        entries = self._compare_claims(batch, names, rows)
        self._found.verdicts[batch.batch] = Verdict(state, entries, unread, loaded_since(batch, rows))
        self._compare_batch(batch, rows, group)
        self._compare_manifest(batch, group)

    def _complete(self, rows: Mapping[str, list[HistoryRow]]) -> dict[str, list[HistoryRow]]:
        """Give the rows of every readable target, none where it has none."""
        return {name: rows.get(name, []) for name in self._histories.targets}

    def _read_again(self, batch: Batch, group: _Group) -> tuple[Batch, dict[str, list[HistoryRow]], list[Segment]]:
        ledger = self._services.ledger
        rows = self._histories.of_batch(batch.batch)
        try:
            fresh = ledger.get(batch.load, batch.batch)
            if fresh != batch:
                rows = self._histories.of_batch(batch.batch)
            return fresh, rows, ledger.segments(fresh)
        except (CorruptLedgerError, UnknownBatchError):
            return batch, rows, group.segments

    def _judge_without_batch(self, group: _Group, files: Mapping[tuple[str, int], frozenset[str]]) -> None:
        rows = [row for each in group.rows.values() for row in each]
        if group.is_deleted and not group.unreadable:
            self._judge_deleted(group)
            return
        if group.unreadable or not rows:
            # Its manifest alone says nothing: it may be another installation's.
            if group.entries and not group.unreadable:
                self._add(group.batch_id, "DynamoDB has its segments, but not the batch itself.", remedy=_BACKUP)
            if group.entries or group.unreadable:
                self._found.verdicts[group.batch_id] = Verdict(ObjectState.BROKEN)
            return
        self._found.verdicts[group.batch_id] = Verdict(ObjectState.NOT_CLAIMED)
        self._add(
            group.batch_id,
            f"the history says that it was loaded ({', '.join(sorted(group.rows))}), and DynamoDB does not have it.",
            remedy=_BACKUP,
        )
        urls = frozenset().union(*self._read_by(group.rows, files).values())
        for url in urls:
            self._note_copied(url.removeprefix("s3://"), group.batch_id)
        claimed = self._claimed.get(group.batch_id, (0, 0))[0]
        if not urls:
            unnamed = max(0, max(row.files for row in rows) - claimed)
            self._report.count(ObjectState.NOT_CLAIMED, None, group.batch_id, unnamed)

    def _judge_deleted(self, group: _Group) -> None:
        """Trust a deleted batch, which was complete, as far as it is not asked for any more."""
        self._found.verdicts[group.batch_id] = Verdict(ObjectState.LOADED)
        if group.segments:
            self._add(
                group.batch_id,
                "a person deleted it, and was interrupted: some of its segments are left. The next deletion removes "
                "them.",
                is_wrong=False,
            )

    @staticmethod
    def _read_by(
        rows: Mapping[str, list[HistoryRow]], files: Mapping[tuple[str, int], frozenset[str]]
    ) -> dict[tuple[str, int], frozenset[str]]:
        """Give what each COPY of a batch's rows read, where the view knows it."""
        query_ids = [(name, row.query_id) for name, each in rows.items() for row in each if row.query_id is not None]
        return {key: files[key] for key in query_ids if key in files}

    def _compare_files(
        self,
        rows: Mapping[str, list[HistoryRow]],
        group: _Group,
        files: Mapping[tuple[str, int], frozenset[str]],
    ) -> frozenset[str]:
        """Compare what the COPYs read with what they should have; give the names that one of them did not read."""
        read_by = self._read_by(rows, files)
        if not read_by:
            return frozenset()
        expected = {_as_viewed(entry.url): entry.name for entry in group.entries if entry.size_bytes > 0}
        earlier = {_as_viewed(entry.url) for entry in group.taken_out}
        unread: set[str] = set()
        for read in read_by.values():
            unread.update(expected[url] for url in expected.keys() - read)
            for url in read - expected.keys() - earlier:
                # A URL that fills the view's column may have been cut: what it stands for cannot be told.
                if len(url.encode()) < _VIEW_BYTES:
                    self._note_copied(url.removeprefix("s3://"), group.batch_id)
        return frozenset(unread)

    def _note_copied(self, name: str, batch_id: str) -> None:
        self._found.copied[name] = self._found.copied.get(name, frozenset()) | {batch_id}

    def _compare_claims(
        self, batch: Batch, names: set[str], rows: Mapping[str, list[HistoryRow]]
    ) -> frozenset[str] | None:
        """Compare the objects of a batch's segments with those that are claimed for it.

        Returns:
            The former where they differ; None where they do not.
        """
        # While the batch is open both grow, between the two readings as well.
        if batch.status is BatchStatus.OPEN or fingerprint(names) == self._claimed.get(batch.batch, (0, 0)):
            return None
        ledger = self._services.ledger
        is_loaded = any(rows.values())
        for name in sorted(names):
            try:
                claim = ledger.find_claim(batch.load, name)
            except CorruptLedgerError:
                continue  # the walk over the claims names it
            if claim is not None and claim.batch == batch.batch:
                continue
            if is_loaded:
                self._note_copied(name, batch.batch)
            else:
                where = "no claim" if claim is None else f"a claim of batch {claim.batch}"
                self._add(batch.batch, f"its segments hold s3://{name}, which has {where}.", remedy=_BACKUP)
        # A batch of marked objects grows as an open one does.
        return None if batch.is_marked else frozenset(names)

    def _compare_batch(self, batch: Batch, rows: Mapping[str, list[HistoryRow]], group: _Group) -> None:
        stored = group.stored
        # Objects may be marked while the two are read, and no load begins with a marked batch anyway.
        if len(group.entries) < batch.files or (len(group.entries) > batch.files and not batch.is_marked):
            text = f"it counts {batch.files} objects, and its segments hold {len(group.entries)}. No load begins so."
            self._add(batch.batch, text, remedy=_BACKUP)
        for name, each in rows.items():
            # Who was taken out since may have been loaded by an earlier generation, and not by a later one.
            most = batch.files + batch.taken_out
            if other := [row for row in each if not batch.files <= row.files <= most]:
                text = f"{name}: the history says that it was loaded with {other[0].files} objects, not {batch.files}."
                self._add(batch.batch, text, remedy=_BACKUP)
        for name in missing_in_history(batch, rows):
            text = f"{name}: recorded as loaded, generation {batch.targets[name].generation}, and not in the history."
            self._add(batch.batch, text, remedy=f"Clear load_batch of run {batch.run} in Airflow if its rows are gone.")
        now = self._services.now()
        if batch_time(batch.batch) > now + FAR_AHEAD:
            text = (
                f"its id is of {batch_time(batch.batch):%Y-%m-%d %H:%M}, ahead of the clock; later ones sort after it."
            )
            self._add(batch.batch, text, is_wrong=False)
        if batch.status is BatchStatus.OPEN:
            if batch.batch != self._inventory.current(batch.load) and not self._is_locked_by_now(batch):
                text = "it is open, but not the batch that claims go into: nobody will lock it."
                self._add(batch.batch, text, remedy=_BACKUP)
            return
        should = mended(batch, rows, notify=False)
        for name, progress in batch.targets.items():
            other_progress = should.targets[name]
            if progress.state is not other_progress.state:
                text = (
                    f"{name}: recorded as {progress.state}, and its generation {progress.generation} is in the history."
                )
                self._add(batch.batch, text, remedy=_REPAIR, is_mendable=True)
            elif progress != other_progress:
                text = f"{name}: it is loaded, and still records session {progress.session}."
                self._add(batch.batch, text, remedy=_REPAIR, is_mendable=True)
        if settle(batch).status is not batch.status:
            text = f"its status is {batch.status}, and its targets say {settle(batch).status}."
            self._add(batch.batch, text, remedy=_REPAIR, is_mendable=True)
        if stored is not None and batch == stored.batch and not stored.is_indexed_right:
            text = "the index of batches that need attention does not show it as it is."
            self._add(batch.batch, text, remedy=_REPAIR, is_mendable=True)

    def _is_locked_by_now(self, batch: Batch) -> bool:
        try:
            return self._services.ledger.get(batch.load, batch.batch).status is not BatchStatus.OPEN
        except RsloaderError:
            return False

    def _compare_manifest(self, batch: Batch, group: _Group) -> None:
        manifest = group.manifests.get(batch.manifest_name.rpartition("/")[2])
        content = render_manifest(group.entries) if manifest is not None else None
        if manifest is None or content is None or batch.status is BatchStatus.OPEN:
            return
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if (manifest.size_bytes, manifest.etag) == (len(content), digest):
            return
        try:
            # An ETag is no digest where S3 encrypts with KMS.
            same = (
                manifest.size_bytes == len(content)
                and self._services.storage.read(manifest.bucket, manifest.key) == content
            )
        except RsloaderError as error:
            self._add(batch.batch, f"its manifest {manifest.url} could not be read: {error}", is_wrong=False)
            return
        if not same:
            self._add(
                batch.batch,
                f"its manifest {manifest.url} was changed: it does not list the batch's objects. Each attempt writes "
                "it anew before its COPY.",
                remedy=_REPAIR,
                is_mendable=True,
            )

    def _add(
        self, batch: str, text: str, *, remedy: str = "", is_wrong: bool = True, is_mendable: bool = False
    ) -> None:
        subject = f"batch {batch} of load {self._config.load}"
        remedy = remedy.format(load=self._config.load, batch=batch)
        self._report.add(Finding(subject, text, remedy, batch, is_wrong=is_wrong, is_mendable=is_mendable))


class _Deleted:
    """Stands for the note that a batch was deleted."""


_DELETED = _Deleted()

_BACKUP = "Put the items of DynamoDB back, for example from a backup of the tables."
_REPAIR = "rsloader audit {load} --batch {batch} --repair"


def _id_of(each: StoredBatch | Unreadable) -> str:
    return each.batch.batch if isinstance(each, StoredBatch) else each.key


def _contradicts(batch: Batch, rows: Mapping[str, list[HistoryRow]]) -> bool:
    return batch.status is not BatchStatus.OPEN and mended(batch, rows, notify=False) != batch


def _as_viewed(url: str) -> str:
    """Cut a URL as SYS_LOAD_DETAIL does."""
    return url.encode()[:_VIEW_BYTES].decode(errors="ignore").rstrip()
