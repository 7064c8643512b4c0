"""The container of the program lzop: a header, then blocks of LZO1X, each with its checksums.

Source: https://www.lzop.org/ (the program's own `src/lzop.c` is the container's description)
"""

import struct
import zlib
from typing import TYPE_CHECKING

from lzallright import LZOCompressor, LZOError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_MAGIC = b"\x89LZO\x00\r\n\x1a\n"
# Version needed, library, method, level, flags, mode, two halves of a time, length of the name; and as it was before.
_FIELDS = struct.Struct(">HHBBIIIIB")
_OLD_FIELDS = struct.Struct(">HBIIIB")
_FIRST_WITH_NEW_FIELDS = 0x0940
_LZO1X_METHODS = (1, 2, 3)  # three compressors for one format
# lzop and Hadoop write blocks of 256 KiB. A block that lies about itself can grow 255-fold, hence the limit.
_LARGEST_BLOCK_BYTES = 1024 * 1024

_EXTRA_FIELD = 0x040
_MULTIPART = 0x400
_FILTER = 0x800
_CRC32_OF_HEADER = 0x1000
_CHECKS_OF_CONTENT = ((0x001, zlib.adler32), (0x100, zlib.crc32))
_CHECKS_OF_BLOCK = ((0x002, zlib.adler32), (0x200, zlib.crc32))


class BrokenError(Exception):
    """A container is broken, or is not an lzop file."""


def blocks(pieces: "Iterable[bytes]") -> "Iterator[bytes]":
    """Yield the blocks of an lzop file, each of at most 1 MiB; files joined end to end are read as one.

    Args:
        pieces: The file's bytes, cut anywhere; nothing at all is an empty file.

    Raises:
        BrokenError: A checksum is wrong, the file ends too early, or it is not an lzop file.
    """
    source = _Source(pieces)
    while not source.at_end():
        flags = _header(source)
        while size := source.number():
            yield _block(source, flags, size)


class _Source:
    """Bytes to be taken one after the other."""

    def __init__(self, pieces: "Iterable[bytes]"):
        self._pieces = iter(pieces)
        self._held = bytearray()

    def at_end(self) -> bool:
        return not self._hold(1)

    def take(self, count: int) -> bytes:
        if not self._hold(count):
            raise BrokenError("it ends too early")
        wanted = bytes(self._held[:count])
        del self._held[:count]
        return wanted

    def number(self) -> int:
        return int.from_bytes(self.take(4))

    def _hold(self, count: int) -> bool:
        while len(self._held) < count:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._held += piece
        return True


def _header(source: _Source) -> int:
    """Read a file's header and return its flags."""
    if source.take(len(_MAGIC)) != _MAGIC:
        raise BrokenError("it is not an lzop file")
    version = source.take(2)
    is_new = int.from_bytes(version) >= _FIRST_WITH_NEW_FIELDS
    packed = source.take((_FIELDS if is_new else _OLD_FIELDS).size)
    if is_new:
        _library, _needed, method, _level, flags, _mode, _low, _high, name_length = _FIELDS.unpack(packed)
    else:
        _library, method, flags, _mode, _low, name_length = _OLD_FIELDS.unpack(packed)
    if method not in _LZO1X_METHODS or flags & (_FILTER | _MULTIPART):
        raise BrokenError("it has a method, a filter or parts that are not supported")
    check = zlib.crc32 if flags & _CRC32_OF_HEADER else zlib.adler32
    name = source.take(name_length)
    _verify([(check, source.take(4))], version + packed + name, "header")
    if flags & _EXTRA_FIELD:
        length = source.take(4)
        extra = source.take(int.from_bytes(length))
        _verify([(check, source.take(4))], length + extra, "extra field")
    return int(flags)


def _block(source: _Source, flags: int, size: int) -> bytes:
    """Read a block whose content has the given size."""
    stored = source.number()
    if not 0 < stored <= size <= _LARGEST_BLOCK_BYTES:
        raise BrokenError(f"a block of {stored} bytes for {size} is out of range")
    of_content = [(check, source.take(4)) for flag, check in _CHECKS_OF_CONTENT if flags & flag]
    # A block that would not shrink is stored as it is, and has no second checksums.
    of_block = [(check, source.take(4)) for flag, check in _CHECKS_OF_BLOCK if flags & flag and stored < size]
    block = source.take(stored)
    _verify(of_block, block, "block")
    try:
        content = LZOCompressor.decompress(block, size) if stored < size else block
    except LZOError as error:
        raise BrokenError(f"a block is broken: {error.args[0]}") from error
    if len(content) != size:
        raise BrokenError(f"a block holds {len(content)} bytes instead of {size}")
    _verify(of_content, content, "content")
    return content


def _verify(checks: "Sequence[tuple[Callable[[bytes], int], bytes]]", data: bytes, what: str) -> None:
    for check, expected in checks:
        if check(data).to_bytes(4) != expected:
            raise BrokenError(f"the checksum of its {what} is wrong")
