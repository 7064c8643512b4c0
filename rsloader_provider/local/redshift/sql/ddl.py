"""Redshift's table definitions in PostgreSQL's words.

Storage hints are removed. So are constraints that Redshift takes but does not enforce, because PostgreSQL would enforce
them. Of a primary key, what Redshift shows of it is kept.
"""

from rsloader_provider.local.redshift.errors import syntax_error, unsupported
from rsloader_provider.local.redshift.sql import declared_keys
from rsloader_provider.local.redshift.sql.edits import Edits, closing, items, table_end
from rsloader_provider.local.redshift.sql.tokens import Token

_TYPES = {"SUPER": "jsonb", "DATETIME": "timestamp", "NVARCHAR": "varchar", "BPCHAR": "char(256)"}
# These have a length in Redshift even if none is given.
_DEFAULT_LENGTH = {"VARCHAR": 256, "NVARCHAR": 256, "CHARACTER VARYING": 256, "TEXT": 256}
_BINARY = ("VARBYTE", "VARBINARY", "BINARY VARYING")
_DEFAULT_BINARY_LENGTH = "64000"
_TABLE_ATTRIBUTES = ("DISTKEY", "DISTSTYLE", "SORTKEY", "COMPOUND", "INTERLEAVED", "BACKUP")


def rewrite_create_table(tokens: list[Token], table: int, edits: Edits) -> None:
    """Rewrite CREATE TABLE: with columns, LIKE another table or AS a query.

    Args:
        tokens: The statement.
        table: Where its word TABLE stands.
        edits: What is changed in it.

    Raises:
        RedshiftError: PostgreSQL cannot say it with the same meaning.
    """
    position = table + 1
    while position < len(tokens) and tokens[position].text != "(":
        if tokens[position].keyword in ("AS", *_TABLE_ATTRIBUTES):
            break
        position += 1
    if position < len(tokens) and tokens[position].text == "(":
        end = closing(tokens, position)
        _rewrite_items(items(tokens[position + 1 : end]), tokens[position - 1].name, edits)
        position = end + 1
    _remove_table_attributes(tokens[position:], edits)


def _rewrite_items(definitions: list[list[Token]], table: str, edits: Edits) -> None:
    columns: dict[str, list[Token]] = {}
    primary_key: list[str] = []
    key_name: str | None = None
    for number, item in enumerate(definitions):
        definition = item[1:] if number else item
        if not definition:
            raise syntax_error(",")
        constraint = constraint_kind(definition)
        if constraint is None:
            columns[definition[0].name] = definition
            if declared_keys.is_primary_key(definition):
                primary_key = [definition[0].name]
            rewrite_column(definition, edits)
        elif constraint in ("PRIMARY", "UNIQUE", "FOREIGN"):
            if constraint == "PRIMARY":
                names = [token.name for token in definition if token.is_name]
                primary_key = names[names.index("key") + 1 :]
                key_name = definition[1].name if definition[0].keyword == "CONSTRAINT" else None
            if not number:
                raise unsupported("A table definition that begins with a constraint")
            edits.remove(item)
    for name in primary_key:
        # Unenforced as to uniqueness, but a primary key's columns do refuse NULL.
        if name in columns:
            edits.insert_after(columns[name][-1], " NOT NULL")
    if primary_key:
        edits.insert_after(definitions[-1][-1], ", " + declared_keys.primary_key(table, primary_key, key_name))


def constraint_kind(definition: list[Token]) -> str | None:
    """Return the kind of table constraint (or LIKE) that a definition is, or None for a column."""
    words = [token.keyword for token in definition]
    if words[0] == "CONSTRAINT":
        words = words[2:]
    return words[0] if words and words[0] in ("PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "LIKE") else None


def rewrite_column(definition: list[Token], edits: Edits) -> None:
    """Rewrite a column's definition: its type, and what follows the type."""
    _rewrite_type(definition, edits)
    position = 2
    while position < len(definition):
        length = _column_attribute(definition[position:], edits)
        position += length or 1


def _rewrite_type(definition: list[Token], edits: Edits) -> None:
    words = [token.keyword for token in definition[1:3]]
    end = 3 if words in (["CHARACTER", "VARYING"], ["BINARY", "VARYING"]) else 2
    type_name = definition[1:end]
    length = (
        definition[end : closing(definition, end) + 1] if [t.text for t in definition[end : end + 1]] == ["("] else []
    )
    name = " ".join(token.keyword for token in type_name)
    if name in _BINARY:
        # bytea has no length of its own.
        most = "".join(token.text for token in length) or _DEFAULT_BINARY_LENGTH
        edits.replace(type_name + length, f"bytea CHECK (octet_length({definition[0].text}) <= {most})")
    elif name in _DEFAULT_LENGTH and not length:
        edits.replace(type_name, f"varchar({_DEFAULT_LENGTH[name]})")
    elif name in _TYPES:
        edits.replace(type_name, _TYPES[name])


def _column_attribute(rest: list[Token], edits: Edits) -> int:
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
        case "COLLATE" if following == "CASE_SENSITIVE":  # as everything is here
            length = 2
        case "COLLATE" if following == "CASE_INSENSITIVE":
            raise unsupported("COLLATE CASE_INSENSITIVE")
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
    length = table_end(rest, 1)
    if length < len(rest) and rest[length].text == "(":
        length = closing(rest, length) + 1
    return length


def _rewrite_identity(rest: list[Token], prefix: str, edits: Edits) -> int:
    """`IDENTITY(seed, step)`; returns its length in tokens."""
    end = closing(rest, 1)
    seed, _, step = "".join(token.text for token in rest[2:end]).partition(",")
    # PostgreSQL's own bound on this side is 1 or -1, and a seed may be beyond that.
    bound = "MAXVALUE" if step.startswith("-") else "MINVALUE"
    edits.replace(rest[: end + 1], f"{prefix}IDENTITY (START WITH {seed} INCREMENT BY {step} {bound} {seed})")
    return end + 1


def _remove_table_attributes(tokens: list[Token], edits: Edits) -> None:
    position = 0
    while position < len(tokens) and tokens[position].keyword != "AS":
        word = tokens[position].keyword
        following = tokens[position + 1].keyword if position + 1 < len(tokens) else ""
        if word in ("DISTSTYLE", "ENCODE", "BACKUP"):
            length = 2
        elif word in ("COMPOUND", "INTERLEAVED"):
            length = 1
        elif word in ("DISTKEY", "SORTKEY"):
            length = closing(tokens, position + 1) + 1 - position if following == "(" else 1 + (following == "AUTO")
        else:
            position += 1
            continue
        edits.remove(tokens[position : position + length])
        position += length
