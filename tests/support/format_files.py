"""The same rows in every format that COPY reads, and in every compression; the same bytes in every process."""

import bz2
import gzip
import io
import json
import zlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from pyarrow import orc

from support.lzop_file import lzop

Row = tuple[int, str, Decimal]

TABLE = "id integer, name varchar(20), amount decimal(8,2)"
ROWS: list[Row] = [(1, "Anna", Decimal("1.50")), (2, "Zoé, |'x", Decimal("-20.25")), (3, "C" * 10, Decimal(0))]

COMPRESSIONS: dict[str | None, Callable[[bytes], bytes]] = {
    None: lambda content: content,
    "gzip": lambda content: gzip.compress(content, mtime=0),
    "bzip2": bz2.compress,
    "zstd": zstandard.compress,
    "lzop": lzop,
}
"""What COPY inflates, by the load file's name for it."""

AVRO_CODECS = ["null", "deflate", "snappy"]
PARQUET_CODECS = ["none", "snappy", "gzip", "zstd"]
ORC_CODECS = ["uncompressed", "zlib", "snappy", "zstd"]

FIXED_WIDTH = "id:3,name:10,amount:8"
_SYNC = bytes(range(16))
_SCHEMA = {
    "type": "record",
    "name": "order",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "name", "type": "string"},
        {"name": "amount", "type": "double"},
    ],
}


def csv(rows: list[Row] = ROWS, delimiter: str = ",") -> bytes:
    """CSV with a header."""
    lines = [delimiter.join(("id", "name", "amount"))]
    lines += [delimiter.join((str(key), f'"{name}"', str(amount))) for key, name, amount in rows]
    return "".join(f"{line}\n" for line in lines).encode()


def text(rows: list[Row] = ROWS, delimiter: str = "|") -> bytes:
    """Delimited text whose names need ESCAPE."""
    escaped = ((key, name.replace(delimiter, f"\\{delimiter}"), amount) for key, name, amount in rows)
    return "".join(delimiter.join(map(str, row)) + "\n" for row in escaped).encode()


def fixed_width(rows: list[Row] = ROWS) -> bytes:
    """Fields as FIXED_WIDTH has them; a width counts characters."""
    return "".join(f"{key:03}{name:10}{amount:8}\n" for key, name, amount in rows).encode()


def json_lines(rows: list[Row] = ROWS, names: tuple[str, str, str] = ("id", "name", "amount")) -> bytes:
    """One object to a line."""
    records = (dict(zip(names, (key, name, float(amount)), strict=True)) for key, name, amount in rows)
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def avro(rows: list[Row] = ROWS, codec: str = "null") -> bytes:
    """An Avro file."""
    content = io.BytesIO()
    records = [{"id": key, "name": name, "amount": float(amount)} for key, name, amount in rows]
    if codec != "snappy":
        fastavro.writer(content, _SCHEMA, records, codec=codec, sync_marker=_SYNC)
        return content.getvalue()
    # For snappy fastavro wants another library, so this file is put together by hand: its header, and one block.
    head = {"avro.schema": json.dumps(_SCHEMA).encode(), "avro.codec": b"snappy"}
    plain = b"".join(_avro(_SCHEMA, record) for record in records)
    packed = pa.Codec("snappy").compress(plain, asbytes=True) + zlib.crc32(plain).to_bytes(4)
    block = _avro("long", len(records)) + _avro("long", len(packed)) + packed
    return b"Obj\x01" + _avro({"type": "map", "values": "bytes"}, head) + _SYNC + block + _SYNC


def _avro(schema: Any, value: object) -> bytes:
    content = io.BytesIO()
    fastavro.schemaless_writer(content, fastavro.parse_schema(schema), value)
    return content.getvalue()


def parquet(rows: list[Row] = ROWS, codec: str = "snappy") -> bytes:
    """A Parquet file."""
    content = io.BytesIO()
    pq.write_table(_columns(rows), content, compression=codec)
    return content.getvalue()


def orc_file(rows: list[Row] = ROWS, codec: str = "zlib") -> bytes:
    """An ORC file."""
    content = io.BytesIO()
    orc.write_table(_columns(rows), content, compression=codec)
    return content.getvalue()


def _columns(rows: list[Row]) -> pa.Table:
    schema = pa.schema([("id", pa.int32()), ("name", pa.string()), ("amount", pa.decimal128(8, 2))])
    return pa.table([list(column) for column in zip(*rows, strict=True)], schema=schema)
