"""Redshift's table definitions in PostgreSQL's words.

Storage hints go; constraints that Redshift takes but does not enforce go too, because PostgreSQL would enforce them.
"""

from dataclasses import dataclass
from itertools import pairwise

from rsloader_provider.local.redshift.errors import syntax_error, unsupported
from rsloader_provider.local.redshift.tokens import Kind, Token

_MAX_VARCHAR = "65535"
_TYPES = {"SUPER": "jsonb", "DATETIME": "timestamp", "NVARCHAR": "varchar", "BPCHAR": "char(256)"}
# These have a length in Redshift even if none is given.
_DEFAULT_LENGTH = {"VARCHAR": 256, "NVARCHAR": 256, "TEXT": 256}


def rewrite(sql: str, tokens: list[Token]) -> str:
    """Return a statement as PostgreSQL understands it, unchanged if it needs no change.

    Args:
        sql: A single statement.
        tokens: Its tokens.

    Raises:
        RedshiftError: A constraint that PostgreSQL would enforce and Redshift would not.
    """
    words = [token.keyword for token in tokens]
    edits = _Edits(sql)
    _replace_sysdate(tokens, edits)
    if words[0] == "CREATE" and "TABLE" in words[1:4]:
        _rewrite_create_table(tokens, words.index("TABLE"), edits)
    elif words[:2] == ["ALTER", "TABLE"]:
        _rewrite_alter_table(tokens, edits)
    elif words[0] == "CREATE" and words[-4:] == ["WITH", "NO", "SCHEMA", "BINDING"]:
        edits.remove(tokens[-4:])
    return edits.apply()


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str


class _Edits:
    """Replacements in a text, to be made at once, so that positions stay true."""

    def __init__(self, sql: str):
        self._sql = sql
        self._edits: list[_Edit] = []

    def replace(self, tokens: list[Token], text: str) -> None:
        self._edits.append(_Edit(tokens[0].start, tokens[-1].end, text))

    def remove(self, tokens: list[Token]) -> None:
        if tokens:
            self.replace(tokens, "")

    def insert_after(self, token: Token, text: str) -> None:
        self._edits.append(_Edit(token.end, token.end, text))

    def apply(self) -> str:
        pieces, position = [], 0
        for edit in sorted(self._edits, key=lambda edit: (edit.start, edit.end)):
            pieces += [self._sql[position : edit.start], edit.text]
            position = edit.end
        return "".join([*pieces, self._sql[position:]])


def _replace_sysdate(tokens: list[Token], edits: _Edits) -> None:
    """SYSDATE takes no parentheses; the function that stands for it here needs them."""
    for before, token in pairwise(tokens):
        if token.keyword == "SYSDATE" and before.text != ".":
            edits.replace([token], "sysdate()")


def _closing(tokens: list[Token], opening: int) -> int:
    """Return where the parenthesis that opens at a position closes."""
    depth = 0
    for index in range(opening, len(tokens)):
        depth += (tokens[index].text == "(") - (tokens[index].text == ")")
        if depth == 0:
            return index
    raise syntax_error("")


def _items(tokens: list[Token]) -> list[list[Token]]:
    """Split the inside of a definition's parentheses at its commas; a separating comma stays with the item after it."""
    items: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text == ",":
            items.append([])
        items[-1].append(token)
    return items


def _rewrite_create_table(tokens: list[Token], table: int, edits: _Edits) -> None:
    position = table + 1
    while position < len(tokens) and tokens[position].text != "(":
        if tokens[position].keyword in ("AS", "DISTKEY", "DISTSTYLE", "SORTKEY", "COMPOUND", "INTERLEAVED", "BACKUP"):
            break
        position += 1
    if position < len(tokens) and tokens[position].text == "(":
        end = _closing(tokens, position)
        _rewrite_items(_items(tokens[position + 1 : end]), edits)
        position = end + 1
    _remove_table_attributes(tokens[position:], edits)


def _rewrite_items(items: list[list[Token]], edits: _Edits) -> None:
    columns: dict[str, list[Token]] = {}
    primary_key: list[str] = []
    for number, item in enumerate(items):
        definition = item[1:] if number else item
        if not definition:
            raise syntax_error(",")
        constraint = _constraint(definition)
        if constraint is None:
            columns[definition[0].name] = definition
            _rewrite_column(definition, edits)
        elif constraint in ("PRIMARY", "UNIQUE", "FOREIGN"):
            if constraint == "PRIMARY":
                names = [token.name for token in definition if token.is_name]
                primary_key = names[names.index("key") + 1 :]
            if not number:
                raise unsupported("A table definition that begins with a constraint")
            edits.remove(item)
    for name in primary_key:
        # Unenforced as to uniqueness, but a primary key's columns do refuse NULL.
        if name in columns:
            edits.insert_after(columns[name][-1], " NOT NULL")


