"""ALTER TABLE in PostgreSQL's words.

Source: https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
"""

from rsloader_provider.local.redshift.errors import RedshiftError, syntax_error, unsupported
from rsloader_provider.local.redshift.sql.ddl import constraint_kind, rewrite_column
from rsloader_provider.local.redshift.sql.edits import Edits, items, table_end
from rsloader_provider.local.redshift.sql.tokens import Token

_HINTS = ("DISTKEY", "DISTSTYLE", "SORTKEY", "COMPOUND", "INTERLEAVED", "ENCODE")
_VARCHAR = ("VARCHAR", "NVARCHAR", "CHARACTER")
# Does nothing, but only for the table's owner, and fails if there is no such table.
_NOTHING = "RESET (fillfactor)"


def rewrite_alter_table(tokens: list[Token], edits: Edits) -> None:
    """Rewrite ALTER TABLE. A change of storage has no effect, but only the table's owner may ask for it.

    Args:
        tokens: The statement.
        edits: What is changed in it.

    Raises:
        RedshiftError: 0A000 for a constraint that PostgreSQL would enforce and Redshift would not, and for a change of
            type that Redshift refuses; 42601 for a permanent table that would be named like a temporary one.
    """
    end = table_end(tokens, 2)
    action = tokens[end:]
    match [token.keyword for token in action]:
        case ["ADD", "COLUMN", _, *_]:
            _add(action[2:], edits)
        case ["ADD", _, *_]:
            _add(action[1:], edits)
        case ["ALTER", word, *_] if word in _HINTS:
            edits.replace(action, _NOTHING)
        case ["ALTER", "COLUMN", _, "ENCODE", _, *_] | ["ALTER", _, "ENCODE", _, *_]:
            if not all(part[-2].keyword == "ENCODE" for part in items(action) if len(part) > 2):
                raise unsupported("ALTER TABLE … ALTER COLUMN … ENCODE with other changes")
            edits.replace(action, _NOTHING)
        case ["ALTER", "COLUMN", _, "TYPE", type_name, *_] if type_name not in _VARCHAR:
            raise RedshiftError(f'target data type "{action[4].text.lower()}" is not supported', code="0A000")
        case ["RENAME", "TO", _, *_] if action[2].is_temporary and not tokens[end - 1].is_temporary:
            raise RedshiftError("a permanent table's name cannot begin with #", code="42602")


def alters_a_column(tokens: list[Token]) -> bool:
    """Tell whether a statement is an ALTER TABLE that changes a column's type or encoding."""
    words = [token.keyword for token in tokens]
    if words[:2] != ["ALTER", "TABLE"]:
        return False
    return words[table_end(tokens, 2) :][:2] == ["ALTER", "COLUMN"]


def _add(definition: list[Token], edits: Edits) -> None:
    if not definition:
        raise syntax_error("")
    constraint = constraint_kind(definition)
    if constraint in ("PRIMARY", "UNIQUE", "FOREIGN"):
        raise unsupported(f"ALTER TABLE … ADD {constraint} (PostgreSQL would enforce it)")
    if constraint is None:
        rewrite_column(definition, edits)
