"""JSON values with their numbers as they are spelt, and their text.

A number stays text, because a float would change `1.50` in a DECIMAL column, `1E400` in a VARCHAR, and
`12345678901234567890` in either.
"""

import re
from json import JSONDecodeError, JSONDecoder
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, NoReturn, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Json: TypeAlias = "bool | str | Number | list[Json] | dict[str, Json] | None"
_CONSTANT = re.compile(r"NaN|-?Infinity")


class Number(str):
    """A number in its own spelling."""

    __slots__ = ()


class _NotJsonError(Exception):
    """Python's parser has met one of the constants that JSON does not have."""


def _refuse(constant: str) -> NoReturn:
    raise _NotJsonError(constant)


_DECODER = JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_refuse)


def read_value(text: str, start: int) -> tuple[Json, int]:
    """Read the JSON value that begins at a place in a text; returns it, and where it ends.

    Raises:
        JSONDecodeError: There is none, or it is malformed; `pos` says where.
    """
    try:
        value, end = _DECODER.raw_decode(text, start)
    except RecursionError as error:
        raise JSONDecodeError("Nested too deeply", text, start) from error
    except _NotJsonError as error:
        found = _CONSTANT.search(text, start)
        raise JSONDecodeError("Expecting value", text, found.start() if found else start) from error
    return value, end


def compact(value: Json, accept: "Callable[[str], str]" = str) -> str:
    """Return a value's JSON text without white space.

    Args:
        value: The value.
        accept: What makes its strings fit for a column; what it raises is passed on.

    Raises:
        RecursionError: It is nested too deeply.
    """
    if isinstance(value, dict):
        members = (f"{encode_basestring(accept(key))}:{compact(member, accept)}" for key, member in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join([compact(member, accept) for member in value]) + "]"
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return encode_basestring(accept(value))
    return {None: "null", True: "true", False: "false"}[value]
