"""Durations and sizes as people write them: `5m`, `1h30m`, `1GiB`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, ByteSize, PlainSerializer, TypeAdapter, ValidationError, WithJsonSchema

from rsloader_provider.core.config.mistakes import mistake, shown

SHORTEST, LONGEST = timedelta(seconds=1), timedelta(days=366)
"""Anything else counts as a mistake: it is shorter than Airflow can schedule, or longer than a year."""

_NUMBER = r"\d{1,12}(?:\.\d{1,12})?"
_DURATION = re.compile(
    rf"(?:(?P<weeks>{_NUMBER})w)?(?:(?P<days>{_NUMBER})d)?(?:(?P<hours>{_NUMBER})h)?"
    rf"(?:(?P<minutes>{_NUMBER})m)?(?:(?P<seconds>{_NUMBER})s)?",
    re.ASCII | re.IGNORECASE,
)
_ISO_8601 = TypeAdapter(timedelta)
_BYTES = TypeAdapter(ByteSize)


def parse_duration(value: object) -> timedelta:
    """Read a duration.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)

    Args:
        value: `90s`, `5m`, `1h30m`, `2d`, `1w`; seconds as a number; ISO 8601 (`PT5M`); or a timedelta.

    Returns:
        A duration from one second to 366 days.

    Raises:
        ValueError: It is none of these, or out of that range.
    """
    try:
        duration = _duration(value)
    except (OverflowError, ValueError) as error:  # pydantic's ValidationError is a ValueError
        raise mistake(
            f"{_shown(value)} is not a duration.", "Write for example 30s, 5m, 1h30m or 2d; a number means seconds."
        ) from error
    if not SHORTEST <= duration <= LONGEST:
        raise mistake(f"{_shown(value)} is not between 1s and 366d.", "Write for example 30s, 5m, 1h30m or 2d.")
    return duration


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    if not isinstance(value, str):
        raise ValueError(value)
    text = "".join(value.split())
    if text[:1] in {"P", "p"}:
        return _ISO_8601.validate_python(text.upper())
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(value)
    return timedelta(**{unit: float(number) for unit, number in match.groupdict().items() if number})


def format_duration(duration: timedelta) -> str:
    """Write a duration so that `parse_duration` reads the same again.

    >>> format_duration(timedelta(minutes=90, milliseconds=250))
    '1h30m0.25s'
    """
    minutes, seconds = divmod(duration.seconds, 60)
    fraction = f".{duration.microseconds:06}".rstrip("0").rstrip(".")
    parts = {"d": f"{duration.days}", "h": f"{minutes // 60}", "m": f"{minutes % 60}", "s": f"{seconds}{fraction}"}
    return "".join(number + unit for unit, number in parts.items() if number != "0") or "0s"


def parse_size(value: object) -> int:
    """Read a size in bytes.

    >>> parse_size("1GiB"), parse_size("500 MB")
    (1073741824, 500000000)

    Args:
        value: `1GiB`, `500 MB`, `100MiB`; or a whole number of bytes.

    Raises:
        ValueError: It is none of these, or less than one byte.
    """
    wrong = mistake(f"{_shown(value)} is not a size.", "Write for example 1GiB, 500MB or a number of bytes, from 1 up.")
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise wrong
    try:
        size = int(_BYTES.validate_python(value))
    except (ValidationError, OverflowError) as error:
        raise wrong from error
    if size < 1:
        raise wrong
    return size


def _shown(value: object) -> str:
    return shown(value) if isinstance(value, str) else str(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema({"type": ["string", "number"], "examples": ["30s", "5m", "1h30m", "2d", 300]}),
]
"""A timedelta that is written `30s`, `5m`, `1h30m`, `2d`, or as a number of seconds."""

Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["1GiB", "500MB", 1048576]}),
]
"""A number of bytes that is written `1GiB`, `500 MB`, or as a whole number."""
