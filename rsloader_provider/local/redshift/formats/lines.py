"""A block's lines as text, with what is wrong with their bytes."""

from collections.abc import Iterator
from dataclasses import dataclass

from rsloader_provider.local.redshift.blocks import Block
from rsloader_provider.local.redshift.copy_options import CopyOptions
from rsloader_provider.local.redshift.formats import Refusal
from rsloader_provider.local.redshift.load_errors import LoadErrorCode

_BAD_UTF8 = "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: "


@dataclass(frozen=True, slots=True)
class Line:
    """One line, or several that make one record.

    Attributes:
        number: The line's number in the object, of several the last one's.
        text: Its text without the line end.
        refusal: Why its bytes are no text, or None.
    """

    number: int
    text: str
    refusal: Refusal | None = None

    def followed_by(self, other: "Line") -> "Line":
        """Return both as one record."""
        return Line(other.number, f"{self.text}\n{other.text}", self.refusal or other.refusal)

    def ended(self) -> "Line":
        """Return the record without the carriage return of its line end."""
        return Line(self.number, self.text[:-1], self.refusal) if self.text.endswith("\r") else self


def decoded_lines(block: Block, copy: CopyOptions) -> Iterator[Line]:
    """Yield a block's lines; a carriage return before a line end is still there."""
    data = block.data.removesuffix(b"\n")
    try:
        lines: list[str] | None = data.decode().split("\n")
    except UnicodeDecodeError:
        lines = None
    if lines is not None and b"\0" not in data:
        for number, text in enumerate(lines, block.first_line):
            yield Line(number, text)
        return
    for number, raw in enumerate(data.split(b"\n"), block.first_line):
        yield _decoded(number, raw, copy)


def _decoded(number: int, raw: bytes, copy: CopyOptions) -> Line:
    if copy.replacement is not None:
        return Line(number, _replaced(raw, copy.replacement))
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        sequence = raw[error.start : error.end].hex(" ")
        kind = 2 if "end of data" in error.reason or "continuation" in error.reason else 3
        reason = f"{_BAD_UTF8}{sequence} (error {kind})"
        return Line(number, raw.decode(errors="replace"), Refusal(LoadErrorCode.UTF8, reason, position=error.start))
    if "\0" in text and copy.null_text != "\0":
        refusal = Refusal(LoadErrorCode.UTF8, f"{_BAD_UTF8}00", position=text.index("\0"))
        return Line(number, text.replace("\0", "?"), refusal)
    return Line(number, text)


def _replaced(raw: bytes, replacement: str) -> str:
    """Put so many replacement characters as an invalid character has bytes in its place."""
    parts: list[str] = []
    while raw:
        try:
            parts.append(raw.decode())
            break
        except UnicodeDecodeError as error:
            parts += [raw[: error.start].decode(), replacement * (error.end - error.start)]
            raw = raw[error.end :]
    return "".join(parts).replace("\0", replacement)
