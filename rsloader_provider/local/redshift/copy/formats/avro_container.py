"""The blocks of an Avro object container file, and the schema of the records in them.

fastavro's own reader is not used for the container: it turns logical types into dates and decimals, where Redshift
loads what is stored, and it sets no limits.

Source: https://avro.apache.org/docs/1.12.0/specification/#object-container-files
"""

import json
import zlib
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

import fastavro
import pyarrow
from fastavro.schema import SchemaParseException, UnknownType

from rsloader_provider.local.redshift.errors import RedshiftError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Source: https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-format.html#copy-avro
LARGEST_BLOCK_BYTES = 4 * 1024 * 1024
LARGEST_HEADER_BYTES = 1024 * 1024
ENDS_TOO_EARLY = "Invalid AVRO file found. Unexpected end of AVRO file."
DAMAGED = "Invalid AVRO file found. A data block is damaged."
_NOT_AVRO = "Invalid AVRO file found. It is not an AVRO data file."
_MAGIC = b"Obj\x01"
_SYNC_BYTES = 16
_RAW_DEFLATE = -zlib.MAX_WBITS
_LONG = fastavro.parse_schema("long")
_METADATA = fastavro.parse_schema({"type": "map", "values": "bytes"})
# What fastavro raises when bytes are not what the schema says, an end within a number included; and when a schema is
# not what it should be.
_DECODING_ERRORS = (IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
_SCHEMA_ERRORS = (SchemaParseException, UnknownType, AttributeError, *_DECODING_ERRORS)


class BrokenError(Exception):
    """The file is not an Avro container, or a broken one; the text is a load error's."""


class Container:
    """An Avro container file, read block by block.

    Args:
        file: The file, at its start; it must be seekable.

    Attributes:
        schema: The schema of its records, as fastavro wants it, without logical types.

    Raises:
        BrokenError: It has no whole header.
        RedshiftError: Redshift does not take it.
    """

    def __init__(self, file: IO[bytes]):
        self._file = file
        magic = file.read(len(_MAGIC))
        if magic != _MAGIC:
            is_cut = _MAGIC.startswith(magic)
            raise BrokenError(ENDS_TOO_EARLY if is_cut else _NOT_AVRO)
        header = BytesIO(file.read(LARGEST_HEADER_BYTES - len(_MAGIC)))
        try:
            metadata = decode(header, _METADATA)
        except BrokenError:
            if len(header.getvalue()) == LARGEST_HEADER_BYTES - len(_MAGIC):
                raise RedshiftError(f"AVRO file header exceeds the max limit of {LARGEST_HEADER_BYTES} bytes") from None
            raise
        file.seek(len(_MAGIC) + header.tell())
        self._codec = metadata.get("avro.codec", b"null").decode(errors="replace")
        if self._codec not in ("null", "deflate", "snappy"):
            raise RedshiftError(f"AVRO codec {self._codec} is not supported by COPY")
        self.schema = _schema(metadata.get("avro.schema", b""))
        self._sync = self._read(_SYNC_BYTES)

    def blocks(self) -> "Iterator[tuple[int, BytesIO]]":
        """Yield each block: how many records it has, and their bytes.

        A file without blocks is broken for Redshift.

        Raises:
            BrokenError: The file ends too early or is damaged.
            RedshiftError: A block is larger than 4 MB.
        """
        following = self._file.read(1)
        if not following:
            raise BrokenError(ENDS_TOO_EARLY)
        while following:
            self._file.seek(-1, 1)
            count, size = (decode(self._file, _LONG) for _ in range(2))
            if size > LARGEST_BLOCK_BYTES:
                raise _block_too_large()
            if count < 0 or size < 0:
                raise BrokenError(DAMAGED)
            content = self._inflate(self._read(size))
            if self._read(_SYNC_BYTES) != self._sync:
                raise BrokenError(DAMAGED)
            yield count, BytesIO(content)
            following = self._file.read(1)

    def _read(self, count: int) -> bytes:
        found = self._file.read(count)
        if len(found) < count:
            raise BrokenError(ENDS_TOO_EARLY)
        return found

    def _inflate(self, block: bytes) -> bytes:
        try:
            if self._codec == "deflate":
                return _inflate_deflate(block)
            if self._codec == "snappy":
                return _inflate_snappy(block)
        except (zlib.error, pyarrow.ArrowException, OSError) as error:
            raise BrokenError(DAMAGED) from error
        return block


def decode(file: IO[bytes], schema: Any) -> Any:
    """Read one value.

    Args:
        file: Where it begins.
        schema: Its schema, parsed.

    Raises:
        BrokenError: There is no such value.
    """
    try:
        return fastavro.schemaless_reader(file, schema, None, handle_unicode_errors="surrogateescape")
    except EOFError as error:
        raise BrokenError(ENDS_TOO_EARLY) from error
    except _DECODING_ERRORS as error:
        raise BrokenError(DAMAGED if file.read(1) else ENDS_TOO_EARLY) from error


def _inflate_deflate(block: bytes) -> bytes:
    stream = zlib.decompressobj(_RAW_DEFLATE)
    content = stream.decompress(block, LARGEST_BLOCK_BYTES + 1)
    if len(content) > LARGEST_BLOCK_BYTES:
        raise _block_too_large()
    if not stream.eof:
        raise BrokenError(ENDS_TOO_EARLY)
    return content


def _inflate_snappy(block: bytes) -> bytes:
    """Return what a block of snappy and the content's CRC-32 holds."""
    compressed, check = block[:-4], block[-4:]
    size = 0
    for place, byte in enumerate(compressed[:5]):
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    if size > LARGEST_BLOCK_BYTES:
        raise _block_too_large()
    content: bytes = pyarrow.Codec("snappy").decompress(compressed, size, asbytes=True)
    if zlib.crc32(content).to_bytes(4) != check:
        raise BrokenError(DAMAGED)
    return content


def _block_too_large() -> RedshiftError:
    return RedshiftError(f"AVRO data block size exceeds the max limit of {LARGEST_BLOCK_BYTES} bytes")


def _schema(text: bytes) -> Any:
    try:
        schema = json.loads(text)
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise RedshiftError("Invalid AVRO schema: its type must be record")
        return fastavro.parse_schema(_without_logical_types(schema))
    except _SCHEMA_ERRORS as error:
        raise RedshiftError(f"Invalid AVRO schema: {error}") from error


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_logical_types(part) for key, part in schema.items() if key != "logicalType"}
    if isinstance(schema, list):
        return [_without_logical_types(part) for part in schema]
    return schema
