"""Objects that were written again after a batch had claimed them, and their sizes in COPY's manifest.

A batch keeps the sizes that its objects had when it claimed them. COPY of CSV and its kin loads what is there now. It
reads a Parquet or ORC file from its end, and fails when the manifest has another size than the file.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.loader.ports.storage import Storage


class Filled(dict[str, S3Object]):
    """Objects by name that were empty when they were claimed, and hold something now."""

    @property
    def digest(self) -> str | None:
        """Tells them from others by their names and content; None for none."""
        if not self:
            return None
        told = "\n".join(f"{name} {each.etag}" for name, each in sorted(self.items()))
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def sizes_in(self, entries: Iterable[Entry]) -> list[Entry]:
        """Give entries with the sizes that these have now."""
        return [
            replace(each, size_bytes=self[each.name].size_bytes) if each.name in self else each for each in entries
        ]  # fmt: skip

    def empty_in(self, entries: Iterable[Entry]) -> list[S3Object]:
        """Give those of them that are empty by these entries."""
        return [self[each.name] for each in entries if each.size_bytes == 0 and each.name in self]


def find_filled(storage: Storage, entries: Sequence[Entry]) -> Filled:
    """Ask S3 once for each object that was empty when it was claimed, and for no other.

    Some writers put an empty object first and its content later, and a manifest leaves empty objects out.
    """
    found = (storage.find(entry.bucket, entry.key) for entry in entries if entry.size_bytes == 0)
    return Filled({each.name: each for each in found if each is not None and each.size_bytes > 0})


def with_sizes_of_now(storage: Storage, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Give a columnar batch's entries with their sizes of now, for an attempt that a person asked for.

    Objects may be repaired. S3 is asked once for each that is not empty. An object that is gone keeps its size; COPY
    reports it.
    """
    return tuple(_of_now(storage, entry) if entry.size_bytes else entry for entry in entries)


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
