r"""Bytes that are no text which Redshift stores: invalid UTF-8, and the NUL character.

>>> explain(b"caf\xe9"), explain("café".encode())
('String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: e9 (error 2)', None)
>>> replaced(b"caf\xe9", "?")
'caf?'
"""

import re

_SURROGATES_AND_NUL = re.compile("[\udc80-\udcff\0]")


def explain(value: bytes) -> str | None:
    """Return Redshift's words for what is wrong with a string, or None if nothing is."""
    reason = "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence:"
    try:
        value.decode()
    except UnicodeDecodeError as error:
        number = 2 if "end of data" in error.reason or "continuation" in error.reason else 3
        return f"{reason} {value[error.start : error.end].hex(' ')} (error {number})"
    return f"{reason} 00" if b"\0" in value else None


def replaced(value: bytes, replacement: str) -> str:
    """Return a string with each of its wrong bytes replaced, as ACCEPTINVCHARS has it."""
    return _SURROGATES_AND_NUL.sub(lambda _: replacement, value.decode(errors="surrogateescape"))
