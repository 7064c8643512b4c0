"""Query and scan, in pages of 1 MB, each found by bisection whatever the number of items before it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from rsloader_provider.local.aws.dynamodb.errors import ValidationError
from rsloader_provider.local.aws.dynamodb.evaluate import Scope, project
from rsloader_provider.local.aws.dynamodb.values import Comparable, Item, Value, comparable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rsloader_provider.local.aws.dynamodb.expressions import Node
    from rsloader_provider.local.aws.dynamodb.tables import Index, KeySchema, Record, SortKey, Table

PAGE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Page:
    """One answer of a query or scan.

    Attributes:
        items: What passed the filter, with only the attributes asked for.
        scanned: Items read, with those that the filter dropped.
        size_bytes: Size of the items read, which decides the read units.
        last_key: Where the next page starts; None when everything was read.
    """

    items: list[Item]
    scanned: int
    size_bytes: int
    last_key: Item | None


def find_index(table: Table, request: dict[str, Any]) -> Index | None:
    """Return the index that a request names, None when it reads the table.

    Raises:
        ValidationError: There is no such index, or a consistent read of a global one.
    """
    name = request.get("IndexName")
    if name is None:
        return None
    if name not in table.indexes:
        raise ValidationError(f"The table does not have the specified index: {name}")
    index = table.indexes[name]
    if index.is_global and request.get("ConsistentRead"):
        raise ValidationError("Consistent reads are not supported on global secondary indexes")
    return index


def query(table: Table, request: dict[str, Any]) -> Page:
    """Read one page of one partition.

    Raises:
        ValidationError: The request makes no sense.
    """
    index = find_index(table, request)
    schema = index.schema if index else table.schema
    scope = Scope(request)
    key_condition = scope.condition("KeyConditionExpression")
    if key_condition is None:
        raise ValidationError("Either the KeyConditions or KeyConditionExpression parameter must be specified")
    page = _PageReader(table, index, request, scope)
    hash_part, conditions = _split(key_condition.tree, schema, scope)
    partition = (index or table).partitions.get(hash_part)
    if partition is None:
        return page.finish(more=False)
    start, stop = _range(partition.order, conditions)
    forward = request.get("ScanIndexForward", True)
    if from_key := request.get("ExclusiveStartKey"):
        after = _start(table, index, from_key)[1]
        if forward:
            start = max(start, bisect_right(partition.order, after))
        else:
            stop = min(stop, bisect_left(partition.order, after))
    places = range(start, stop) if forward else range(stop - 1, start - 1, -1)
    return page.read(partition.records[partition.order[place]] for place in places)


def scan(table: Table, request: dict[str, Any]) -> Page:
    """Read one page of all partitions, in an order of no meaning.

    Raises:
        ValidationError: The request makes no sense.
    """
    index = find_index(table, request)
    partitions = (index or table).partitions
    page = _PageReader(table, index, request, Scope(request))
    hashes = sorted(partitions, key=lambda part: (_spread(part), part))
    segments = request.get("TotalSegments", 1)
    hashes = [part for part in hashes if _spread(part) % segments == request.get("Segment", 0)]
    after: SortKey | None = None
    if from_key := request.get("ExclusiveStartKey"):
        start, after = _start(table, index, from_key)
        hashes = [part for part in hashes if (_spread(part), part) >= (_spread(start), start)]
        if start not in partitions:
            after = None

    def records() -> Iterable[Record]:
        for position, part in enumerate(hashes):
            partition = partitions[part]
            first = bisect_right(partition.order, after) if after is not None and position == 0 else 0
            for place in range(first, len(partition.order)):
                yield partition.records[partition.order[place]]

    return page.read(records())


def _spread(part: Comparable) -> int:
    """Order partitions by a hash, so that nobody comes to rely on their order."""
    return crc32(str(part).encode())


class _PageReader:
    """Reads records until the page is full, filters and projects them."""

    def __init__(self, table: Table, index: Index | None, request: dict[str, Any], scope: Scope) -> None:
        self._table, self._index, self._scope = table, index, scope
        self._limit: int | None = request.get("Limit")
        if self._limit is not None and self._limit < 1:
            raise ValidationError("Value '0' at 'limit' failed to satisfy constraint: greater than or equal to 1")
        self._filter = scope.condition("FilterExpression")
        projection = scope.projection()
        self._paths = [scope.path(path) for path in projection.tree] if projection else None
        scope.check_all_used()
        self._names = [str(path[0]) for path in self._paths] if self._paths and _is_flat(self._paths) else None
        self._count_only = request.get("Select") == "COUNT"
        self._items: list[Item] = []
        self._scanned = self._size = 0
        self._last: Item | None = None

    def read(self, records: Iterable[Record]) -> Page:
        for record in records:
            if self._scanned and self._size + record.size > PAGE_BYTES:
                return self.finish(more=True)
            self._scanned += 1
            self._size += record.size
            self._last = record.item
            if self._filter is None or self._scope.holds(record.item, self._filter.tree):
                self._items.append(self._shown(record.item))
            if self._scanned == self._limit:
                # Like AWS, which has not looked whether anything follows: the next page may be empty.
                return self.finish(more=True)
        return self.finish(more=False)

    def finish(self, *, more: bool) -> Page:
        last_key = self._table.key_of(self._last, self._index) if more and self._last else None
        return Page(self._items, self._scanned, self._size, last_key)

    def _shown(self, item: Item) -> Item:
        if self._count_only or self._paths is None:
            return item
        if self._names is not None:
            return {name: item[name] for name in self._names if name in item}
        return project(item, self._paths)


def _is_flat(paths: list[Any]) -> bool:
    return all(len(path) == 1 for path in paths)


def _start(table: Table, index: Index | None, from_key: Item) -> tuple[Comparable, SortKey]:
    names = {*table.schema.names, *(index.schema.names if index else ())}
    if from_key.keys() != names:
        raise ValidationError(
            "The provided starting key is invalid: The provided key element does not match the schema"
        )
    primary = table.schema.of(from_key)
    return index.place(from_key, primary) if index else primary


def _split(tree: Node, schema: KeySchema, scope: Scope) -> tuple[Comparable, list[tuple[str, list[Any]]]]:
    """Return the hash key's value and the conditions on the range key, each a comparator and its operands."""
    hash_part: Comparable | None = None
    conditions: list[tuple[str, list[Any]]] = []
    for node in _conjuncts(tree):
        kind, left, *operands = node
        path = left if kind == "begins_with" else left[1] if left[0] == "path" else ()
        name = scope.path(path)[0] if path else None
        values = [_key_value(scope, operand, schema, name) for operand in operands]
        if name == schema.hash and kind == "=":
            hash_part = values[0]
        elif name == schema.range and kind in ("=", "<", "<=", ">", ">=", "between", "begins_with") and not conditions:
            conditions.append((kind, values))
        else:
            raise ValidationError(f"Query key condition not supported: {name} {kind}")
    if hash_part is None:
        raise ValidationError(f"Query condition missed key schema element: {schema.hash}")
    return hash_part, conditions


