"""The load histories of a load's targets, read: as streams, by batch, and the files that COPYs read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby
from operator import attrgetter
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from rsloader_provider.core.config import LoadConfig, Target
from rsloader_provider.core.errors import RsloaderError
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import LoadKey, TableName
from rsloader_provider.core.redshift.other_loads import FindOtherLoads
from rsloader_provider.core.redshift.rows import HistoryAnswer, HistoryRow, OtherLoad
from rsloader_provider.loader.ports.warehouse import Session, Warehouse

if TYPE_CHECKING:
    from rsloader_provider.core.config.target import Transport

log = logger_of(__name__)

PAGE_ROWS = 2_000
QUERY_IDS = 200

_Row = TypeVar("_Row")


class Histories:
    """Reads what Redshift committed. One session for each connection and transport, each opened once it is needed.

    What cannot be read is remembered with the reason, and not asked for again.

    Args:
        config: The load; only the targets that it has now and that have a history are asked.
        warehouse: Where they are.

    Attributes:
        unreadable: Why a target's history cannot be read, by target.
        without_files: Why SYS_LOAD_DETAIL cannot be read, by connection.
    """

    def __init__(self, config: LoadConfig, warehouse: Warehouse):
        self._load = config.load
        self._source = config.source_text
        self._targets: dict[str, Target] = {
            target.name: target for target in config.targets if target.history == "table"
        }
        self._warehouse = warehouse
        self._opened = ExitStack()
        self._sessions: dict[tuple[str, Transport], Session] = {}
        self.unreadable: dict[str, RsloaderError] = {}
        self.without_files: dict[str, RsloaderError] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the sessions."""
        self._opened.close()

    @property
    def targets(self) -> dict[str, Target]:
        """The targets without those whose history turned out not to be readable, by name."""
        return {name: target for name, target in self._targets.items() if name not in self.unreadable}

    @property
    def tables(self) -> dict[str, TableName]:
        """The tables of those targets, by name."""
        return {name: self._table(name) for name in self.targets}

    def newest(self, name: str) -> HistoryAnswer | None:
        """Ask for the newest batch that a target's history has, if it has one; None if it cannot be read."""
        answers = self._read(name, sql.FindLoaded(LoadKey(self._table(name), self._load, batch="", generation=0)))
        return next(iter(answers), None)

    def other_loads(self, name: str) -> list[OtherLoad]:
        """Ask for other loads that a target's history has with the same source; none if it cannot be read."""
        return self._read(name, FindOtherLoads(self._table(name), self._load, self._source))

    def stream(self, name: str) -> Iterator[tuple[str, list[HistoryRow]]]:
        """Give a target's rows by batch, sorted by batch. Ends early when they cannot be read."""
        table, after = self._table(name), ""
        while True:
            page = self._read(name, sql.ReadHistory(table, self._load, after, PAGE_ROWS))
            if not page:
                return
            by_batch = [(batch, list(rows)) for batch, rows in groupby(page, attrgetter("batch"))]
            if len(page) == PAGE_ROWS and len(by_batch) > 1:
                by_batch.pop()  # the rows of the last batch may go on
            yield from by_batch
            after = by_batch[-1][0]

    def of_batch(self, batch: str) -> dict[str, list[HistoryRow]]:
        """Give a batch's rows by target, as they are now; without the targets that cannot be read."""
        found = {
            name: self._read(name, sql.ReadBatchHistory(self._table(name), self._load, batch)) for name in self.targets
        }
        return {name: rows for name, rows in found.items() if name not in self.unreadable}

    def files(self, name: str, query_ids: Iterable[int]) -> dict[int, frozenset[str]]:
        """Give the URLs that COPYs of a target read, each cut as the view cuts it; without those it does not know."""
        conn_id = self._targets[name].conn_id
        found: dict[int, set[str]] = defaultdict(set)
        wanted = sorted({*query_ids})
        for start in range(0, len(wanted), QUERY_IDS):
            if conn_id in self.without_files:
                break
            statement = sql.ReadLoadedFiles(tuple(wanted[start : start + QUERY_IDS]))
            try:
                for file in self._session(self._targets[name]).execute(statement):
                    found[file.query_id].add(file.url)
            except RsloaderError as error:
                log.info("%s: could not find out which files the COPYs read: %s", conn_id, error)
                self.without_files[conn_id] = error
        return {query_id: frozenset(urls) for query_id, urls in found.items()}

    def _table(self, name: str) -> TableName:
        return TableName(self._targets[name].schema_name, self._targets[name].table_name)

    def _read(self, name: str, statement: sql.Query[_Row]) -> list[_Row]:
        if name in self.unreadable:
            return []
        try:
            return self._session(self._targets[name]).execute(statement)
        except RsloaderError as error:
            log.warning("%s: the load history cannot be read: %s", name, error)
            self.unreadable[name] = error
            return []

    def _session(self, target: Target) -> Session:
        way = (target.conn_id, target.transport)
        if way not in self._sessions:
            self._sessions[way] = self._opened.enter_context(self._warehouse.connect(*way))
        return self._sessions[way]
