"""A client's first packets: encryption, cancelling, parameters and the password."""

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from rsloader_provider.local.redshift import protocol
from rsloader_provider.local.redshift.backend import Backend
from rsloader_provider.local.redshift.errors import RedshiftError
from rsloader_provider.local.redshift.protocol import Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Redshift's drivers send more parameters than these; PostgreSQL would refuse the session for any that it does not know.
_PASSED_ON = frozenset(
    {
        "user",
        "database",
        "options",
        "application_name",
        "client_encoding",
        "DateStyle",
        "TimeZone",
        "extra_float_digits",
    }
)
# Redshift descends from this version and drivers read the number; PostgreSQL's own makes redshift_connector fail.
_SERVER_VERSION = "8.0.2"
_CLEARTEXT_PASSWORD = b"\0\0\0\3"


class Login(NamedTuple):
    """A client that has logged in."""

    user: str
    backend: Backend


async def log_in(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, socket: "Path", passwords: "Mapping[str, str]"
) -> Login | None:
    """See a client through its start-up.

    Args:
        reader: The client.
        writer: The client.
        socket: PostgreSQL's socket.
        passwords: Every user's password.

    Returns:
        The session, or None if the client only wanted another one's statement cancelled.

    Raises:
        RedshiftError: The client was refused; it is still to be told.
        asyncio.IncompleteReadError: The client left.
    """
    while True:
        code, rest = await protocol.read_startup_packet(reader)
        if code in (protocol.SSL_REQUEST, protocol.GSS_REQUEST):
            writer.write(b"N")
        elif code == protocol.CANCEL_REQUEST:
            await _forward_cancel(rest, socket)
            return None
        else:
            break
    parameters = protocol.parse_startup_parameters(rest)
    user = parameters.get("user", "")
    await _check_password(reader, writer, user, passwords)
    backend = await Backend.connect(socket, {name: value for name, value in parameters.items() if name in _PASSED_ON})
    writer.write(Message(b"R", b"\0\0\0\0").encode())
    for message in backend.greeting:
        writer.write(_as_redshift_greets(message).encode())
    writer.write(Message(b"Z", backend.status).encode())
    return Login(user, backend)


async def _check_password(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: str, passwords: "Mapping[str, str]"
) -> None:
    writer.write(Message(b"R", _CLEARTEXT_PASSWORD).encode())
    password, _ = protocol.read_text((await protocol.read_message(reader)).body)
    if passwords.get(user) != password:
        raise RedshiftError(f'password authentication failed for user "{user}"', code="28000", severity="FATAL")


def _as_redshift_greets(message: Message) -> Message:
    if message.kind == b"S" and message.body.startswith(b"server_version\0"):
        return Message(b"S", protocol.text("server_version") + protocol.text(_SERVER_VERSION))
    return message


async def _forward_cancel(rest: bytes, socket: "Path") -> None:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    writer.write(protocol.cancel_packet(rest))
    await writer.drain()
    await reader.read()  # PostgreSQL closes when the signal is sent
    writer.close()
