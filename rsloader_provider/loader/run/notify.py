"""Notify how a batch ended. This never changes how it ended: an unreachable topic is only a warning in the log."""

from collections.abc import Mapping, Sequence
from typing import Any

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.sources import S3Url, SourcePattern
from rsloader_provider.core.errors import ConnectionLostError, RsloaderError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, Notification
from rsloader_provider.core.ledger.manifest import Entry, render_manifest
from rsloader_provider.core.ledger.transitions import record_notification, same_attempts
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.messages import (
    errors_document,
    errors_file_name,
    failing_message,
    failure_message,
    recovery_message,
    skipped_document,
    success_message,
)
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.ports.notifier import AnswerLostError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.races import until_won
from rsloader_provider.loader.run.skipped_rows import Skipped
from rsloader_provider.loader.services import Services

log = logger_of(__name__)


def tell_success(
    config: LoadConfig,
    services: Services,
    batch: Batch,
    manifest: S3Url,
    entries: Sequence[Entry],
    target: str = "",
    skipped: Skipped | None = None,
    *,
    recovered: bool = False,
) -> None:
    """Publish that a batch is in all of its targets; publishes nothing while one of them is missing.

    Only the attempt whose own write completed the batch may call this, so that it is published once. Rows that COPY
    skipped in this target are kept as an errors file either way, and that it is no longer failing is told.
    """
    if recovered:
        tell_recovery(config, services, batch, target, entries)
    errors = None
    first = () if skipped is None else skipped.first
    if skipped is not None and config.failed_manifests is not None:
        errors = config.failed_manifests.join(f"{config.load}/{errors_file_name(batch, target)}")
        document = skipped_document(batch, target=target, manifest=manifest, number=skipped.number, rows=first)
        errors = _kept(services, batch, Step.KEEP_ERRORS, errors, document)
    if batch.status is not BatchStatus.COMPLETE or config.notify.success is None:
        return
    source, key = _last_object(config, entries)
    message = success_message(batch, source=source, key=key, manifest=manifest, skipped=first, errors_file=errors)
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
    """Keep manifest and errors under the failed prefix, and publish why the batch waits for a person."""
    content = render_manifest(entries)
    failed = errors = None
    if config.failed_manifests is not None:
        if content is not None:
            failed = config.failed_manifests.join(batch.manifest_name)
            failed = _kept(services, batch, Step.KEEP_MANIFEST, failed, content)
        errors = config.failed_manifests.join(f"{config.load}/{errors_file_name(batch, target)}")
        document = errors_document(batch, target=target, manifest=manifest, error=error)
        errors = _kept(services, batch, Step.KEEP_ERRORS, errors, document)
    if config.notify.failure is not None:
        source, key = _last_object(config, entries)
        message = failure_message(
            batch,
            source=source,
            key=key,
            manifest=manifest,
            target=target,
            error=error,
            failed_manifest=failed,
            errors_file=errors,
        )
        _tell(services, batch, config.notify.failure, f"rsloader: {config.load} failed", message)


def tell_failing(
    config: LoadConfig,
    services: Services,
    batch: Batch,
    target: str,
    error: RsloaderError,
    entries: Sequence[Entry] = (),
) -> None:
    """Publish that the attempts at a batch have failed for long, although the runs go on trying.

    Only whose own write made it failing may call this, so that it is published once.
    """
    log.warning("%s: its attempts to load it into %s have failed for %s or more", batch, target, config.failing_after)
    if config.notify.failure is None:
        return
    source, key = _last_object(config, entries)
    manifest = config.manifests.join(batch.manifest_name)
    message = failing_message(batch, source=source, key=key, manifest=manifest, target=target, error=error)
    _tell(services, batch, config.notify.failure, f"rsloader: {config.load} keeps failing", message)


def tell_recovery(config: LoadConfig, services: Services, batch: Batch, target: str, entries: Sequence[Entry]) -> None:
    """Publish that a batch is loaded of which `tell_failing` was told, to the same topic."""
    log.info("%s: it is loaded into %s, after attempts that had failed for long", batch, target)
    if config.notify.failure is None:
        return
    source, key = _last_object(config, entries)
    manifest = config.manifests.join(batch.manifest_name)
    message = recovery_message(batch, source=source, key=key, manifest=manifest, target=target)
    _tell(services, batch, config.notify.failure, f"rsloader: {config.load} recovered", message)


def never_ended(batch: Batch, target: str) -> RsloaderError:
    """Say of the attempts at a batch that no one knows how they ended."""
    return ConnectionLostError(
        f"{batch} into {target}: its attempts do not end: the connection to Redshift breaks, or the worker stops. The "
        "next attempt finds out what became of them. The log of load_batch tells more."
    )


def _last_object(config: LoadConfig, entries: Sequence[Entry]) -> tuple[SourcePattern, str]:
    """Give the source that the batch's last object is below, and its key."""
    bucket, _, key = entries[-1].name.partition("/") if entries else ("", "", "")
    return config.source_of(bucket, key) or config.sources[0], key


def _kept(services: Services, batch: Batch, step: Step, url: S3Url, content: bytes) -> S3Url | None:
    """Write an object under the failed prefix; None if that failed, which must not fail the task."""
    try:
        with services.steps.taking(step, batch):
            services.storage.write(url.bucket, url.key, content)
    except RsloaderError as problem:
        log.warning("%s: %s could not be written: %s", batch, url, problem)
        return None
    return url


def _tell(services: Services, batch: Batch, topic: str, subject: str, message: Mapping[str, Any]) -> None:
    try:
        with services.steps.taking(Step.NOTIFY, batch):
            services.notifier.publish(topic, subject[:100], message)
    except AnswerLostError as problem:
        log.warning("could not find out whether topic %s was notified, so it is not notified again: %s", topic, problem)
    except RsloaderError as problem:
        log.warning("topic %s could not be notified: %s", topic, problem)
        _record(services, batch, Notification.REFUSED)
    else:
        _record(services, batch, Notification.SENT)


def _record(services: Services, batch: Batch, notification: Notification) -> None:
    """Record it on the batch, unless another attempt has begun since, which will notify of its own end."""
    now = batch

    def write() -> None:
        nonlocal now
        if not same_attempts(now, batch) or now.notification is not Notification.DUE:
            return
        try:
            services.ledger.replace(now, record_notification(now, notification))
        except LostRaceError:
            now = services.ledger.get(batch.load, batch.batch)
            raise

    try:
        with services.steps.taking(Step.RECORD_NOTIFIED, batch):
            until_won(batch, write)
    except RsloaderError as problem:
        log.warning("%s: could not record that the notification was %s: %s", batch, notification, problem)
