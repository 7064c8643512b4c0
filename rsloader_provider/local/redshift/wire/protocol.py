"""Messages of the PostgreSQL wire protocol, version 3, which Redshift speaks too."""

import struct
from typing import TYPE_CHECKING, NamedTuple

from rsloader_provider.local.redshift.errors import PostgresError, RedshiftError, protocol_violation

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

PROTOCOL_3_0 = 196608
CANCEL_REQUEST = 80877102
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104

# A statement or a row of Redshift is at most 16 MB; anything that claims to be far longer is not a message.
_MAX_MESSAGE_BYTES = 256 * 1024 * 1024
_MAX_STARTUP_BYTES = 10_000


class Message(NamedTuple):
    """One message after the start-up: its one-byte kind and its body without the length."""

    kind: bytes
    body: bytes

    def encode(self) -> bytes:
        """Return the message as it goes over the wire."""
        return self.kind + struct.pack("!i", len(self.body) + 4) + self.body


async def read_message(reader: "asyncio.StreamReader") -> Message:
    """Read one message.

    Raises:
        asyncio.IncompleteReadError: The other side has gone.
        RedshiftError: 08P01; this is not a message.
    """
    header = await reader.readexactly(5)
    length = struct.unpack_from("!i", header, 1)[0] - 4
    if not 0 <= length <= _MAX_MESSAGE_BYTES:
        raise protocol_violation("invalid message length")
    return Message(header[:1], await reader.readexactly(length) if length else b"")


async def read_startup_packet(reader: "asyncio.StreamReader") -> tuple[int, bytes]:
    """Read a packet of the start-up, which has no kind: its code (a protocol version or a request) and the rest.

    Raises:
        asyncio.IncompleteReadError: The other side has gone.
        RedshiftError: 08P01; this is not such a packet.
    """
    length = struct.unpack("!i", await reader.readexactly(4))[0]
    if not 8 <= length <= _MAX_STARTUP_BYTES:
        raise protocol_violation("invalid length of startup packet")
    packet = await reader.readexactly(length - 4)
    return struct.unpack_from("!i", packet)[0], packet[4:]


def startup_packet(parameters: "Mapping[str, str]") -> bytes:
    """Return the packet that opens a session."""
    pairs = "".join(f"{name}\0{value}\0" for name, value in parameters.items()).encode()
    return struct.pack("!ii", len(pairs) + 9, PROTOCOL_3_0) + pairs + b"\0"


def parse_startup_parameters(rest: bytes) -> dict[str, str]:
    """Return a start-up packet's parameters.

    Raises:
        RedshiftError: 08P01; they are not pairs of texts.
    """
    try:
        words = rest.decode().split("\0")
    except UnicodeDecodeError as error:
        raise protocol_violation("invalid startup packet layout: the parameters are not UTF-8") from error
    if not rest.endswith(b"\0"):
        raise protocol_violation("invalid startup packet layout: expected terminator as last byte")
    return {name: value for name, value in zip(words[::2], words[1::2], strict=False) if name}


def cancel_packet(rest: bytes) -> bytes:
    """Return a cancel request again as its sender wrote it."""
    return struct.pack("!ii", len(rest) + 8, CANCEL_REQUEST) + rest


def read_text(body: bytes, start: int = 0) -> tuple[str, int]:
    """Read a zero-terminated text; returns it and the position after it.

    Raises:
        RedshiftError: 08P01, it does not end; 22021, it is not UTF-8.
    """
    end = body.find(b"\0", start)
    if end < 0:
        raise protocol_violation("invalid string in message")
    try:
        return body[start:end].decode(), end + 1
    except UnicodeDecodeError as error:
        bad = error.object[error.start]
        raise RedshiftError(f'invalid byte sequence for encoding "UTF8": 0x{bad:02x}', code="22021") from error


def text(value: str) -> bytes:
    """Return a zero-terminated text."""
    return value.encode() + b"\0"


def read_row(body: bytes) -> list[str | None]:
    """Return the values of a DataRow whose columns are in text format."""
    values: list[str | None] = []
    position = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        length = struct.unpack_from("!i", body, position)[0]
        position += 4
        values.append(None if length < 0 else body[position : position + length].decode())
        position += max(length, 0)
    return values


def parse_error(body: bytes) -> PostgresError:
    """Return the error that an ErrorResponse reports."""
    fields = {field[:1]: field[1:].decode(errors="replace") for field in body.split(b"\0") if field}
    return PostgresError(
        fields.get(b"M", ""),
        code=fields.get(b"C", "XX000"),
        detail=fields.get(b"D"),
        severity=fields.get(b"S", "ERROR"),
    )


def error_response(error: RedshiftError) -> Message:
    """Report an error to the client."""
    fields = [("S", error.severity), ("C", error.code), ("M", error.message)]
    if error.detail is not None:
        fields.append(("D", error.detail))
    # A detail may quote a key, and a key may hold anything but the zero byte that ends a field.
    return Message(b"E", b"".join(text(name + value.replace("\0", "")) for name, value in fields) + b"\0")


def info(message: str) -> Message:
    """Tell the client something that is not an error, as Redshift does after a COPY."""
    return Message(b"N", b"".join(map(text, ("SINFO", "C00000", "M" + message))) + b"\0")


def command_complete(tag: str) -> Message:
    """Report that a statement is done."""
    return Message(b"C", text(tag))
