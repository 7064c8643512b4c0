"""A client's first packets: encryption, cancelling, parameters and the password."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from rsloader_provider.local.redshift.errors import RedshiftError, protocol_violation
from rsloader_provider.local.redshift.wire import passwords, protocol
from rsloader_provider.local.redshift.wire.backend import Backend
from rsloader_provider.local.redshift.wire.protocol import Message

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from rsloader_provider.local.redshift.catalog.catalog import Catalog
    from rsloader_provider.local.redshift.catalog.catalogs import Catalogs

Authentication = Literal["cleartext", "md5"]

# Redshift's drivers send more parameters than these; PostgreSQL would refuse the session for any that it does not know.
_PASSED_ON = frozenset(
    {
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
# The settings that it reports. Later versions report more, which must be absent here: if standard_conforming_strings is
# reported, psycopg2 writes every literal as E'…', which COPY does not take.
_REPORTED = frozenset(
    {
        b"client_encoding",
        b"DateStyle",
        b"integer_datetimes",
        b"is_superuser",
        b"server_encoding",
        b"server_version",
        b"session_authorization",
        b"TimeZone",
    }
)
_AUTHENTICATION_OK = b"\0\0\0\0"
_CLEARTEXT_PASSWORD = b"\0\0\0\3"
_MD5_PASSWORD = b"\0\0\0\5"
_SALT_BYTES = 4


@dataclass(frozen=True)
class Entrance:
    """What a client has to pass.

    Attributes:
        authentication: How it is asked for its password.
        tls: The certificate that encryption is offered with; None offers none.
        seconds: How long the client may take until it has logged in.
    """

    authentication: Authentication
    tls: "ssl.SSLContext | None"
    seconds: float


class Login(NamedTuple):
    """A client that has logged in: as which user, its session, and its database's catalog."""

    user: str
    backend: Backend
    catalog: "Catalog"


async def log_in(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    entrance: Entrance,
    *,
    socket: "Path",
    catalogs: "Catalogs",
) -> Login | None:
    """See a client through its start-up.

    Args:
        reader: The client.
        writer: The client.
        entrance: What it has to pass.
        socket: PostgreSQL's socket.
        catalogs: Know the passwords and the databases.

    Returns:
        The session, or None if the client only wanted another one's statement cancelled.

    Raises:
        RedshiftError: The client is refused; the caller must tell it.
        asyncio.IncompleteReadError: The client left.
    """
    try:
        async with asyncio.timeout(entrance.seconds):
            return await _log_in(reader, writer, entrance, socket=socket, catalogs=catalogs)
    except TimeoutError as error:
        raise protocol_violation("canceling authentication due to timeout") from error


async def _log_in(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    entrance: Entrance,
    *,
    socket: "Path",
    catalogs: "Catalogs",
) -> Login | None:
    code, rest = await _read_first_packet(reader, writer, entrance.tls)
    if code == protocol.CANCEL_REQUEST:
        await _forward_cancel(rest, socket)
        return None
    if code >> 16 != protocol.PROTOCOL_3_0 >> 16:
        raise protocol_violation(f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}: server supports 3.0")
    parameters = protocol.parse_startup_parameters(rest)
    name = parameters.get("user", "")
    user = await _check_password(reader, writer, name, entrance.authentication, catalogs)
    database = parameters.get("database") or user
    catalog = await catalogs.of(database)
    backend = await Backend.connect(
        socket,
        {"user": user, "database": database}
        | {name: value for name, value in parameters.items() if name in _PASSED_ON},
    )
    writer.write(Message(b"R", _AUTHENTICATION_OK).encode())
    for message in backend.greeting:
        if message.kind != b"S" or message.body.partition(b"\0")[0] in _REPORTED:
            writer.write(_as_redshift_greets(message).encode())
    writer.write(Message(b"Z", backend.status).encode())
    return Login(user, backend, catalog)


async def _read_first_packet(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: "ssl.SSLContext | None"
) -> tuple[int, bytes]:
    """Return the first packet that is not a question about encryption; encrypt if the client asks for it."""
    while True:
        code, rest = await protocol.read_startup_packet(reader)
        if code == protocol.SSL_REQUEST and tls is not None:
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(tls)
            tls = None  # once is enough
        elif code in (protocol.SSL_REQUEST, protocol.GSS_REQUEST):
            writer.write(b"N")
        else:
            return code, rest


async def _check_password(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    name: str,
    authentication: Authentication,
    catalogs: "Catalogs",
) -> str:
    """Ask for the password; returns the database user that it admits."""
    salt = secrets.token_bytes(_SALT_BYTES) if authentication == "md5" else None
    writer.write(Message(b"R", _CLEARTEXT_PASSWORD if salt is None else _MD5_PASSWORD + salt).encode())
    message = await protocol.read_message(reader)
    if message.kind != b"p":
        raise protocol_violation(f"expected password response, got message type {message.kind[0]}")
    answer, _ = protocol.read_text(message.body)
    for stored in await catalogs.passwords_of(name):
        if passwords.admits(stored, name=name, answer=answer, salt=salt):
            return stored.user
    raise RedshiftError(f'password authentication failed for user "{name}"', code="28000", severity="FATAL")


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
