"""People's regular expressions, matched by RE2: the time depends on the text's length only, whatever they wrote.

Python's own engine tries one way after another, and for `(a+)+$` there are more ways than time.
"""

import re
from functools import lru_cache
from typing import Any

import re2

from rsloader_provider.core.config.mistakes import holds_secret, mistake, shown

_PROGRAM_BYTES = 1024**2
"""Bounds the program that an expression becomes, and with it the time that one key takes: some 25 ms at the worst."""

_HINTS = (
    (r"\(\?<?[=!]", "it looks ahead or behind.", "Say what the key looks like as a whole, without (?= (?! (?<= (?<!."),
    (r"\\[1-9]|\(\?P=|\(\?P$", "it refers back to a group.", "Write out what is meant instead of \\1 or (?P=…)."),
    (r"\\Z", "RE2 does not know \\Z.", "Write '$', which stands for the end of the key only."),
    (r"\\[uUN]", "RE2 does not know \\u, \\U and \\N.", r"Write the character itself, or \x{20AC} for its code point."),
    (r"\(\?[a-zA-Z]*[xaLu]", "RE2 does not know the flags x, a, L and u.", "Write it without; i, m and s are known."),
    (r"\(\?#", "RE2 does not know comments.", "Write the comment in the load file, after a '#'."),
    (r"[*+?}]\+|\(\?>", "RE2 does not know possessive or atomic repetition.", "Write it without: RE2 is fast anyway."),
    (r"\(\?\(", "RE2 does not know conditional groups.", "Write both cases with '|'."),
    (r"\{\d{4}|\{\d*,\d{4}|repetition size", "RE2 repeats 1,000 times at most, all nested ones together.",
     "Write smaller numbers, or '*'."),
)  # fmt: skip
_REPEAT_FROM_NOTHING = re.compile(r"\{,\d*\}")


@lru_cache(maxsize=4096)
def linear(expression: str) -> Any:
    """Compile an expression, or take it from the cache.

    Returns:
        An object with `search`, `match` and `fullmatch`, as Python's patterns have them.

    Raises:
        re2.error: RE2 does not take the expression.
        UnicodeEncodeError: It holds half of a surrogate pair.
    """
    options = re2.Options()
    options.log_errors = False  # RE2 would write them to the process's standard error
    options.max_mem = _PROGRAM_BYTES
    return re2.compile(expression, options)


def check_expression(expression: str) -> str:
    r"""Return an expression, if RE2 takes it and it means the same there as in Python.

    One difference is left and documented: `\d`, `\s`, `\w` and `\b` know ASCII only.

    Raises:
        ValueError: It is not such an expression; the error says what to write instead.
    """
    try:
        linear(expression)
    except UnicodeEncodeError as error:
        raise mistake("the regular expression holds half a character.", "Write the character itself.") from error
    except re2.error as error:
        said = bytes(error.args[0]).decode(errors="replace")
        for construct, problem, hint in _HINTS:
            if re.search(construct, said):
                raise mistake(f"{shown(expression)}: {problem}", hint) from error
        what = "" if holds_secret(expression) else f": {said}"
        raise mistake(
            f"{shown(expression)} is not a valid regular expression{what}.",
            r"Write for example '\.csv$' (in single quotes).",
        ) from error
    if _REPEAT_FROM_NOTHING.search(expression):
        # RE2 would take it for five characters that stand for themselves.
        raise mistake(f"{shown(expression)}: RE2 does not know {{,n}}.", "Write {0,n}; for a brace itself write \\{.")
    return expression
