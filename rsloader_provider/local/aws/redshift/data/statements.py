"""Statements: what was asked for, and what became of it."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rsloader_provider.local.aws.redshift.data.parameters import NumberedSql
    from rsloader_provider.local.aws.redshift.data.results import Result

SUBMITTED, STARTED, FINISHED, FAILED, ABORTED = "SUBMITTED", "STARTED", "FINISHED", "FAILED", "ABORTED"
STATUSES = ("SUBMITTED", "PICKED", "STARTED", "FINISHED", "ABORTED", "FAILED")


@dataclass
class Query:
    """One SQL statement of a request.

    Attributes:
        id: The statement's id; in a batch, the query's number follows it.
        text: As the client wrote it.
        sql: As the database gets it.
        status: One of STATUSES.
        error: The database's error; None for none.
        result: Its result set; None for none.
        rows: Rows returned or affected; -1 while not known.
        created_at: When it was asked for, in seconds since 1970.
        updated_at: When its status last changed, in seconds since 1970.
        duration_ns: How long it ran, in nanoseconds.
    """

    id: str
    text: str
    sql: NumberedSql
    status: str = SUBMITTED
    error: str | None = None
    result: Result | None = None
    rows: int = -1
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    duration_ns: int = 0

    def turn(self, status: str, error: str | None = None) -> None:
        """Change the status."""
        self.status, self.error, self.updated_at = status, error, time.time()

    def describe(self) -> dict[str, Any]:
        """Return what DescribeStatement says of one query."""
        description = {
            "Id": self.id,
            "QueryString": self.text,
            "Status": self.status,
            "CreatedAt": self.created_at,
            "UpdatedAt": self.updated_at,
            "Duration": self.duration_ns,
            "HasResultSet": self.result is not None,
            "ResultRows": self.rows,
            "ResultSize": self.result.size_bytes if self.result else -1 if self.rows < 0 else 0,
            "RedshiftQueryId": 0,
        }
        return description | ({"Error": self.error} if self.error else {})


class Statement:
    """One request to run SQL.

    `lock` guards the moments that CancelStatement must not miss: a session's process that gets a cancel must still be
    running this statement.

    Attributes:
        id: Its id.
        queries: What it runs, one after the other.
        is_batch: Whether it came with BatchExecuteStatement.
        auto_commit: Whether each query of a batch commits by itself.
        values: The parameters' values by name.
        facts: What describes it and never changes, as the API names it: Database, ClusterIdentifier and so on.
        status: One of STATUSES.
        error: Why it failed; None if it did not.
        pid: The database session's process; 0 before there is one.
        running: Whether that process is running this statement.
        cancelled: Whether CancelStatement was called in time.
        ended: Set when the status is final.
    """

    def __init__(
        self,
        queries: list[tuple[str, NumberedSql]],
        *,
        is_batch: bool,
        auto_commit: bool,
        values: dict[str, str],
        facts: dict[str, Any],
        client_token: str | None,
    ) -> None:
        self.id = str(uuid.uuid4())
        self.queries = [
            Query(f"{self.id}:{number}" if is_batch else self.id, text, sql)
            for number, (text, sql) in enumerate(queries, 1)
        ]
        self.is_batch = is_batch
        self.auto_commit = auto_commit
        self.values = values
        self.facts = facts
        self.client_token = client_token
        self.status = SUBMITTED
        self.error: str | None = None
        self.created_at = self.updated_at = time.time()
        self.duration_ns = 0
        self.pid = 0
        self.running = self.cancelled = False
        self.ended = threading.Event()
        self.lock = threading.Lock()

    def turn(self, status: str, error: str | None = None) -> None:
        """Change the status."""
        self.status, self.error, self.updated_at = status, error, time.time()
        if status in (FINISHED, FAILED, ABORTED):
            self.ended.set()

    @property
    def has_result_set(self) -> bool:
        """Whether any of its queries has a result set."""
        return any(query.result is not None for query in self.queries)

    def describe(self) -> dict[str, Any]:
        """Return what DescribeStatement says of it."""
        shown = self.facts | {"ResultFormat": "JSON", "RedshiftPid": self.pid}
        if self.values:
            shown["QueryParameters"] = [{"name": name, "value": value} for name, value in self.values.items()]
        own = {
            "Id": self.id,
            "Status": self.status,
            "CreatedAt": self.created_at,
            "UpdatedAt": self.updated_at,
            "Duration": self.duration_ns,
        } | ({"Error": self.error} if self.error else {})
        if not self.is_batch:
            return shown | self.queries[0].describe() | own
        return (
            shown
            | own
            | {
                "HasResultSet": self.has_result_set,
                "ResultRows": -1,
                "ResultSize": -1,
                "RedshiftQueryId": 0,
                "ExecutionMode": "AUTO_COMMIT" if self.auto_commit else "TRANSACTION",
                "SubStatements": [query.describe() for query in self.queries],
            }
        )
