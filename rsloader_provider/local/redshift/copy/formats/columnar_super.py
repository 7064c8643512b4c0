"""Columns of values of any type as JSON texts, for SUPER columns with SERIALIZETOJSON.

Source: https://docs.aws.amazon.com/redshift/latest/dg/copy_json.html
"""

import json
from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any

import pyarrow as pa

from rsloader_provider.local.redshift.copy.formats import Refusal
from rsloader_provider.local.redshift.copy.formats.characters import reason_of
from rsloader_provider.local.redshift.copy.formats.columnar_errors import RefusedValueError
from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode
from rsloader_provider.local.redshift.errors import unsupported

_MAX_STRING_BYTES = 65535
_Writer = Callable[[Any], str]


def super_texts(values: Any, *, documents: bool) -> list[str | None]:
    """Return a batch's values of one column as JSON; None for NULL.

    Args:
        values: The values, an Arrow array.
        documents: Whether strings are JSON already, and go in as what they say; otherwise they are strings.

    Raises:
        RefusedValueError: A string is longer than 65535 bytes, or not UTF-8.
        RedshiftError: It is not supported: NaN, infinity, a year beyond 9999, or a type not known here.
    """
    readable = _readable(values.type)
    write = str if documents else _writer(readable)
    result: list[str | None] = []
    for row, scalar in enumerate(values.cast(readable, safe=False)):
        try:
            value = scalar.as_py()
            result.append(None if value is None else write(value))
        except UnicodeDecodeError as error:
            raise RefusedValueError(row, Refusal(LoadErrorCode.UTF8, reason_of(error.object))) from error
        except (OverflowError, ValueError) as error:
            raise unsupported("COPY of a date outside the years 1 to 9999 into a SUPER column") from error
        except _StringTooLongError as error:
            raise RefusedValueError(row, Refusal(LoadErrorCode.SUPER, str(error))) from error
    return result


class _StringTooLongError(Exception):
    pass


def _writer(value_type: pa.DataType) -> _Writer:
    """Return the function that writes a value of this type other than None."""
    types = pa.types
    if types.is_map(value_type):
        key, item = _map_key(value_type.key_type), _nullable(value_type.item_type)
        return lambda pairs: _object((key(name), item(value)) for name, value in pairs)
    if types.is_list(value_type) or types.is_large_list(value_type) or types.is_fixed_size_list(value_type):
        element = _nullable(value_type.value_type)
        return lambda values: f"[{','.join(map(element, values))}]"
    if types.is_struct(value_type):
        members = {field.name: _nullable(field.type) for field in value_type}
        return lambda values: _object((_string(name), members[name](value)) for name, value in values.items())
    if types.is_boolean(value_type):
        return lambda value: "true" if value else "false"
    if types.is_floating(value_type):
        return _float
    if types.is_decimal(value_type):
        return lambda value: format(value, "f")
    if types.is_integer(value_type):
        return str
    if types.is_timestamp(value_type):
        return lambda value: _string(value.replace(tzinfo=None).isoformat(" "))
    if types.is_date(value_type) or types.is_time(value_type):
        return lambda value: _string(value.isoformat())
    if types.is_binary(value_type) or types.is_fixed_size_binary(value_type):
        return lambda value: _string(value.hex())
    if types.is_string(value_type) or types.is_large_string(value_type) or types.is_null(value_type):
        return _string
    raise unsupported(f"COPY of {value_type} into a SUPER column")


def _nullable(value_type: pa.DataType) -> _Writer:
    write = _writer(value_type)
    return lambda value: "null" if value is None else write(value)


def _map_key(key_type: pa.DataType) -> _Writer:
    """Return what writes a map's key, which JSON wants to be a string."""
    write = _writer(key_type)
    if pa.types.is_temporal(key_type) or not (pa.types.is_primitive(key_type) or pa.types.is_decimal(key_type)):
        return write  # a string already
    return lambda key: _string(write(key))


def _object(members: Iterable[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{name}:{value}" for name, value in members) + "}"


def _float(value: float) -> str:
    if not isfinite(value):
        raise unsupported(f"COPY of {value} into a SUPER column")
    return repr(value)


def _string(value: str) -> str:
    if len(value.encode()) > _MAX_STRING_BYTES:
        raise _StringTooLongError(f"String value exceeds the max size of {_MAX_STRING_BYTES} bytes")
    return json.dumps(value, ensure_ascii=False)


def _readable(value_type: pa.DataType) -> pa.DataType:
    """Return the type as Python's own types hold it: times in microseconds of UTC, no extension, no dictionary."""
    types = pa.types
    if isinstance(value_type, pa.BaseExtensionType):
        return _readable(value_type.storage_type)
    if types.is_dictionary(value_type):
        return value_type.value_type
    if types.is_timestamp(value_type):
        return pa.timestamp("us", "UTC" if value_type.tz else None)
    if types.is_time(value_type):
        return pa.time64("us")
    if types.is_map(value_type):
        return pa.map_(_readable(value_type.key_type), _readable(value_type.item_type))
    if types.is_list(value_type) or types.is_large_list(value_type) or types.is_fixed_size_list(value_type):
        return pa.list_(value_type.value_field.with_type(_readable(value_type.value_type)))
    if types.is_struct(value_type):
        return pa.struct([field.with_type(_readable(field.type)) for field in value_type])
    return value_type
