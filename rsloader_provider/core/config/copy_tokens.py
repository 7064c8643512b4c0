"""Cuts the COPY options that people write into a load.

This reads just enough SQL to tell quotes and comments from the rest. It warns early; Redshift has the last word.
"""

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    (?P<quoted>   '(?:[^'\\]|\\.|'')*' | "(?:[^"]|"")*" | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
  | (?P<comment>  --[^\n\r]* | /\*.*?(?:\*/|\Z) )
  | (?P<unclosed> ['"] )
  | (?P<word>     [^\W\d]\w* )
  | (?P<other>    . )
    """,
    re.VERBOSE | re.DOTALL,
)


def tokens(sql: str) -> Iterator[tuple[str, str]]:
    """Cut SQL into its parts, each with its kind: quoted, comment, unclosed (a lone quote), word, or other."""
    for match in _TOKEN.finditer(sql):
        # A dollar quote ends with its tag's group inside: the outer group is the kind.
        kind = "quoted" if match["quoted"] is not None else str(match.lastgroup)
        yield kind, match[0]
