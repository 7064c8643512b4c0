"""A ledger that carries out a write and loses the answer."""

from typing import Any

from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.loader.ports.ledger import Ledger, LostRaceError


class LostAnswers:
    """Says of some writes that they lost a race, although they were carried out.

    It happens when the answer of DynamoDB is lost on the way: botocore sends the write again, and its condition no
    longer holds.

    Args:
        ledger: The ledger that keeps everything.
        lost: Which calls of `replace` lose their answer; 1 is the first.
    """

    def __init__(self, ledger: Ledger, *lost: int):
        self._ledger = ledger
        self._lost = lost
        self._writes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def replace(self, before: Batch, after: Batch) -> Batch:
        written = self._ledger.replace(before, after)
        self._writes += 1
        if self._writes in self._lost:
            raise LostRaceError
        return written
