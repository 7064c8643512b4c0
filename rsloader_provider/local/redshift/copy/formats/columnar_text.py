"""Turns columns of values into the texts that PostgreSQL reads for the target's type."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rsloader_provider.local.redshift.copy.formats import Refusal
from rsloader_provider.local.redshift.copy.formats.characters import BadCharacterError, decoded, printable
from rsloader_provider.local.redshift.copy.formats.columnar_errors import RefusedValueError, ScannedObject, Target
from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode

_STRINGS = ("varchar", "bpchar", "text")
_DAY_MICROSECONDS = 86_400_000_000
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, in days since 1970


def texts(values: Any, column: Target, scanned: ScannedObject, replacement: str | None) -> list[str | None]:
    """Return a batch's values of one column as text; None for NULL.

    Args:
        values: The values, an Arrow array of a type that feeds the column; not SUPER.
        column: The target.
        scanned: The object's names in messages.
        replacement: What stands in for each byte of an invalid UTF-8 character; None refuses the value.

    Raises:
        ScanError: A string is too long, or a date or timestamp beyond the year 9999.
        RefusedValueError: A string is not UTF-8.
    """
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if column.type_name in _STRINGS:
        return _strings(values, column, scanned, replacement)
    if column.type_name == "bytea":
        _check_length(values.cast(pa.large_binary()), column, scanned)
        return [None if value is None else f"\\x{value.hex()}" for value in values.cast(pa.binary()).to_pylist()]
    if pa.types.is_floating(values.type):
        # Arrow's shortest text that reads back as the same number; only these spellings are not PostgreSQL's.
        special = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
        return [special.get(text, text) for text in values.cast(pa.string()).to_pylist()]
    if pa.types.is_boolean(values.type):
        values = pc.if_else(values, "t", "f")
    elif pa.types.is_date(values.type):
        _check_days(values.cast(pa.int32()), 1, column, scanned, "date")
    elif pa.types.is_timestamp(values.type):
        values = _timestamps(values, column, scanned)
    elif pa.types.is_time(values.type):
        values = values.cast(pa.time64("us"), safe=False)
    result: list[str | None] = values.cast(pa.string()).to_pylist()
    if column.type_name in ("timestamptz", "timetz"):
        return [None if text is None else f"{text}+00" for text in result]
    return result


def _timestamps(values: Any, column: Target, scanned: ScannedObject) -> Any:
    """Microseconds, rounded down, of UTC."""
    if values.type.unit == "ns":
        values = pc.floor_temporal(values, unit="microsecond")
    values = values.cast(pa.timestamp("us", values.type.tz), safe=False).cast(pa.timestamp("us"))
    _check_days(values.cast(pa.int64()), _DAY_MICROSECONDS, column, scanned, "timestamp")
    return values


def _check_days(numbers: Any, units_per_day: int, column: Target, scanned: ScannedObject, kind: str) -> None:
    extremes = pc.min_max(numbers)
    least, greatest = extremes["min"].as_py(), extremes["max"].as_py()
    if least is not None and (least < _FIRST_DAY * units_per_day or greatest >= (_LAST_DAY + 1) * units_per_day):
        raise scanned.out_of_range(column, kind)


def _strings(values: Any, column: Target, scanned: ScannedObject, replacement: str | None) -> list[str | None]:
    data = values.cast(pa.large_binary())
    _check_length(data, column, scanned)
    try:
        strings = data.cast(pa.large_string())
    except pa.ArrowInvalid:
        return _mended(data, replacement)
    if pc.any(pc.match_substring(strings, "\0")).as_py():
        return _mended(data, replacement)
    result: list[str | None] = strings.to_pylist()
    return result


def _mended(data: Any, replacement: str | None) -> list[str | None]:
    result: list[str | None] = []
    for row, value in enumerate(data.to_pylist()):
        if value is None:
            result.append(None)
            continue
        try:
            result.append(decoded(value, replacement))
        except BadCharacterError as error:
            refused = printable(value.decode(errors="surrogateescape"))
            refusal = Refusal(LoadErrorCode.UTF8, error.reason, value=refused, position=error.position)
            raise RefusedValueError(row, refusal) from error
    return result


def _check_length(data: Any, column: Target, scanned: ScannedObject) -> None:
    if column.length is None:
        return
    lengths = pc.binary_length(data)
    greatest = pc.max(lengths).as_py()
    if greatest is not None and greatest > column.length:
        row = pc.index(pc.fill_null(pc.greater(lengths, column.length), False), True).as_py()
        value = data[row].as_py().decode(errors="replace").replace("\0", "?")
        raise scanned.too_long(column, lengths[row].as_py(), row, value)
