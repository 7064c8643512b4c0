"""Sessions that are kept alive between statements, with their transaction, settings and temporary tables."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg.pq import TransactionStatus

from rsloader_provider.local.aws.redshift.data.errors import invalid, too_many_sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

_MOST_SESSIONS = 100
_REMEMBERED = 1000
_USABLE = (TransactionStatus.IDLE, TransactionStatus.INTRANS, TransactionStatus.INERROR)


@dataclass
class Session:
    """One database session of the Data API, used by one statement at a time.

    Attributes:
        open: Opens the database session.
        facts: What its statements are described with: Database, ClusterIdentifier and so on.
        keep_alive_seconds: How long it stays after a statement; None for a session of one statement only.
        id: Its id.
        connection: The database session; None before the first statement.
        closing: Ends it when nobody has used it.
    """

    open: Callable[[], psycopg.Connection[Any]]
    facts: dict[str, Any]
    keep_alive_seconds: int | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    connection: psycopg.Connection[Any] | None = None
    closing: threading.Timer | None = None

    def connected(self) -> psycopg.Connection[Any]:
        """Return the database session, opened if need be.

        Raises:
            psycopg.Error: The database refused.
        """
        if self.connection is None:
            self.connection = self.open()
        return self.connection


class Sessions:
    """All sessions that are kept alive. Safe for threads.

    A session is either free, and then ends after its time, or in use.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: dict[str, Session] = {}
        self._used: dict[str, Session] = {}
        self._ended: dict[str, None] = {}

    def begin(self, session: Session) -> Session:
        """Add a session, in use.

        Raises:
            ServiceError: There are too many.
        """
        if session.keep_alive_seconds is not None:
            with self._lock:
                if len(self._free) + len(self._used) >= _MOST_SESSIONS:
                    raise too_many_sessions()
                self._used[session.id] = session
        return session

    def take(self, session_id: str, keep_alive_seconds: int | None) -> Session:
        """Take a free session into use; a new time to keep it alive replaces the old one.

        Raises:
            ServiceError: It is in use, has ended or never existed.
        """
        with self._lock:
            session = self._free.pop(session_id, None)
            if session is None:
                if session_id in self._used or session_id in self._ended:
                    raise invalid("Session is not available")
                raise invalid(f"Session with Id: {session_id} is invalid")
            self._used[session_id] = session
        if session.closing:
            session.closing.cancel()
        if keep_alive_seconds is not None:
            session.keep_alive_seconds = keep_alive_seconds
        return session

    def give_back(self, session: Session) -> None:
        """End the use of a session: it is free for its time if it still works, and otherwise ends."""
        connection = session.connection
        works = connection is not None and not connection.closed and connection.info.transaction_status in _USABLE
        if works and session.keep_alive_seconds:
            session.closing = threading.Timer(session.keep_alive_seconds, self._end, (session,))
            session.closing.daemon = True
            with self._lock:
                self._free[session.id] = self._used.pop(session.id)
            session.closing.start()
            return
        with self._lock:
            if self._used.pop(session.id, None):
                self._remember(session)
        if connection is not None:
            connection.close()

    def _end(self, session: Session) -> None:
        with self._lock:
            # A statement that took it a moment ago keeps it.
            if self._free.get(session.id) is not session or session.closing is not threading.current_thread():
                return
            del self._free[session.id]
            self._remember(session)
        if session.connection is not None:
            session.connection.close()

    def _remember(self, session: Session) -> None:
        self._ended[session.id] = None
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]
