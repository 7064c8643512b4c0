"""An ORC file: which of its types feed which columns, and its rows in bounded batches."""

from collections.abc import Iterator
from typing import IO

import pyarrow as pa
from pyarrow import dataset, orc

from rsloader_provider.local.redshift.copy.formats.batch_size import rows_per_batch
from rsloader_provider.local.redshift.copy.formats.columnar_errors import (
    ScannedObject,
    Target,
    feeding,
    precision_and_scale,
)
from rsloader_provider.local.redshift.errors import unsupported

# Each ORC type by the name that pyarrow gives it; the declared length of varchar and char is lost.
_ORC_NAMES = {
    "bool": "boolean",
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "float": "float",
    "double": "double",
    "string": "string",
    "binary": "binary",
    "date32[day]": "date",
    "timestamp[ns]": "timestamp",
    "timestamp[ns, tz=UTC]": "timestamp with local time zone",
}
_STRING = {"string"}
_TIMESTAMP = {"timestamp", "timestamp with local time zone"}
# ORC's reader widens numbers by itself.
_FEEDS = {
    "int2": {"tinyint", "smallint"},
    "int4": {"tinyint", "smallint", "int"},
    "int8": {"tinyint", "smallint", "int", "bigint"},
    "numeric": {"decimal"},
    "float4": {"float"},
    "float8": {"float", "double"},
    "bool": {"boolean"},
    "date": {"date"},
    "timestamp": _TIMESTAMP,
    "timestamptz": _TIMESTAMP,
    "varchar": _STRING,
    "bpchar": _STRING,
    "text": _STRING,
    "bytea": {"binary"},
}


class OrcFile:
    """One ORC object.

    Args:
        file: Its content, seekable.
        scanned: Its names in messages.

    Raises:
        ScanError: It is not an ORC file, or its tail is broken.
    """

    def __init__(self, file: IO[bytes], scanned: ScannedObject):
        self._scanned = scanned
        source = pa.PythonFile(file, mode="r")
        try:
            tail = orc.ORCFile(source)
            self._row_bytes = tail.content_length / max(1, tail.nrows)
            self._fields = list(tail.schema)
            # ORCFile itself reads whole stripes only.
            self._fragment = dataset.OrcFileFormat().make_fragment(source)
        except (pa.ArrowException, OSError) as error:
            raise scanned.corrupt(error) from error
        self.columns = len(self._fields)

    def check(self, position: int, column: Target) -> None:
        """Refuse a column whose type is not the target's.

        Args:
            position: The file's column, from 0.
            column: The target; not SUPER, which takes every type.

        Raises:
            ScanError: In Spectrum's words.
            RedshiftError: Columns of the target's type cannot be loaded from ORC.
        """
        fed_by = feeding(column, _FEEDS, "ORC")
        field = self._fields[position]
        file_type = _orc_name(field.type)
        if file_type not in fed_by:
            raise self._scanned.incompatible_orc(column, file_type)
        if column.type_name == "numeric":
            _, scale = precision_and_scale(column)
            if field.type.scale != scale:
                raise self._scanned.wrong_scale(field.name, scale, field.type.scale)

    def is_document(self, position: int) -> bool:
        """Whether a column holds JSON texts; ORC cannot say so."""
        return False

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows.

        Raises:
            ScanError: A stripe is broken.
            RedshiftError: A timestamp is outside the years 1677 to 2262, which pyarrow reads from Parquet only.
        """
        try:
            yield from self._fragment.to_batches(
                batch_size=rows_per_batch(self.columns, self._row_bytes), batch_readahead=1, use_threads=False
            )
        except (pa.ArrowException, OSError) as error:
            if "out of range for nanosecond resolution" in str(error):
                raise unsupported("An ORC timestamp outside the years 1677 to 2262") from error
            raise self._scanned.corrupt(error) from error


def _orc_name(file_type: pa.DataType) -> str:
    if pa.types.is_decimal(file_type):
        return "decimal"
    if pa.types.is_nested(file_type):
        return str(file_type).partition("<")[0]
    return _ORC_NAMES.get(str(file_type), str(file_type))
