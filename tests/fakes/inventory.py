"""The inventory of the ledger in memory. Nothing in memory is unreadable."""

from collections.abc import Iterator

from fakes.ledger import MemoryLedger
from rsloader_provider.loader.ports.inventory import Segment, StoredBatch, Unreadable
from rsloader_provider.loader.ports.ledger import Claim


class MemoryInventory:
    def __init__(self, ledger: MemoryLedger):
        self._ledger = ledger

    def claims(self, load: str) -> Iterator[Claim | Unreadable]:
        return self._ledger.claims(load, "")

    def batches(self, load: str) -> Iterator[StoredBatch | Unreadable]:
        return (StoredBatch(batch, is_indexed_right=True) for batch in reversed([*self._ledger.batches(load)]))

    def segments(self, load: str) -> Iterator[Segment | Unreadable]:
        return (Segment(batch, tuple(entries)) for batch, entries in self._ledger.segments(load))

    def current(self, load: str) -> str | None:
        return self._ledger.current(load)
