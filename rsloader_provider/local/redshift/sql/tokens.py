r"""Redshift SQL as tokens, and back.

Redshift takes a backslash in a literal as an escape, so `'it\'s'` is one literal here. It also takes `#name` as the
name of a temporary table where PostgreSQL sees an operator: such a token is a quoted name, and its text is what
PostgreSQL has to get. In `a#b`, without a blank before it, the sign stays the operator that it is on both.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

_TOKEN = re.compile(
    r"""
      (?P<blank>   \s+ | --[^\n]* | /\*.*?\*/ )
    | (?P<literal> '(?:[^'\\]|''|\\.)*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<quoted>  "(?:[^"]|"")*" )
    | (?P<hashed>  (?<![\w$)\]"'])\#[A-Za-z_\u0080-\uffff][\w$]* )
    | (?P<word>    [A-Za-z_\u0080-\uffff][\w$]* )
    | (?P<number>  \d+(?:\.\d+)? )
    | (?P<sign>    . )
    """,
    re.DOTALL | re.VERBOSE,
)
_ESCAPE = re.compile(r"''|\\([0-7]{3}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Kind(Enum):
    """What a token is."""

    LITERAL = "literal"
    QUOTED = "quoted"
    WORD = "word"
    NUMBER = "number"
    SIGN = "sign"


@dataclass(frozen=True)
class Token:
    """One token and where it stands in the text.

    Attributes:
        kind: What it is.
        text: As it stands there; a temporary table's `#name` as PostgreSQL has to get it, quoted.
        start: Where it begins.
        end: The position after it.
    """

    kind: Kind
    text: str
    start: int
    end: int

    @cached_property
    def keyword(self) -> str:
        """The token in upper case if it is a bare word, otherwise its text; never equal to a quoted name."""
        return self.text.upper() if self.kind is Kind.WORD else self.text

    @property
    def is_name(self) -> bool:
        """Whether the token can name something."""
        return self.kind in (Kind.WORD, Kind.QUOTED)

    @property
    def is_temporary(self) -> bool:
        """Whether the token is a temporary table's `#name`."""
        return self.end - self.start < len(self.text)

    @property
    def name(self) -> str:
        """The name as the catalog spells it: a bare one is lower case."""
        return self.text[1:-1].replace('""', '"') if self.kind is Kind.QUOTED else self.text.lower()

    @property
    def value(self) -> str:
        r"""What a literal means.

        >>> tokenize(r"'a''b\tc\001'")[0].value
        "a'b\tc\x01"
        """
        if self.text.startswith("$"):
            return self.text.split("$", 2)[2].rsplit("$", 2)[0]
        return _ESCAPE.sub(_unescape, self.text[1:-1])


def _unescape(match: re.Match[str]) -> str:
    escaped = match[1]
    if escaped is None:
        return "'"
    if len(escaped) == 3:
        return chr(int(escaped, 8))
    return _ESCAPED.get(escaped, escaped)


def tokenize(sql: str) -> list[Token]:
    """Return the tokens of SQL, without blanks and comments.

    >>> [token.text for token in tokenize("DROP TABLE #Staged")]
    ['DROP', 'TABLE', '"#staged"']
    """
    return [_token(match) for match in _TOKEN.finditer(sql) if match.lastgroup != "blank"]


def _token(match: re.Match[str]) -> Token:
    if match.lastgroup == "hashed":
        return Token(Kind.QUOTED, f'"{match.group().lower()}"', match.start(), match.end())
    return Token(Kind(match.lastgroup), match.group(), match.start(), match.end())


def split_statements(sql: str) -> list[str]:
    """Cut SQL at its semicolons; pieces with no token in them are left out.

    >>> split_statements("BEGIN; INSERT INTO t VALUES (';'); -- done")
    ['BEGIN', "INSERT INTO t VALUES (';')"]
    """
    pieces: list[str] = []
    first: Token | None = None
    last: Token | None = None
    for token in tokenize(sql):
        if token.kind is Kind.SIGN and token.text == ";":
            if first and last:
                pieces.append(sql[first.start : last.end])
            first = last = None
        else:
            first, last = first or token, token
    if first and last:
        pieces.append(sql[first.start : last.end])
    return pieces
