"""The local Redshift as a whole: an embedded PostgreSQL, its catalog, and the proxy in front of them."""

import asyncio
import contextlib
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Self

from rsloader_provider.local.redshift.catalog.catalogs import Catalogs
from rsloader_provider.local.redshift.errors import RedshiftError
from rsloader_provider.local.redshift.faults import Faults
from rsloader_provider.local.redshift.postgres import EmbeddedPostgres, Isolation
from rsloader_provider.local.redshift.session.login import Authentication, Entrance, log_in
from rsloader_provider.local.redshift.wire import protocol

if TYPE_CHECKING:
    from pathlib import Path

# A thread waits for S3, for one COPY at a time; Redshift runs at most 50 queries at once, so none waits for a thread.
_LOADING_THREADS = 50
_SESSION = "rsloader_provider.local.redshift.session.session"


@dataclass(frozen=True)
class Settings:
    """What a local Redshift is started with.

    Attributes:
        database: Its first database.
        owner: The user who may do anything.
        passwords: The password of every user to be created at the start, the owner's among them. A user who exists
            already, in a data directory that was kept, keeps their password.
        host: The address to listen on.
        port: The port; 0 means any that is free.
        s3_endpoint: Where COPY reads; None means AWS itself.
        isolation: The isolation level of databases that are not created with another.
        data_dir: Where the data stays; None means that it is removed when the server stops.
        authentication: How clients are asked for their password.
        tls: The files of a certificate and its key; with None, encryption is declined.
        login_seconds: How long a client may take to log in.
    """

    database: str = "dev"
    owner: str = "awsuser"
    passwords: dict[str, str] = field(default_factory=lambda: {"awsuser": "open-sesame"}, repr=False)
    host: str = "127.0.0.1"
    port: int = 0
    s3_endpoint: str | None = None
    isolation: Isolation = "snapshot"
    data_dir: "Path | None" = None
    authentication: Authentication = "cleartext"
    tls: "tuple[Path, Path] | None" = None
    login_seconds: float = 60.0


class Server:
    """A running local Redshift, for `async with`.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._postgres = EmbeddedPostgres(settings.data_dir, settings.isolation)
        self._threads = ThreadPoolExecutor(_LOADING_THREADS, thread_name_prefix="copy")
        self._faults = Faults()
        self._sessions: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._catalogs: Catalogs | None = None
        self._entrance = Entrance(settings.authentication, _tls(settings.tls), settings.login_seconds)
        self.port = 0

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def failed(self) -> None:
        """Return when PostgreSQL has stopped without being asked to."""
        await self._postgres.stopped()

    async def _start(self) -> None:
        settings = self._settings
        # The modules of sessions take as long to import as PostgreSQL takes to start.
        await asyncio.gather(self._postgres.start(), asyncio.to_thread(import_module, _SESSION))
        self._catalogs = await Catalogs.prepare(
            self._postgres.socket, settings.database, settings.owner, settings.passwords
        )
        self._listener = await asyncio.start_server(self._accept, settings.host, settings.port, limit=1 << 20)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        if self._catalogs is not None:
            await self._catalogs.close()
        await self._postgres.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        if session is None or self._catalogs is None:
            raise RuntimeError("a connection came before the server was ready")
        if self._faults.take_refusal():
            writer.transport.abort()
            return
        self._sessions.add(session)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                await self._serve(reader, writer, self._catalogs)
        except asyncio.CancelledError:
            writer.transport.abort()  # the server stops; nobody waits for this task's result
        finally:
            self._sessions.discard(session)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, catalogs: Catalogs) -> None:
        try:
            login = await log_in(reader, writer, self._entrance, socket=self._postgres.socket, catalogs=catalogs)
        except RedshiftError as error:
            writer.write(protocol.error_response(error).encode())
            await writer.drain()
            return
        if login is not None:
            from rsloader_provider.local.redshift.session.session import Session, Surroundings  # noqa: PLC0415 (see _start)

            surroundings = Surroundings(
                login.catalog, catalogs, self._faults, self._threads, self._settings.s3_endpoint
            )
            await Session(reader, writer, login.backend, login.user, surroundings).run()


def _tls(files: "tuple[Path, Path] | None") -> ssl.SSLContext | None:
    if files is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    return context
