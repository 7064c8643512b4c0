"""MERGE: PostgreSQL's own where the two agree, and REMOVE DUPLICATES as a DELETE and an INSERT in one statement.

Source: https://docs.aws.amazon.com/redshift/latest/dg/r_MERGE.html
"""

from rsloader_provider.local.redshift.errors import RedshiftError, syntax_error, unsupported
from rsloader_provider.local.redshift.sql.edits import Edits, closing, table_end
from rsloader_provider.local.redshift.sql.quoting import Fragment, render
from rsloader_provider.local.redshift.sql.tokens import Token

_ACTIONS = (
    (["WHEN", "MATCHED", "THEN", "UPDATE", "SET"], ["WHEN", "MATCHED", "THEN", "DELETE"]),
    (["WHEN", "NOT", "MATCHED", "THEN", "INSERT"],),
)


def rewrite_merge(tokens: list[Token], edits: Edits) -> str:
    """Return a MERGE as PostgreSQL understands it.

    Args:
        tokens: The statement.
        edits: What has been changed in it already, as in every statement.

    Raises:
        RedshiftError: 42601 for what PostgreSQL takes and Redshift does not: an alias of the target, a condition of a
            WHEN, one WHEN without the other; 0A000 for a source that is the target, and for REMOVE DUPLICATES with a
            query as its source.
    """
    target = tokens[2 : table_end(tokens, 2)]
    using = 2 + len(target)
    _expect(tokens, using, "USING")
    on = _source_end(tokens, using + 1)
    _expect(tokens, on, "ON")
    source = tokens[using + 1 : on]
    if not target or not source:
        raise syntax_error(tokens[using].text)
    if _name(source[: table_end(source, 0)]) == _name(target):
        raise RedshiftError("MERGE: the source and the target are the same table", code="0A000")
    if [token.keyword for token in tokens[-2:]] == ["REMOVE", "DUPLICATES"]:
        condition = edits.apply(tokens[on + 1].start, tokens[-3].end)
        return _remove_duplicates(target, source, Fragment(condition))
    _check_clauses(tokens[on + 1 :])
    return edits.apply()


def _source_end(tokens: list[Token], start: int) -> int:
    """Return the position after the source, which is a table or a query and may have an alias."""
    is_query = start < len(tokens) and tokens[start].text == "("
    end = closing(tokens, start) + 1 if is_query else table_end(tokens, start)
    if end < len(tokens) and tokens[end].keyword == "AS":
        end += 1
    if end < len(tokens) and tokens[end].is_name and tokens[end].keyword != "ON":
        end += 1
    return end


def _expect(tokens: list[Token], position: int, keyword: str) -> None:
    if position >= len(tokens):
        raise syntax_error("")
    if tokens[position].keyword != keyword:
        raise syntax_error(tokens[position].text)


def _name(table: list[Token]) -> str:
    return ".".join(token.name for token in table if token.is_name)


def _check_clauses(tokens: list[Token]) -> None:
    """Require one WHEN MATCHED and one WHEN NOT MATCHED, in this order, and nothing else."""
    clauses: list[int] = []
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.text == "(" or token.keyword == "CASE") - (token.text == ")" or token.keyword == "END")
        if depth == 0 and token.keyword == "WHEN":
            clauses.append(index)
        elif depth == 0 and token.keyword == "RETURNING":
            raise syntax_error(token.text)
    if len(clauses) < len(_ACTIONS):
        raise syntax_error("")
    if len(clauses) > len(_ACTIONS):
        raise syntax_error(tokens[clauses[len(_ACTIONS)]].text)
    for start, allowed in zip(clauses, _ACTIONS, strict=True):
        words = [token.keyword for token in tokens[start : start + 5]]
        if not any(words[: len(action)] == action for action in allowed):
            raise syntax_error(tokens[start].text)


def _remove_duplicates(target: list[Token], source: list[Token], condition: Fragment) -> str:
    """Delete every row of the target that the source matches, and insert the whole source."""
    if not source[0].is_name:
        raise unsupported("MERGE … REMOVE DUPLICATES with a query as its source")
    named = source[: table_end(source, 0)]
    table, rows = _sql(target), _sql(named)
    alias = Fragment(source[-1].text) if len(source) > len(named) else rows
    joined = render("{rows} AS {alias}", rows=rows, alias=alias) if alias != rows else rows
    # The check stands in a query of its own, which PostgreSQL answers once and before it reads the source.
    return render(
        "WITH local_redshift_deleted AS (DELETE FROM {table} USING {joined} WHERE {condition}) "
        "INSERT INTO {table} SELECT {alias}.* FROM {joined} WHERE (SELECT local_redshift.check_merge("
        "{table_name}, {source_name}, EXISTS (SELECT FROM {table} JOIN {joined} ON {condition} "
        "GROUP BY {table}.tableoid, {table}.ctid HAVING count(*) > 1)))",
        table=table,
        joined=joined,
        alias=alias,
        condition=condition,
        table_name=str(table),
        source_name=str(rows),
    )


def _sql(table: list[Token]) -> Fragment:
    return Fragment("".join(token.text for token in table))
