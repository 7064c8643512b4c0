"""The warehouse: one Redshift session at a time."""

from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar, overload

from rsloader_provider.core.config.target import Transport
from rsloader_provider.core.redshift.sql import Command, Query, Statement

Row = TypeVar("Row")


class Session(Protocol):
    """One session; each statement runs in it at once. A transaction is begun and ended by statements."""

    @overload
    def execute(self, statement: Query[Row]) -> list[Row]: ...

    @overload
    def execute(self, statement: Command) -> None: ...

    def execute(self, statement: Statement) -> list[Any] | None:
        """Run a statement, and give the rows of a query.

        Raises:
            ConnectionLostError: No answer came; whether it was carried out is unknown.
            SerializationError: Error 1023; the transaction is to be rolled back.
            NotSetUpError: A table is not there.
            AccessDeniedError: A privilege is missing.
            BadDataError: COPY refused the files' content.
            StatementError: Redshift refused it for another reason.
        """
        ...


class Warehouse(Protocol):
    """Opens sessions by the name of an Airflow connection."""

    def connect(self, conn_id: str, transport: Transport = "driver") -> AbstractContextManager[Session]:
        """Open a session; leaving the context closes it, which rolls back what is not committed.

        Whether Redshift lets the user in may be found out here or by the session's first statement.

        Args:
            conn_id: The Airflow connection.
            transport: How to get there.

        Raises:
            ConfigurationError: There is no such connection, or it cannot be used.
            AccessDeniedError: Redshift refused user or password, or AWS the credentials' rights.
            TransientError: Redshift cannot be reached.
        """
        ...
