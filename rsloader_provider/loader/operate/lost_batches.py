"""The batches that the load histories have and the ledger does not: which they are, and which objects they loaded."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from operator import itemgetter

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import OperationRefusedError
from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.core.ledger.manifest import Entry, batch_of_manifest, read_manifest
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.rebuilding import LostBatch, lost_batch
from rsloader_provider.core.redshift.rows import HistoryRow
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.services import Services

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Lost:
    """What is to be put back.

    Attributes:
        batches: Oldest first.
        owners: The lost batch that each object is claimed for in the end: the newest that has read it.
        loaded: Batches that both the histories and the ledger have.
        targets: The targets of the load with a history, each with the oldest batch that it has; None if it has none.
    """

    batches: list[LostBatch] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    loaded: set[str] = field(default_factory=set)
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
    # What is open was not loaded as it is now.
    known = {batch.batch for batch in ledger.batches(config.load) if batch.status is not BatchStatus.OPEN}
    known.update(ledger.deleted(config.load))
    rows: dict[str, dict[str, Sequence[HistoryRow]]] = {}
    with Histories(config, services.warehouse) as histories:
        found.targets = dict.fromkeys(histories.targets)
        for batch, by_target in _by_batch(histories):
            for name in by_target:
                found.targets[name] = found.targets[name] or batch
            if batch in known:
                found.loaded.add(batch)
            else:
                rows[batch] = by_target
        for name, error in histories.unreadable.items():
            raise OperationRefusedError(f"The load history of {name} cannot be read: {error} Nothing was changed.")
    manifests = _manifests(config, services) if rows else {}
    for batch, by_target in rows.items():
        listed = [*_read(services, manifests.get(batch, ()))]
        lost = lost_batch(config.load, batch, by_target, listed)
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


def _read(services: Services, manifests: Iterable[S3Object]) -> Iterator[Sequence[Entry]]:
    for each in manifests:
        content = services.storage.read(each.bucket, each.key)
        try:
            yield read_manifest(content or b"")
        except ValueError as error:
            log.warning("%s is passed over: %s", each.url, error)


def _by_batch(histories: Histories) -> Iterator[tuple[str, dict[str, Sequence[HistoryRow]]]]:
    streams = (_named(histories, name) for name in histories.targets)
    for batch, each in groupby(merge(*streams, key=itemgetter(0)), itemgetter(0)):
        yield batch, {name: rows for _, name, rows in each}


def _named(histories: Histories, name: str) -> Iterator[tuple[str, str, list[HistoryRow]]]:
    return ((batch, name, rows) for batch, rows in histories.stream(name))