def _conjuncts(tree: Node) -> Iterable[Node]:
    if tree[0] == "and":
        yield from _conjuncts(tree[1])
        yield from _conjuncts(tree[2])
    else:
        yield tree


def _key_value(scope: Scope, operand: Node, schema: KeySchema, name: Any) -> Comparable:
    value: Value | None = scope.values[operand[1]] if operand[0] == "value" else None
    if value is None or schema.types.get(name) not in value:
        raise ValidationError(
            "One or more parameter values were invalid: Condition parameter type does not match schema type"
        )
    return comparable(value)  # type: ignore[return-value]


def _range(order: list[SortKey], conditions: list[tuple[str, list[Any]]]) -> tuple[int, int]:
    """Return the places in `order` between which every sort key meets the condition."""
    if not conditions:
        return 0, len(order)
    kind, values = conditions[0]

    def first(value: Any) -> int:
        return bisect_left(order, (value,))

    def past(value: Any) -> int:
        return bisect_right(order, value, key=lambda sort: sort[0])

    if kind == "=":
        return first(values[0]), past(values[0])
    if kind == "between":
        return first(values[0]), past(values[1])
    if kind == "begins_with":
        prefix = values[0]
        start = first(prefix)
        return start, bisect_left(order, True, lo=start, key=lambda sort: not sort[0].startswith(prefix))
    if kind in ("<", "<="):
        return 0, first(values[0]) if kind == "<" else past(values[0])
    return (past(values[0]) if kind == ">" else first(values[0])), len(order)
