"""The inventory of the ledger in memory. Nothing in memory is unreadable."""

from collections.abc import Iterator

from rsloader_provider.core.errors import RsloaderError
from rsloader_provider.core.ledger.claims import Claim, Segment
from rsloader_provider.loader.ports.inventory import StoredBatch, TableProtection, Unreadable
from support.fakes.ledger import MemoryLedger


class MemoryInventory:
    def __init__(self, ledger: MemoryLedger):
        self._ledger = ledger
        self.protected: bool | RsloaderError = True

    def claims(self, load: str) -> Iterator[Claim | Unreadable]:
        return self._ledger.claims(load, "")

    def batches(self, load: str) -> Iterator[StoredBatch | Unreadable]:
        return (StoredBatch(batch, is_indexed_right=True) for batch in reversed([*self._ledger.batches(load)]))

    def segments(self, load: str) -> Iterator[Segment | Unreadable]:
        return iter(self._ledger.stored_segments(load))

    def deleted(self, load: str) -> Iterator[str]:
        return iter(self._ledger.stored_deletions(load))

    def current(self, load: str) -> str | None:
        return self._ledger.current(load)

    def protection(self) -> Iterator[TableProtection]:
        if isinstance(self.protected, RsloaderError):
            raise self.protected
        for name in ("files", "batches"):
            yield TableProtection(name, point_in_time_recovery=self.protected, deletion_protection=self.protected)
