"""What COPY reads of compressed objects, whole and broken."""

import bz2
import gzip
import struct
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from lzallright import LZOCompressor
from support.lzop_file import (
    ADLER32_OF_BOTH,
    CRC32_OF_BOTH,
    CRC32_OF_HEADER,
    EXTRA_FIELD,
    FILTER,
    lzop,
    lzop_header,
)

from rsloader_provider.local.redshift.copy.compression import PIECE_BYTES, decompressed
from rsloader_provider.local.redshift.copy.options import Compression
from rsloader_provider.local.redshift.errors import RedshiftError

URL = "s3://bucket/1.csv"
COMPRESS: dict[Compression, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "zstd": lambda content: zstandard.ZstdCompressor(write_checksum=True).compress(content),
    "lzop": lzop,
}
EVERY_COMPRESSION = pytest.mark.parametrize("compression", COMPRESS)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def read(data: bytes, compression: Compression | None, size: int = PIECE_BYTES) -> bytes:
    return b"".join(decompressed(cut(data, size), compression, URL))


@EVERY_COMPRESSION
@settings(max_examples=60, deadline=None)
@given(members=st.lists(st.binary(max_size=3000), min_size=1, max_size=3), size=st.integers(1, 4000))
def test_what_was_compressed_comes_back_however_it_is_cut(
    compression: Compression, members: list[bytes], size: int
) -> None:
    """S3 cuts anywhere, and a file may be several compressed ones joined end to end."""
    together = b"".join(COMPRESS[compression](member) for member in members)
    assert read(together, compression, size) == b"".join(members)


def test_what_is_not_compressed_is_passed_on() -> None:
    assert list(decompressed([b"a", b"", b"b"], None, URL)) == [b"a", b"", b"b"]


@EVERY_COMPRESSION
def test_an_empty_object_has_no_content(compression: Compression) -> None:
    assert list(decompressed([], compression, URL)) == []


@EVERY_COMPRESSION
def test_a_bomb_never_fills_the_memory(compression: Compression) -> None:
    """200 MB of zeros in one small object come out in pieces."""
    content = bytes(200 * 1024 * 1024)
    bomb = COMPRESS[compression](content)
    tracemalloc.start()
    try:
        sizes = [len(piece) for piece in decompressed([bomb], compression, URL)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) == len(content)
    assert max(sizes) <= PIECE_BYTES
    assert peak < 40 * 1024 * 1024


@EVERY_COMPRESSION
def test_small_outputs_are_joined(compression: Compression) -> None:
    """Each piece costs a change of thread, so a thousand small members must not make a thousand pieces."""
    together = b"".join([COMPRESS[compression](b"0123456789" * 10)] * 1000)
    assert [len(piece) for piece in decompressed(cut(together, 100), compression, URL)] == [100_000]


@EVERY_COMPRESSION
def test_an_object_that_ends_too_early_is_refused(compression: Compression) -> None:
    whole = COMPRESS[compression](bytes(range(256)) * 100)
    for length in range(1, len(whole), 7):
        with pytest.raises(RedshiftError, match=f"^failed to inflate input file: {URL}: it ends too early$"):
            read(whole[:length], compression)


@pytest.mark.parametrize(
    ("compression", "content", "reason"),
    [
        ("gzip", b"1,abc\n" * 9, "incorrect header check"),
        ("bzip2", b"1,abc\n" * 9, "Invalid data stream"),
        ("zstd", b"1,abc\n" * 9, "Unknown frame descriptor"),
        ("lzop", b"1,abc\n" * 9, "it is not an lzop file"),
        ("gzip", gzip.compress(b"1", mtime=0) + b"garbage at the end", "incorrect header check"),
        ("bzip2", bz2.compress(b"1") + b"garbage at the end", "Invalid data stream"),
        ("zstd", zstandard.compress(b"1") + b"garbage at the end", "Unknown frame descriptor"),
        ("lzop", lzop(b"1") + b"garbage at the end", "it is not an lzop file"),
        ("lzop", lzop_header(FILTER), "it has a method, a filter or parts that are not supported"),
        ("lzop", lzop_header(0, method=128), "it has a method, a filter or parts that are not supported"),
        ("lzop", lzop_header(0) + struct.pack(">II", 1, 2), "a block of 2 bytes for 1 is out of range"),
        ("lzop", lzop_header(0) + struct.pack(">II", 1 << 21, 2), "a block of 2 bytes for 2097152 is out of range"),
        ("lzop", lzop_header(0) + struct.pack(">II", 9, 4) + b"\xff" * 4, "a block is broken"),
        (
            "lzop",
            lzop_header(0) + struct.pack(">II", 200, len(z := LZOCompressor().compress(bytes(100)))) + z,
            "a block holds 100 bytes instead of 200",
        ),
    ],
)
def test_an_object_that_is_something_else_is_refused(compression: Compression, content: bytes, reason: str) -> None:
    with pytest.raises(RedshiftError) as raised:
        read(content, compression)
    assert raised.value.message.startswith(f"failed to inflate input file: {URL}: ")
    assert reason in raised.value.message


@pytest.mark.parametrize("version", [0x0900, 0x0940, 0x1040])
@pytest.mark.parametrize(
    "flags", [0, ADLER32_OF_BOTH, CRC32_OF_BOTH, ADLER32_OF_BOTH | CRC32_OF_BOTH, CRC32_OF_HEADER, EXTRA_FIELD]
)
def test_every_kind_of_lzop_file_is_read(flags: int, version: int) -> None:
    """It writes what it is told to: other checksums, another header; what does not shrink is stored."""
    content = bytes(5000) + bytes(range(256)) + b"abc" * 999
    assert read(lzop(content, flags, block_bytes=256, version=version), "lzop", 10) == content


@pytest.mark.parametrize("flags", [ADLER32_OF_BOTH, CRC32_OF_BOTH | CRC32_OF_HEADER, ADLER32_OF_BOTH | EXTRA_FIELD])
def test_a_changed_byte_of_an_lzop_file_is_noticed(flags: int) -> None:
    """The checksums are there to be verified."""
    whole = lzop(b"1,abc\n" * 50 + bytes(range(256)), flags, block_bytes=300)
    for position in range(len(whole)):
        broken = bytearray(whole)
        broken[position] ^= 0x10
        with pytest.raises(RedshiftError, match=r"^failed to inflate input file: "):
            read(bytes(broken), "lzop")


def test_an_error_of_the_source_passes_through() -> None:
    """A lost connection to S3 is not a broken object."""

    def pieces() -> Iterator[bytes]:
        yield bz2.compress(b"1")[:10]
        raise OSError("connection lost")

    with pytest.raises(OSError, match="connection lost"):
        list(decompressed(pieces(), "bzip2", URL))
