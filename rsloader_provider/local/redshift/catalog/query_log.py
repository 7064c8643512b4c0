"""The statements of all sessions, kept in memory until somebody may look at them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

_FULL = 1000


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)  # Redshift's views tell UTC, without a zone


@dataclass
class Query:
    """One statement of a client.

    Attributes:
        query_id: Its id.
        user: Who ran it.
        session_id: The session's process id.
        transaction_id: The id of the first statement of its transaction, which stands for the transaction.
        kind: Such as SELECT or DDL.
        text: Its text, without secrets.
        status: `running`, `success`, `failed` or `canceled`.
        error: Why it failed.
        rows: How many rows it returned.
        started: When it began (UTC).
        ended: When it was over (UTC).
    """

    query_id: int
    user: str
    session_id: int
    transaction_id: int
    kind: str
    text: str
    status: str = "running"
    error: str = ""
    rows: int = 0
    started: datetime = field(default_factory=_now)
    ended: datetime = field(default_factory=_now)

    def succeed(self, rows: int) -> None:
        """Note its end and how many rows it returned."""
        self.status, self.rows, self.ended = "success", rows, _now()

    def fail(self, *, code: str, message: str) -> None:
        """Note that it ended in an error.

        Args:
            code: The SQLSTATE; 57014 is a statement that somebody cancelled.
            message: The error's text, without secrets.
        """
        self.status, self.error, self.ended = "canceled" if code == "57014" else "failed", message, _now()


class QueryLog:
    """Statements that are over and have not been written to the query history."""

    def __init__(self) -> None:
        self._finished: list[Query] = []

    def add(self, query: Query) -> None:
        """Keep a statement that is over."""
        self._finished.append(query)

    @property
    def is_full(self) -> bool:
        """Whether it is time to write, although nobody asks."""
        return len(self._finished) >= _FULL

    def take(self) -> list[Query]:
        """Return all statements, and forget them."""
        finished, self._finished = self._finished, []
        return finished
