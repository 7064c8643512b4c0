r"""SQL that this package sends to PostgreSQL, quoted in one place.

`render` is the only way a value gets into a statement. PostgreSQL runs with standard_conforming_strings off, as
Redshift does, so that a backslash in a literal is an escape: literals with one are written as E'' with it doubled.

>>> print(render("SELECT {value} FROM {table}", value="it's", table=identifier("Orders")))
SELECT 'it''s' FROM "Orders"
"""

from collections.abc import Iterable
from typing import LiteralString


class Fragment(str):
    """SQL that needs no more quoting."""

    __slots__ = ()


Value = str | int | float | bool | None


def identifier(name: str) -> Fragment:
    """Quote a name."""
    return Fragment('"' + name.replace('"', '""') + '"')


def literal(value: Value) -> Fragment:
    """Quote a value; a Fragment stays as it is and None becomes NULL."""
    match value:
        case Fragment():
            return value
        case None:
            return Fragment("NULL")
        case str():
            quoted = "'" + value.replace("'", "''").replace("\\", "\\\\").replace("\0", "") + "'"
            return Fragment("E" + quoted if "\\" in value else quoted)
        case _:
            return Fragment(str(value))


def render(template: LiteralString, **values: Value) -> Fragment:
    """Fill a statement's placeholders; text is quoted as a literal, a Fragment goes in as it is."""
    return Fragment(template.format_map({name: literal(value) for name, value in values.items()}))


def join(separator: LiteralString, parts: Iterable[Fragment]) -> Fragment:
    """Put fragments in a row."""
    return Fragment(separator.join(parts))
