"""A target table's columns, as far as COPY has to know them."""

import re
from dataclasses import dataclass

from rsloader_provider.local.redshift.errors import RedshiftError, unsupported
from rsloader_provider.local.redshift.sql.quoting import Fragment, identifier, join

STRINGS = ("varchar", "bpchar", "text")
_KNOWN = frozenset({
    "int2", "int4", "int8", "numeric", "float4", "float8", "bool", "date", "timestamp", "timestamptz", "time", "timetz",
    "jsonb", "bytea", *STRINGS,
})  # fmt: skip
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")


@dataclass(frozen=True)
class Column:
    """One column that a COPY fills.

    Attributes:
        name: Its name.
        type_name: PostgreSQL's short name of its type, such as int4; SUPER is jsonb and VARBYTE is bytea.
        declared_type: The type as declared, such as numeric(8,2).
        length: Greatest length in bytes of a string column; None for other types and for no limit.
        precision: Digits of a numeric column; None for other types and for no limit.
        scale: Decimal places of a numeric column; None likewise.
        not_null: Whether it refuses NULL.
    """

    name: str
    type_name: str
    declared_type: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    not_null: bool = False

    @classmethod
    def from_catalog(cls, name: str, type_name: str, modifier: int, declared_type: str, *, not_null: bool) -> "Column":
        """Build a column from what pg_attribute says of it.

        Args:
            name: attname.
            type_name: typname.
            modifier: atttypmod, -1 for none.
            declared_type: format_type's answer.
            not_null: attnotnull.

        Raises:
            RedshiftError: COPY cannot fill this type here.
        """
        if type_name not in _KNOWN:
            raise unsupported(f"COPY into column {name} of type {declared_type}")
        numeric = _NUMERIC.fullmatch(declared_type)
        return cls(
            name=name,
            type_name=type_name,
            declared_type=declared_type,
            length=modifier - 4 if modifier >= 0 and type_name in ("varchar", "bpchar") else None,
            precision=int(numeric[1]) if numeric else None,
            scale=int(numeric[2]) if numeric else None,
            not_null=not_null,
        )


@dataclass(frozen=True)
class TableColumn:
    """A column with what decides whether a COPY fills it.

    Attributes:
        column: The column.
        identity: "a" where the table always makes its values, "d" where it does so by default, else empty.
    """

    column: Column
    identity: str


def chosen_columns(
    table: list[TableColumn], wanted: list[str] | None, *, explicit_ids: bool, table_name: str
) -> list[Column]:
    """Return the columns that a COPY fills, in the order of the fields.

    Args:
        table: All columns, in the table's order.
        wanted: The column list; None means all columns, but an identity column only with EXPLICIT_IDS.
        explicit_ids: Whether the objects hold the identity column's values.
        table_name: The table's name, for messages.

    Raises:
        RedshiftError: A column does not exist, or is one whose values the table makes.
    """
    known = {each.column.name: each for each in table}
    for name in wanted or ():
        if name not in known:
            raise RedshiftError(f'column "{name}" of relation "{table_name}" does not exist', code="42703")
        if known[name].identity == "a" and not explicit_ids:
            raise RedshiftError(f"cannot set identity column {name} to a value without EXPLICIT_IDS", code="42601")
    if wanted is None:
        return [each.column for each in table if explicit_ids or not each.identity]
    if explicit_ids and not any(known[name].identity for name in wanted):
        raise RedshiftError("EXPLICIT_IDS needs the identity column in the column list", code="42601")
    return [known[name].column for name in wanted]


def quoted_names(columns: list[Column]) -> Fragment:
    """Return the columns' names as SQL."""
    return join(", ", [identifier(column.name) for column in columns])
