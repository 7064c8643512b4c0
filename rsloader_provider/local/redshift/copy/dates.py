"""Dates and times as COPY reads them.

Every accepted value comes out in a spelling that PostgreSQL reads in only one way.

Source: https://docs.aws.amazon.com/redshift/latest/dg/r_DATEFORMAT_and_TIMEFORMAT_strings.html
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache

Recognise = Callable[[str, str], bool]
"""Tells whether PostgreSQL's parser takes a text (second) as a type (first); AWS says that `auto` means this."""

_DATE = r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(:(?P<second>\d{2})(\.\d+)?)?"
_OFFSET = r" ?(Z|[+-]\d{1,2}(:?\d{2})?)"
_ONLY_DATE = re.compile(_DATE, re.ASCII)
_ONLY_TIME = re.compile(_TIME, re.ASCII)
_ZONED_TIME = re.compile(f"{_TIME}({_OFFSET})?", re.ASCII)
_PLAIN = re.compile(f"{_DATE}( {_TIME})?", re.ASCII)
_ZONED = re.compile(f"{_DATE}( {_TIME}({_OFFSET}| [A-Za-z/_]+)?)?", re.ASCII)
_ISO = re.compile(f"{_DATE}([ T]{_TIME}({_OFFSET})?)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_UNITS = {"epochsecs": 1, "epochmillisecs": 1000}

# Longer names come first, so that none is taken for the beginning of another.
_PARTS = {
    "YYYY": "%Y", "YY": "%y", "MONTH": "%B", "MON": "%b", "MM": "%m", "DD": "%d", "HH24": "%H", "HH12": "%I",
    "HH": "%H", "MI": "%M", "SS": "%S", "AM": "%p", "PM": "%p",
}  # fmt: skip
_PART = re.compile("|".join(_PARTS), re.IGNORECASE)


class DateRefusedError(Exception):
    """A text is not a date or time of the wanted form.

    Attributes:
        reason: Redshift's words for it.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


def parse_date(text: str, date_format: str | None, recognise: Recognise) -> str:
    """Read a DATE.

    Args:
        text: The field without blanks round it.
        date_format: `auto`, or a pattern such as MON-DD-YYYY; None for YYYY-MM-DD.
        recognise: See Recognise.

    Raises:
        DateRefusedError: It is not one.
    """
    if date_format is None:
        return _checked(_ONLY_DATE, text, "Invalid Date Format - length must be 10 or more")
    if date_format.lower() == "auto":
        return _recognised("date", text, recognise, "Invalid Date Format - length must be 10 or more")
    return _by_pattern(text, date_format, f"Invalid Date Format - {date_format}").strftime("%Y-%m-%d")


def parse_timestamp(text: str, time_format: str | None, recognise: Recognise, *, zoned: bool) -> str:
    """Read a TIMESTAMP or TIMESTAMPTZ.

    Args:
        text: The field without blanks round it.
        time_format: `auto`, `epochsecs`, `epochmillisecs`, or a pattern; None for YYYY-MM-DD HH:MI:SS.
        recognise: See Recognise.
        zoned: Whether the type has a time zone.

    Raises:
        DateRefusedError: It is not one.
    """
    default = f"Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS{'OF' if zoned else ''}]"
    if time_format is None:
        return _checked(_ZONED if zoned else _PLAIN, text, default)
    if time_format.lower() == "auto":
        return _recognised("timestamptz" if zoned else "timestamp", text, recognise, default)
    if time_format.lower() in _EPOCH_UNITS:
        return _since_epoch(text, _EPOCH_UNITS[time_format.lower()])
    return _by_pattern(text, time_format, f"Invalid timestamp format or value [{time_format}]").isoformat(" ")


def parse_time(text: str, *, zoned: bool) -> str:
    """Read a TIME or TIMETZ.

    Raises:
        DateRefusedError: It is not one.
    """
    match = (_ZONED_TIME if zoned else _ONLY_TIME).fullmatch(text)
    try:
        if match is not None:
            time(int(match["hour"]), int(match["minute"]), int(match["second"] or 0))
            return text
    except ValueError:
        pass
    raise DateRefusedError("Invalid time format or value [HH24:MI:SS]")


def _checked(form: re.Pattern[str], text: str, reason: str) -> str:
    match = form.fullmatch(text)
    if match is None or not _exists(match):
        raise DateRefusedError(reason)
    return text


def _exists(match: re.Match[str]) -> bool:
    """Whether there is such a day, and such a time of day."""
    numbers = match.groupdict()
    try:
        datetime(
            int(numbers["year"]), int(numbers["month"]), int(numbers["day"]),
            int(numbers.get("hour") or 0), int(numbers.get("minute") or 0), int(numbers.get("second") or 0),
        )  # fmt: skip
    except ValueError:
        return False
    return True


def _recognised(type_name: str, text: str, recognise: Recognise, reason: str) -> str:
    match = _ISO.fullmatch(text)
    if (match is not None and _exists(match)) or recognise(type_name, text):
        return text
    raise DateRefusedError(reason)


def _since_epoch(text: str, units: int) -> str:
    try:
        value = _EPOCH + timedelta(microseconds=int(Decimal(text) * 1_000_000 / units))
    except (InvalidOperation, OverflowError, ValueError) as error:
        raise DateRefusedError("Invalid timestamp format or value [epoch]") from error
    return value.replace(tzinfo=None).isoformat(" ") + "+00"


def _by_pattern(text: str, pattern: str, reason: str) -> datetime:
    for form in _forms(pattern):
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    raise DateRefusedError(reason)


@lru_cache(maxsize=64)
def _forms(pattern: str) -> tuple[str, ...]:
    """Translate a pattern for strptime.

    MON takes short and full names, and a fraction of a second may follow SS.
    """
    form = _PART.sub(lambda match: _PARTS[match[0].upper()], pattern.replace("%", "%%"))
    forms = [form, form.replace("%b", "%B")]
    return tuple(dict.fromkeys([*forms, *(each.replace("%S", "%S.%f") for each in forms)]))
