"""What a session has done: its part of the query history, and its last query and COPY.

Both are kept here and not in PostgreSQL, because a rollback must not change them. PostgreSQL learns of them right
before a statement that asks.
"""

import contextlib
from typing import TYPE_CHECKING

from rsloader_provider.local.redshift.catalog.query_log import Query
from rsloader_provider.local.redshift.errors import RedshiftError
from rsloader_provider.local.redshift.sql import query_text
from rsloader_provider.local.redshift.sql.quoting import render
from rsloader_provider.local.redshift.sql.tokens import tokenize
from rsloader_provider.local.redshift.wire.backend import FAILED, IDLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rsloader_provider.local.redshift.catalog.catalog import Catalog
    from rsloader_provider.local.redshift.session.statements import Statement
    from rsloader_provider.local.redshift.wire.backend import Backend


class SessionHistory:
    """The history of one session.

    Attributes:
        last_query_id: What `pg_last_query_id()` returns.
        last_copy_id: What `pg_last_copy_id()` returns.
        last_copy_rows: What `pg_last_copy_count()` returns.

    Args:
        backend: The client's PostgreSQL session.
        catalog: Where queries are recorded.
        user: The client's user.
    """

    def __init__(self, backend: "Backend", catalog: "Catalog", user: str):
        self._backend = backend
        self._catalog = catalog
        self._user = user
        self._transaction_id = 0  # the id of the transaction's first query, 0 before it
        self._written_before = 0  # how many rows the catalog had then
        self.last_query_id = -1
        self.last_copy_id = -1
        self.last_copy_rows = 0

    async def begin(self, text: str, kind: str) -> Query:
        """Give a statement its id.

        Args:
            text: The statement.
            kind: What the query history calls it.
        """
        query_id = await self._catalog.next_query_id()
        if not self._transaction_id:
            self._transaction_id, self._written_before = query_id, self._catalog.recent.written
        shown = query_text.masked(text)[: query_text.SHOWN_CHARACTERS]
        return Query(query_id, self._user, self._backend.pid, self._transaction_id, kind, shown)

    async def failed(self, query: Query, text: str, error: RedshiftError) -> None:
        """Log a statement that ended in an error."""
        query.fail(code=error.code, message=query_text.without_secrets(error.message, text))
        await self._catalog.log(query)

    async def succeeded(self, query: Query, rows: int) -> None:
        """Log a statement that returned this many rows."""
        query.succeed(rows)
        await self._catalog.log(query)

    @contextlib.asynccontextmanager
    async def logging_refusals(self, text: str) -> "AsyncIterator[None]":
        """Log a statement if it is refused before it runs."""
        try:
            yield
        except RedshiftError as error:
            await self.failed(await self.begin(text, query_text.kind(tokenize(text))), text, error)
            raise

    async def make_ready(self, statement: "Statement") -> None:
        """Tell PostgreSQL what a statement is going to ask for."""
        if self._backend.status == FAILED:
            return
        if statement.reads_the_log:
            await self._catalog.write_queries()
            if self._transaction_id:
                unseen = self._catalog.recent.since(self._written_before)
                await self._backend.call(render("SET local_redshift.unseen = {unseen}", unseen=unseen))
        if statement.asks_what_was_last:
            await self._backend.call(
                render(
                    "SET local_redshift.query_id = {query_id}; SET local_redshift.copy_id = {copy_id}; "
                    "SET local_redshift.copy_count = {rows}",
                    query_id=self.last_query_id,
                    copy_id=self.last_copy_id,
                    rows=self.last_copy_rows,
                )
            )

    def settle(self) -> None:
        """Forget a transaction that is over."""
        if self._backend.status == IDLE:
            self._transaction_id = 0
