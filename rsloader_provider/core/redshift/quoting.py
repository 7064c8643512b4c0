"""Names and values as SQL has them: whatever is quoted, is quoted here."""

from collections.abc import Iterable

from rsloader_provider.core.redshift.names import TableName, TemporaryTable


def identifier(name: str) -> str:
    """Quote a name.

    >>> identifier('or"ders')
    '"or""ders"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | int | None) -> str:
    r"""Quote a value. Redshift takes a backslash in a literal as an escape, so it is doubled.

    >>> literal("it's \\N")
    "'it''s \\\\N'"
    """
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def table(name: TableName | TemporaryTable) -> str:
    """Quote the name of a table."""
    if isinstance(name, TemporaryTable):
        return identifier(name.table)
    return f"{identifier(name.schema)}.{identifier(name.table)}"


def names(listed: Iterable[str]) -> str:
    """Quote names, with commas between them."""
    return ", ".join(map(identifier, listed))
