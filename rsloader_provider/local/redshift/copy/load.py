"""One COPY: from S3 into the target, within the client's own transaction.

Every statement runs in the client's session, so locks, privileges, rollback and cancellation are PostgreSQL's.
What S3 sends is read and decoded in threads, a piece at a time, so that neither memory nor other sessions pay for a
large object.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rsloader_provider.local.redshift.copy.columns import Column, TableColumn, chosen_columns, quoted_names
from rsloader_provider.local.redshift.copy.load_files import LoadedFile
from rsloader_provider.local.redshift.copy.refusals import LoadError
from rsloader_provider.local.redshift.copy.rows import Chunk, CopyRows
from rsloader_provider.local.redshift.copy.s3_objects import S3Fault, S3Object, S3Source
from rsloader_provider.local.redshift.errors import PostgresError, nonexistent_table
from rsloader_provider.local.redshift.sql.quoting import Fragment, render

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from rsloader_provider.local.redshift.copy.dates import Recognise
    from rsloader_provider.local.redshift.copy.options import CopyOptions
    from rsloader_provider.local.redshift.wire.backend import Backend


@dataclass
class LoadReport:
    """What became of a COPY, for the system views and for the client.

    Attributes:
        query_id: The COPY's id, which `pg_last_copy_id()` returns.
        table_id: The target's oid, 0 until it is known.
        objects: Objects that it read or would have read.
        bytes_read: Bytes taken from S3, before decompression.
        rows: Rows in the target.
        errors: Records that it refused, at most as many as make it fail.
        files: What it read of each object.
        seconds: How long it took.
    """

    query_id: int
    table_id: int = 0
    objects: int = 0
    bytes_read: int = 0
    rows: int = 0
    errors: list[LoadError] = field(default_factory=list)
    files: list[LoadedFile] = field(default_factory=list)
    seconds: float = 0.0

    def notices(self, table: str) -> list[str]:
        """Return what Redshift tells a client after a COPY that succeeded."""
        notices = [f"Load into table '{table}' completed, {self.rows} record(s) loaded successfully."]
        if self.errors:
            notices.append(
                f"Load into table '{table}' completed, {len(self.errors)} record(s) could not be loaded.  "
                "Check 'stl_load_errors' system table for details."
            )
        return notices


class CopyLoad:
    """Runs one COPY.

    Args:
        backend: The client's session, in a transaction.
        copy: What to load.
        s3_endpoint: The local S3; None means AWS itself.
        threads: Where S3 is read.
        query_id: The COPY's id.
        fault: Asked before each request to S3.
        recognise: Asked about dates in unusual spellings; blocks.
    """

    def __init__(
        self,
        backend: "Backend",
        copy: "CopyOptions",
        *,
        s3_endpoint: str | None,
        threads: "Executor",
        query_id: int,
        fault: S3Fault,
        recognise: "Recognise",
    ):
        self._backend = backend
        self._copy = copy
        self._s3_endpoint = s3_endpoint
        self._threads = threads
        self._fault = fault
        self._recognise = recognise
        self.report = LoadReport(query_id)

    async def run(self) -> None:
        """Load; `report` tells what happened, also after an error.

        Raises:
            RedshiftError: The COPY failed. What it did is undone when its transaction is rolled back.
        """
        started = time.monotonic()
        try:
            await self._lock_target()
            columns = await self._read_columns()
            source, objects = await asyncio.get_running_loop().run_in_executor(self._threads, self._open_source)
            self.report.objects = len(objects)
            rows = CopyRows(self._copy, columns, source, self._recognise)
            try:
                await self._load(columns, rows.chunks(objects))
            finally:
                self.report.bytes_read = source.bytes_read
                self.report.errors = rows.errors
                self.report.files = rows.files
        finally:
            self.report.seconds = time.monotonic() - started

    async def _lock_target(self) -> None:
        # Before any other read: if this is the transaction's first statement, its snapshot then sees what the lock
        # waited for.
        try:
            await self._backend.call(render("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE", table=self._copy.table))
        except PostgresError as error:
            if error.code in ("42P01", "3F000"):
                raise nonexistent_table(self._copy.table_name) from error
            raise

    async def _read_columns(self) -> list[Column]:
        catalog = await self._backend.call(
            render(
                "SELECT a.attname, t.typname, a.atttypmod, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
                "a.attidentity, a.attrelid FROM pg_catalog.pg_attribute a "
                "JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
                "WHERE a.attrelid = {table}::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
                table=str(self._copy.table),
            )
        )
        table: list[TableColumn] = []
        for row in catalog.rows:
            name, type_name, modifier, declared, not_null, identity, table_id = (value or "" for value in row)
            self.report.table_id = int(table_id)
            column = Column.from_catalog(name, type_name, int(modifier), declared, not_null=not_null == "t")
            table.append(TableColumn(column, identity))
        return chosen_columns(
            table,
            self._copy.columns,
            explicit_ids=self._copy.explicit_ids,
            table_name=self._copy.table_name,
        )

    def _open_source(self) -> tuple[S3Source, list[S3Object]]:
        source = S3Source(self._s3_endpoint, self._copy, self.report.query_id, self._fault)
        return source, source.objects()

    async def _load(self, columns: list[Column], chunks: "Generator[Chunk, None, None]") -> None:
        ahead = _Ahead(chunks, self._threads)
        try:
            while (first := await ahead.peek()) is not None:
                if self._copy.no_load:
                    ahead.take()
                    continue
                answer = await self._backend.call(self._copy_from_stdin(columns, as_csv=first.as_csv), ahead.alike())
                self.report.rows += answer.affected
        finally:
            await ahead.close()

    def _copy_from_stdin(self, columns: list[Column], *, as_csv: bool) -> Fragment:
        target = {"table": self._copy.table, "names": quoted_names(columns)}
        if not as_csv:
            return render("COPY {table} ({names}) FROM STDIN (ENCODING 'UTF8')", **target)
        return render(
            "COPY {table} ({names}) FROM STDIN (FORMAT csv, DELIMITER {delimiter}, QUOTE {quote}, NULL {null}, "
            "FORCE_NULL *, ENCODING 'UTF8')",
            **target,
            delimiter=self._copy.field_delimiter,
            quote=self._copy.quote_for_postgres,
            null=self._copy.null_text,
        )


class _Ahead:
    """A blocking generator advanced in threads, one chunk ahead of its consumer."""

    def __init__(self, chunks: "Generator[Chunk, None, None]", threads: "Executor"):
        self._chunks = chunks
        self._threads = threads
        self._next: asyncio.Future[Chunk | None] | None = None

    def peek(self) -> "asyncio.Future[Chunk | None]":
        """Return the next chunk, None at the end; it stays the next one."""
        if self._next is None:
            self._next = asyncio.get_running_loop().run_in_executor(self._threads, next, self._chunks, None)
        return self._next

    def take(self) -> None:
        """Go on to the chunk after the next one, and begin to make it."""
        self._next = None
        self.peek()

    async def alike(self) -> AsyncIterator[bytes]:
        """Yield the next chunk and those that follow it and are for the same kind of COPY."""
        first = await self.peek()
        while (chunk := await self.peek()) is not None and first is not None and chunk.as_csv == first.as_csv:
            self.take()
            yield chunk.data

    async def close(self) -> None:
        """Let the thread that is at work finish, and end the generator."""
        if self._next is not None:
            # An error in the thread comes too late now: the COPY has ended, with its own answer.
            with contextlib.suppress(Exception):
                await self._next
        self._chunks.close()
