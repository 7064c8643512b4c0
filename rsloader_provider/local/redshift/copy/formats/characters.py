"""Characters that no column can hold: bytes that are not UTF-8, lone surrogates, and NUL.

Bytes that are not UTF-8 stand in a text as Python's `surrogateescape` leaves them.
"""

import re

REASON = "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: {sequence}"
_BAD = re.compile("[\0\ud800-\udfff]")
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
_LONGEST_CHARACTER = 4


class BadCharacterError(Exception):
    """A text holds a character that no column can hold.

    Args:
        text: The text.
        position: Where in it, from 0.

    Attributes:
        position: The same.
        reason: Redshift's words for it.
    """

    def __init__(self, text: str, position: int):
        self.position = position
        self.reason = _reason_at(text, position)
        super().__init__(self.reason)


def acceptable(text: str, replacement: str | None) -> str:
    """Return a text that a column can hold.

    Args:
        text: The text.
        replacement: What stands in for each byte of a bad character (ACCEPTINVCHARS); None refuses the text.

    Raises:
        BadCharacterError: The text has a bad character and there is no replacement.
    """
    found = _BAD.search(text)
    if found is None:
        return text
    if replacement is None:
        raise BadCharacterError(text, found.start())
    return _BAD.sub(lambda bad: replacement * len(_bytes_of(bad[0])), text)


def decoded(raw: bytes, replacement: str | None) -> str:
    """Return bytes as a text that a column can hold; see `acceptable`."""
    return acceptable(raw.decode(errors="surrogateescape"), replacement)


def reason_of(raw: bytes) -> str:
    """Return Redshift's words for what is wrong with bytes; empty if nothing is."""
    try:
        decoded(raw, None)
    except BadCharacterError as error:
        return error.reason
    return ""


def printable(text: str) -> str:
    """Return a text for people to read, with a mark in the place of what cannot be shown."""
    return _BAD.sub("�", text)


def _bytes_of(character: str) -> bytes:
    return character.encode(errors="surrogateescape" if _ESCAPED_BYTE.match(character) else "surrogatepass")


# Source: https://docs.aws.amazon.com/redshift/latest/dg/multi-byte-character-load-errors.html
def _reason_at(text: str, position: int) -> str:
    character = text[position]
    if character == "\0":
        return REASON.format(sequence="00")
    if not _ESCAPED_BYTE.match(character):
        return REASON.format(sequence=_bytes_of(character).hex(" ") + " (error 5)")
    following = text[position : position + _LONGEST_CHARACTER]
    raw = b"".join(map(_bytes_of, following))
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        number = {"unexpected end of data": 2, "invalid continuation byte": 4}.get(error.reason, 3)
        return REASON.format(sequence=f"{raw[error.start : error.end].hex(' ')} (error {number})")
    # The bytes were escapes in the source's own notation, and happen to make a character.
    return REASON.format(sequence=raw.hex(" "))
