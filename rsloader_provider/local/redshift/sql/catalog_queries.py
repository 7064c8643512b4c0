"""Queries of the system catalog, as dialects and BI tools send them to Redshift.

Some of its relations have columns in Redshift that PostgreSQL does not have: views of the same name in the schema
`local_redshift` add them (see driver_lookups.sql).

Redshift lets WHERE name an expression of the select list, where PostgreSQL knows only columns. Only the columns' names
tell the two apart, so this is done for queries that read the system catalog and nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rsloader_provider.local.redshift.sql.edits import Edits, items
from rsloader_provider.local.redshift.sql.tokens import Token

_RELATIONS = frozenset({"pg_class", "pg_attribute", "pg_attrdef", "pg_constraint"})
_FUNCTIONS = frozenset({"pg_get_constraintdef"})
_CATALOG_PREFIXES = ("pg_", "svv_external_")
_AFTER_WHERE = frozenset({"GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "MINUS"})


def rewrite_catalog_query(sql: str, tokens: list[Token], edits: Edits) -> None:
    """Rewrite what a query of the system catalog spells differently in Redshift; leave other statements alone.

    Args:
        sql: The statement.
        tokens: Its tokens.
        edits: What is changed in it.
    """
    if not any(token.is_name and token.name.startswith(_CATALOG_PREFIXES) for token in tokens):
        return
    _rewrite_names(tokens, edits)
    for select in _selects(tokens):
        if all(relation.startswith(_CATALOG_PREFIXES) for relation in select.relations):
            _rewrite_where(sql, select, edits)


@dataclass(frozen=True)
class _Select:
    """One SELECT with a FROM and a WHERE; each part without the word that it begins with, parentheses included."""

    columns: list[Token]
    sources: list[Token]
    where: list[Token]

    @property
    def relations(self) -> list[str]:
        """The names of what it reads, without their schemas; an empty one for a subquery."""
        names = [""]
        depth = 0
        for before, token, after in zip([None, *self.sources], self.sources, [*self.sources[1:], None], strict=False):
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0 and (before is None or before.keyword in (",", "JOIN")):
                names.append("")
            if depth == 0 and token.is_name and not names[-1] and (after is None or after.text != "."):
                names[-1] = token.name
        return names[1:]


def _selects(tokens: list[Token]) -> Iterator[_Select]:
    for start, token in enumerate(tokens):
        if token.keyword == "SELECT":
            parts = _parts(tokens[start + 1 :])
            if "FROM" in parts and "WHERE" in parts:
                yield _Select(parts["SELECT"], parts["FROM"], parts["WHERE"])


def _parts(tokens: list[Token]) -> dict[str, list[Token]]:
    """Cut what follows a SELECT into its select list, its FROM and its WHERE."""
    parts: dict[str, list[Token]] = {"SELECT": []}
    part, depth = "SELECT", 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth < 0 or (depth == 0 and token.keyword in _AFTER_WHERE):
            break
        if depth == 0 and token.keyword in ("FROM", "WHERE"):
            part = token.keyword
            parts[part] = []
        else:
            parts[part].append(token)
    return parts


def _rewrite_names(tokens: list[Token], edits: Edits) -> None:
    around = [None, None, *tokens]
    for index, token in enumerate(tokens):
        if not token.is_name or token.name not in _RELATIONS | _FUNCTIONS:
            continue
        schema, dot = around[index], around[index + 1]
        if dot is not None and dot.text == ".":
            if schema is not None and schema.name == "pg_catalog":
                edits.replace(tokens[index - 2 : index + 1], f"local_redshift.{token.name}")
        elif token.name in _FUNCTIONS or (dot is not None and dot.keyword in ("FROM", "JOIN", ",")):
            edits.replace([token], f"local_redshift.{token.name}")


def _rewrite_where(sql: str, select: _Select, edits: Edits) -> None:
    expressions = dict(_aliased(sql, select.columns))
    where = select.where
    if where and where[0].text == "1" and (len(where) == 1 or where[1].keyword in ("AND", "OR")):
        edits.replace(where[:1], "true")  # an integer is a condition there
    for before, token, after in zip([None, *where], where, [*where[1:], None], strict=False):
        if (
            token.is_name
            and token.name in expressions
            and (before is None or before.text != ".")
            and (after is None or after.text not in (".", "("))
        ):
            edits.replace([token], f"({expressions[token.name]})")


def _aliased(sql: str, columns: list[Token]) -> Iterator[tuple[str, str]]:
    """Return the names given in a select list, each with its expression's text."""
    for number, item in enumerate(items(columns)):
        definition = item[1:] if number else item
        if len(definition) > 2 and definition[-2].keyword == "AS":
            yield definition[-1].name, sql[definition[0].start : definition[-3].end]
