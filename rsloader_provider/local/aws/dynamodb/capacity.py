"""Write units by AWS's rules: 1 KB rounded up for the table and for each index that changes, twice in a transaction.

Two choices where AWS's documentation leaves room, both towards counting too much: index writes count twice in a
transaction like the table's, and so does every operation of a cancelled transaction.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rsloader_provider.local.aws.dynamodb.tables import Index, Record, Table

KILOBYTE = 1024
READ_BYTES = 4096


def units(size_bytes: int) -> int:
    """Return the write units for one image of an item; writing nothing costs one too.

    >>> units(0), units(1024), units(1025)
    (1, 1, 2)
    """
    return max(1, math.ceil(size_bytes / KILOBYTE))


def read_units(size_bytes: int, *, consistent: bool) -> float:
    """Return the read units for a read of so many bytes."""
    return max(1, math.ceil(size_bytes / READ_BYTES)) * (1 if consistent else 0.5)


def write_units(table: Table, before: Record | None, after: Record | None) -> Counter[str]:
    """Return the units of one write, by index name and under "" for the table itself."""
    counted = Counter({"": units(max(before.size if before else 0, after.size if after else 0))})
    for index in table.indexes.values():
        if spent := _index_units(index, before, after):
            counted[index.name] = spent
    return counted


def _index_units(index: Index, before: Record | None, after: Record | None) -> int:
    old, new = index.entry(before), index.entry(after)
    if old is None or new is None:
        return units((old or new).size) if old or new else 0  # type: ignore[union-attr]
    if old.item == new.item:
        return 0
    if any(old.item[name] != new.item[name] for name in index.schema.names):
        return units(old.size) + units(new.size)
    return units(max(old.size, new.size))


def consumed(table: Table, spent: Counter[str], mode: str) -> dict[str, Any]:
    """Return the ConsumedCapacity of an answer; `mode` is TOTAL or INDEXES."""
    answer: dict[str, Any] = {"TableName": table.name, "CapacityUnits": float(spent.total())}
    if mode == "INDEXES":
        answer["Table"] = {"CapacityUnits": float(spent[""])}
        for kind, is_global in (("GlobalSecondaryIndexes", True), ("LocalSecondaryIndexes", False)):
            shares = {
                name: {"CapacityUnits": float(spent[name])}
                for name, index in table.indexes.items()
                if index.is_global == is_global and spent[name]
            }
            if shares:
                answer[kind] = shares
    return answer


class WriteUnits:
    """Adds up the write units of every table, for the tests that count cost."""

    def __init__(self) -> None:
        self._tables: dict[str, Counter[str]] = {}

    def add(self, table: Table, spent: Counter[str]) -> None:
        """Add what one write took."""
        self._tables.setdefault(table.name, Counter()).update(spent)

    def reset(self) -> None:
        """Start from nothing."""
        self._tables.clear()

    def report(self) -> dict[str, Any]:
        """Return the sum and each table's share: `{"total": 3, "tables": {"t": {"table": 2, "indexes": {"i": 1}}}}`."""
        return {
            "total": sum(counter.total() for counter in self._tables.values()),
            "tables": {
                name: {"table": counter[""], "indexes": {index: n for index, n in counter.items() if index}}
                for name, counter in self._tables.items()
            },
        }
