"""A block's lines as text, with what is wrong with their bytes."""

from collections.abc import Iterator
from dataclasses import dataclass

from rsloader_provider.local.redshift.copy.blocks import Block
from rsloader_provider.local.redshift.copy.formats import Refusal
from rsloader_provider.local.redshift.copy.formats.characters import BadCharacterError, decoded, printable
from rsloader_provider.local.redshift.copy.options import CopyOptions
from rsloader_provider.local.redshift.copy.refusals import LoadErrorCode


@dataclass(frozen=True, slots=True)
class Line:
    """One line, or several that make one record.

    Attributes:
        number: The line's number in the object; the last line's if there are several.
        text: Its text without the line end.
        refusal: Why its bytes are not text, or None.
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
    if b"\0" in raw and copy.null_text == "\0":
        return Line(number, raw.decode(errors="replace"))
    try:
        return Line(number, decoded(raw, copy.replacement))
    except BadCharacterError as error:
        text = printable(raw.decode(errors="surrogateescape"))
        return Line(number, text, Refusal(LoadErrorCode.UTF8, error.reason, position=error.position))
