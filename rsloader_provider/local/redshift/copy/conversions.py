"""Turns a field's text into a column's value, or refuses it, as COPY does.

PostgreSQL takes more spellings than Redshift does ('0x1F' and '1_000' for integers, 'on' for booleans, any date that it
can guess), so every type has rules of its own here, and PostgreSQL only ever sees what they let through.

Source: https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-conversion.html
"""

import json
import re
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal

from rsloader_provider.local.redshift.copy.columns import STRINGS, Column
from rsloader_provider.local.redshift.copy.dates import (
    DateRefusedError,
    Recognise,
    parse_date,
    parse_time,
    parse_timestamp,
)
from rsloader_provider.local.redshift.copy.options import CopyOptions
from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode

Convert = Callable[[str | None], str | None]
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BOOLEAN = re.compile(r"t|f|true|false|y|n|yes|no|0|1", re.IGNORECASE)
_NO_NUMBER = re.compile(r"nan|[+-]?inf(inity)?", re.IGNORECASE)
_HEX = re.compile(r"(\\x)?(?P<digits>([0-9a-fA-F]{2})*)")
_BITS = {"int2": (15, "Short"), "int4": (31, "Integer"), "int8": (63, "Long")}
_FLOAT_LIMITS = {"float4": 3.4028235677973366e38, "float8": float("inf")}
_FLOAT_NAMES = {"float4": "float", "float8": "double"}
# Redshift's DECIMAL has at most 38 digits; an exponent may stand for more than that, but not for a million.
_DIGITS = Context(prec=2000, Emax=999_999, Emin=-999_999)


class FieldRefusedError(Exception):
    """A field's text is not a valid value of its column.

    Attributes:
        code: Redshift's number for it.
        reason: Redshift's words for it.
        position: Where in the text the fault is, from 0.
    """

    def __init__(self, code: LoadErrorCode, reason: str, position: int = 0):
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.position = position


def conversion(column: Column, copy: CopyOptions, recognise: Recognise) -> Convert:
    """Return the function that turns a field's text into what PostgreSQL's COPY takes for the column.

    The function gives None for NULL and raises FieldRefusedError.

    Args:
        column: The column.
        copy: The COPY's options.
        recognise: Asked about dates in unusual spellings, see `dates.Recognise`.
    """
    if column.type_name in ("date", "timestamp", "timestamptz"):
        convert = _date(column, copy, recognise)
    else:
        convert = (_string if column.type_name in STRINGS else _BY_TYPE[column.type_name])(column, copy)

    def checked(text: str | None) -> str | None:
        value = None if text is None else convert(text)
        if value is None and column.not_null:
            raise FieldRefusedError(LoadErrorCode.NOT_NULL, "Missing data for not-null field")
        return value

    return checked


def _string(column: Column, copy: CopyOptions) -> Convert:
    def convert(text: str | None) -> str | None:
        if text is None or (copy.empty_as_null and not text) or (copy.blanks_as_null and text.isspace()):
            return None
        if copy.trim_blanks and column.type_name == "varchar":
            text = text.rstrip()
        if column.type_name == "bpchar" and not text.isascii():
            raise _multibyte(text)
        if column.length is None or len(text) * 4 <= column.length:
            return text
        encoded = text.encode()
        if len(encoded) <= column.length:
            return text
        if not copy.truncate_columns:
            raise FieldRefusedError(LoadErrorCode.RANGE, "String length exceeds DDL length")
        return encoded[: column.length].decode(errors="ignore")

    return convert


def _multibyte(text: str) -> FieldRefusedError:
    position, character = next((place, each) for place, each in enumerate(text) if not each.isascii())
    reason = "Multibyte character not supported for CHAR (Hint: try using VARCHAR). Invalid char: "
    return FieldRefusedError(LoadErrorCode.UTF8, reason + character.encode().hex(" "), position)


def _of_stripped(convert: Callable[[str], str]) -> Convert:
    """Ignore blanks round a value, and read only blanks as NULL, for every type but strings."""

    def stripped(text: str | None) -> str | None:
        text = (text or "").strip(" ")
        return convert(text) if text else None

    return stripped


def _integer(column: Column, _copy: CopyOptions) -> Convert:
    bits, name = _BITS[column.type_name]

    def convert(text: str) -> str:
        if not _INTEGER.fullmatch(text):
            raise _bad_digit(text, name, r"[^0-9+\-]")
        if not -(1 << bits) <= int(text[:40]) < 1 << bits:
            raise _overflow(text, column)
        return text

    return _of_stripped(convert)