def _constraint(definition: list[Token]) -> str | None:
    """Return the kind of table constraint (or LIKE) that a definition is, or None for a column."""
    words = [token.keyword for token in definition]
    if words[0] == "CONSTRAINT":
        words = words[2:]
    return words[0] if words and words[0] in ("PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "LIKE") else None


def _rewrite_column(definition: list[Token], edits: _Edits) -> None:
    _rewrite_type(definition, edits)
    position = 2
    while position < len(definition):
        length = _column_attribute(definition[position:], edits)
        position += length or 1


def _rewrite_type(definition: list[Token], edits: _Edits) -> None:
    if len(definition) < 2:
        return
    type_token = definition[1]
    has_length = len(definition) > 2 and definition[2].text == "("
    for before, token in pairwise(definition):
        if before.text == "(" and token.keyword == "MAX":
            edits.replace([token], _MAX_VARCHAR)
    name = _TYPES.get(type_token.keyword, type_token.text)
    if type_token.keyword in _DEFAULT_LENGTH and not has_length:
        name = f"varchar({_DEFAULT_LENGTH[type_token.keyword]})"
    if name != type_token.text:
        edits.replace([type_token], name)


def _column_attribute(rest: list[Token], edits: _Edits) -> int:
    """Rewrite the attribute that a column's tokens begin with; returns its length, or 0 for one that may stay."""
    following = rest[1].keyword if len(rest) > 1 else ""
    match rest[0].keyword:
        case "ENCODE":
            length = 2
        case "DISTKEY" | "SORTKEY" | "UNIQUE":
            length = 1
        case "PRIMARY" if following == "KEY":
            edits.replace(rest[:2], "NOT NULL")
            return 2
        case "REFERENCES":
            length = _reference_length(rest)
        case "IDENTITY" if following == "(":
            return _rewrite_identity(rest, "GENERATED ALWAYS AS ", edits)
        case "GENERATED" if [token.keyword for token in rest[1:5]] == ["BY", "DEFAULT", "AS", "IDENTITY"]:
            return 4 + _rewrite_identity(rest[4:], "", edits)
        case _:
            return 0
    edits.remove(rest[:length])
    return length


def _reference_length(rest: list[Token]) -> int:
    """`REFERENCES schema.table (column)`, in tokens."""
    length = 2
    while length + 1 < len(rest) and rest[length].text == ".":
        length += 2
    if length < len(rest) and rest[length].text == "(":
        length = _closing(rest, length) + 1
    return length


def _rewrite_identity(rest: list[Token], prefix: str, edits: _Edits) -> int:
    """`IDENTITY(seed, step)`; returns its length in tokens."""
    end = _closing(rest, 1)
    seed, _, step = "".join(token.text for token in rest[2:end]).partition(",")
    # PostgreSQL's own bound on this side is 1 or -1, which a seed may well be beyond.
    bound = "MAXVALUE" if step.startswith("-") else "MINVALUE"
    edits.replace(rest[: end + 1], f"{prefix}IDENTITY (START WITH {seed} INCREMENT BY {step} {bound} {seed})")
    return end + 1


def _remove_table_attributes(tokens: list[Token], edits: _Edits) -> None:
    position = 0
    while position < len(tokens) and tokens[position].keyword != "AS":
        word = tokens[position].keyword
        following = tokens[position + 1].keyword if position + 1 < len(tokens) else ""
        if word in ("DISTSTYLE", "ENCODE", "BACKUP"):
            length = 2
        elif word in ("COMPOUND", "INTERLEAVED"):
            length = 1
        elif word in ("DISTKEY", "SORTKEY"):
            length = _closing(tokens, position + 1) + 1 - position if following == "(" else 1 + (following == "AUTO")
        else:
            position += 1
            continue
        edits.remove(tokens[position : position + length])
        position += length


def _rewrite_alter_table(tokens: list[Token], edits: _Edits) -> None:
    position = next((i for i, token in enumerate(tokens) if i > 2 and token.keyword == "ADD"), None)
    if position is None or position + 1 >= len(tokens):
        return
    definition = tokens[position + 1 :]
    if definition[0].keyword == "COLUMN" and definition[0].kind is Kind.WORD:
        definition = definition[1:]
    constraint = _constraint(definition) if definition else None
    if constraint in ("PRIMARY", "UNIQUE", "FOREIGN"):
        raise unsupported(f"ALTER TABLE … ADD {constraint} (PostgreSQL would enforce it)")
    if definition and constraint is None:
        _rewrite_column(definition, edits)
