"""A statement read from its first token to its last, by grammars that know every word they take."""

from rsloader_provider.local.redshift.errors import RedshiftError, syntax_error
from rsloader_provider.local.redshift.sql.quoting import Fragment, identifier
from rsloader_provider.local.redshift.sql.tokens import Kind, Token


class TokenReader:
    """The tokens of one statement and a position among them.

    Args:
        tokens: The tokens.
    """

    def __init__(self, tokens: list[Token]):
        self._tokens = tokens
        self._position = 0

    @property
    def ended(self) -> bool:
        """Whether everything has been read."""
        return self._position == len(self._tokens)

    def take(self, *keywords: str) -> bool:
        """Read these words if they come next, all of them; tells whether they did."""
        following = self._tokens[self._position : self._position + len(keywords)]
        found = [token.keyword for token in following] == list(keywords)
        if found:
            self._position += len(keywords)
        return found

    def take_one_of(self, *keywords: str) -> str:
        """Read one of several words.

        Raises:
            RedshiftError: 42601; something else comes next.
        """
        for keyword in keywords:
            if self.take(keyword):
                return keyword
        raise self.unexpected()

    def name(self) -> str:
        """Read a name; returns it as the catalog spells it."""
        token = self._next()
        if not token.is_name:
            raise syntax_error(token.text)
        return token.name

    def identifier(self) -> Fragment:
        """Read a name; returns it as SQL."""
        return identifier(self.name())

    def literal(self) -> str:
        """Read a literal; returns what it means."""
        token = self._next()
        if token.kind is not Kind.LITERAL:
            raise syntax_error(token.text)
        return token.value

    def integer(self) -> int:
        """Read an unsigned whole number."""
        token = self._next()
        if token.kind is not Kind.NUMBER or not token.text.isdigit():
            raise syntax_error(token.text)
        return int(token.text)

    def unexpected(self) -> RedshiftError:
        """Return the error that refuses what comes next."""
        return syntax_error("" if self.ended else self._tokens[self._position].text)

    def _next(self) -> Token:
        if self.ended:
            raise self.unexpected()
        self._position += 1
        return self._tokens[self._position - 1]
