"""Keys and values that try to forge a line or to drive a terminal."""

import sys
import unicodedata

UNSEEN = "".join(
    each for each in map(chr, range(1, sys.maxunicode + 1)) if unicodedata.category(each) in {"Cc", "Cf", "Zl", "Zp"}
)
"""Each control character but NUL, each sign that has no shape or turns the direction of writing, each line end."""

HOSTILE = "~".join(each for each in UNSEEN if each < "\U00010000") + "~\U000e0041~[31m[red]`<b>"
"""A key's part that has them all, as far as a key has room. A line that begins with `~` is forged."""


def forged(text: str) -> list[str]:
    """Give the lines of a text in which a character is not seen, or that the text's author has not begun."""
    return [line for line in text.split("\n") if not line.isprintable() or line.startswith("~")]
