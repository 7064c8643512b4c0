"""The inventory: everything that the ledger holds of a load, in the order of its keys, readable or not."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.claims import Claim, Segment


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An item that was written halfway or edited by hand.

    Attributes:
        key: Its sort key, or for a segment the batch that it belongs to.
        reason: What the ledger would refuse it with.
    """

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch, and whether the index of batches that need attention shows it as it should.

    Attributes:
        batch: The batch.
        is_indexed_right: False when a run would look for the batch in vain, or find it for nothing.
    """

    batch: Batch
    is_indexed_right: bool


@dataclass(frozen=True, slots=True)
class TableProtection:
    """What keeps a table of the ledger from being lost.

    Attributes:
        name: The table.
        point_in_time_recovery: Whether it can be restored to any moment of the last days.
        deletion_protection: Whether it cannot be deleted by mistake.
    """

    name: str
    point_in_time_recovery: bool
    deletion_protection: bool


class Inventory(Protocol):
    """Reads whole streams, page by page, each page as it is at that moment; never refuses a single item.

    Raises, all of them:
        NotSetUpError: The tables are not there.
        AccessDeniedError, TransientError: As their names say.
    """

    def claims(self, load: str) -> Iterator[Claim | Unreadable]:
        """Give all claims, sorted by their ledger keys: as S3 lists, but for names that are too long for a key."""
        ...

    def batches(self, load: str) -> Iterator[StoredBatch | Unreadable]:
        """Give all batches, oldest first."""
        ...

    def segments(self, load: str) -> Iterator[Segment | Unreadable]:
        """Give the segments of all batches, those of the oldest batch first."""
        ...

    def deleted(self, load: str) -> Iterator[str]:
        """Give the ids of the batches that a person deleted, oldest first."""
        ...

    def current(self, load: str) -> str | None:
        """Give the id of the batch that claims go into, readable or not; None if none is named."""
        ...

    def protection(self) -> Iterator[TableProtection]:
        """Tell of each table what keeps it from being lost."""
        ...
