"""Named parameters: `:name` in a statement becomes `$1`, and the database converts the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rsloader_provider.local.aws.redshift.data.errors import invalid
from rsloader_provider.local.redshift.sql.tokens import Kind, tokenize

if TYPE_CHECKING:
    from collections.abc import Mapping


class NumberedSql(NamedTuple):
    """A statement with numbered parameters, and their names in order."""

    sql: str
    names: list[str]


def number(sql: str) -> NumberedSql:
    """Number a statement's parameters; a name that occurs twice has one number.

    >>> number("SELECT :a::int + :b, ':c' WHERE x > :a")
    NumberedSql(sql="SELECT $1::int + $2, ':c' WHERE x > $1", names=['a', 'b'])
    """
    names: list[str] = []
    pieces: list[str] = []
    done = 0
    tokens = tokenize(sql)
    for before, colon, name in zip([None, *tokens], tokens, tokens[1:], strict=False):
        if colon.text != ":" or name.start != colon.end or name.kind not in (Kind.WORD, Kind.NUMBER):
            continue
        if before and before.text == ":" and before.end == colon.start:
            continue  # the second half of a cast
        if name.text not in names:
            names.append(name.text)
        pieces += [sql[done : colon.start], f"${names.index(name.text) + 1}"]
        done = name.end
    return NumberedSql("".join(pieces) + sql[done:], names)


def number_all(sqls: list[str], values: Mapping[str, str]) -> list[NumberedSql]:
    """Number the parameters of a request's statements, which share its values.

    Without values nothing is numbered, so that a colon stays a colon.

    Raises:
        ServiceError: A parameter has no value, or a value has no parameter.
    """
    if not values:
        return [NumberedSql(sql, []) for sql in sqls]
    numbered = [number(sql) for sql in sqls]
    for each in numbered:
        for name in each.names:
            if name not in values:
                raise invalid(f"Cannot find parameter: {name}")
    unused = [name for name in values if not any(name in each.names for each in numbered)]
    if unused:
        raise invalid(f"Parameters list contains unused parameters. Unused parameters: [{', '.join(unused)}]")
    return numbered
