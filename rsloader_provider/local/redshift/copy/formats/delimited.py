"""CSV and delimited text, read so exactly that every refused record is known with its line."""

import re
from collections.abc import Callable, Iterator

from rsloader_provider.local.redshift.copy.blocks import Block
from rsloader_provider.local.redshift.copy.formats import Record, Refusal
from rsloader_provider.local.redshift.copy.formats.lines import Line, decoded_lines
from rsloader_provider.local.redshift.copy.options import CopyOptions
from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode

_Split = Callable[[str], list[str | None]]
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)


class _QuoteError(Exception):
    """Quotes round a field do not fit."""


def records(block: Block, copy: CopyOptions, columns: int) -> Iterator[Record]:
    """Yield a block's records, bad ones included.

    Args:
        block: Whole records.
        copy: How they are written.
        columns: How many fields a record must have.
    """
    split = _csv_split(copy) if copy.format == "csv" else _text_split(copy)
    for line in _logical_lines(block, copy):
        if line.refusal is not None:
            yield Record(line.number, line.text, [], line.refusal)
        elif line.text or not copy.ignore_blank_lines:
            yield _record(line, split, copy, columns)


def _record(line: Line, split: _Split, copy: CopyOptions, columns: int) -> Record:
    try:
        fields = split(line.text)
    except _QuoteError as error:
        return Record(line.number, line.text, [], Refusal(LoadErrorCode.QUOTE, str(error)))
    if len(fields) == columns + 1 and not fields[-1] and copy.format == "text":
        fields.pop()  # a delimiter may end a line of delimited text
    if len(fields) > columns:
        return Record(line.number, line.text, [], Refusal(LoadErrorCode.EXTRA_COLUMNS, "Extra column(s) found"))
    if len(fields) < columns:
        if not copy.fill_record:
            refusal = Refusal(LoadErrorCode.DELIMITER, "Delimiter not found", position=len(line.text))
            return Record(line.number, line.text, [], refusal)
        # An empty field is NULL for every type but strings, and for those too with EMPTYASNULL.
        fields += [""] * (columns - len(fields))
    return Record(line.number, line.text, fields)


def _logical_lines(block: Block, copy: CopyOptions) -> Iterator[Line]:
    """Join the lines of records that hold line ends."""
    held: Line | None = None
    for line in decoded_lines(block, copy):
        held = line if held is None else held.followed_by(line)
        if not _goes_on(held.text, copy):
            yield held.ended()
            held = None
    if held is not None:
        yield held.ended()


def _goes_on(text: str, copy: CopyOptions) -> bool:
    if copy.format == "csv":
        return text.count(copy.quote) % 2 == 1
    return copy.escape and (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _csv_split(copy: CopyOptions) -> _Split:
    delimiter, quote = re.escape(copy.field_delimiter), re.escape(copy.quote)
    field = re.compile(
        f"(?:{quote}(?P<quoted>(?:[^{quote}]|{quote}{quote})*){quote}|(?P<bare>(?:(?!{delimiter})[^{quote}])*))"
        f"(?P<end>{delimiter}|\\Z)",
        re.DOTALL,
    )

    def split(text: str) -> list[str | None]:
        if copy.quote not in text:
            return [_null(each, copy) for each in text.split(copy.field_delimiter)]
        fields: list[str | None] = []
        for match in _matches(field, text, "Invalid quote formatting for CSV"):
            quoted = match["quoted"]
            value = match["bare"] if quoted is None else quoted.replace(copy.quote * 2, copy.quote)
            fields.append(_null(value, copy))
        return fields

    return split


def _text_split(copy: CopyOptions) -> _Split:
    if not (copy.escape or copy.remove_quotes):
        return lambda text: [_null(each, copy) for each in text.split(copy.field_delimiter)]
    delimiter = re.escape(copy.field_delimiter)
    # With ESCAPE a backslash and what follows it are one; a backslash at the very end stands alone.
    other = f"(?!{delimiter})"
    bare = f"(?:\\\\.?|{other}[^\\\\])*" if copy.escape else f"(?:{other}.)*"
    inside = r"(?:\\.|[^\\])*?" if copy.escape else ".*?"
    quoted = f"(?P<quote>[\"'])(?P<quoted>{inside})(?P=quote)|(?![\"'])" if copy.remove_quotes else "(?P<quoted>(?!))|"
    field = re.compile(f"(?:{quoted}(?P<bare>{bare}))(?P<end>{delimiter}|\\Z)", re.DOTALL)

    def split(text: str) -> list[str | None]:
        fields: list[str | None] = []
        for match in _matches(field, text, "Delimited value missing end quote"):
            value = match["bare"] if match["quoted"] is None else match["quoted"]
            null = _null(value, copy) is None
            fields.append(None if null else _ESCAPED.sub(r"\1", value) if copy.escape else value)
        return fields

    return split


def _matches(field: re.Pattern[str], text: str, reason: str) -> Iterator[re.Match[str]]:
    position = 0
    while True:
        match = field.match(text, position)
        if match is None:
            raise _QuoteError(reason)
        yield match
        if not match["end"]:
            return
        position = match.end()


def _null(text: str, copy: CopyOptions) -> str | None:
    return None if text == copy.null_text else text
