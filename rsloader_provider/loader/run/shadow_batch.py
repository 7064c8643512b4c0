"""Shadow running: a load that discovers, buffers and decides, and logs what it would load instead of loading it.

Everything that it records goes under a ledger name of its own, which no load can have. So the day on which `shadow` is
taken out of the load file, the load starts from what was claimed under its own name, and nothing is lost or repeated.
"""

from dataclasses import dataclass
from typing import Any

from rsloader_provider.core.config import CopyOptions, LoadConfig
from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.manifest import render_manifest
from rsloader_provider.core.ledger.shadow_name import as_recorded
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt, needs_loading
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.races import until_won
from rsloader_provider.loader.services import Services

log = logger_of(__name__)

_SECRET_SETTINGS = {"access_key_id", "secret_access_key", "aws_conn_id"}


@dataclass(frozen=True, slots=True)
class ShadowLoad:
    """What would have been loaded.

    Attributes:
        batch: The batch's id, which means nothing outside of the shadow.
        target: The target's name.
        files: Objects in the batch.
        size_bytes: Their bytes.
        manifest: The manifest that would have been written; None where every object is empty.
        copy: The COPY that would have been sent, without credentials; None where there is nothing to copy.
        reader: What Redshift would have read with, for people.
        urls: The objects that the manifest would have named, sorted.
    """

    batch: str
    target: str
    files: int
    size_bytes: int
    manifest: str | None
    copy: str | None
    reader: str
    urls: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Give it as plain JSON, without the objects: they are in the log and in `rsloader shadow-report`."""
        return {
            "outcome": "shadow",
            "batch": self.batch,
            "target": self.target,
            "files": self.files,
            "size_bytes": self.size_bytes,
            "manifest": self.manifest,
            "copy": self.copy,
            "reader": self.reader,
        }


def shadow_batch(
    config: LoadConfig, services: Services, batch_id: str, target_name: str, asker: Asker
) -> ShadowLoad | None:
    """Report what loading a batch into a target would do, and record the batch as done in the shadow's ledger.

    It asks Redshift nothing, writes no manifest and notifies no topic. Called again, it reports the same.

    Args:
        config: The load, with `shadow`.
        services: The ports and the clock.
        batch_id: A batch that the shadow locked.
        target_name: One of its targets.
        asker: Who asks.

    Returns:
        What would have been loaded; None if that has been reported already, and no person asks again.

    Raises:
        UnknownBatchError: The shadow has no such batch, or it has no such target.
        ContentionError: Others wrote to the batch too many times in a row.
    """
    recorded = as_recorded(config)

    def tell() -> ShadowLoad | None:
        batch = services.ledger.get(recorded.load, batch_id)
        if not needs_loading(batch.progress(target_name), asker):
            return None
        with services.steps.taking(Step.BEGIN_ATTEMPT, f"{batch} into {target_name}"):
            batch = services.ledger.replace(batch, begin_attempt(batch, target_name, asker))
        told = _would_load(config, services, batch, target_name)
        finished = AttemptRecord.newest(batch, target_name).finished(rows=0, query_id=None)
        with services.steps.taking(Step.FINISH_ATTEMPT, f"{batch} into {target_name}"):
            services.ledger.replace(batch, finished.batch)
        return told

    return until_won(f"batch {batch_id} of load {recorded.load}", tell)


def _would_load(config: LoadConfig, services: Services, batch: Batch, target_name: str) -> ShadowLoad:
    entries = sorted(services.ledger.entries(batch))
    reader = config.copy_options.reader
    if not entries:
        log.info("SHADOW: %s has no objects: nothing would be loaded into %s, and no SQL would run", batch, target_name)
        return ShadowLoad(batch.batch, target_name, batch.files, batch.size_bytes, None, None, reader, ())
    manifest = config.manifests.join(f"{config.load}/{batch.batch}.manifest")
    target = config.target_named(target_name)
    copy = None
    if render_manifest(entries) is not None and target is not None:
        table = TableName(target.schema_name, target.table_name)
        copy = render(sql.Copy(table, target.columns, str(manifest), _without_keys(config.copy_options)))
    urls = tuple(entry.url for entry in entries if entry.size_bytes > 0)
    log.info(
        "SHADOW: %s would be loaded into %s: %d objects, %d bytes, manifest %s",
        batch, target_name, batch.files, batch.size_bytes, manifest,
    )  # fmt: skip
    log.info("SHADOW: Redshift would read with %s", reader)
    log.info("SHADOW: %s", copy or "no COPY, as every object is empty or the load no longer has the target")
    for url in urls:
        log.info("SHADOW:   %s", url)
    written = str(manifest) if copy else None
    return ShadowLoad(batch.batch, target_name, batch.files, batch.size_bytes, written, copy, reader, urls)


def _without_keys(options: CopyOptions) -> CopyOptions:
    return CopyOptions.model_validate(options.model_dump(exclude=_SECRET_SETTINGS, exclude_defaults=True))