def _decimal(column: Column, copy: CopyOptions) -> Convert:
    rounding = ROUND_HALF_UP if copy.round_decimals else ROUND_DOWN

    def convert(text: str) -> str:
        if not _NUMBER.fullmatch(text):
            raise _bad_digit(text, "Decimal", r"[^0-9+\-.]")
        if column.scale is None or column.precision is None:
            return text
        value = _DIGITS.create_decimal(text)
        if value and value.adjusted() > column.precision:
            raise _overflow(text, column)
        value = value.quantize(Decimal(1).scaleb(-column.scale), rounding=rounding, context=_DIGITS)
        if value and value.adjusted() >= column.precision - column.scale:
            raise _overflow(text, column)
        return f"{value:f}"

    return _of_stripped(convert)


def _float(column: Column, _copy: CopyOptions) -> Convert:
    limit = _FLOAT_LIMITS[column.type_name]

    def convert(text: str) -> str:
        if _NO_NUMBER.fullmatch(text):
            return text
        if not _NUMBER.fullmatch(text) or abs(float(text)) >= limit:
            name = _FLOAT_NAMES[column.type_name]
            raise FieldRefusedError(LoadErrorCode.FLOAT, f"Invalid {name} format or value")
        return text

    return _of_stripped(convert)


def _bad_digit(text: str, type_name: str, wrong: str) -> FieldRefusedError:
    found = re.search(wrong, text)
    character, position = (found[0], found.start()) if found else (text[0], 0)
    reason = f"Invalid digit, Value '{character}', Pos {position}, Type: {type_name}"
    return FieldRefusedError(LoadErrorCode.DIGIT, reason, position)


def _overflow(text: str, column: Column) -> FieldRefusedError:
    reason = f"Overflow, Value '{text}' is out of range for {column.declared_type}"
    return FieldRefusedError(LoadErrorCode.RANGE, reason)


def _boolean(_column: Column, _copy: CopyOptions) -> Convert:
    def convert(text: str) -> str:
        if not _BOOLEAN.fullmatch(text):
            raise FieldRefusedError(LoadErrorCode.BOOLEAN, "Unknown boolean format")
        return text

    return _of_stripped(convert)


def _date(column: Column, copy: CopyOptions, recognise: Recognise) -> Convert:
    code = LoadErrorCode.DATE if column.type_name == "date" else LoadErrorCode.TIMESTAMP

    def convert(text: str | None) -> str | None:
        text = (text or "").strip(" ")
        if not text:
            return None
        try:
            if column.type_name == "date":
                return parse_date(text, copy.date_format, recognise)
            return parse_timestamp(text, copy.time_format, recognise, zoned=column.type_name == "timestamptz")
        except DateRefusedError as error:
            if copy.accept_any_date:
                return None
            raise FieldRefusedError(code, error.reason) from error

    return convert


def _time(column: Column, _copy: CopyOptions) -> Convert:
    def convert(text: str) -> str:
        try:
            return parse_time(text, zoned=column.type_name == "timetz")
        except DateRefusedError as error:
            raise FieldRefusedError(LoadErrorCode.VALUE, error.reason) from error

    return _of_stripped(convert)


def _super(_column: Column, _copy: CopyOptions) -> Convert:
    def convert(text: str) -> str:
        try:
            json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FieldRefusedError(LoadErrorCode.VALUE, "Invalid JSON for a SUPER column") from error
        return text

    return _of_stripped(convert)


def _varbyte(_column: Column, _copy: CopyOptions) -> Convert:
    def convert(text: str) -> str:
        match = _HEX.fullmatch(text)
        if match is None:
            raise FieldRefusedError(LoadErrorCode.VALUE, "Invalid hexadecimal digits for a VARBYTE column")
        return "\\x" + match["digits"]

    return _of_stripped(convert)


_BY_TYPE: dict[str, Callable[[Column, CopyOptions], Convert]] = {
    "int2": _integer,
    "int4": _integer,
    "int8": _integer,
    "numeric": _decimal,
    "float4": _float,
    "float8": _float,
    "bool": _boolean,
    "time": _time,
    "timetz": _time,
    "jsonb": _super,
    "bytea": _varbyte,
}
