"""ALTER TABLE … APPEND FROM …: every row of one table moves to another.

Source: https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE_APPEND.html

Compression, distribution and sort keys have to agree on Redshift and are not kept here, so they are not compared.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rsloader_provider.local.redshift.errors import RedshiftError, syntax_error
from rsloader_provider.local.redshift.sql.edits import table_end
from rsloader_provider.local.redshift.sql.quoting import Fragment, identifier, join, render

if TYPE_CHECKING:
    from rsloader_provider.local.redshift.sql.tokens import Token
    from rsloader_provider.local.redshift.wire.backend import Backend


@dataclass(frozen=True)
class TableAppend:
    """What an ALTER TABLE APPEND says.

    Attributes:
        target: The table that gets the rows, as SQL.
        source: The table that is empty afterwards, as SQL.
        ignore_extra: Whether columns that only the source has are left out.
        fill_target: Whether columns that only the target has get their default.
    """

    target: Fragment
    source: Fragment
    ignore_extra: bool = False
    fill_target: bool = False


def parse_append(tokens: "list[Token]") -> TableAppend | None:
    """Read an ALTER TABLE APPEND; None for any other statement.

    Raises:
        RedshiftError: 42601; more words follow its end.
    """
    words = [token.keyword for token in tokens]
    end = table_end(tokens, 2)
    if words[:2] != ["ALTER", "TABLE"] or words[end : end + 2] != ["APPEND", "FROM"]:
        return None
    source_end = table_end(tokens, end + 2)
    options = words[source_end:]
    if source_end == end + 2 or options not in ([], ["IGNOREEXTRA"], ["FILLTARGET"]):
        raise syntax_error(tokens[-1].text if options else "")
    return TableAppend(
        target=Fragment("".join(token.text for token in tokens[2:end])),
        source=Fragment("".join(token.text for token in tokens[end + 2 : source_end])),
        ignore_extra=options == ["IGNOREEXTRA"],
        fill_target=options == ["FILLTARGET"],
    )


async def run_append(backend: "Backend", append: TableAppend) -> None:
    """Move the rows, within the transaction that is open.

    Both tables are locked against other writers first, as for any write.

    Raises:
        RedshiftError: The tables do not fit together, or the user does not own both.
    """
    for table in (append.target, append.source):
        await backend.call(render("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE", table=table))
    target = await _columns(backend, append.target)
    source = await _columns(backend, append.source)
    columns = _moved_columns(append, target, source)
    await backend.call(
        render(
            "INSERT INTO {target} ({columns}) SELECT {columns} FROM {source}; DELETE FROM {source}",
            target=append.target,
            source=append.source,
            columns=join(", ", map(identifier, columns)),
        )
    )


@dataclass(frozen=True)
class _Column:
    attributes: tuple[str | None, ...]
    is_identity: bool


async def _columns(backend: "Backend", table: Fragment) -> dict[str, _Column]:
    answer = await backend.call(
        render(
            "SELECT a.attname, a.attidentity, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, "
            "c.relname, c.relkind = 'r' AND c.relpersistence = 'p', pg_catalog.pg_has_role(c.relowner, 'USAGE') "
            "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid "
            "WHERE c.oid = {table}::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            table=str(table),
        )
    )
    columns: dict[str, _Column] = {}
    for name, identity, type_name, not_null, table_name, is_permanent, is_owner in answer.rows:
        if is_permanent != "t":
            raise RedshiftError(f'ALTER TABLE APPEND: "{table_name}" is not a permanent table', code="42809")
        if is_owner != "t":
            raise RedshiftError(f"must be owner of relation {table_name}", code="42501")
        columns[str(name)] = _Column((type_name, not_null), is_identity=identity == "a")
    return columns


def _moved_columns(append: TableAppend, target: dict[str, _Column], source: dict[str, _Column]) -> list[str]:
    """Return the columns that both tables have; an identity column counts as one that only its table has."""
    if any(column.is_identity for column in target.values()) and any(c.is_identity for c in source.values()):
        raise RedshiftError("ALTER TABLE APPEND: both tables have an identity column", code="0A000")
    there = {name: column for name, column in target.items() if not column.is_identity}
    here = {name: column for name, column in source.items() if not column.is_identity}
    if source.keys() - there.keys() and not append.ignore_extra:
        raise _extra("source", "IGNOREEXTRA", source.keys() - there.keys())
    if target.keys() - here.keys() and not append.fill_target:
        raise _extra("target", "FILLTARGET", target.keys() - here.keys())
    for name in there.keys() & here.keys():
        if there[name].attributes != here[name].attributes:
            raise RedshiftError(f'ALTER TABLE APPEND: column "{name}" differs between the tables', code="42804")
    return [name for name in there if name in here]


def _extra(which: str, option: str, names: set[str]) -> RedshiftError:
    listed = ", ".join(f'"{name}"' for name in sorted(names))
    return RedshiftError(f"ALTER TABLE APPEND: only the {which} has {listed}; say {option}", code="42703")
