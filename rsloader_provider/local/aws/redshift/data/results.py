"""A statement's result set, as the Data API hands it out: fields, pages and the columns' description.

The result stays as the database sent it, and a page is made of it when it is asked for.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from psycopg.postgres import types

from rsloader_provider.local.aws.redshift.data.errors import invalid

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

# Source: https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-troubleshooting.html
_MOST_BYTES = 500_000_000
_MOST_ROW_BYTES = 65_536
# The documentation does not name a size; these pages are small enough for any client and few enough for a test.
_PAGE_ROWS = 1000
_PAGE_BYTES = 1_000_000

_WHOLE = frozenset({"int2", "int4", "int8", "oid"})
_FLOATING = frozenset({"float4", "float8"})
_CHARACTERS = frozenset({"varchar", "bpchar", "text", "name", "char"})
# Redshift's name for what stands for it in PostgreSQL.
_RENAMED = {"jsonb": "super", "bytea": "varbyte", "text": "varchar"}
_PRECISION = {
    "bool": 1, "int2": 5, "int4": 10, "oid": 10, "int8": 19, "float4": 8, "float8": 17,
    "date": 13, "time": 15, "timetz": 21, "timestamp": 29, "timestamptz": 35,
}  # fmt: skip
_MICROSECONDS = frozenset({"time", "timetz", "timestamp", "timestamptz"})
_HEADER_BYTES = 4  # PostgreSQL counts its own header in a type modifier


class Result:
    """One result set.

    Attributes:
        size_bytes: What its values take as text.
        row_count: Its rows.
    """

    def __init__(self, rows: PGresult) -> None:
        self._rows = rows
        self.row_count = rows.ntuples
        self._types = [_type_name(rows.ftype(column)) for column in range(rows.nfields)]
        sizes = [self._row_bytes(row) for row in range(rows.ntuples)]
        self.size_bytes = sum(sizes)
        self._widest_bytes = max(sizes, default=0)

    def excess(self) -> str | None:
        """Return the Data API's error for a result that is too large; None for one that is not."""
        if self._widest_bytes > _MOST_ROW_BYTES:
            return "Packet for query is too large"
        return "Database response exceeded size limit" if self.size_bytes > _MOST_BYTES else None

    def columns(self) -> list[dict[str, Any]]:
        """Return ColumnMetadata. A column's table, and whether the column may be NULL, are not known."""
        return [self._column(number) for number in range(self._rows.nfields)]

    def page(self, token: str | None) -> tuple[list[list[dict[str, Any]]], str | None]:
        """Return one page's records, and the token of the next page (None at the end).

        Raises:
            ServiceError: The token does not belong to this result.
        """
        first = row = self._row_of(token)
        size = 0
        while row < self.row_count and row - first < _PAGE_ROWS and (size < _PAGE_BYTES or row == first):
            size += self._row_bytes(row)
            row += 1
        records = [[self._field(each, column) for column in range(self._rows.nfields)] for each in range(first, row)]
        return records, (base64.urlsafe_b64encode(str(row).encode()).decode() if row < self.row_count else None)

    def _row_of(self, token: str | None) -> int:
        if not token:
            return 0
        try:
            row = int(base64.urlsafe_b64decode(token))
        except ValueError:
            row = -1
        if not 0 < row < self.row_count:
            raise invalid("Invalid NextToken.")
        return row

    def _row_bytes(self, row: int) -> int:
        return sum(len(self._rows.get_value(row, column) or b"") for column in range(self._rows.nfields))

    def _field(self, row: int, column: int) -> dict[str, Any]:
        value, kind = self._rows.get_value(row, column), self._types[column]
        if value is None:
            return {"isNull": True}
        if kind in _WHOLE:
            return {"longValue": int(value)}
        if kind == "bool":
            return {"booleanValue": value == b"t"}
        if kind in _FLOATING and value not in (b"NaN", b"Infinity", b"-Infinity"):
            return {"doubleValue": float(value)}
        if kind == "bytea":
            content = bytes.fromhex(value.decode().removeprefix("\\x"))
            return {"blobValue": base64.b64encode(content).decode()}
        return {"stringValue": value.decode()}

    def _column(self, number: int) -> dict[str, Any]:
        kind, modifier = self._types[number], self._rows.fmod(number)
        name = (self._rows.fname(number) or b"").decode()
        precision, scale = _PRECISION.get(kind, 0), 6 if kind in _MICROSECONDS else 0
        if modifier >= _HEADER_BYTES and kind == "numeric":
            precision, scale = divmod(modifier - _HEADER_BYTES, 1 << 16)
        elif modifier >= _HEADER_BYTES and kind in _CHARACTERS:
            precision = modifier - _HEADER_BYTES
        return {
            "name": name,
            "label": name,
            "typeName": _RENAMED.get(kind, kind),
            "precision": precision,
            "scale": scale,
            "length": 0,
            "nullable": 2,  # JDBC's word for not knowing
            "isSigned": kind in _WHOLE | _FLOATING or kind == "numeric",
            "isCaseSensitive": kind in _CHARACTERS,
            "isCurrency": False,
            "schemaName": "",
            "tableName": "",
        }


def _type_name(oid: int) -> str:
    known = types.get(oid)
    return known.name if known else "unknown"


def result_of(answer: PGresult) -> Result | None:
    """Return the result set of a statement, None if it has none."""
    if not answer.nfields:
        return None
    return Result(answer)
