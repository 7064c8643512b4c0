"""The JSON documents of one object: found, read, and skipped where they are malformed.

A document is a JSON object or array with nothing but white space round it. After a malformed one, reading goes on with
the next line.
"""

import codecs
import re
from dataclasses import dataclass
from json import JSONDecodeError
from typing import TYPE_CHECKING

from rsloader_provider.local.redshift.copy.formats.json_values import Json, read_value
from rsloader_provider.local.redshift.errors import RedshiftError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LARGEST_BYTES = 4_194_304
_SPACE = re.compile(r"[ \t\r\n]*")
_END_OF_JUNK = re.compile(r"(?=[{\[])|\n")
_OPENING = ("{", "[")
# A document cut in two fails where it was cut, give or take the longest escape, literal or number's end.
_NEAR_THE_CUT = 16


@dataclass(frozen=True, slots=True)
class Document:
    """One document.

    Attributes:
        line: The line in which it ends, starting at 1.
        raw: Its text; bytes that are not UTF-8 are left as `surrogateescape` has them.
        value: What it says; None if it is malformed.
        fault: Where in its text it is malformed, from 0; None if it is well-formed.
    """

    line: int
    raw: str
    value: Json
    fault: int | None = None


def documents(pieces: "Iterable[bytes]", header_lines: int) -> "Iterator[Document]":
    """Yield an object's documents, and the text that is not a document, in their order.

    Args:
        pieces: The object's content as UTF-8, cut anywhere.
        header_lines: How many lines to leave out at the start; they count as lines.

    Raises:
        RedshiftError: A document is larger than 4 MB.
    """
    window = _Window(pieces)
    for _ in range(header_lines):
        window.take(window.end_of_line(window.start))
    while window.skip_space():
        yield window.document() if window.text.startswith(_OPENING, window.start) else window.junk()


class _Window:
    """The part of an object's text that is being looked at.

    Attributes:
        text: The part.
        start: Where in it the unread text begins.
    """

    def __init__(self, pieces: "Iterable[bytes]"):
        self._pieces = iter(pieces)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="surrogateescape")
        self._line = 1
        self._complete = False
        self.text = ""
        self.start = 0

    def take(self, end: int) -> str:
        """Read on to a place in the text, and return what was passed."""
        taken = self.text[self.start : end]
        self._line += taken.count("\n")
        self.start = end
        return taken

    def skip_space(self) -> bool:
        """Pass over white space; returns whether anything follows."""
        while True:
            space = _SPACE.match(self.text, self.start)
            self.take(space.end() if space else self.start)
            if self.start < len(self.text) or self._complete:
                return self.start < len(self.text)
            self._grow()

    def document(self) -> Document:
        """Read the document that begins here."""
        while True:
            try:
                value, end = read_value(self.text, self.start)
            except JSONDecodeError as error:
                if not self._complete and _may_be_cut(error, self.text):
                    self._grow()
                    continue
                return self._malformed(error.pos - self.start)
            line = self._line + self.text.count("\n", self.start, end)
            raw = self.take(end)
            # A character has at most four bytes, and most texts are too short for it to matter.
            if len(raw) * 4 > LARGEST_BYTES and len(raw.encode(errors="surrogateescape")) > LARGEST_BYTES:
                raise _too_large()
            return Document(line, raw, value)

    def junk(self) -> Document:
        """Read text that is not a document: up to the next document, or to the end of the line."""
        while True:
            end = _END_OF_JUNK.search(self.text, self.start)
            if end is not None or self._complete:
                return self._refuse(end.end() if end else len(self.text), 0)
            self._grow()

    def end_of_line(self, offset: int) -> int:
        """Return where the line after the one of the given place begins."""
        offset -= self.start
        while (end := self.text.find("\n", self.start + offset)) < 0:
            if self._complete:
                return len(self.text)
            self._grow()
        return end + 1

    def _malformed(self, fault: int) -> Document:
        """Pass over a malformed document: up to the line in which the next one seems to begin, or else a whole line."""
        at = self.start + fault
        line_start = self.text.rfind("\n", self.start, at) + 1
        is_next = self.start < line_start == at and self.text.startswith(_OPENING, at)
        return self._refuse(line_start if is_next else self.end_of_line(at), fault)

    def _refuse(self, end: int, fault: int) -> Document:
        first = self._line
        raw = self.take(end).rstrip(" \t\r\n")
        return Document(first + raw.count("\n"), raw, None, fault)

    def _grow(self) -> None:
        """Read on until the unread text has doubled, so that reading a document again and again costs little."""
        unread = self.text[self.start :]
        if len(unread) > LARGEST_BYTES:
            raise _too_large()
        added: list[str] = []
        size = 0
        while size <= len(unread) and len(unread) + size <= LARGEST_BYTES and not self._complete:
            piece = next(self._pieces, None)
            self._complete = piece is None
            added.append(self._decoder.decode(piece or b"", final=self._complete))
            size += len(added[-1])
        self.text = unread + "".join(added)
        self.start = 0


def _may_be_cut(error: JSONDecodeError, text: str) -> bool:
    """Whether the fault may be only that the text has not been read to its end."""
    return error.pos + _NEAR_THE_CUT >= len(text) or error.msg.startswith("Unterminated string")


def _too_large() -> RedshiftError:
    return RedshiftError(f"JSON object size exceeds the max limit of {LARGEST_BYTES} bytes")
