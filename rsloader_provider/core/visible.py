"""How keys, values and other people's texts are shown: no character ends a line, drives a terminal, or is hidden.

Errors, logs, commands and messages show them by this module only. What programs read, such as JSON, holds them as they
are, in JSON's own notation.
"""

import json
import shlex
from typing import Any

_SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def visible(text: object) -> str:
    r"""Give a text as one line in which each character is seen: the others stand there as in Python's notation.

    These are the control characters, the signs that turn the direction of writing, line ends of every kind, halves of
    surrogate pairs, and all else that is not printable. A text that is visible stays as it is, with its backslashes.

    >>> print(visible("orders/\x1b[2J1.csv\nloaded"), visible("\u202efdp.exe"), visible("é 日本"))
    orders/\x1b[2J1.csv\nloaded \u202efdp.exe é 日本
    """
    said = str(text)
    return said if said.isprintable() else "".join(map(_escaped, said))


def shell_word(text: str) -> str:
    r"""Give a text as one word for bash, zsh and ksh, in which each character is seen.

    >>> print(shell_word("s3://landing/a b"), shell_word("s3://landing/a\x1bb's"))
    's3://landing/a b' $'s3://landing/a\x1bb\'s'
    """
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{visible(text.replace(chr(92), chr(92) * 2).replace(chr(39), chr(92) + chr(39)))}'"


def visible_json(data: Any, *, indent: int | None = None, ascii_only: bool = True) -> str:
    r"""Give data as JSON in which each character is seen, for people and programs: programs read what was given.

    >>> print(visible_json(["é", "\x7f", "\U000e0041"], ascii_only=False))
    ["é", "\u007f", "\udb40\udc41"]
    """
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    # All that is not printable, but for the line ends of the indent, stands in a JSON text.
    return "\n".join(map(_visible_json_line, text.split("\n")))


def _visible_json_line(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else _in_json(each) for each in line)


def _in_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    # `\x9b` would be a byte to a shell.
    numbers = f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return _SHORT.get(character, numbers)
