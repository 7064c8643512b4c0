"""An object's bytes as records.

Two ways lead into PostgreSQL. The quick one hands the bytes to PostgreSQL's own CSV parser, which says little about
bad data. The exact one decodes here, slower, and knows the line of every record; it runs when the quick one fails.
"""

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rsloader_provider.local.redshift.load_errors import LoadErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rsloader_provider.local.redshift.copy_statement import CopyStatement

# PostgreSQL's CSV parser needs a quote character even for files without quotes; this one no text reasonably holds.
NO_QUOTE = "\x01"
_BAD_UTF8 = "String contains invalid or unsupported UTF8 codepoints."
_BOM = codecs.BOM_UTF8


class NeedsExactDecoding(Exception):  # noqa: N818 - a change of plan, not an error
    """An object holds something about which PostgreSQL's parser would be silent or wrong."""


@dataclass(frozen=True)
class Record:
    """One record of an object.

    Attributes:
        line: The line in which it ends, starting at 1 and counting header lines.
        raw: Its text, without the line end.
        fields: Its fields; None where the text is the COPY's NULL text. Empty for a bad record.
        error: What is wrong with it, or None.
        reason: The error in words.
    """

    line: int
    raw: str
    fields: list[str | None]
    error: LoadErrorCode | None = None
    reason: str = ""


def quick_pieces(pieces: "Iterable[bytes]", copy: "CopyStatement") -> "Iterator[bytes]":
    """Yield an object's bytes for PostgreSQL's CSV parser: no byte order mark, no header, a line end at the end.

    Raises:
        NeedsExactDecoding: The object must not be read this way.
    """
    quote = (copy.quote if copy.csv else NO_QUOTE).encode()
    stray = _stray_quote(quote, copy.field_delimiter.encode())
    quotes = 0
    last = b"\n"
    for piece in _without_header(_without_mark(pieces), copy.ignore_header):
        found = piece.count(quote)
        quotes += found
        # PostgreSQL takes a quote in the middle of a field, which Redshift refuses.
        if found and (not copy.csv or stray.search(last + piece)):
            raise NeedsExactDecoding
        last = piece[-2:]
        yield piece
    if quotes % 2:
        # An open quote would swallow the next object, and two of them would close each other without an error.
        raise NeedsExactDecoding
    if not last.endswith(b"\n"):
        yield b"\n"


def _stray_quote(quote: bytes, delimiter: bytes) -> "re.Pattern[bytes]":
    """A quote that neither opens nor closes a field and is not doubled."""
    inside = b"[^\r\n" + re.escape(quote) + re.escape(delimiter) + b"]"
    return re.compile(b"(?<=" + inside + b")" + re.escape(quote) + inside)


def records(pieces: "Iterable[bytes]", copy: "CopyStatement", columns: int) -> "Iterator[Record]":
    """Yield an object's records, bad ones included.

    Args:
        pieces: The object's content.
        copy: How it is written.
        columns: How many fields a record must have.
    """
    for line, raw in _logical_lines(_without_mark(pieces), copy):
        yield _record(line, raw, copy, columns)


def _record(line: int, raw_bytes: bytes, copy: "CopyStatement", columns: int) -> Record:
    try:
        raw = raw_bytes.decode()
    except UnicodeDecodeError as error:
        sequence = raw_bytes[error.start : error.end].hex(" ")
        number = 2 if "end of data" in error.reason or "continuation" in error.reason else 3
        reason = f"{_BAD_UTF8} Bad UTF8 hex sequence: {sequence} (error {number})"
        return Record(line, raw_bytes.decode(errors="replace"), [], LoadErrorCode.UTF8, reason)
    if "\0" in raw:
        return Record(line, raw.replace("\0", "?"), [], LoadErrorCode.UTF8, f"{_BAD_UTF8} Bad UTF8 hex sequence: 00")
    fields = _csv_fields(raw, copy) if copy.csv else raw.split(copy.field_delimiter)
    if fields is None:
        return Record(line, raw, [], LoadErrorCode.QUOTE, "Invalid quote formatting for CSV")
    if len(fields) == columns + 1 and not fields[-1] and not copy.csv:
        fields.pop()  # a delimiter may end a line of delimited text
    if len(fields) < columns:
        return Record(line, raw, [], LoadErrorCode.DELIMITER, "Delimiter not found")
    if len(fields) > columns:
        return Record(line, raw, [], LoadErrorCode.EXTRA_COLUMNS, "Extra column(s) found")
    return Record(line, raw, [None if text == copy.null_text else text for text in fields])


def _csv_fields(raw: str, copy: "CopyStatement") -> list[str] | None:
    """Return a CSV record's fields, or None if its quotes are wrong."""
    delimiter, quote = re.escape(copy.field_delimiter), re.escape(copy.quote)
    pattern = re.compile(
        f"(?:{quote}((?:[^{quote}]|{quote}{quote})*){quote}|([^{quote}{delimiter}]*))({delimiter}|$)", re.S
    )
    fields: list[str] = []
    position = 0
    while True:
        match = pattern.match(raw, position)
        if match is None or (match[3] == "" and match.end() != len(raw)):
            return None
        quoted = match[1]
        fields.append(match[2] if quoted is None else quoted.replace(copy.quote * 2, copy.quote))
        position = match.end()
        if match[3] == "":
            return fields


def _logical_lines(pieces: "Iterable[bytes]", copy: "CopyStatement") -> "Iterator[tuple[int, bytes]]":
    """Yield records and the line in which each ends; in CSV a line end within quotes belongs to the record."""
    quote = copy.quote.encode()
    held: list[bytes] = []
    open_quote = False
    number = 0
    for line in _lines(pieces):
        number += 1
        if number <= copy.ignore_header:
            continue
        held.append(line)
        open_quote ^= copy.csv and line.count(quote) % 2 == 1
        if not open_quote:
            yield number, b"\n".join(held).removesuffix(b"\r")
            held = []
    if held:
        yield number, b"\n".join(held).removesuffix(b"\r")


def _lines(pieces: "Iterable[bytes]") -> "Iterator[bytes]":
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _without_mark(pieces: "Iterable[bytes]") -> "Iterator[bytes]":
    first = True
    for piece in pieces:
        if piece:
            yield piece.removeprefix(_BOM) if first else piece
            first = False


def _without_header(pieces: "Iterable[bytes]", lines: int) -> "Iterator[bytes]":
    for piece in pieces:
        start = 0
        while lines and start < len(piece):
            end = piece.find(b"\n", start)
            start = len(piece) if end < 0 else end + 1
            lines -= end >= 0
        if start < len(piece):
            yield piece[start:] if start else piece
