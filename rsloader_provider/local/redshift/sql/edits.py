"""Replacements in a statement's text, made at once, and the brackets and commas between which they are made."""

from dataclasses import dataclass

from rsloader_provider.local.redshift.errors import syntax_error
from rsloader_provider.local.redshift.sql.tokens import Token


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str


class Edits:
    """Replacements in a text. Positions stay true until `apply`; of two that overlap, the one that begins first counts.

    Args:
        sql: The text.
    """

    def __init__(self, sql: str):
        self._sql = sql
        self._edits: list[_Edit] = []

    def replace(self, tokens: list[Token], text: str) -> None:
        """Put a text in place of tokens, from the first to the last."""
        self._edits.append(_Edit(tokens[0].start, tokens[-1].end, text))

    def remove(self, tokens: list[Token]) -> None:
        """Leave tokens out, from the first to the last; none at all is fine."""
        if tokens:
            self.replace(tokens, "")

    def insert_after(self, token: Token, text: str) -> None:
        """Put a text right after a token."""
        self._edits.append(_Edit(token.end, token.end, text))

    def apply(self, start: int = 0, end: int | None = None) -> str:
        """Return the text with its replacements.

        Args:
            start: Where to begin.
            end: Where to stop; None means the end of the text.
        """
        end = len(self._sql) if end is None else end
        pieces, position = [], start
        for edit in sorted(self._edits, key=lambda edit: (edit.start, edit.end)):
            if edit.start >= position and edit.end <= end:
                pieces += [self._sql[position : edit.start], edit.text]
                position = edit.end
        return "".join([*pieces, self._sql[position:end]])


def closing(tokens: list[Token], opening: int) -> int:
    """Return where the parenthesis that opens at a position closes.

    Raises:
        RedshiftError: 42601; it does not.
    """
    depth = 0
    for index in range(opening, len(tokens)):
        depth += (tokens[index].text == "(") - (tokens[index].text == ")")
        if depth == 0:
            return index
    raise syntax_error("")


def items(tokens: list[Token]) -> list[list[Token]]:
    """Split tokens at the commas outside parentheses; a separating comma stays with the item after it."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text == ",":
            found.append([])
        found[-1].append(token)
    return found


def table_end(tokens: list[Token], start: int) -> int:
    """Return the position after a table's name, which may have a schema; the same position if there is no name."""
    end = start
    while end < len(tokens) and tokens[end].is_name:
        end += 1
        if end >= len(tokens) or tokens[end].text != ".":
            break
        end += 1
    return end
