"""What the COPYs of a batch read, as Redshift's SYS_LOAD_DETAIL shows, beside what they should have read."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.redshift.rows import HistoryRow
from rsloader_provider.loader.audit.batch_findings import BatchFindings
from rsloader_provider.loader.audit.groups import Group
from rsloader_provider.loader.histories import Histories

_VIEW_BYTES = 256

CopiedFiles = Mapping[tuple[str, int], frozenset[str]]
"""URLs by target and query id of the COPY."""


def files_of(groups: Iterable[Group], histories: Histories) -> CopiedFiles:
    """Ask what each COPY of some batches read; those that the view does not know are not there."""
    query_ids: dict[str, list[int]] = defaultdict(list)
    for group in groups:
        for name, rows in group.rows.items():
            query_ids[name].extend(row.query_id for row in rows if row.query_id is not None)
    return {
        (name, query_id): urls
        for name, wanted in query_ids.items()
        for query_id, urls in histories.files(name, wanted).items()
    }


def read_by(rows: Mapping[str, list[HistoryRow]], files: CopiedFiles) -> CopiedFiles:
    """Give what each COPY of a batch's rows read, where the view knows it."""
    query_ids = [(name, row.query_id) for name, each in rows.items() for row in each if row.query_id is not None]
    return {key: files[key] for key in query_ids if key in files}


def compare_files(
    batch: Batch, rows: Mapping[str, list[HistoryRow]], group: Group, files: CopiedFiles, found: BatchFindings
) -> frozenset[str]:
    """Compare what the COPYs read with what they should have; give the names that one of them did not read.

    An object that was empty when it was claimed is in those manifests only that were written once it was filled: what
    the present generation of one target has read, that of every other should have.
    """
    known = read_by(rows, files)
    if not known:
        return frozenset()
    expected = {_as_viewed(entry.url): entry.name for entry in group.entries if entry.size_bytes > 0}
    empty = {_as_viewed(entry.url): entry.name for entry in group.entries if entry.name in group.claimed_empty}
    earlier = {_as_viewed(entry.url) for entry in group.taken_out}
    present = _of_present_generation(batch, rows)
    unread: set[str] = set()
    for key, read in known.items():
        missed = expected.keys() - read
        unread.update(expected[url] for url in (missed if key in present else missed - empty.keys()))
        for url in read - expected.keys() - earlier:
            # A URL that fills the view's column may have been cut: it is not known which object it names.
            if len(url.encode()) < _VIEW_BYTES:
                found.note_copied(url.removeprefix("s3://"), group.batch_id)
    reads = [read for key, read in known.items() if key in present]
    for url, name in empty.items():
        by = [url in read for read in reads]
        if any(by) and not all(by):
            unread.add(name)
    return frozenset(unread)


def _of_present_generation(batch: Batch, rows: Mapping[str, list[HistoryRow]]) -> set[tuple[str, int | None]]:
    return {
        (name, row.query_id)
        for name, progress in batch.targets.items()
        for row in rows.get(name, ())
        if row.generation == progress.generation
    }


def _as_viewed(url: str) -> str:
    """Cut a URL as SYS_LOAD_DETAIL does."""
    return url.encode()[:_VIEW_BYTES].decode(errors="ignore").rstrip()
