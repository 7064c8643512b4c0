"""Attribute values as they come over the wire (`{"S": "x"}`): checked, compared and measured."""

from __future__ import annotations

import base64
import binascii
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Any

from rsloader_provider.local.aws.dynamodb.errors import ValidationError

Value = dict[str, Any]
Item = dict[str, Value]
Comparable = str | bytes | Decimal

MAX_ITEM_BYTES = 400 * 1024
MAX_DEPTH = 32
_EXACT = Context(prec=38, Emin=-130, Emax=125, traps=[InvalidOperation, Overflow, Inexact])


def checked_item(item: Item) -> tuple[Item, int]:
    """Check an item's values and return it with its numbers in canonical form, and its size in bytes.

    Raises:
        ValidationError: A value is malformed, or the item is larger than 400 KB.
    """
    result: Item = {}
    size = 0
    for name, value in item.items():
        result[name], value_bytes = checked(value)
        size += text_bytes(name) + value_bytes
    if size > MAX_ITEM_BYTES:
        raise ValidationError("Item size has exceeded the maximum allowed size")
    return result, size


def item_bytes(item: Item) -> int:
    """Return the size of a checked item in bytes, by the rules that AWS documents."""
    return sum(text_bytes(name) + checked(value)[1] for name, value in item.items())


def text_bytes(text: str) -> int:
    """Return the length of a text in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode())


def checked(value: Value, depth: int = 0) -> tuple[Value, int]:
    """Check one value and return it with its numbers in canonical form, and its size in bytes.

    Raises:
        ValidationError: The value is malformed.
    """
    if not isinstance(value, dict) or len(value) != 1:
        raise ValidationError("Supplied AttributeValue has more than one datatypes set, must contain exactly one")
    kind, content = next(iter(value.items()))
    if kind == "S":
        return value, text_bytes(content)
    if kind == "N":
        number = canonical_number(content)
        return ({"N": number} if number != content else value), _number_bytes(number)
    if depth > MAX_DEPTH:
        raise ValidationError("Nesting Levels have exceeded supported limits")
    return _checked_other(kind, content, depth)


def _checked_other(kind: str, content: Any, depth: int) -> tuple[Value, int]:
    if kind in ("BOOL", "NULL"):
        return {kind: content}, 1
    if kind == "B":
        return {kind: content}, len(_bytes(content))
    if kind in ("SS", "NS", "BS"):
        return _checked_set(kind, content)
    if kind == "L":
        pairs = [checked(element, depth + 1) for element in content]
        return {kind: [element for element, _ in pairs]}, 3 + sum(1 + size for _, size in pairs)
    if kind == "M":
        named = {name: checked(element, depth + 1) for name, element in content.items()}
        size = 3 + sum(1 + text_bytes(name) + element_bytes for name, (_, element_bytes) in named.items())
        return {kind: {name: element for name, (element, _) in named.items()}}, size
    raise ValidationError("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")


def _checked_set(kind: str, content: list[str]) -> tuple[Value, int]:
    if not content:
        raise ValidationError("One or more parameter values were invalid: An set may not be empty")
    pairs = [checked({kind[0]: element}) for element in content]
    elements = [element[kind[0]] for element, _ in pairs]
    if len(set(elements)) != len(elements):
        raise ValidationError(
            f"One or more parameter values were invalid: Input collection {elements} contains duplicates."
        )
    return {kind: elements}, sum(size for _, size in pairs)


def canonical_number(text: str) -> str:
    """Return a number as DynamoDB renders it: no leading or trailing zeros, no exponent.

    >>> canonical_number("007.50"), canonical_number("1E2")
    ('7.5', '100')

    Raises:
        ValidationError: Not a number, or more than 38 significant digits.
    """
    if text.isascii() and text.isdigit() and len(text) <= 38 and (text[0] != "0" or text == "0"):
        return text
    try:
        number = _EXACT.create_decimal(text)
    except (InvalidOperation, Overflow, Inexact, TypeError) as problem:
        raise ValidationError(f"The parameter cannot be converted to a numeric value: {text}") from problem
    if not number.is_finite():
        raise ValidationError(f"The parameter cannot be converted to a numeric value: {text}")
    return format(number.normalize(_EXACT), "f") if number else "0"


def _number_bytes(canonical: str) -> int:
    digits = canonical.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + (1 if canonical.startswith("-") else 0)


def _bytes(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError, TypeError) as problem:
        raise ValidationError("Invalid base64 in a binary attribute value") from problem


def comparable(value: Value) -> Comparable | None:
    """Return a text, number or binary value in a form that sorts as DynamoDB sorts it; None for other types.

    Python orders text by code point, which is the order of the UTF-8 bytes.
    """
    kind, content = next(iter(value.items()))
    if kind == "S":
        return str(content)
    if kind == "N":
        return Decimal(content)
    if kind == "B":
        return _bytes(content)
    return None


def equal(left: Value, right: Value) -> bool:
    """Tell whether two checked values are equal; sets are, in whatever order they stand."""
    if left == right:
        return True
    (kind, content), (other_kind, other) = next(iter(left.items())), next(iter(right.items()))
    if kind != other_kind:
        return False
    if kind in ("SS", "NS", "BS"):
        return set(content) == set(other)
    if kind == "L":
        return len(content) == len(other) and all(equal(a, b) for a, b in zip(content, other, strict=True))
    if kind == "M":
        return content.keys() == other.keys() and all(equal(content[name], other[name]) for name in content)
    return False
