"""One write: prepared against the item as it is, then applied. Transactions prepare all before they apply any."""

from __future__ import annotations

from typing import Any, NamedTuple

from rsloader_provider.local.aws.dynamodb.errors import ConditionFailedError, ValidationError
from rsloader_provider.local.aws.dynamodb.evaluate import Scope, updated, value_at
from rsloader_provider.local.aws.dynamodb.tables import PrimaryKey, Record, Table
from rsloader_provider.local.aws.dynamodb.values import Item, checked_item, equal

_LEGACY = ("Expected", "AttributeUpdates", "ConditionalOperator")


class Write(NamedTuple):
    """A write that may be applied.

    Attributes:
        before: The record as it is, None when there is none.
        after: The record as it will be, None when there will be none.
        paths: The paths that an update names, for its return values.
    """

    table: Table
    key: PrimaryKey
    before: Record | None
    after: Record | None
    paths: tuple[tuple[str | int, ...], ...] = ()

    def apply(self) -> None:
        """Put the new record in place."""
        if self.after is not self.before:
            self.table.replace(self.key, self.before, self.after)


def target(table: Table, kind: str, request: dict[str, Any]) -> PrimaryKey:
    """Return the key of the item that a request (`Put`, `Update`, `Delete`, `ConditionCheck`) is about.

    Raises:
        ValidationError: It does not match the table's schema.
    """
    return table.schema.of(request["Item"]) if kind == "Put" else table.key(request["Key"])


def prepare(table: Table, kind: str, request: dict[str, Any]) -> Write:
    """Check a request's condition against the item as it is, and return what would be written.

    Raises:
        ConditionFailedError: Its condition is false.
        ValidationError: It makes no sense.
    """
    for parameter in _LEGACY:
        if parameter in request:
            raise ValidationError(f"{parameter} is not supported here: use expressions")
    key = target(table, kind, request)
    before = table.get(key)
    scope = Scope(request)
    condition, update = scope.condition("ConditionExpression"), scope.update()
    scope.check_all_used()
    old = before.item if before else None
    if condition is not None and not scope.holds(old, condition.tree):
        wanted = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        raise ConditionFailedError(old if wanted else None)
    if kind == "ConditionCheck":
        return Write(table, key, before, before)
    if kind == "Delete":
        return Write(table, key, before, None)
    if kind == "Put":
        return Write(table, key, before, _record(table, request["Item"]))
    item: Item = old if old is not None else dict(request["Key"])
    paths: tuple[tuple[str | int, ...], ...] = ()
    if update is not None:
        paths = tuple(scope.path(path) for _, path, _ in update.tree)
        for path in paths:
            if path[0] in table.schema.names:
                raise ValidationError(
                    f"One or more parameter values were invalid: Cannot update attribute {path[0]}. This attribute is "
                    "part of the key"
                )
        item = updated(item, update, scope)
    return Write(table, key, before, _record(table, item), paths)


def _record(table: Table, item: Item) -> Record:
    checked, size = checked_item(item)
    for index in table.indexes.values():
        for name in index.schema.names:
            if name in checked:
                # An index key of the wrong type, or an empty one, is refused, not left out of the index.
                index.schema.part(checked, name)
    return Record(checked, size)


def returned(write: Write, mode: str) -> Item | None:
    """Return the attributes that a write answers with, None for nothing.

    Args:
        write: A write that was applied.
        mode: NONE, ALL_OLD, ALL_NEW, UPDATED_OLD or UPDATED_NEW.

    Raises:
        ValidationError: There is no such mode.
    """
    if mode == "NONE":
        return None
    if mode not in ("ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"):
        raise ValidationError(f"Value '{mode}' at 'returnValues' failed to satisfy constraint")
    record = write.before if mode.endswith("OLD") else write.after
    if record is None:
        return None
    if mode.startswith("ALL"):
        return record.item
    names = {str(path[0]) for path in write.paths}
    other = (write.after if mode.endswith("OLD") else write.before) or Record({}, 0)
    return {
        name: value
        for name in sorted(names)
        if (value := value_at(record.item, (name,))) is not None
        and (mode == "UPDATED_NEW" or name not in other.item or not equal(value, other.item[name]))
    }
