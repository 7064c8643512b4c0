"""Tell how a batch ended. Telling never changes what is told: an unreachable topic is a warning in the log."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from rsloader_provider.core.batch import Batch, BatchStatus, Notification, record_notification, same_attempts
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import RsloaderError
from rsloader_provider.core.manifest import Entry, render_manifest
from rsloader_provider.core.sources import S3Url
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.ports.notifier import AnswerLostError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.services import Services

log = logging.getLogger(__name__)


def tell_success(config: LoadConfig, services: Services, batch: Batch, manifest: S3Url) -> None:
    """Publish that a batch is in all of its targets; does nothing while one of them is missing.

    Only the attempt whose own write completed the batch may call this, so that it is told once.
    """
    if batch.status is not BatchStatus.COMPLETE or config.notify.success is None:
        return
    rows = {name: progress.rows for name, progress in batch.targets.items()}
    message = {**_facts(config, batch, manifest), "status": "ok", "rows": rows}
    _tell(services, batch, config.notify.success, f"rsloader: {config.load} loaded", message)


def tell_failure(
    config: LoadConfig,
    services: Services,
    batch: Batch,
    target: str,
    manifest: S3Url,
    entries: Sequence[Entry],
    error: RsloaderError,
) -> None:
    """Keep a copy of the manifest under the failed prefix, and publish why the batch waits for a person."""
    message = {**_facts(config, batch, manifest), "status": "error", "target": target, "error": str(error)}
    content = render_manifest(entries)
    if config.failed_manifests is not None and content is not None:
        failed = config.failed_manifests.join(batch.manifest_name)
        try:
            with services.steps.taking(Step.KEEP_MANIFEST, batch):
                services.storage.write(failed.bucket, failed.key, content)
            message["failedManifest"] = str(failed)
        except RsloaderError as problem:
            log.warning("%s: the failed manifest could not be kept at %s: %s", batch, failed, problem)
    if config.notify.failure is not None:
        _tell(services, batch, config.notify.failure, f"rsloader: {config.load} failed", message)


def _facts(config: LoadConfig, batch: Batch, manifest: S3Url) -> dict[str, Any]:
    # The names in camel case are those of the Lambda loader's messages, which consumers know.
    return {
        "batchId": batch.batch,
        "s3Prefix": ", ".join(map(str, config.sources)),
        "originalManifest": str(manifest),
        "load": config.load,
        "files": batch.files,
        "bytes": batch.size_bytes,
    }


def _tell(services: Services, batch: Batch, topic: str, subject: str, message: Mapping[str, Any]) -> None:
    try:
        with services.steps.taking(Step.NOTIFY, batch):
            services.notifier.publish(topic, subject[:100], message)
    except AnswerLostError as problem:
        log.warning("topic %s may have been told or not, and is not told again: %s", topic, problem)
    except RsloaderError as problem:
        log.warning("topic %s could not be told: %s", topic, problem)
        _record(services, batch, Notification.REFUSED)
    else:
        _record(services, batch, Notification.SENT)


def _record(services: Services, batch: Batch, notification: Notification) -> None:
    """Note it on the batch, unless another attempt has begun since, which will tell of its own end."""
    now = batch
    try:
        with services.steps.taking(Step.RECORD_NOTIFIED, batch):
            while same_attempts(now, batch) and now.notification is Notification.DUE:
                try:
                    services.ledger.replace(now, record_notification(now, notification))
                except LostRaceError:
                    now = services.ledger.get(batch.load, batch.batch)
                else:
                    return
    except RsloaderError as problem:
        log.warning("%s: that the notification was %s could not be noted: %s", batch, notification, problem)
