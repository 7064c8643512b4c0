"""The batches that the load histories have and the ledger does not: which they are, and which objects they loaded."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import merge
from itertools import groupby
from operator import itemgetter

from rsloader_provider.core.audit import Names, loaded_as_others
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import OperationRefusedError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.manifest import Entry, batch_of_manifest, read_manifest
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.rebuilding import LostBatch, Read, lost_batch, was_loaded
from rsloader_provider.core.redshift.rows import HistoryRow
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.services import Services

log = logger_of(__name__)


@dataclass(slots=True)
class Lost:
    """What is to be put back.

    Attributes:
        batches: Oldest first.
        owners: The lost batch that each object is claimed for in the end: the newest that has read it.
        loaded: Batches that both the histories and the ledger have.
        refilled: Lost batches of which the ledger has something else under the same name: it was restored to a moment
            at which they were open. Nothing of that was loaded.
        targets: The targets of the load with a history, each with the oldest batch that it has; None if it has none.
    """

    batches: list[LostBatch] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    loaded: set[str] = field(default_factory=set)
    refilled: list[str] = field(default_factory=list)
    targets: dict[str, str | None] = field(default_factory=dict)

    @property
    def untold(self) -> list[LostBatch]:
        """Those whose objects no manifest tells."""
        return [each for each in self.batches if each.entries is None]

    def entries_of(self, lost: LostBatch) -> list[Entry]:
        """Give the objects that are to be claimed for a batch."""
        return [entry for entry in lost.entries or () if self.owners[entry.name] == lost.batch]

    def waiting(self, lost: LostBatch) -> list[str]:
        """Name the targets that a batch is still to be loaded into.

        They have a history, which lacks the batch, but has an older one: so they were the load's targets by then.
        """
        return [
            name
            for name, oldest in sorted(self.targets.items())
            if name not in lost.rows and oldest is not None and oldest < lost.batch
        ]


def find_lost(config: LoadConfig, services: Services) -> Lost:
    """Compare the load histories with the ledger, and read the manifests of what it lacks. Changes nothing.

    Raises:
        OperationRefusedError: A history cannot be read, or no target has one.
        NotSetUpError, AccessDeniedError, TransientError: The tables or the manifests cannot be read.
    """
    ledger = services.ledger
    found = Lost()
    if all(target.history == "none" for target in config.targets):
        raise OperationRefusedError(
            f"Load {config.load} has no target with a load history, so nothing tells what it has loaded. Nothing was "
            "changed."
        )
    known = {*ledger.deleted(config.load)}
    unloaded: dict[str, Batch] = {}
    for each in ledger.batches(config.load):
        known.add(each.batch)
        if not each.is_marked and not any(was_loaded(each, one) for one in each.targets.values()):
            unloaded[each.batch] = each
    rows: dict[str, dict[str, Sequence[HistoryRow]]] = {}
    with Histories(config, services.warehouse) as histories:
        found.targets = dict.fromkeys(histories.targets)
        for batch, by_target in _by_batch(histories):
            for name in by_target:
                found.targets[name] = found.targets[name] or batch
            is_refilled = batch in unloaded and _is_other(services, unloaded[batch], by_target)
            if is_refilled:
                found.refilled.append(batch)
            if batch in known and not is_refilled:
                found.loaded.add(batch)
            else:
                rows[batch] = by_target
        for name, error in histories.unreadable.items():
            raise OperationRefusedError(f"The load history of {name} cannot be read: {error} Nothing was changed.")
        manifests = _manifests(config, services) if rows else {}
        for batch, by_target in rows.items():
            lost = lost_batch(config.load, batch, by_target, reads := [*_read(services, manifests.get(batch, ()))])
            if lost.entries is None:
                reads += _seen_by_redshift(services, histories, by_target)
                lost = lost_batch(config.load, batch, by_target, reads)
            found.batches.append(lost)
            found.owners.update((entry.name, batch) for entry in lost.entries or ())
    return found


def _manifests(config: LoadConfig, services: Services) -> dict[str, list[S3Object]]:
    prefix = config.manifests.join(f"{config.load}/")
    found: dict[str, list[S3Object]] = defaultdict(list)
    for each in services.storage.objects(prefix.bucket, prefix.key):
        if (batch := batch_of_manifest(each.key.removeprefix(prefix.key))) is not None:
            found[batch].append(each)
    return found


def _read(services: Services, manifests: Iterable[S3Object]) -> Iterator[Read]:
    for each in manifests:
        content = services.storage.read(each.bucket, each.key)
        try:
            yield Read(read_manifest(content or b""), each.last_modified)
        except ValueError as error:
            log.warning("%s is passed over: %s", each.url, error)


def _seen_by_redshift(
    services: Services, histories: Histories, rows: Mapping[str, Sequence[HistoryRow]]
) -> Iterator[Read]:
    """Give what Redshift shows of the COPYs, for about a week; it cuts long names, which then fit no digest."""
    for name, each in rows.items():
        query_ids = [row.query_id for row in each if row.query_id is not None]
        for urls in histories.files(name, query_ids).values():
            names = sorted(url.removeprefix("s3://") for url in urls)
            yield Read(tuple(Entry(each, _size(services, each)) for each in names), datetime.min.replace(tzinfo=UTC))


def _size(services: Services, name: str) -> int:
    """Give the size of an object as it is now; 0 if it is gone."""
    bucket, _, key = name.partition("/")
    found = services.storage.find(bucket, key)
    return 0 if found is None else found.size_bytes


def _is_other(services: Services, batch: Batch, rows: Mapping[str, Sequence[HistoryRow]]) -> bool:
    """Tell whether the ledger has another batch under the name of one that was loaded."""
    if batch.status is BatchStatus.OPEN:
        return True
    return bool(loaded_as_others(batch, rows, Names.of(batch, services.ledger.segments(batch))))


def _by_batch(histories: Histories) -> Iterator[tuple[str, dict[str, Sequence[HistoryRow]]]]:
    streams = (_named(histories, name) for name in histories.targets)
    for batch, each in groupby(merge(*streams, key=itemgetter(0)), itemgetter(0)):
        yield batch, {name: rows for _, name, rows in each}


def _named(histories: Histories, name: str) -> Iterator[tuple[str, str, list[HistoryRow]]]:
    return ((batch, name, rows) for batch, rows in histories.stream(name))
