"""A warehouse in memory: tables of one-line rows, transactions, a lock per load history, and accidents on request.

COPY takes each line of each object as a row, whatever the format. A line that reads `bad` is refused, as Redshift
refuses a row; and so is a columnar object whose size is not the manifest's. What stands before the first comma
is the key that rows are merged on.

Outside of a transaction each statement commits by itself, as it also does once SQL of a user has ended the transaction.
Of such SQL it carries out what ends one.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from rsloader_provider.core.errors import (
    AccessDeniedError,
    BadDataError,
    ConfigurationError,
    ConnectionLostError,
    NotSetUpError,
    ObjectsMissingError,
    StatementError,
    TransientError,
)
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import LoadKey, TableName
from rsloader_provider.core.redshift.other_loads import FindOtherLoads, GiveRows
from rsloader_provider.core.redshift.rows import Values
from support.fakes.storage import MemoryStorage

Tables = dict[str, list[str]]


def _key(row: str) -> str:
    return row.partition(",")[0]


def _merge(tables: Tables, target: str, staging: str) -> None:
    staged = {_key(row) for row in tables[staging]}
    tables[target] = [*(row for row in tables[target] if _key(row) not in staged), *tables[staging]]


@dataclass
class Accident:
    """Breaks the connection at the next statement of a kind: before it is carried out, or after.

    `meanwhile` is what somebody else does at that moment.
    """

    statement: type
    after: bool
    meanwhile: Callable[[], object] = lambda: None


@dataclass
class MemoryLoad:
    """A completed COPY as SYS_LOAD_HISTORY has it, and how its transaction ended, None while it is open."""

    manifest_url: str
    session: int
    query_id: int
    end: str | None = None


@dataclass
class MemoryWarehouse:
    """The warehouse.

    `sees_transactions` tells whether the loader's user may read SYS_TRANSACTION_HISTORY. Each session in `slow_to_end`
    is still shown once after it was terminated. The histories of the tables in `without_digests` and `without_sources`
    are of earlier releases. The first `views_lag` looks at skipped rows show nothing yet.
    """

    storage: MemoryStorage
    connections: set[str] = field(default_factory=lambda: {"redshift_default"})
    tables: dict[str, list[str]] = field(default_factory=dict)
    histories: dict[str, list[sql.RecordLoaded]] = field(default_factory=dict)
    without_digests: set[str] = field(default_factory=set)
    without_sources: set[str] = field(default_factory=set)
    accidents: list[Accident] = field(default_factory=list)
    log: list[sql.Statement] = field(default_factory=list)
    sessions: dict[int, "MemorySession"] = field(default_factory=dict)
    sessions_of_others: set[int] = field(default_factory=set)
    files: dict[int, set[str]] = field(default_factory=dict)
    now: Callable[[], datetime] = lambda: datetime(2026, 1, 2, tzinfo=UTC)
    began: dict[LoadKey, datetime] = field(default_factory=dict)
    unreadable_views: bool = False
    views_lag: int = 0
    skipped: dict[int, list[tuple[Any, ...]]] = field(default_factory=dict)
    sees_transactions: bool = True
    slow_to_end: set[int] = field(default_factory=set)
    loads: list["MemoryLoad"] = field(default_factory=list)
    procedures_that_commit: set[str] = field(default_factory=set)
    unreachable: bool = False

    def __post_init__(self) -> None:
        self.pids = count(100)
        self.query_ids = count(1000)
        self.locks: dict[str, threading.Lock] = {}
        self.meanwhile: dict[type, Callable[[], object]] = {}

    def create(self, table: str, *, history: bool = True) -> None:
        """Not in the port: creates a table, and its history as `rsloader setup` does."""
        self.tables[table] = []
        if history:
            self.create_history(table)

    def create_history(self, table: str) -> None:
        """Not in the port: creates an empty history, as `rsloader setup` does."""
        self.histories[table] = []
        self.locks[table] = threading.Lock()

    def drop_history(self, table: str) -> None:
        """Not in the port: drops a history, as somebody does who cleans up."""
        del self.histories[table], self.locks[table]

    def before(self, statement: type, happens: Callable[[], object]) -> None:
        """Not in the port: what somebody else does right before the next statement of a kind."""
        self.meanwhile[statement] = happens

    def viewed(self, query_id: int) -> set[str]:
        """Not in the port: what SYS_LOAD_DETAIL shows of a COPY, URLs cut as there."""
        return {url.encode()[:256].decode(errors="ignore") for url in self.files.get(query_id, ())}

    @contextmanager
    def connect(self, conn_id: str, transport: str = "driver") -> Iterator["MemorySession"]:
        if conn_id not in self.connections:
            raise ConfigurationError(f"There is no Airflow connection {conn_id}.")
        if self.unreachable:
            raise TransientError(f"Connection {conn_id}: Redshift cannot be reached.")
        session = MemorySession(self, next(self.pids))
        self.sessions[session.pid] = session
        try:
            yield session
        finally:
            session.close()


class MemorySession:
    def __init__(self, warehouse: MemoryWarehouse, pid: int):
        self.warehouse = warehouse
        self.pid = pid
        self.broken = False
        self.last_copy: tuple[int, int | None] = (0, None)
        self.refused: list[tuple[Any, ...]] = []
        self.temporary: Tables = {}
        self._reset()

    def _reset(self) -> None:
        self.in_transaction = self.failed = False
        self.writes: list[Callable[[Tables], object]] = []
        self.recorded: list[sql.RecordLoaded] = []
        self.given: list[GiveRows] = []
        self.held: list[threading.Lock] = []
        self.loads: list[MemoryLoad] = []

    def execute(self, statement: sql.Statement) -> list[Any] | None:
        self.warehouse.log.append(statement)
        self.warehouse.meanwhile.pop(type(statement), lambda: None)()
        self._accident(statement, after=False)
        if self.broken:
            raise ConnectionLostError(f"the session broke before {type(statement).__name__}")
        if self.failed and not isinstance(statement, sql.Rollback):
            raise StatementError("current transaction is aborted", "25P02")
        try:
            rows = self._run(statement)
        except (AccessDeniedError, BadDataError, ObjectsMissingError, NotSetUpError, StatementError):
            self.failed = self.in_transaction
            raise
        if not self.in_transaction and (self.writes or self.recorded or self.given or self.held):
            self._commit()
        self._accident(statement, after=True)
        return [statement.read(values) for values in rows] if isinstance(statement, sql.Query) else None

    def _accident(self, statement: sql.Statement, *, after: bool) -> None:
        for accident in self.warehouse.accidents:
            if isinstance(statement, accident.statement) and accident.after is after:
                self.warehouse.accidents.remove(accident)
                self.close()
                accident.meanwhile()
                raise ConnectionLostError(f"the connection broke during {type(statement).__name__}")

    def close(self) -> None:
        self._end()
        self.temporary = {}
        self.broken = True

    def _end(self, end: str = "rolledback") -> None:
        held = self.held
        for each in self.loads:
            each.end = end
        self._reset()
        for lock in held:
            lock.release()

    def _run(self, statement: sql.Statement) -> Sequence[Values]:
        """Give the values as the driver gives them."""
        match statement:
            case sql.BackendPid():
                return [[self.pid]]
            case sql.TerminateSession(pid):
                if pid in self.warehouse.sessions_of_others:
                    raise AccessDeniedError("must be superuser to signal other server processes")
                if pid in self.warehouse.sessions:
                    self.warehouse.sessions[pid].close()
            case sql.CountSessions(pid):
                ending = pid in self.warehouse.slow_to_end
                self.warehouse.slow_to_end.discard(pid)
                session = self.warehouse.sessions.get(pid)
                return [[int(ending or (session is not None and not session.broken))]]
            case sql.FindTransactionEnd(manifest_url, pid, query_id):
                if not self.warehouse.sees_transactions:
                    raise AccessDeniedError("permission denied for relation sys_transaction_history")
                key = (manifest_url, pid, query_id)
                found = [e for e in self.warehouse.loads if (e.manifest_url, e.session, e.query_id) == key]
                return [[each.end] for each in found if each.end]
            case sql.Begin():
                self.in_transaction = True
            case sql.Rollback():
                self._end()
            case sql.Commit():
                self._commit()
            case sql.LockHistory(target):
                self._lock(str(target))
            case sql.FindLoaded(key):
                without = int(str(key.target) in self.warehouse.without_digests)
                same = [e for e in self._history(key.target) if e.key.load == key.load]
                found = next((e for e in same if e.key == key), None)
                newest = max((e.key.batch for e in same), default=None)
                digest = "no such column" if without else None
                digests = [e.key.batch + each for e in same if (each := e.names_digest or digest)]
                without_source = int(str(key.target) in self.warehouse.without_sources)
                last = [newest, None, without, max(digests, default=None), without_source]
                if found is None:
                    return [[0, None, None, None, *last]]
                last[1] = found.names_digest
                return [[1, found.rows, found.query_id, found.files, *last]]
            case FindOtherLoads(target, load, source):
                self._need_sources(target)
                batches: dict[str, set[str]] = {}
                for each in self._history(target):
                    if each.key.load != load and each.source == source:
                        batches.setdefault(each.key.load, set()).add(each.key.batch)
                others = [[other, len(found), max(found)] for other, found in batches.items()]
                return sorted(others, key=lambda row: str(row[2]), reverse=True)
            case GiveRows(target):
                self._need_sources(target)
                self.given.append(statement)
            case sql.ReadHistory(target, load, after, limit):
                rows = [each for each in self._history(target) if each.key.load == load and each.key.batch > after]
                return [self._history_row(each) for each in rows][:limit]
            case sql.ReadBatchHistory(target, load, batch):
                rows = [each for each in self._history(target) if (each.key.load, each.key.batch) == (load, batch)]
                return [self._history_row(each) for each in rows]
            case sql.ReadLoadedFiles(query_ids):
                if self.warehouse.unreadable_views:
                    raise AccessDeniedError("permission denied for relation sys_load_detail")
                return [[each, url] for each in query_ids for url in sorted(self.warehouse.viewed(each))]
            case sql.DeleteAll(target):
                self._write(lambda tables: tables.update({str(target): []}))
            case sql.Truncate(target):
                self._truncate(str(target))
            case sql.CreateStaging(staging, like):
                self._rows(str(like))
                self._write(lambda tables: tables.update({str(staging): []}))
            case sql.DropTable(table):
                self._write(lambda tables: tables.pop(str(table)))
            case sql.RenameTable(table, name):
                self._write(lambda tables: tables.update({f"{table.schema}.{name}": tables.pop(str(table))}))
            case sql.FindAmbiguousKeys(staging, _, limit):
                counts = Counter(_key(row) for row in self._rows(str(staging)))
                return [[key or None, rows] for key, rows in sorted(counts.items()) if rows > 1 or not key][:limit]
            case sql.Merge(target, staging):
                self._write(lambda tables: _merge(tables, str(target), str(staging)))
            case sql.Copy():
                self._copy(statement)
            case sql.LastCopy():
                return [list(self.last_copy)]
            case sql.RecordLoaded(key):
                if statement.names_digest is not None and str(key.target) in self.warehouse.without_digests:
                    raise NotSetUpError('column "names_digest" of relation does not exist')
                if statement.source is not None:
                    self._need_sources(key.target)
                self.recorded.append(statement)
            case sql.FindRowErrors() | sql.FindRowErrorsWithoutValues():
                if self.warehouse.unreadable_views:
                    raise NotSetUpError("relation stl_load_errors does not exist")
                return self.refused[: statement.limit]
            case sql.FindSkippedRows(query_id, limit):
                if self.warehouse.unreadable_views:
                    raise AccessDeniedError("permission denied for relation sys_load_error_detail")
                lagging = self.warehouse.views_lag > 0
                self.warehouse.views_lag -= lagging
                if lagging or query_id not in self.warehouse.skipped:
                    return [[None, 0, *[None] * 7]]
                skipped = self.warehouse.skipped[query_id]
                return [[len(skipped), len(skipped), *row] for row in skipped][:limit] or [[0, 0, *[None] * 7]]
            case sql.UserStatement(text):
                self._run_text(text)
            case sql.SetStatementTimeout():
                pass
            case _:
                raise StatementError(f"the fake does not know {statement}", "0A000")
        return ()

    def _run_text(self, text: str) -> None:
        match text.split():
            case ["syntax", "error", *_]:
                raise StatementError("syntax error", "42601")
            case ["TRUNCATE", table]:
                self._truncate(table)
            case ["COMMIT"]:
                self._commit()
            case ["CREATE", "PROCEDURE", name, *_] if "COMMIT;" in text:
                self.warehouse.procedures_that_commit.add(name)
            case ["CALL", name] if name in self.warehouse.procedures_that_commit and self.in_transaction:
                # https://docs.aws.amazon.com/redshift/latest/dg/stored-procedure-transaction-management.html
                raise StatementError(
                    "COMMIT cannot be invoked from a procedure that is executing in an atomic context.", "2D000"
                )

    def _truncate(self, table: str) -> None:
        self._rows(table)
        self._write(lambda tables: tables.update({table: []}))
        self._commit()

    def _write(self, write: Callable[[Tables], object]) -> None:
        """Change tables when the transaction commits; until then only this session sees it."""
        self.writes.append(write)

    def _tables(self) -> Tables:
        tables = {name: [*rows] for name, rows in (self.warehouse.tables | self.temporary).items()}
        for write in self.writes:
            write(tables)
        return tables

    def _rows(self, table: str) -> list[str]:
        try:
            return self._tables()[table]
        except KeyError:
            raise NotSetUpError(f"Cannot COPY into nonexistent table {table}") from None

    def _history(self, target: TableName) -> list[sql.RecordLoaded]:
        if str(target) not in self.warehouse.histories:
            raise NotSetUpError(f"relation rsloader.{target} does not exist. Run `rsloader setup` once.")
        return sorted(self.warehouse.histories[str(target)], key=lambda each: (each.key.batch, each.key.generation))

    def _need_sources(self, target: TableName) -> None:
        if str(target) in self.warehouse.without_sources:
            raise NotSetUpError('column "source" of relation does not exist')

    def _history_row(self, row: sql.RecordLoaded) -> list[Any]:
        began = self.warehouse.began.get(row.key)
        naive = began and began.replace(tzinfo=None)
        return [
            row.key.batch, row.key.generation, row.attempt, row.rows, row.files, row.query_id, row.run, naive,
            row.names_digest,
        ]  # fmt: skip

    def _lock(self, table: str) -> None:
        if table not in self.warehouse.locks:
            raise NotSetUpError(f"relation rsloader.{table} does not exist")
        lock = self.warehouse.locks[table]
        lock.acquire()
        self.held.append(lock)

    def _commit(self) -> None:
        tables = self._tables()
        self.warehouse.tables.clear()
        self.warehouse.tables.update({name: rows for name, rows in tables.items() if "." in name})
        self.temporary = {name: rows for name, rows in tables.items() if "." not in name}
        for given in self.given:
            self._give(given)
        for row in self.recorded:
            self.warehouse.histories[str(row.key.target)].append(row)
            self.warehouse.began[row.key] = self.warehouse.now()
        self._end("committed")

    def _give(self, given: GiveRows) -> None:
        rows = self.warehouse.histories[str(given.target)]
        for index, row in enumerate(rows):
            if row.key.load == given.old:
                key = replace(row.key, load=given.new)
                rows[index] = replace(row, key=key, source=given.source)
                if row.key in self.warehouse.began:
                    self.warehouse.began[key] = self.warehouse.began.pop(row.key)

    def _copy(self, statement: sql.Copy) -> None:
        table = str(statement.target)
        self._rows(table)
        query_id = next(self.warehouse.query_ids)
        rows = []
        refused: list[tuple[Any, ...]] = []
        for entry in self._manifest(statement.manifest_url):
            url = entry["url"]
            bucket, _, key = url.removeprefix("s3://").partition("/")
            content = self.warehouse.storage.read(bucket, key)
            if content is None:
                raise ObjectsMissingError("Mandatory url is not present in manifest file.", ())
            storage = self.warehouse.storage
            if isinstance(storage, MemoryStorage) and not storage.is_readable(bucket, key):
                raise AccessDeniedError(
                    "Copy: S3ServiceException:The operation is not valid for the object's storage class,Status 403,"
                    "Error InvalidObjectState"
                )
            if statement.options.is_columnar and entry["meta"]["content_length"] != len(content):
                raise BadDataError(f"content_length does not match the size of the file: {url}")
            lines = content.decode().splitlines()
            for number, line in enumerate(
                lines[statement.options.ignore_header :], 1 + statement.options.ignore_header
            ):
                if line == "bad":
                    refused.append((url, number, "id", line, "Invalid digit", 1207, query_id))
                else:
                    rows.append(line)
        limit = re.search(r"MAXERROR (?:AS )?(\d+)", statement.options.options)
        if len(refused) >= max(1, int(limit[1]) if limit else 1):
            self.refused += refused
            raise BadDataError(f"Load into table '{statement.target.table}' failed.")
        self.warehouse.skipped[query_id] = [(*row[:3], "", *row[4:]) for row in refused]
        self._write(lambda tables: tables[table].extend(rows))
        self.last_copy = (len(rows), query_id)
        load = MemoryLoad(statement.manifest_url, self.pid, query_id, None if self.in_transaction else "committed")
        self.warehouse.loads.append(load)
        self.loads.append(load)
        self.warehouse.files[query_id] = {entry["url"] for entry in self._manifest(statement.manifest_url)}

    def _manifest(self, url: str) -> list[dict[str, Any]]:
        bucket, _, key = url.removeprefix("s3://").partition("/")
        entries: list[dict[str, Any]] = json.loads(self.warehouse.storage.read(bucket, key))["entries"]
        return entries
