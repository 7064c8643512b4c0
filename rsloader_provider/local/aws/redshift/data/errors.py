"""The Data API's own errors, in its words where they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rsloader_provider.local.aws.json_service import ServiceError

if TYPE_CHECKING:
    import psycopg


def invalid(message: str) -> ServiceError:
    """Refuse a request that is not valid."""
    return ServiceError("ValidationException", message)


def unsupported(what: str) -> ServiceError:
    """Refuse what the Data API can do and the local one cannot, rather than ignoring it."""
    return ServiceError("ValidationException", f"{what} is not supported by the local AWS")


def no_such_statement(statement_id: str) -> ServiceError:
    """Refuse a question about a statement that never existed, or is no longer remembered."""
    return ServiceError("ResourceNotFoundException", "Query does not exist.", ResourceId=statement_id)


def too_many_statements() -> ServiceError:
    """Refuse one more statement."""
    return ServiceError("ActiveStatementsExceededException", "Active statements exceeded the allowed quota (200).")


def too_many_sessions() -> ServiceError:
    """Refuse one more session."""
    return ServiceError("ActiveSessionsExceededException", "Active sessions exceeded the allowed quota (100).")


def text_of(error: psycopg.Error) -> str:
    """Return a database error as DescribeStatement gives it."""
    diagnosis = error.diag
    if diagnosis.message_primary is None:
        # A refused connection: libpq puts its own words before the server's.
        return f"FATAL: {str(error).rpartition('FATAL:')[2].strip()}"
    detail = f"\n  Detail: {diagnosis.message_detail}" if diagnosis.message_detail else ""
    return f"{diagnosis.severity}: {diagnosis.message_primary}{detail}"
