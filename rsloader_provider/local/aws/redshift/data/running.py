"""Runs a statement's queries in a database session, and ends them when they are cancelled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg

from rsloader_provider.local.aws.redshift.data.errors import text_of
from rsloader_provider.local.aws.redshift.data.results import result_of
from rsloader_provider.local.aws.redshift.data.statements import ABORTED, FAILED, FINISHED, STARTED
from rsloader_provider.local.redshift.sql.tokens import split_statements

if TYPE_CHECKING:
    from rsloader_provider.local.aws.redshift.data.statements import Query, Statement

_AFTER_A_FAILURE = "Connection or an prior query failed."  # sic
_SEVERAL_STATEMENTS = "ERROR: cannot insert multiple commands into a prepared statement"


class QueryFailedError(Exception):
    """A query failed, or was cancelled; its status says which."""


def run(statement: Statement, connection: psycopg.Connection[Any]) -> tuple[str, str | None]:
    """Run a statement's queries; a batch is one transaction, unless each of its queries commits by itself.

    Returns:
        The statement's status and its error, None for none.
    """
    with statement.lock:
        statement.pid, statement.running = connection.info.backend_pid, True
        statement.turn(STARTED)
    started = time.perf_counter_ns()
    try:
        return _run_queries(statement, connection)
    finally:
        statement.duration_ns = time.perf_counter_ns() - started
        with statement.lock:
            statement.running = False


def abort_unrun(statement: Statement) -> None:
    """Mark the queries that were never run."""
    for query in statement.queries:
        if query.status not in (FINISHED, FAILED, ABORTED):
            query.turn(ABORTED, _AFTER_A_FAILURE)


def _run_queries(statement: Statement, connection: psycopg.Connection[Any]) -> tuple[str, str | None]:
    is_transaction = statement.is_batch and not statement.auto_commit
    failed: list[tuple[int, Query]] = []
    try:
        if is_transaction:
            connection.execute("BEGIN")
        for place, query in enumerate(statement.queries, 1):
            try:
                _run_query(statement, query, connection)
            except QueryFailedError:
                failed.append((place, query))
                if is_transaction or query.status == ABORTED:
                    break
        if is_transaction:
            connection.execute("ROLLBACK" if failed else "COMMIT")
    except psycopg.Error as error:
        abort_unrun(statement)
        return FAILED, text_of(error)
    abort_unrun(statement)
    if any(query.status == ABORTED for _, query in failed):
        return ABORTED, failed[-1][1].error
    if not failed:
        return FINISHED, None
    if not statement.is_batch:
        return FAILED, failed[0][1].error
    return FAILED, "\n".join(f"Query #{place} failed with {query.error}" for place, query in failed)


def _run_query(statement: Statement, query: Query, connection: psycopg.Connection[Any]) -> None:
    with statement.lock:
        cancelled = statement.cancelled
    if cancelled:
        query.turn(ABORTED)
        raise QueryFailedError
    query.turn(STARTED)
    if len(split_statements(query.text)) > 1:
        query.turn(FAILED, _SEVERAL_STATEMENTS)
        raise QueryFailedError
    started = time.perf_counter_ns()
    try:
        cursor = psycopg.RawCursor(connection)
        values = [statement.values[name] for name in query.sql.names]
        cursor.execute(query.sql.sql.encode(), values or None, prepare=False)
        answer = cursor.pgresult
        if answer is not None:
            query.result = result_of(answer)
            if query.result and (excess := query.result.excess()):
                query.result = None
                query.turn(FAILED, excess)
                raise QueryFailedError
            query.rows = query.result.row_count if query.result else _affected(answer, connection)
    except psycopg.Error as error:
        query.turn(ABORTED if statement.cancelled and _was_cancelled(error) else FAILED, text_of(error))
        raise QueryFailedError from error
    finally:
        query.duration_ns = time.perf_counter_ns() - started
    query.turn(FINISHED)


def _affected(answer: Any, connection: psycopg.Connection[Any]) -> int:
    if answer.command_status == b"COPY":
        # Redshift does not count in COPY's own answer.
        row = connection.execute("SELECT pg_last_copy_count()").fetchone()
        return int(row[0]) if row else 0
    return answer.command_tuples or 0


def _was_cancelled(error: psycopg.Error) -> bool:
    return isinstance(error, psycopg.errors.QueryCanceled)
