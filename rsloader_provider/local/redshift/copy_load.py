"""One COPY: from S3 through a staging table into the target, within the client's own transaction.

Every statement runs in the client's session, so locks, privileges, rollback and cancellation are PostgreSQL's.
What S3 sends is read and decoded in threads, a piece at a time, so that neither memory nor other sessions pay for a
large object.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rsloader_provider.local.redshift import decoding
from rsloader_provider.local.redshift.columns import Column
from rsloader_provider.local.redshift.decoding import NeedsExactDecoding
from rsloader_provider.local.redshift.errors import PostgresError, RedshiftError, load_failed, nonexistent_table
from rsloader_provider.local.redshift.load_errors import LoadError, LoadErrorCode
from rsloader_provider.local.redshift.load_files import LoadedFile
from rsloader_provider.local.redshift.s3_objects import PIECE_BYTES, S3Object, S3Source
from rsloader_provider.local.redshift.sql_text import Fragment, join, render

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator
    from concurrent.futures import Executor

    from rsloader_provider.local.redshift.backend import Backend
    from rsloader_provider.local.redshift.copy_statement import CopyStatement

_STAGE = Fragment("pg_temp.local_redshift_stage")
_TEXT_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


@dataclass
class LoadReport:
    """What became of a COPY, for the system views and for the client.

    Attributes:
        query_id: The COPY's id, which `pg_last_copy_id()` returns.
        table_id: The target's oid, 0 until it is known.
        objects: Objects that it read or would have read.
        bytes_read: Bytes taken from S3, before decompression.
        rows: Rows in the target.
        errors: Records that it refused, no more than make it fail.
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
    """

    def __init__(
        self, backend: "Backend", copy: "CopyStatement", *, s3_endpoint: str | None, threads: "Executor", query_id: int
    ):
        self._backend = backend
        self._copy = copy
        self._s3_endpoint = s3_endpoint
        self._threads = threads
        self._columns: list[Column] = []
        self.report = LoadReport(query_id)

    async def run(self) -> None:
        """Load; `report` tells what happened, also after an error.

        Raises:
            RedshiftError: The COPY failed. What it did is undone when its transaction is rolled back.
        """
        started = time.monotonic()
        try:
            await self._lock_target()
            await self._read_columns()
            source, objects = await asyncio.get_running_loop().run_in_executor(self._threads, self._open_source)
            self.report.objects = len(objects)
            try:
                await self._load(source, objects)
            finally:
                self.report.bytes_read = source.bytes_read
        finally:
            self.report.seconds = time.monotonic() - started

    async def _lock_target(self) -> None:
        # Before anything else that reads: the transaction's snapshot, if this is its first statement, is then one that
        # sees what the lock waited for.
        try:
            await self._backend.call(render("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE", table=self._copy.table))
        except PostgresError as error:
            if error.code in ("42P01", "3F000"):
                raise nonexistent_table(self._copy.table_name) from error
            raise

    async def _read_columns(self) -> None:
        catalog = await self._backend.call(
            render(
                "SELECT a.attname, t.typname, a.atttypmod, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
                "a.attidentity <> '', a.attrelid FROM pg_catalog.pg_attribute a "
                "JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
                "WHERE a.attrelid = {table}::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
                table=str(self._copy.table),
            )
        )
        rows = {str(row[0]): row for row in catalog.rows}
        # Without a column list an identity column fills itself.
        names = self._copy.columns or [name for name, row in rows.items() if row[5] == "f"]
        for name in names:
            if name not in rows:
                raise RedshiftError(
                    f'column "{name}" of relation "{self._copy.table_name}" does not exist', code="42703"
                )
        for position, name in enumerate(names):
            _, type_name, modifier, declared, not_null, _, table_id = rows[name]
            self.report.table_id = int(table_id or 0)
            self._columns.append(
                Column.from_catalog(
                    name,
                    str(type_name),
                    int(modifier or -1),
                    str(declared),
                    not_null=not_null == "t",
                    position=position,
                )
            )

    def _open_source(self) -> tuple[S3Source, list[S3Object]]:
        source = S3Source(self._s3_endpoint, self._copy, self.report.query_id)
        return source, source.objects()

    # -- the two ways

    async def _load(self, source: S3Source, objects: list[S3Object]) -> None:
        await self._backend.call("SAVEPOINT local_redshift_copy")
        try:
            loaded = await self._load_quickly(source, objects)
        except (PostgresError, NeedsExactDecoding) as error:
            if isinstance(error, PostgresError) and not _is_about_data(error):
                raise
            loaded = False
        if not loaded:
            await self._backend.call("ROLLBACK TO SAVEPOINT local_redshift_copy")
            source.bytes_read = 0
            await self._load_exactly(source, objects)
        await self._backend.call("RELEASE SAVEPOINT local_redshift_copy")

    async def _load_quickly(self, source: S3Source, objects: list[S3Object]) -> bool:
        """Let PostgreSQL parse the bytes; returns whether all of them were good."""
        copy = self._copy
        quote = copy.quote if copy.csv else decoding.NO_QUOTE
        if not _postgres_can_parse(copy, quote):
            return False
        await self._create_stage([])
        pieces = (piece for wanted in objects for piece in decoding.quick_pieces(source.pieces(wanted), copy))
        await self._backend.call(
            render(
                "COPY {stage} FROM STDIN (FORMAT csv, DELIMITER {delimiter}, QUOTE {quote}, NULL {null}, FORCE_NULL *, "
                "ENCODING 'UTF8')",
                stage=_STAGE,
                delimiter=copy.field_delimiter,
                quote=quote,
                null=copy.null_text,
            ),
            self._through_threads(pieces),
        )
        if await self._any_refused():
            return False
        await self._insert()
        return True

    async def _load_exactly(self, source: S3Source, objects: list[S3Object]) -> None:
        """Decode here, so that every bad record is known with its object and line."""
        await self._create_stage([Fragment("object int"), Fragment("line bigint"), Fragment("raw text")])
        errors: list[tuple[int, LoadError]] = []
        await self._backend.call(
            render("COPY {stage} FROM STDIN (ENCODING 'UTF8')", stage=_STAGE),
            self._through_threads(self._decode(source, objects, errors)),
        )
        errors += await self._diagnose(objects)
        errors.sort(key=lambda found: (found[0], found[1].line))
        limit = max(1, self._copy.max_errors)
        self.report.errors = [error for _, error in errors[:limit]]
        if len(errors) >= limit:
            raise load_failed(self._copy.table_name)
        if errors:
            places = [render("({object}, {line})", object=number, line=error.line) for number, error in errors]
            await self._backend.call(
                render(
                    "DELETE FROM {stage} WHERE (object, line) IN ({places})", stage=_STAGE, places=join(", ", places)
                )
            )
        await self._insert()

    def _decode(
        self, source: S3Source, objects: list[S3Object], errors: list[tuple[int, LoadError]]
    ) -> "Generator[bytes, None, None]":
        """Yield staging rows in PostgreSQL's text format, and collect the records that are none."""
        rows: list[str] = []
        size = 0
        for number, wanted in enumerate(objects):
            for record in decoding.records(source.pieces(wanted), self._copy, len(self._columns)):
                if record.error is not None:
                    errors.append((number, LoadError(wanted.url, record.line, record.error, record.reason, record.raw)))
                    if len(errors) >= max(1, self._copy.max_errors):
                        yield "".join(rows).encode()
                        return  # it has failed, and what follows cannot change that
                    continue
                fields = ["\\N" if text is None else text.translate(_TEXT_ESCAPES) for text in record.fields]
                rows.append(
                    "\t".join([f"{number}\t{record.line}\t{record.raw.translate(_TEXT_ESCAPES)}", *fields]) + "\n"
                )
                size += len(rows[-1])
                if size > PIECE_BYTES:
                    yield "".join(rows).encode()
                    rows, size = [], 0
        yield "".join(rows).encode()

    # -- the staging table

    async def _create_stage(self, places: list[Fragment]) -> None:
        columns = join(", ", [*places, *(Fragment(f"{column.staged} text") for column in self._columns)])
        await self._backend.call(
            render(
                "DROP TABLE IF EXISTS {stage}; CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DROP",
                stage=_STAGE,
                name=Fragment(_STAGE.removeprefix("pg_temp.")),
                columns=columns,
            )
        )

    async def _any_refused(self) -> bool:
        checks = [check.refused_if for column in self._columns for check in column.quick_checks()]
        if not checks:
            return False
        answer = await self._backend.call(
            render("SELECT EXISTS (SELECT FROM {stage} WHERE {refused})", stage=_STAGE, refused=join(" OR ", checks))
        )
        return answer.rows[0][0] == "t"

    async def _diagnose(self, objects: list[S3Object]) -> list[tuple[int, LoadError]]:
        """Return the first bad field of every staged record that has one."""
        questions = [
            render(
                "SELECT object, line, raw, {position} AS position, {staged} AS value, {code} AS code "
                "FROM {stage} WHERE {refused}",
                position=position,
                staged=column.staged,
                code=int(check.code),
                stage=_STAGE,
                refused=check.refused_if,
            )
            for position, column in enumerate(self._columns)
            for check in column.exact_checks()
        ]
        if not questions:
            return []
        answer = await self._backend.call(
            render(
                "SELECT DISTINCT ON (object, line) object, line, raw, position, value, code "
                "FROM ({questions}) AS refused ORDER BY object, line, position, code LIMIT {limit}",
                questions=join(" UNION ALL ", questions),
                limit=max(1, self._copy.max_errors),
            )
        )
        return [self._load_error(objects, *row) for row in answer.rows]

    def _load_error(self, objects: list[S3Object], *row: str | None) -> tuple[int, LoadError]:
        number, line, raw, position, value, code = (text or "" for text in row)
        column = self._columns[int(position)]
        explained, reason = column.explain(LoadErrorCode(int(code)), value)
        error = LoadError(
            objects[int(number)].url,
            int(line),
            explained,
            reason,
            raw,
            column=column.name,
            column_type=column.type_name,
            column_length="" if column.length is None else str(column.length),
            value=value,
        )
        return int(number), error

    async def _insert(self) -> None:
        answer = await self._backend.call(
            render(
                "INSERT INTO {table} ({names}) SELECT {values} FROM {stage}",
                table=self._copy.table,
                names=join(", ", [column.quoted for column in self._columns]),
                values=join(", ", [column.typed for column in self._columns]),
                stage=_STAGE,
            )
        )
        self.report.rows = answer.affected
        await self._backend.call(render("DROP TABLE {stage}", stage=_STAGE))

    # -- threads

    async def _through_threads(self, pieces: "Generator[bytes, None, None]") -> "AsyncIterator[bytes]":
        """Advance a blocking generator in threads, one piece at a time."""
        loop = asyncio.get_running_loop()
        try:
            while (piece := await loop.run_in_executor(self._threads, next, pieces, None)) is not None:
                yield piece
        finally:
            with contextlib.suppress(ValueError):  # still running: this task was cancelled while it waited
                pieces.close()


def _is_about_data(error: PostgresError) -> bool:
    """Whether the data may be at fault (classes 22, data exception, and 23, constraint), and not the session."""
    return error.code[:2] in ("22", "23")


def _postgres_can_parse(copy: "CopyStatement", quote: str) -> bool:
    """Whether PostgreSQL's CSV parser takes these characters at all."""
    delimiter, null = copy.field_delimiter, copy.null_text
    one_byte = len(delimiter.encode()) == len(quote.encode()) == 1
    return (
        one_byte
        and delimiter not in "\r\n"
        and quote not in "\r\n"
        and delimiter != quote
        and not set(null) & {"\r", "\n", delimiter, quote}
    )
