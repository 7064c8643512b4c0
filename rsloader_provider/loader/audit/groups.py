"""Everything that there is under one batch id, from sorted streams that are read side by side."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from operator import itemgetter

from rsloader_provider.core.ledger.claims import Segment
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.redshift.rows import HistoryRow
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.ports.inventory import Inventory, StoredBatch, Unreadable


@dataclass(slots=True)
class Group:
    """What DynamoDB, the histories and S3 hold of one batch.

    Attributes:
        batch_id: The batch.
        stored: Its item; None if there is none that can be read.
        unreadable: Why some of its items could not be read.
        segments: Its segments, in their order.
        is_deleted: Whether the ledger keeps that a person deleted it.
        rows: Its history rows by target.
        manifests: Its manifests by the last part of their keys.
    """

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
    def claimed_empty(self) -> frozenset[str]:
        """Names of the objects that were empty when they were claimed."""
        return frozenset(entry.name for segment in self.segments for entry in segment.claimed if entry.size_bytes == 0)

    @property
    def taken_out(self) -> list[Entry]:
        """The objects that a person has taken out of it; an earlier generation may have loaded them."""
        return [entry for segment in self.segments for entry in segment.claimed if entry.name in segment.taken_out]


class _Deleted:
    """Stands for the note that a batch was deleted."""


_DELETED = _Deleted()


def groups_of(
    load: str, inventory: Inventory, histories: Histories, manifests: Iterator[tuple[str, S3Object]]
) -> Iterator[Group]:
    """Give the groups of a load, sorted by batch.

    Args:
        load: Name of the load.
        inventory: What the ledger holds.
        histories: What Redshift committed.
        manifests: The load's manifests with their batches, sorted.
    """
    streams: list[Iterator[tuple[str, object]]] = [
        ((_id_of(each), each) for each in inventory.batches(load)),
        ((each.batch if isinstance(each, Segment) else each.key, each) for each in inventory.segments(load)),
        ((batch_id, _DELETED) for batch_id in inventory.deleted(load)),
        manifests,
        *(_rows(histories, name) for name in histories.targets),
    ]
    for batch_id, items in groupby(merge(*streams, key=itemgetter(0)), itemgetter(0)):
        group = Group(batch_id)
        for _, item in items:
            _put(group, item)
        yield group


def _put(group: Group, item: object) -> None:
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


def _rows(histories: Histories, name: str) -> Iterator[tuple[str, object]]:
    return ((batch, (name, rows)) for batch, rows in histories.stream(name))


def _id_of(each: StoredBatch | Unreadable) -> str:
    return each.batch.batch if isinstance(each, StoredBatch) else each.key
