"""What the scanner of Parquet and ORC says about an object that it cannot load, in Redshift Spectrum's words.

Spectrum's Parquet reader descends from Apache Impala's: the words that users of Redshift report are Impala's, so
where nobody has reported any, Impala's stand here.

Source: https://docs.aws.amazon.com/redshift/latest/dg/c-spectrum-troubleshooting.html
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import quote

from rsloader_provider.local.redshift.copy.formats import Refusal
from rsloader_provider.local.redshift.errors import unsupported

T = TypeVar("T")

_NAMES = {
    "int2": "SMALLINT",
    "int4": "INT",
    "int8": "BIGINT",
    "float4": "FLOAT",
    "float8": "DOUBLE",
    "bool": "BOOLEAN",
    "bpchar": "CHAR",
    "text": "VARCHAR",
    "bytea": "VARBYTE",
}


class Target(Protocol):
    """The column that a column of the file goes into.

    Attributes:
        name: Its name.
        type_name: PostgreSQL's short name of its type; SUPER is jsonb, VARBYTE is bytea.
        declared_type: The type as declared, such as numeric(8,2).
        length: Greatest length in bytes; None for no limit.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 (as above)
    @property
    def type_name(self) -> str: ...  # noqa: D102
    @property
    def declared_type(self) -> str: ...  # noqa: D102
    @property
    def length(self) -> int | None: ...  # noqa: D102


def feeding(column: Target, feeds: Mapping[str, Set[T]], file_format: str) -> Set[T]:
    """Give the file's types that a column takes.

    Args:
        column: The column.
        feeds: The file's types, for each type of column.
        file_format: The format, for the message.

    Raises:
        RedshiftError: No type of this format fits the column.
    """
    if column.type_name not in feeds:
        raise unsupported(f"COPY from {file_format} into a column of type {column.declared_type}")
    return feeds[column.type_name]


class ScanError(Exception):
    """The scanner gives up on the object, and the COPY fails with a Spectrum Scan Error.

    Attributes:
        detail_code: The code in the error's detail.
        row: The row at fault within its batch, from 0; None when it is the file as a whole.
        column: The place of the column at fault, from 0; None when it is the file as a whole.
        value: The text of the value at fault.
    """

    def __init__(self, message: str, *, detail_code: int = 15007, row: int | None = None, value: str = ""):
        super().__init__(message)
        self.detail_code = detail_code
        self.row = row
        self.column: int | None = None
        self.value = value


class RefusedValueError(Exception):
    """The scanner has read a value that the target cannot take, and the COPY fails with a load error.

    Attributes:
        row: Its row within its batch, from 0.
        refusal: Why.
    """

    def __init__(self, row: int, refusal: Refusal):
        super().__init__(refusal.reason)
        self.row = row
        self.refusal = refusal


def precision_and_scale(column: Target) -> tuple[int, int]:
    """Return what a numeric column was declared with; DECIMAL alone means (18,0)."""
    match = re.fullmatch(r"numeric\((\d+),(\d+)\)", column.declared_type)
    return (int(match[1]), int(match[2])) if match else (18, 0)


@dataclass(frozen=True)
class ScannedObject:
    """The object being scanned, as messages name it.

    Attributes:
        url: Its S3 URL.
        source: The S3 URL that the COPY gives, which stands in front of column names.
        region: The bucket's region.
    """

    url: str
    source: str
    region: str

    @property
    def https(self) -> str:
        """The URL from which Spectrum reads it."""
        return f"https://s3.{self.region}.amazonaws.com/{quote(self.url.removeprefix('s3://'))}"

    def unmatched_columns(self, table: int, data: int) -> ScanError:
        """Refuse a file that has more or fewer columns than the COPY fills."""
        return ScanError(
            f"Unmatched number of columns between table and file. Table columns: {table}, Data columns: {data}, "
            f"File name: {self.https}"
        )

    def incompatible_parquet(self, column: Target, schema: str) -> ScanError:
        """Refuse a Parquet column of another type; its schema comes in Impala's notation."""
        return ScanError(
            f"File '{self.https}' has an incompatible Parquet schema for column '{self.source}.{column.name}'. "
            f"Column type: {_type_name(column)}, Parquet schema:\n{schema}"
        )

    def incompatible_orc(self, column: Target, file_type: str) -> ScanError:
        """Refuse an ORC column of another type."""
        return ScanError(
            f"File '{self.https}' declared column type {_type_name(column)} for column {column.name} incompatible with "
            f"ORC file column type {file_type}"
        )

    def wrong_decimal_length(self, name: str, expected: int, found: int) -> ScanError:
        """Refuse a Parquet decimal of another number of bytes than the column's precision takes."""
        return ScanError(
            f"File '{self.https}' column '{name}' has an invalid type length. Expecting: {expected} "
            f"len in file: {found}",
            detail_code=15001,
        )

    def wrong_scale(self, name: str, table: int, data: int) -> ScanError:
        """Refuse a decimal of another scale than the column's."""
        return ScanError(
            f"File '{self.https}' column '{name}' has a scale that does not match the table metadata scale. "
            f"File metadata scale: {data} Table metadata scale: {table}"
        )

    def too_long(self, column: Target, data: int, row: int, value: str) -> ScanError:
        """Refuse a string of too many bytes."""
        return ScanError(
            f"The length of the data column {column.name} is longer than the length defined in the table. "
            f"Table: {column.length}, Data: {data}, File name: {self.https}",
            row=row,
            value=value,
        )

    def out_of_range(self, column: Target, kind: str) -> ScanError:
        """Refuse a date or timestamp outside the years 1 to 9999."""
        return ScanError(
            f"File '{self.https}' column '{column.name}' contains an out of range {kind}. "
            "The valid date range is 0001-01-01..9999-12-31."
        )

    def not_parquet(self, tail: bytes) -> ScanError:
        """Refuse a file that does not end in Parquet's magic number."""
        return ScanError(f"File '{self.https}' has an invalid version number: {_printable(tail)}")

    def corrupt(self, reason: Exception) -> ScanError:
        """Refuse a file whose content contradicts its own metadata."""
        return ScanError(f"File '{self.https}' is corrupt: {_printable(str(reason).partition(chr(10))[0].encode())}")


def _type_name(column: Target) -> str:
    if column.type_name == "numeric":
        precision, scale = precision_and_scale(column)
        return f"DECIMAL({precision}, {scale})"
    return _NAMES.get(column.type_name, column.type_name.upper())


def _printable(text: bytes) -> str:
    """A C string ends at its first NUL, which no message can hold either."""
    return text.partition(b"\0")[0].decode(errors="replace")
