"""Have loaded again what Redshift has lost, because it was restored to an earlier moment: the ledger knows better."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from rsloader_provider.core.audit import missing_in_history
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import DeletedBatchError, OperationRefusedError
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.transitions import wait_again
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift.rows import HistoryRow
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.races import until_won
from rsloader_provider.loader.services import Services

log = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class Unloaded:
    """A batch that some targets have lost.

    Attributes:
        batch: The batch as it was read.
        targets: Names of the targets whose history lacks the load that the ledger records.
    """

    batch: Batch
    targets: tuple[str, ...]


def find_unloaded(config: LoadConfig, services: Services, since: datetime) -> list[Unloaded]:
    """Compare what the ledger says was loaded with the load histories. Changes nothing.

    A load that was made without a history is passed over.

    Args:
        config: The load.
        services: The ports and the clock.
        since: Only batches that were locked at this moment or later (aware, UTC).

    Returns:
        The batches, oldest first.

    Raises:
        OperationRefusedError: A history cannot be read, so it is not known what it lacks.
    """
    rows: dict[str, dict[str, list[HistoryRow]]] = defaultdict(dict)
    # The ledger first: what is loaded after it was read is in the histories, and does no harm there.
    batches = [each for each in services.ledger.batches(config.load) if each.locked_at and each.locked_at >= since]
    with Histories(config, services.warehouse) as histories:
        targets = [*histories.targets]
        for name in targets:
            for batch_id, each in histories.stream(name):
                rows[batch_id][name] = each
        for name, error in histories.unreadable.items():
            raise OperationRefusedError(f"The load history of {name} cannot be read: {error} Nothing was changed.")
    found = (Unloaded(each, tuple(_lacking(each, targets, rows.get(each.batch, {})))) for each in reversed(batches))
    return [each for each in found if each.targets]


def _lacking(batch: Batch, targets: list[str], rows: dict[str, list[HistoryRow]]) -> Iterator[str]:
    for name in missing_in_history(batch, {name: rows.get(name, []) for name in targets}):
        if batch.progress(name).settings.get("history", "table") == "table":
            yield name


def reconcile(
    config: LoadConfig,
    services: Services,
    since: datetime,
    *,
    by: str,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Unloaded]:
    """Have each batch wait that some targets have lost, so that the next runs load it into them.

    It waits at the generation that the history lacks: if that is there after all, an attempt finds it and loads
    nothing. So it may be stopped and called again, also while runs are at work.

    Args:
        config: The load.
        services: The ports and the clock.
        since: As for `find_unloaded`.
        by: Who asks.
        progress: Called with the number of objects of each batch.

    Yields:
        Each batch that waits now.

    Raises:
        OperationRefusedError: As for `find_unloaded`.
    """
    for each in find_unloaded(config, services, since):
        if (waits := _let_wait(services, each, by)) is not None:
            log.info("%s: waits for %s again, asked for by %s", waits, ", ".join(each.targets), by)
            yield Unloaded(waits, each.targets)
        progress(each.batch.files)


def _let_wait(services: Services, lost: Unloaded, by: str) -> Batch | None:
    """Write it unless an attempt has begun since the batch was compared: that one looks into the history itself."""

    def write() -> Batch | None:
        try:
            now = services.ledger.get(lost.batch.load, lost.batch.batch)
        except DeletedBatchError:
            return None
        waits = now
        for name in lost.targets:
            if now.progress(name).attempt == lost.batch.progress(name).attempt:
                waits = wait_again(waits, name, by)
        if waits == now:
            return now if any(now.progress(name).has_counted(by) for name in lost.targets) else None
        with services.steps.taking(Step.REPROCESS, now):
            return services.ledger.replace(now, waits)

    return until_won(lost.batch, write)
