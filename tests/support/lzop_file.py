"""Objects as the program lzop writes them, for tests."""

import struct
import zlib

from lzallright import LZOCompressor

from rsloader_provider.local.redshift.copy.compression import PIECE_BYTES

ADLER32_OF_BOTH = 0x001 | 0x002
CRC32_OF_BOTH = 0x100 | 0x200
CRC32_OF_HEADER = 0x1000
EXTRA_FIELD = 0x040
FILTER = 0x800


def lzop_header(flags: int, *, version: int = 0x1040, method: int = 3, name: bytes = b"1.csv") -> bytes:
    if version >= 0x0940:
        fields = struct.pack(">HHHBBIIIIB", version, 0x20A0, 0x0940, method, 9, flags, 0o644, 0, 0, len(name))
    else:
        fields = struct.pack(">HHBIIIB", version, 0x20A0, method, flags, 0o644, 0, len(name))
    check = zlib.crc32 if flags & CRC32_OF_HEADER else zlib.adler32
    header = b"\x89LZO\x00\r\n\x1a\n" + fields + name + struct.pack(">I", check(fields + name))
    if flags & EXTRA_FIELD:
        extra = struct.pack(">I", 3) + b"abc"
        header += extra + struct.pack(">I", check(extra))
    return header


def lzop_block(content: bytes, flags: int) -> bytes:
    small = LZOCompressor().compress(content)
    block = small if len(small) < len(content) else content
    checks = [content, block] if block is small else [content]
    sums = b""
    # All sums of the content come before all sums of the block.
    for data, of_adler, of_crc in zip(checks, (0x001, 0x002), (0x100, 0x200), strict=False):
        sums += struct.pack(">I", zlib.adler32(data)) if flags & of_adler else b""
        sums += struct.pack(">I", zlib.crc32(data)) if flags & of_crc else b""
    return struct.pack(">II", len(content), len(block)) + sums + block


def lzop(
    content: bytes, flags: int = ADLER32_OF_BOTH, *, block_bytes: int = PIECE_BYTES, version: int = 0x1040
) -> bytes:
    blocks = (lzop_block(content[start : start + block_bytes], flags) for start in range(0, len(content), block_bytes))
    return lzop_header(flags, version=version) + b"".join(blocks) + bytes(4)
