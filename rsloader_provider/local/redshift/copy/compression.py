"""The compressed objects that COPY reads: GZIP, BZIP2, ZSTD and LZOP.

Every step's output is bounded, so a small object that holds a huge one never fills the memory.

Source: https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-file-compression.html
"""

import bz2
import zlib
from typing import TYPE_CHECKING, Protocol

import zstandard

from rsloader_provider.local.redshift.copy import lzop
from rsloader_provider.local.redshift.errors import RedshiftError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rsloader_provider.local.redshift.copy.options import Compression

PIECE_BYTES = 256 * 1024
_GZIP_WINDOW = 16 + zlib.MAX_WBITS  # zlib's way of saying that a gzip header is expected
# zstandard bounds no output, but four bytes can stand for at most a block of 128 KiB: this much makes at most 8 MiB.
_ZSTD_STEP_BYTES = 256


def decompressed(pieces: "Iterable[bytes]", compression: "Compression | None", url: str) -> "Iterator[bytes]":
    """Yield an object's content in pieces of about 256 KiB, however it came; an empty object has none.

    Args:
        pieces: The object's bytes, cut anywhere.
        compression: How it is compressed; None for not at all, and the pieces are then passed on as they are.
        url: The object, for messages.

    Raises:
        RedshiftError: The object is broken, ends too early, or is not compressed in this way.
    """
    if compression is None:
        yield from pieces
        return
    content = lzop.blocks(pieces) if compression == "lzop" else _members(pieces, _MEMBERS[compression])
    try:
        yield from _evenly(content)
    except (zlib.error, zstandard.ZstdError, _BrokenError, lzop.BrokenError) as error:
        raise RedshiftError(f"failed to inflate input file: {url}: {error}") from error


class _BrokenError(Exception):
    """An object is not what its COPY says, in words that follow the object's name."""


class _Member(Protocol):
    """One gzip member, bzip2 stream or zstd frame; an object may have several."""

    @property
    def eof(self) -> bool:
        """Whether the member has been read to its end."""

    @property
    def unused_data(self) -> bytes:
        """What follows the member's end in the bytes that it was fed."""

    def feed(self, data: bytes) -> "Iterator[bytes]":
        """Yield, in bounded pieces, what comes out when these bytes go in."""


class _GzipMember:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_WINDOW)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def feed(self, data: bytes) -> "Iterator[bytes]":
        more = True
        while more:
            output = self._stream.decompress(data, PIECE_BYTES)
            yield output
            data = self._stream.unconsumed_tail
            # zlib may have taken all bytes and still hold back output that was over the bound.
            more = not self.eof and (bool(data) or len(output) == PIECE_BYTES)


class _Bzip2Member:
    def __init__(self) -> None:
        self._stream = bz2.BZ2Decompressor()

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def feed(self, data: bytes) -> "Iterator[bytes]":
        more = True
        while more:
            try:
                output = self._stream.decompress(data, PIECE_BYTES)
            except OSError as error:
                raise _BrokenError(error) from error
            yield output
            data = b""
            more = not self.eof and not self._stream.needs_input


class _ZstdFrame:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdDecompressor().decompressobj(write_size=32 * 1024)
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return self._stream.eof

    def feed(self, data: bytes) -> "Iterator[bytes]":
        for start in range(0, len(data), _ZSTD_STEP_BYTES):
            stop = start + _ZSTD_STEP_BYTES
            yield self._stream.decompress(data[start:stop])
            if self.eof:
                self.unused_data = self._stream.unused_data + data[stop:]
                return


_MEMBERS: "dict[Compression, Callable[[], _Member]]" = {
    "gzip": _GzipMember,
    "bzip2": _Bzip2Member,
    "zstd": _ZstdFrame,
}


def _members(pieces: "Iterable[bytes]", start: "Callable[[], _Member]") -> "Iterator[bytes]":
    member = None
    for piece in pieces:
        data = piece
        while data:
            member = member or start()
            yield from member.feed(data)
            data = b""
            if member.eof:
                data, member = member.unused_data, None
    if member is not None:
        raise _BrokenError("it ends too early")


def _evenly(content: "Iterator[bytes]") -> "Iterator[bytes]":
    """Join what is small and cut what is large, because every piece costs its reader a change of thread."""
    held: list[bytes] = []
    size = 0
    for output in content:
        held.append(output)
        size += len(output)
        if size >= PIECE_BYTES:
            joined = b"".join(held)
            cut = size - size % PIECE_BYTES
            yield from (joined[start : start + PIECE_BYTES] for start in range(0, cut, PIECE_BYTES))
            held, size = [joined[cut:]], size - cut
    if size:
        yield b"".join(held)
