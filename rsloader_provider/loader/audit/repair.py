"""What an audit puts right: only what the load history proves, or what follows from the rest of the record.

Everything is read again first, each write is conditional, and another writer in between wins.
"""

from collections.abc import Iterable, Iterator, Sequence

from rsloader_provider.core.audit import Names, mended
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import RsloaderError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.manifest import Entry, render_manifest
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.run.notify import tell_recovery, tell_success
from rsloader_provider.loader.services import Services

log = logger_of(__name__)


def repair_batches(config: LoadConfig, services: Services, batches: Iterable[str]) -> Iterator[str]:
    """Put right what an audit found mendable.

    Safe to call again, and while the load is at work. It runs no COPY, touches no row, and opens no generation.

    Args:
        config: The load.
        services: The ports and the clock.
        batches: The batches, as `AuditReport.mendable` names them.

    Yields:
        What became of each, as a sentence.
    """
    with Histories(config, services.warehouse) as histories:
        for batch_id in batches:
            try:
                yield _repair(config, services, histories, batch_id)
            except RsloaderError as error:
                yield f"batch {batch_id}: left as it is: {error}"


def _repair(config: LoadConfig, services: Services, histories: Histories, batch_id: str) -> str:
    before = services.ledger.get(config.load, batch_id)
    if before.status is BatchStatus.OPEN:
        return f"{before}: it is open, so it was left as it is."
    names = Names.of(before, services.ledger.segments(before))
    after = mended(
        before,
        histories.of_batch(batch_id),
        names,
        notify=config.notify.success is not None,
        notify_recovery=config.notify.failure is not None,
    )
    try:
        with services.steps.taking(Step.MEND, before):
            # Also when nothing differs: the write puts the batch's place in the index right.
            written = services.ledger.replace(before, after)
    except LostRaceError:
        return f"{before}: another writer changed it at the same moment, so it was left as it is."
    manifest = config.manifests.join(written.manifest_name)
    entries = services.ledger.entries(written)
    _rewrite_manifest(services, written, entries, manifest.bucket, manifest.key)
    is_news = any(before.targets[name].state is not each.state for name, each in written.targets.items())
    if written.status is BatchStatus.COMPLETE and is_news:
        tell_success(config, services, written, manifest, entries)
    for name, progress in before.targets.items():
        if progress.is_failing and not written.targets[name].is_failing:
            tell_recovery(config, services, written, name, entries)
    return f"{written}: repaired; it is {written.status}."


def _rewrite_manifest(services: Services, batch: Batch, entries: Sequence[Entry], bucket: str, key: str) -> None:
    """Write the manifest that every attempt writes, if another one lies there."""
    content = render_manifest(entries)
    found = services.storage.read(bucket, key)
    if content is None or found is None:
        return
    if found != content:
        with services.steps.taking(Step.WRITE_MANIFEST, batch):
            services.storage.write(bucket, key, content)
