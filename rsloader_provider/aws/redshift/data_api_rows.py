"""Rows of the Data API with the types that the driver gives them."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

_READ_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "date": date.fromisoformat,
    "numeric": Decimal,
    "time": time.fromisoformat,
    "timetz": time.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
}
"""Types that come as text."""


def rows_of(page: Mapping[str, Any]) -> list[list[Any]]:
    """Give the rows of one page of GetStatementResult."""
    types = [str(column.get("typeName", "")) for column in page["ColumnMetadata"]]
    return [[_value(field, kind) for field, kind in zip(record, types, strict=True)] for record in page["Records"]]


def _value(field: Mapping[str, Any], kind: str) -> Any:
    if field.get("isNull"):
        return None
    ((name, value),) = ((name, value) for name, value in field.items() if name != "isNull")
    if name == "stringValue" and kind in _READ_FROM_TEXT:
        # What Python has no value for, such as a date of infinity, stays a text.
        with suppress(ValueError):
            return _READ_FROM_TEXT[kind](value)
    return value
