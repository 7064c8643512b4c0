"""An object's place in a batch: claims, segments, and what leaves them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import S3Object

UNKNOWN_ETAG = ""
"""No object of S3's has it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An object's place in exactly one batch.

    Attributes:
        load: Name of the load.
        name: Bucket and key, `bucket/key`.
        batch: The batch that has it.
        size_bytes: Its size when it was claimed.
        etag: Its ETag then; UNKNOWN_ETAG where the claim was lost and made again.
        last_modified: When it was written (aware, UTC); without an ETag, when it was loaded, which was later.
        claimed_at: When it was claimed (aware, UTC).
        left_out_at: When a person left it out of that batch (aware, UTC): it stays claimed, and no later attempt loads
            it; None for any other object.
    """

    load: str
    name: str
    batch: str
    size_bytes: int
    etag: str
    last_modified: datetime
    claimed_at: datetime
    left_out_at: datetime | None = None

    def is_of(self, found: S3Object) -> bool:
        """Tell whether an object is what was claimed: by size and ETag; without an ETag, by size and time."""
        if found.size_bytes != self.size_bytes:
            return False
        if self.etag == UNKNOWN_ETAG:
            return found.last_modified <= self.last_modified
        return found.etag == self.etag


@dataclass(frozen=True, slots=True)
class Segment:
    """The objects that one claim put into a batch.

    Attributes:
        batch: The batch.
        claimed: The objects in the order of the claim, also those that are no longer in the batch.
        taken_out: Names of those that a person has taken out since the batch was locked.
        filled: Those that were empty when they were claimed and held something when they were loaded, with the size
            that they had then.
    """

    batch: str
    claimed: tuple[Entry, ...]
    taken_out: frozenset[str] = frozenset()
    filled: tuple[Entry, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The objects that are in the batch."""
        filled = {entry.name: entry for entry in self.filled}
        return tuple(filled.get(entry.name, entry) for entry in self.claimed if entry.name not in self.taken_out)

    def without(self, names: Iterable[str], *, is_open: bool) -> "Segment | None":
        """Give the segment after objects have left it; None if nothing is left of it.

        Args:
            names: The objects.
            is_open: Whether its batch is open. Otherwise the objects may have been loaded, and the segment keeps the
                names of those that left.
        """
        leaving = frozenset(names)
        if not is_open:
            return replace(self, taken_out=self.taken_out | leaving)
        kept = tuple(entry for entry in self.claimed if entry.name not in leaving)
        return replace(self, claimed=kept) if kept else None


@dataclass(frozen=True, slots=True)
class Place:
    """Where objects are before they leave their batch.

    Attributes:
        batch: The batch as it was read.
        segment: Its segment that has them, read after the batch.
    """

    batch: Batch
    segment: Segment


@dataclass(frozen=True, slots=True)
class DeletedBatch:
    """A batch that a person deleted, whole: what is needed to put it back."""

    batch: Batch
    segments: tuple[Segment, ...]
