"""Evaluates expression trees against an item."""

from __future__ import annotations

import copy
from decimal import Decimal
from itertools import pairwise
from typing import Any

from rsloader_provider.local.aws.dynamodb.errors import ValidationError
from rsloader_provider.local.aws.dynamodb.expressions import (
    Expression,
    Node,
    Path,
    read_condition,
    read_projection,
    read_update,
)
from rsloader_provider.local.aws.dynamodb.values import Item, Value, canonical_number, checked, comparable, equal

_SETS = ("SS", "NS", "BS")
_NO_SUCH_PATH = "The document path provided in the update expression is invalid for update"


class Scope:
    """What the placeholders of one request stand for.

    Every placeholder must be defined and used, as AWS demands; `check_all_used` comes after the last expression.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self.names: dict[str, str] = request.get("ExpressionAttributeNames") or {}
        raw: dict[str, Value] = request.get("ExpressionAttributeValues") or {}
        for parameter in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
            if request.get(parameter) == {}:
                raise ValidationError(f"{parameter} must not be empty")
        self.values = {name: checked(value)[0] for name, value in raw.items()}
        self._used_names: set[str] = set()
        self._used_values: set[str] = set()

    def condition(self, parameter: str) -> Expression | None:
        """Return the condition that stands in a parameter of the request, None where there is none."""
        text = self._request.get(parameter)
        return self._use(read_condition(text, parameter), parameter) if text is not None else None

    def update(self) -> Expression | None:
        """Return the update expression, None where there is none."""
        text = self._request.get("UpdateExpression")
        return self._use(read_update(text), "UpdateExpression") if text is not None else None

    def projection(self) -> Expression | None:
        """Return the projection, None where there is none."""
        text = self._request.get("ProjectionExpression")
        return self._use(read_projection(text), "ProjectionExpression") if text is not None else None

    def _use(self, expression: Expression, parameter: str) -> Expression:
        for name in expression.names - self.names.keys():
            raise ValidationError(
                f"Invalid {parameter}: An expression attribute name used in the document path is not defined; "
                f"attribute name: {name}"
            )
        for value in expression.values - self.values.keys():
            raise ValidationError(
                f"Invalid {parameter}: An expression attribute value used in expression is not defined; "
                f"attribute value: {value}"
            )
        self._used_names |= expression.names
        self._used_values |= expression.values
        return expression

    def check_all_used(self) -> None:
        """Refuse a placeholder that no expression of the request uses.

        Raises:
            ValidationError: There is one.
        """
        for parameter, given, used in (
            ("ExpressionAttributeNames", self.names, self._used_names),
            ("ExpressionAttributeValues", self.values, self._used_values),
        ):
            unused = given.keys() - used
            if unused:
                keys = ", ".join(sorted(unused))
                raise ValidationError(f"Value provided in {parameter} unused in expressions: keys: {{{keys}}}")

    def path(self, path: Path) -> Path:
        """Return a path with its placeholders replaced."""
        return tuple(self.names[part] if isinstance(part, str) and part.startswith("#") else part for part in path)

    def find(self, item: Item | None, path: Path) -> Value | None:
        """Return the value at a path of an item, None when there is none."""
        return value_at(item or {}, self.path(path))

    def operand(self, item: Item | None, node: Node) -> Value | None:
        """Return what an operand of a condition stands for; None for an attribute that is not there."""
        if node[0] == "value":
            return self.values[node[1]]
        found = self.find(item, node[1])
        if node[0] == "size":
            return None if found is None else {"N": str(_size(found))}
        return found

    def holds(self, item: Item | None, node: Node) -> bool:
        """Tell whether a condition holds for an item; None is an item that does not exist."""
        kind = node[0]
        if kind == "attribute_not_exists":
            return self.find(item, node[1]) is None
        if kind == "attribute_exists":
            return self.find(item, node[1]) is not None
        if kind == "and":
            return self.holds(item, node[1]) and self.holds(item, node[2])
        if kind == "or":
            return self.holds(item, node[1]) or self.holds(item, node[2])
        if kind == "not":
            return not self.holds(item, node[1])
        if kind in ("begins_with", "contains", "attribute_type"):
            found, argument = self.find(item, node[1]), self.operand(item, node[2])
            return found is not None and argument is not None and _FUNCTIONS[kind](found, argument)
        if kind == "between":
            low, high = (">=", node[1], node[2]), ("<=", node[1], node[3])
            return self.holds(item, low) and self.holds(item, high)
        if kind == "in":
            return any(self.holds(item, ("=", node[1], choice)) for choice in node[2])
        return _compare(kind, self.operand(item, node[1]), self.operand(item, node[2]))


def _compare(comparator: str, left: Value | None, right: Value | None) -> bool:
    if comparator == "<>":
        return not _compare("=", left, right)
    if left is None or right is None:
        return False
    if comparator == "=":
        return equal(left, right)
    if left.keys() != right.keys():
        return False
    first: Any = comparable(left)
    second: Any = comparable(right)
    if first is None or second is None:
        return False
    return bool(
        {"<": first < second, "<=": first <= second, ">": first > second, ">=": first >= second}[comparator],
    )


def _size(value: Value) -> int:
    kind, content = next(iter(value.items()))
    if kind == "S":
        return len(content.encode())
    if kind == "B":
        return len(comparable(value) or b"")  # type: ignore[arg-type]
    if kind in ("L", "M", *_SETS):
        return len(content)
    raise ValidationError(f"Invalid ConditionExpression: Incorrect operand type for size; operand type: {kind}")


def _begins_with(value: Value, prefix: Value) -> bool:
    if value.keys() != prefix.keys() or "N" in value:
        return False
    whole, start = comparable(value), comparable(prefix)
    return whole is not None and whole[: len(start)] == start  # type: ignore[index, arg-type]


def _contains(value: Value, wanted: Value) -> bool:
    kind, content = next(iter(value.items()))
    if kind == "S":
        return "S" in wanted and wanted["S"] in content
    if kind in _SETS:
        return kind[0] in wanted and wanted[kind[0]] in content
    return kind == "L" and any(equal(element, wanted) for element in content)


def _has_type(value: Value, name: Value) -> bool:
    return name.get("S") in value


_FUNCTIONS = {"begins_with": _begins_with, "contains": _contains, "attribute_type": _has_type}


def value_at(item: Item, path: Path) -> Value | None:
    """Return the value at a path whose placeholders are replaced, None when there is none."""
    found: Value | None = item.get(path[0])  # type: ignore[arg-type]
    for part in path[1:]:
        if found is None:
            return None
        if isinstance(part, int):
            elements = found.get("L", ())
            found = elements[part] if part < len(elements) else None
        else:
            found = found.get("M", {}).get(part)
    return found


def project(item: Item, paths: list[Path]) -> Item:
    """Return only what stands at the given paths."""
    result: Item = {}
    for path in paths:
        found = value_at(item, path)
        if found is None:
            continue
        if len(path) == 1:
            result[str(path[0])] = found
        else:
            _merge(result, path, found)
    return result


def _merge(result: Item, path: Path, found: Value) -> None:
    level: Any = result
    for part, following in pairwise(path):
        kind = "L" if isinstance(following, int) else "M"
        if isinstance(level, list):
            level.append({kind: [] if kind == "L" else {}})
            level = level[-1][kind]
        else:
            level = level.setdefault(part, {kind: [] if kind == "L" else {}})[kind]
    if isinstance(level, list):
        level.append(found)
    else:
        level[path[-1]] = found


def updated(item: Item, expression: Expression, scope: Scope) -> Item:
    """Return a copy of an item with an update applied; every operand is read from the item as it was.

    Raises:
        ValidationError: Two paths overlap, a path leads nowhere, or an operand has the wrong type.
    """
    actions = [(clause, scope.path(path), operand) for clause, path, operand in expression.tree]
    for position, (_, path, _) in enumerate(actions):
        for _, other, _ in actions[position + 1 :]:
            shorter = min(len(path), len(other))
            if path[:shorter] == other[:shorter]:
                raise ValidationError(
                    "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one "
                    f"of these paths; path one: {list(path)}, path two: {list(other)}"
                )
    values = [_new_value(item, clause, path, operand, scope) for clause, path, operand in actions]
    result = dict(item)
    removals = []
    for (_, path, _), value in zip(actions, values, strict=True):
        if value is None:
            removals.append(path)
        else:
            _assign(result, path, value)
    # From the end, so that a removal does not move the list elements that are still to go.
    for path in sorted(removals, key=lambda path: [str(part).rjust(9) for part in path], reverse=True):
        _remove(result, path)
    return result


def _new_value(item: Item, clause: str, path: Path, operand: Any, scope: Scope) -> Value | None:
    if clause == "REMOVE":
        return None
    if clause == "SET":
        return _set_value(item, operand, scope)
    argument = scope.values[operand[1]]
    current = value_at(item, path)
    kind, content = next(iter(argument.items()))
    if clause == "ADD" and kind == "N":
        return _sum(current or {"N": "0"}, argument, "+")
    if kind not in _SETS or (current is not None and kind not in current):
        raise ValidationError("An operand in the update expression has an incorrect data type")
    members = current[kind] if current else []
    if clause == "ADD":
        return {kind: members + [member for member in content if member not in members]}
    rest = [member for member in members if member not in content]
    return {kind: rest} if rest else None


def _set_value(item: Item, node: Node, scope: Scope) -> Value:
    kind = node[0]
    if kind in ("+", "-"):
        return _sum(_set_value(item, node[1], scope), _set_value(item, node[2], scope), kind)
    if kind == "if_not_exists":
        found = scope.find(item, node[1])
        return found if found is not None else _set_value(item, node[2], scope)
    if kind == "list_append":
        first, second = _set_value(item, node[1], scope), _set_value(item, node[2], scope)
        if "L" not in first or "L" not in second:
            raise ValidationError(
                "Invalid UpdateExpression: Incorrect operand type for operator or function; list_append"
            )
        return {"L": [*first["L"], *second["L"]]}
    value = scope.operand(item, node)
    if value is None:
        raise ValidationError("The provided expression refers to an attribute that does not exist in the item")
    return value


def _sum(left: Value, right: Value, sign: str) -> Value:
    if "N" not in left or "N" not in right:
        raise ValidationError("An operand in the update expression has an incorrect data type")
    first, second = Decimal(left["N"]), Decimal(right["N"])
    return {"N": canonical_number(str(first + second if sign == "+" else first - second))}


def _parent(item: Item, path: Path) -> Any:
    """Return the map or list that holds the last part of a path, copied so that the stored item stays as it is."""
    if len(path) == 1:
        return item
    item[path[0]] = copy.deepcopy(item[path[0]])  # type: ignore[index]
    found = value_at(item, path[:-1])
    return None if found is None else found.get("L" if isinstance(path[-1], int) else "M")


def _assign(item: Item, path: Path, value: Value) -> None:
    parent = _parent(item, path) if path[0] in item or len(path) == 1 else None
    if parent is None:
        raise ValidationError(_NO_SUCH_PATH)
    if isinstance(parent, list) and path[-1] >= len(parent):  # type: ignore[operator]
        parent.append(value)
    else:
        parent[path[-1]] = value


def _remove(item: Item, path: Path) -> None:
    parent = _parent(item, path) if path[0] in item or len(path) == 1 else None
    if parent is None:
        raise ValidationError(_NO_SUCH_PATH)
    if isinstance(parent, list):
        if int(path[-1]) < len(parent):
            parent.pop(int(path[-1]))
    else:
        parent.pop(path[-1], None)
