"""A Parquet file: which of its types feed which columns, and its rows in bounded batches.

Spectrum does not convert: the file's type must be the column's own.

Source: https://repost.aws/knowledge-center/redshift-spectrum-data-errors
"""

from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from rsloader_provider.local.redshift.copy.formats.batch_size import rows_per_batch
from rsloader_provider.local.redshift.copy.formats.columnar_errors import (
    ScannedObject,
    Target,
    feeding,
    precision_and_scale,
)

_MAGIC = b"PAR1"
_BUFFER_BYTES = 1 << 20
_INTEGER = {("INT32", "NONE"), ("INT32", "INT"), ("INT32", "UNKNOWN")}
_STRING = {("BYTE_ARRAY", "NONE"), ("BYTE_ARRAY", "STRING"), ("BYTE_ARRAY", "ENUM"), ("BYTE_ARRAY", "JSON")}
_TIMESTAMP = {("INT96", "NONE"), ("INT64", "TIMESTAMP")}
_TIME = {("INT32", "TIME"), ("INT64", "TIME")}
# Physical and logical type of the files' columns that each column takes.
_FEEDS = {
    "int2": _INTEGER,
    "int4": _INTEGER,
    "int8": {("INT64", "NONE"), ("INT64", "INT")},
    "numeric": {(physical, "DECIMAL") for physical in ("INT32", "INT64", "FIXED_LEN_BYTE_ARRAY", "BYTE_ARRAY")},
    "float4": {("FLOAT", "NONE")},
    "float8": {("DOUBLE", "NONE")},
    "bool": {("BOOLEAN", "NONE")},
    "date": {("INT32", "DATE")},
    "timestamp": _TIMESTAMP,
    "timestamptz": _TIMESTAMP,
    "time": _TIME,
    "timetz": _TIME,
    "varchar": _STRING,
    "bpchar": _STRING,
    "text": _STRING,
    "bytea": _STRING,
}


class ParquetFile:
    """One Parquet object.

    Args:
        file: Its content, seekable.
        scanned: Its names in messages.

    Raises:
        ScanError: It is not a Parquet file, or its footer is broken.
    """

    def __init__(self, file: IO[bytes], scanned: ScannedObject):
        self._scanned = scanned
        size = file.seek(0, 2)
        file.seek(max(0, size - len(_MAGIC)))
        tail = file.read(len(_MAGIC))
        if tail != _MAGIC:
            raise scanned.not_parquet(tail)
        file.seek(0)
        try:
            # With a buffer a column's pages are read as they are needed, and not all of a row group's at once. INT96
            # as nanoseconds would end in the year 2262.
            self._file = pq.ParquetFile(
                file, buffer_size=_BUFFER_BYTES, pre_buffer=False, coerce_int96_timestamp_unit="us"
            )
            fields = list(self._file.schema_arrow)
        except (pa.ArrowException, OSError) as error:
            raise scanned.corrupt(error) from error
        self.columns = len(fields)
        self._leaves: list[Any] = []
        leaf = 0
        for field in fields:
            leaves = _leaves(field.type)
            column = self._file.schema.column(leaf)
            # A lone leaf may still be the element of a list.
            self._leaves.append(column if _is_flat(field.type) else None)
            leaf += leaves

    def check(self, position: int, column: Target) -> None:
        """Refuse a column whose type is not the target's.

        Args:
            position: The file's column, from 0.
            column: The target; not SUPER, which takes every type.

        Raises:
            ScanError: In Spectrum's words.
            RedshiftError: Columns of the target's type cannot be loaded from Parquet here.
        """
        fed_by = feeding(column, _FEEDS, "Parquet")
        leaf = self._leaves[position]
        if leaf is None or (leaf.physical_type, leaf.logical_type.type) not in fed_by:
            raise self._scanned.incompatible_parquet(column, self._notation(position))
        if column.type_name == "numeric":
            precision, scale = precision_and_scale(column)
            expected = _decimal_bytes(precision)
            if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" and leaf.length != expected:
                raise self._scanned.wrong_decimal_length(leaf.name, expected, leaf.length)
            if leaf.scale != scale:
                raise self._scanned.wrong_scale(leaf.name, scale, leaf.scale)

    def is_document(self, position: int) -> bool:
        """Whether a column holds JSON texts, which go into SUPER as what they say and not as strings."""
        leaf = self._leaves[position]
        return leaf is not None and leaf.logical_type.type == "JSON"

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows.

        Raises:
            ScanError: A page is broken.
        """
        metadata = self._file.metadata
        groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
        row_bytes = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=0)
        try:
            yield from self._file.iter_batches(batch_size=rows_per_batch(self.columns, row_bytes))
        except (pa.ArrowException, OSError) as error:
            raise self._scanned.corrupt(error) from error

    def _notation(self, position: int) -> str:
        """A column's schema as Impala writes it, with the greatest definition and repetition levels."""
        field = self._file.schema_arrow.field(position)
        leaf = self._leaves[position]
        kind = "struct" if leaf is None else leaf.physical_type.lower()
        optional = "optional" if field.nullable else "required"
        return f"{optional} {kind} {field.name} [i:{position} d:{int(field.nullable)} r:0]"


def _is_flat(field_type: pa.DataType) -> bool:
    return not pa.types.is_nested(field_type)


def _leaves(field_type: pa.DataType) -> int:
    """Count the columns that the file has for a column of the schema."""
    if _is_flat(field_type):
        return 1
    return sum(_leaves(field_type.field(number).type) for number in range(field_type.num_fields))


def _decimal_bytes(precision: int) -> int:
    """The fewest bytes that hold every number of that many digits and its sign."""
    return (int(10**precision - 1).bit_length() + 1 + 7) // 8
