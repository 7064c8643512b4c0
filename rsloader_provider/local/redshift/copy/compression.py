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
# zstandard does not bound its output. But four bytes stand for at most 128 KiB, so this much makes at most 8 MiB.
_ZSTD_STEP_BYTES = 256


def decompressed(pieces: "Iterable[bytes]", compression: "Compression | None", url: str) -> "Iterator[bytes]":
    """Yield an object's content in pieces of about 256 KiB, however it came; an empty object has none.

    Args:
        pieces: The object's bytes, cut anywhere.
        compression: How it is compressed; None if it is not, and the pieces are then passed on as they are.
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
    """One gzip member, bzip2 stream or zstd frame, used like bz2's decompressor; an object may have several.

    Attributes:
        eof: Whether the member has been read to its end.
        needs_input: Whether it has given out everything that it was given.
        unused_data: What follows the member's end in the bytes that it was given.
    """

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Give a bounded piece of what comes out when these bytes go in; without bytes, the next piece."""


class _GzipMember:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_WINDOW)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        output = self._stream.decompress(data or self._stream.unconsumed_tail, max_length)
        # zlib may have taken all bytes and still hold back output that was over the bound.
        self.needs_input = not self._stream.unconsumed_tail and len(output) < max_length
        return output


class _ZstdFrame:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdDecompressor().decompressobj(write_size=32 * 1024)
        self._data, self._taken = b"", 0

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return self._taken >= len(self._data)

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data + self._data[self._taken :]

    def decompress(self, data: bytes, _max_length: int, /) -> bytes:
        if data:
            self._data, self._taken = data, 0
        start, self._taken = self._taken, self._taken + _ZSTD_STEP_BYTES
        return self._stream.decompress(self._data[start : self._taken])


_MEMBERS: "dict[Compression, Callable[[], _Member]]" = {
    "gzip": _GzipMember,
    "bzip2": bz2.BZ2Decompressor,
    "zstd": _ZstdFrame,
}


def _members(pieces: "Iterable[bytes]", start: "Callable[[], _Member]") -> "Iterator[bytes]":
    member = None
    for piece in pieces:
        data = piece
        while data:
            member = member or start()
            yield from _fed(member, data)
            data = b""
            if member.eof:
                data, member = member.unused_data, None
    if member is not None:
        raise _BrokenError("it ends too early")


def _fed(member: _Member, data: bytes) -> "Iterator[bytes]":
    """Yield, in bounded pieces, what comes out when these bytes go into a member."""
    try:
        yield member.decompress(data, PIECE_BYTES)
        while not (member.eof or member.needs_input):
            yield member.decompress(b"", PIECE_BYTES)
    except OSError as error:  # bz2's way to say that its data is broken
        raise _BrokenError(error) from error


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
