"""Tables: items kept in order under their hash key, and secondary indexes kept with them."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rsloader_provider.local.aws.dynamodb.errors import ValidationError
from rsloader_provider.local.aws.dynamodb.values import Comparable, Item, Value, comparable, item_bytes

SortKey = tuple[Any, ...]
MAX_HASH_BYTES = 2048
MAX_RANGE_BYTES = 1024


class Record(NamedTuple):
    """A stored item and its size in bytes."""

    item: Item
    size: int


class PrimaryKey(NamedTuple):
    """Where an item lives: its partition, and its place there (empty for a table without a range key)."""

    hash: Comparable
    sort: SortKey


@dataclass
class Partition:
    """The records of one hash key; `order` holds their sort keys, sorted."""

    order: list[SortKey] = field(default_factory=list)
    records: dict[SortKey, Record] = field(default_factory=dict)

    def set(self, sort: SortKey, record: Record | None) -> None:
        """Put a record in its place, or take it away with None."""
        if record is None:
            if self.records.pop(sort, None) is not None:
                del self.order[bisect_left(self.order, sort)]
            return
        if sort not in self.records:
            if self.order and sort < self.order[-1]:
                insort(self.order, sort)
            else:
                self.order.append(sort)
        self.records[sort] = record


class KeySchema:
    """The hash key and perhaps the range key of a table or an index."""

    def __init__(self, schema: list[dict[str, str]], types: dict[str, str]) -> None:
        by_kind = {element["KeyType"]: element["AttributeName"] for element in schema}
        if "HASH" not in by_kind or not set(by_kind.values()) <= types.keys():
            raise ValidationError(
                "One or more parameter values were invalid: Some index key attributes are not defined"
            )
        self.hash = by_kind["HASH"]
        self.range = by_kind.get("RANGE")
        self.names = [self.hash] + ([self.range] if self.range else [])
        self.types = {name: types[name] for name in self.names}

    def part(self, item: Item, name: str) -> Comparable:
        """Return one part of the key in comparable form.

        Raises:
            ValidationError: It is missing, empty, too long or of another type.
        """
        value = item.get(name)
        if value is None:
            raise ValidationError(f"One or more parameter values were invalid: Missing the key {name} in the item")
        kind = self.types[name]
        if kind not in value:
            raise ValidationError(
                f"One or more parameter values were invalid: Type mismatch for key {name} expected: {kind} "
                f"actual: {next(iter(value))}"
            )
        part = comparable(value)
        if part in ("", b""):
            raise ValidationError(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
                f"empty string value. Key: {name}"
            )
        limit = MAX_HASH_BYTES if name == self.hash else MAX_RANGE_BYTES
        if isinstance(part, str | bytes) and len(part.encode() if isinstance(part, str) else part) > limit:
            which = "hashkey" if name == self.hash else "rangekey"
            raise ValidationError(
                f"One or more parameter values were invalid: Size of {which} has exceeded the maximum size limit of "
                f"{limit} bytes"
            )
        return part  # type: ignore[return-value]

    def of(self, item: Item) -> PrimaryKey:
        """Return the key of an item."""
        return PrimaryKey(self.part(item, self.hash), (self.part(item, self.range),) if self.range else ())

    def fits(self, item: Item) -> bool:
        """Tell whether an item has every part of the key, so that a sparse index holds it."""
        return all(name in item and self.types[name] in item[name] for name in self.names)


class Index:
    """A secondary index: its own order over the items that have its keys.

    Attributes:
        projected: The attributes that it holds, None for all.
    """

    def __init__(self, definition: dict[str, Any], table_schema: KeySchema, types: dict[str, str], *, is_global: bool):
        self.name: str = definition["IndexName"]
        self.definition = definition
        self.is_global = is_global
        self.schema = KeySchema(definition["KeySchema"], types)
        self.partitions: dict[Comparable, Partition] = {}
        projection = definition.get("Projection", {"ProjectionType": "ALL"})
        keys = {*table_schema.names, *self.schema.names}
        self.projected: frozenset[str] | None = None
        if projection["ProjectionType"] != "ALL":
            self.projected = frozenset(keys | set(projection.get("NonKeyAttributes", ())))

    def entry(self, record: Record | None) -> Record | None:
        """Return what the index holds of a record, None when it holds nothing."""
        if record is None or not self.schema.fits(record.item):
            return None
        if self.projected is None:
            return record
        item = {name: value for name, value in record.item.items() if name in self.projected}
        return Record(item, item_bytes(item))

    def place(self, item: Item, key: PrimaryKey) -> PrimaryKey:
        """Return where an entry lives in the index: items with equal index keys lie in the order of the table's key."""
        own = self.schema.of(item)
        return PrimaryKey(own.hash, (*own.sort, key.hash, *key.sort))

    def move(self, key: PrimaryKey, before: Record | None, after: Record | None) -> None:
        """Replace the entry of one item."""
        old, new = self.entry(before), self.entry(after)
        if old is not None:
            place = self.place(old.item, key)
            partition = self.partitions[place.hash]
            partition.set(place.sort, None)
            if not partition.order:
                del self.partitions[place.hash]
        if new is not None:
            place = self.place(new.item, key)
            self.partitions.setdefault(place.hash, Partition()).set(place.sort, new)


class Table:
    """One table with its items and indexes."""

    def __init__(self, definition: dict[str, Any]) -> None:
        self.name: str = definition["TableName"]
        self.definition = definition
        self.types = {each["AttributeName"]: each["AttributeType"] for each in definition["AttributeDefinitions"]}
        self.schema = KeySchema(definition["KeySchema"], self.types)
        self.partitions: dict[Comparable, Partition] = {}
        self.indexes: dict[str, Index] = {}
        for index in definition.get("GlobalSecondaryIndexes") or []:
            self.add_index(index, is_global=True)
        for index in definition.get("LocalSecondaryIndexes") or []:
            self.add_index(index, is_global=False)

    def add_index(self, definition: dict[str, Any], *, is_global: bool) -> None:
        """Add an index and fill it from the items that are there."""
        index = Index(definition, self.schema, self.types, is_global=is_global)
        for hash_part, partition in self.partitions.items():
            for sort, record in partition.records.items():
                index.move(PrimaryKey(hash_part, sort), None, record)
        self.indexes[index.name] = index

    def key(self, key: dict[str, Value]) -> PrimaryKey:
        """Return the primary key that a request gives, which must hold nothing else.

        Raises:
            ValidationError: It does not match the schema.
        """
        if key.keys() != set(self.schema.names):
            raise ValidationError("The provided key element does not match the schema")
        return self.schema.of(key)

    def get(self, key: PrimaryKey) -> Record | None:
        """Return the record under a key, None when there is none."""
        partition = self.partitions.get(key.hash)
        return partition.records.get(key.sort) if partition else None

    def replace(self, key: PrimaryKey, before: Record | None, after: Record | None) -> None:
        """Put a record under a key, or take it away with None; the indexes follow."""
        self.partitions.setdefault(key.hash, Partition()).set(key.sort, after)
        for index in self.indexes.values():
            index.move(key, before, after)

    def key_of(self, item: Item, index: Index | None = None) -> Item:
        """Return the attributes that say where to go on reading after an item."""
        names = dict.fromkeys([*self.schema.names, *(index.schema.names if index else ())])
        return {name: item[name] for name in names}

    def count(self) -> int:
        """Return the number of items."""
        return sum(len(partition.order) for partition in self.partitions.values())
