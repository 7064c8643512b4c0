"""Write units by AWS's rules, over moto's items: 1 KB rounded up for the table and for each index that changes.

Where AWS's documentation leaves room, more is counted rather than less: in a transaction index writes count twice, like
the table's, and so does every action of a cancelled transaction.
"""

from __future__ import annotations

import base64
import math
import threading
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moto.dynamodb.models.dynamo_type import DynamoType, Item
    from moto.dynamodb.models.table import SecondaryIndex, Table

KILOBYTE = 1024
_COLLECTION_BYTES = 3
_ELEMENT_BYTES = 1


def units(size_bytes: int) -> int:
    """Return the write units for one image of an item; writing nothing costs one too.

    >>> units(0), units(1024), units(1025)
    (1, 1, 2)
    """
    return max(1, math.ceil(size_bytes / KILOBYTE))


def size_bytes(attributes: Mapping[str, DynamoType]) -> int:
    """Return the size of an item: its attributes' names and values."""
    return sum(len(name.encode()) + _value_bytes(value.type, value.value) for name, value in attributes.items())


def _value_bytes(kind: str, value: Any) -> int:
    if kind == "S":
        return len(value.encode())
    if kind == "N":
        return _number_bytes(value)
    if kind == "B":
        return len(value if isinstance(value, bytes) else base64.b64decode(value))
    if kind in ("SS", "NS", "BS"):
        return sum(_value_bytes(kind[0], element) for element in value)
    if kind == "L":
        return _COLLECTION_BYTES + sum(_ELEMENT_BYTES + _value_bytes(each.type, each.value) for each in value)
    if kind == "M":
        return _COLLECTION_BYTES + len(value) * _ELEMENT_BYTES + size_bytes(value)
    return 1  # BOOL and NULL


def _number_bytes(text: str) -> int:
    """Return the size of a number: a byte for every two significant digits, one more, and one for a minus sign.

    >>> _number_bytes("0"), _number_bytes("1200"), _number_bytes("-12.5")
    (1, 2, 4)
    """
    digits = "".join(map(str, Decimal(text).as_tuple().digits)).strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")


def write_units(table: Table, before: Item | None, after: Item | None) -> Counter[str]:
    """Return the units of one write, by index name and under "" for the table itself.

    Args:
        table: Where it was written.
        before: The item as it was, None when there was none.
        after: The item as it is now, None when it was deleted.
    """
    counted = Counter({"": units(max(size_bytes(item.attrs) if item else 0 for item in (before, after)))})
    for index in table.all_indexes():
        if spent := _index_units(index, before, after):
            counted[index.name] = spent
    return counted


def _index_units(index: SecondaryIndex, before: Item | None, after: Item | None) -> int:
    old, new = _entry(index, before), _entry(index, after)
    if old == new:
        return 0
    if not old or not new:
        return units(size_bytes(old or new))
    if any(old[name] != new[name] for name in index.schema_key_attrs):
        return units(size_bytes(old)) + units(size_bytes(new))
    return units(max(size_bytes(old), size_bytes(new)))


def _entry(index: SecondaryIndex, item: Item | None) -> dict[str, DynamoType]:
    """Return what an index holds of an item; empty when the item lacks a part of the index's key."""
    if item is None or not all(name in item.attrs for name in index.schema_key_attrs):
        return {}
    if index.projection.get("ProjectionType", "ALL") == "ALL":
        return item.attrs
    held = {*index.table_key_attrs, *index.schema_key_attrs, *index.projection.get("NonKeyAttributes", ())}
    return {name: value for name, value in item.attrs.items() if name in held}


class WriteUnits:
    """Adds up the write units of every table, for the tests that count cost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, table: str, spent: Mapping[str, int], *, times: int = 1) -> None:
        """Add what one write took, by index name and under "" for the table; in a transaction it counts twice."""
        with self._lock:
            for index, count in spent.items():
                self._counts[table, index] += times * count

    def reset(self) -> None:
        """Set all counts to zero."""
        with self._lock:
            self._counts.clear()

    def report(self) -> dict[str, Any]:
        """Return the sum and each table's share: `{"total": 3, "tables": {"t": {"table": 2, "indexes": {"i": 1}}}}`."""
        with self._lock:
            counts = dict(self._counts)
        tables: dict[str, dict[str, Any]] = {}
        for (table, index), count in counts.items():
            share = tables.setdefault(table, {"table": 0, "indexes": {}})
            if index:
                share["indexes"][index] = count
            else:
                share["table"] = count
        return {"total": sum(counts.values()), "tables": tables}
