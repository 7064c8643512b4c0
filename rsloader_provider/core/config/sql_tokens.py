"""SQL in pieces, as Redshift reads it: words, and apart from them quotes and comments. sqlglot does the reading."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar


class UnreadableSqlError(Exception):
    """A quote, a dollar quote or a comment has no certain end, so it is not known where SQL begins."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token and where it stands.

    Attributes:
        text: As it is written; what is quoted has its quotes.
        start: Where it begins.
        end: The position after it.
    """

    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The token in upper case. A quoted one keeps its quotes, so it never equals a bare word."""
        return self.text.upper()


def tokens(sql: str) -> list[Token]:
    r"""Return the tokens of SQL, without blanks and comments.

    >>> [token.text for token in tokens(r"DELETE FROM a /* why /* not */ ; */ WHERE b = 'it\'s;'; -- done")]
    ['DELETE', 'FROM', 'a', 'WHERE', 'b', '=', "'it\\'s;'", ';']

    Raises:
        UnreadableSqlError: As its name says.
    """
    read, unreadable = _reader()
    try:
        found = read(sql)
    except unreadable as error:
        raise UnreadableSqlError("a quote or a comment that is not closed.") from error
    read_tokens = [Token(sql[each.start : each.end + 1], each.start, each.end + 1) for each in found]
    # Where comments nest, sqlglot misses a /* or a */ that touches the one before it.
    if any("/*/" in gap or "*/*" in gap for gap in _gaps(sql, read_tokens)):
        raise UnreadableSqlError("comments with no blank between their signs.")
    return read_tokens


def _gaps(sql: str, found: list[Token]) -> Iterator[str]:
    """Yield the text before, between and after tokens: blanks and comments."""
    begin = 0
    for token in found:
        yield sql[begin : token.start]
        begin = token.end
    yield sql[begin:]


@cache
def _reader() -> tuple[Any, type[Exception]]:
    # Importing sqlglot takes longer than building a DAG, and most loads have no SQL of their own.
    from sqlglot.dialects.redshift import Redshift  # noqa: PLC0415
    from sqlglot.errors import TokenError  # noqa: PLC0415

    class Tokenizer(Redshift.Tokenizer):
        # After these words sqlglot would take all text up to the next semicolon, even a quoted one, as one string.
        COMMANDS: ClassVar[set[Any]] = set()

    return Tokenizer(dialect=Redshift()).tokenize, TokenError
