"""Objects that were written again after a batch had claimed them, and their sizes in COPY's manifest.

A batch keeps the sizes that its objects had when it claimed them. COPY of CSV and its kin loads what is there now. It
reads a Parquet or ORC file from its end, and fails when the manifest has another size than the file.
"""

from collections.abc import Sequence
from dataclasses import replace

from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.loader.ports.storage import Storage


def with_sizes_of_now(storage: Storage, entries: Sequence[Entry], copy_options: CopyOptions) -> tuple[Entry, ...]:
    """Give a batch's entries with their sizes of now, for an attempt that a person asked for: objects may be repaired.

    S3 is asked once for each object whose size matters: every one of a columnar format, and in every format those
    that were empty, since a manifest leaves these out. An object that is gone keeps its size; COPY reports it.
    """
    return tuple(
        _of_now(storage, entry) if copy_options.is_columnar or entry.size_bytes == 0 else entry for entry in entries
    )


def overwritten(storage: Storage, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Name the objects whose size is another one by now, each with both sizes; S3 is asked once for each object."""
    now = ((entry, _of_now(storage, entry)) for entry in entries)
    return tuple(
        f"{then.url}: {then.size_bytes} bytes in the manifest, {found.size_bytes} in S3"
        for then, found in now
        if then != found
    )


def _of_now(storage: Storage, entry: Entry) -> Entry:
    found = storage.find(entry.bucket, entry.key)
    return entry if found is None else replace(entry, size_bytes=found.size_bytes)
