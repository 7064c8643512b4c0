"""The client's transaction, as far as the proxy takes part in it.

Redshift locks a table for writing before it reads, and PostgreSQL does not; outside a transaction block a lock needs a
transaction, which the proxy then opens and ends itself ("implicit").
"""

from typing import TYPE_CHECKING

from rsloader_provider.local.redshift.errors import PostgresError, RedshiftError
from rsloader_provider.local.redshift.sql.quoting import render
from rsloader_provider.local.redshift.wire.backend import FAILED, IDLE, IN_TRANSACTION, Backend

if TYPE_CHECKING:
    from rsloader_provider.local.redshift.session.statements import Statement


class Transaction:
    """What the session knows of its transaction.

    Attributes:
        implicit: The open transaction is ours, the client knows nothing of it.

    Args:
        backend: The client's PostgreSQL session.
    """

    def __init__(self, backend: Backend):
        self._backend = backend
        self._locked: set[str] = set()  # what this transaction has locked
        self.implicit = False

    def notice(self, tag: str) -> None:
        """Follow a statement's command tag: between two Syncs PostgreSQL does not report the transaction's status."""
        if tag in ("BEGIN", "START TRANSACTION"):
            self._backend.status = IN_TRANSACTION
        elif tag in ("COMMIT", "ROLLBACK"):  # the latter may be a rollback to a savepoint, which gives up locks too
            self._locked.clear()

    async def open(self) -> None:
        """Open a transaction if there is none."""
        if self._backend.status == IDLE:
            await self._backend.call("BEGIN")
            self.implicit = True

    async def end(self) -> None:
        """End what `open` opened.

        Raises:
            PostgresError: It could not be committed.
        """
        if not self.implicit:
            return
        self.implicit = False
        if self._backend.status == FAILED:
            await self._backend.call("ROLLBACK")
        elif self._backend.status == IN_TRANSACTION:
            await self._backend.call("COMMIT")

    def settle(self) -> None:
        """Forget the locks of a transaction that is over."""
        if self._backend.status != IN_TRANSACTION:
            self._locked.clear()

    async def lock_written_table(self, statement: "Statement") -> None:
        """Lock what a statement writes to, before PostgreSQL even parses it: PostgreSQL's own lock is too weak."""
        if statement.writes is None or statement.writes in self._locked:
            return
        await self.open()
        await self._backend.call(render("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE", table=statement.writes))
        self._locked.add(statement.writes)

    def refuse(self, command: str) -> None:
        """Refuse a command that Redshift takes only outside a transaction block.

        Raises:
            RedshiftError: 25001; there is a transaction.
        """
        if self._backend.status != IDLE:
            raise RedshiftError(f"{command} cannot run inside a transaction block", code="25001")

    async def fail(self, error: RedshiftError) -> RedshiftError:
        """Let PostgreSQL know of an error that it did not find itself; returns the one that it then reports."""
        try:
            await self._backend.call(
                render("SELECT local_redshift.fail({code}, {message})", code=error.code, message=error.message)
            )
        except PostgresError as raised:
            # In a transaction that had failed before, that earlier failure is the answer.
            return error if raised.code == error.code else raised
        return error
