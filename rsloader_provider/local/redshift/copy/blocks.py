"""An object's text cut into blocks of whole records, so that each block can be read on its own.

The header and the byte order mark are removed, and another encoding is converted to UTF-8.
"""

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rsloader_provider.local.redshift.copy.options import CopyOptions
from rsloader_provider.local.redshift.errors import RedshiftError

RECORD_BYTES = 4 * 1024 * 1024
"""The longest record. Source: https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html"""
BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole records.

    Attributes:
        first_line: The number of its first line in the object, starting at 1 and counting header lines.
        data: The records, each with its line end; the object's last one may have none.
        whole: Whether the last record is complete: an open quote may run into the object's end.
    """

    first_line: int
    data: bytes
    whole: bool = True

    @property
    def last_line(self) -> int:
        """The number of its last line."""
        return self.first_line + self.data.removesuffix(b"\n").count(b"\n")


def blocks(pieces: Iterable[bytes], copy: CopyOptions, url: str) -> Iterator[Block]:
    """Cut one object of delimited text, CSV or fixed width.

    Raises:
        RedshiftError: A record is longer than Redshift takes, or the object has another encoding.
    """
    line = 1 + copy.ignore_header
    rest = b""
    for piece in _collected(_without_header(utf8(pieces, copy, url), copy.ignore_header)):
        rest += piece
        end = _last_record_end(rest, copy)
        if end:
            yield Block(line, rest[:end])
            line += rest.count(b"\n", 0, end)
            rest = rest[end:]
        if len(rest) > RECORD_BYTES:
            raise RedshiftError(f"Input row exceeds the maximum size of {RECORD_BYTES} bytes: {url}, line {line}")
    if rest:
        yield Block(line, rest, whole=_last_record_end(rest + b"\n", copy) == len(rest) + 1)


def _last_record_end(data: bytes, copy: CopyOptions) -> int:
    """Return where the last whole record ends, or 0 if there is none."""
    end = data.rfind(b"\n") + 1
    if copy.format == "csv":
        # A line end within quotes belongs to its record.
        quote = copy.quote.encode()
        quotes = data.count(quote, 0, end)
        while end and quotes % 2:
            earlier = data.rfind(b"\n", 0, end - 1) + 1
            quotes -= data.count(quote, earlier, end)
            end = earlier
    elif copy.escape:
        while end and _is_escaped(data, end - 1):
            end = data.rfind(b"\n", 0, end - 1) + 1
    return end


def _is_escaped(data: bytes, position: int) -> bool:
    start = position
    while start and data[start - 1 : start] == b"\\":
        start -= 1
    return (position - start) % 2 == 1


def _collected(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join small pieces."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= BLOCK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def utf8(pieces: Iterable[bytes], copy: CopyOptions, url: str) -> Iterator[bytes]:
    """Yield an object's text as UTF-8 and without a byte order mark.

    Raises:
        RedshiftError: The object has another encoding.
    """
    if copy.encoding == "utf-8":
        yield from _without_mark(pieces)
        return
    decoder = codecs.getincrementaldecoder(copy.encoding)()
    try:
        for piece in pieces:
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise RedshiftError(
            f"Encoding of the file is not the same as that specified in the COPY command: {url}"
        ) from error


def _without_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    first = True
    for piece in pieces:
        if piece:
            yield piece.removeprefix(codecs.BOM_UTF8) if first else piece
            first = False


def _without_header(pieces: Iterable[bytes], lines: int) -> Iterator[bytes]:
    for piece in pieces:
        start = 0
        while lines and start < len(piece):
            end = piece.find(b"\n", start)
            start = len(piece) if end < 0 else end + 1
            lines -= end >= 0
        if start < len(piece):
            yield piece[start:] if start else piece
