"""The manifests of a load: which batch each belongs to, and whether it still lists the batch's objects."""

import hashlib
from collections.abc import Iterator

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import RsloaderError
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.manifest import batch_of_manifest, render_manifest
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.loader.audit.batch_findings import REPAIR, BatchFindings
from rsloader_provider.loader.audit.groups import Group
from rsloader_provider.loader.audit.report import AuditReport, Finding
from rsloader_provider.loader.ports.storage import Storage


def manifests_of(config: LoadConfig, storage: Storage, report: AuditReport) -> Iterator[tuple[str, S3Object]]:
    """Give a load's manifests with their batches, sorted; where S3 does not list them, the report says so."""
    prefix = config.manifests.join(f"{config.load}/")
    try:
        for found in storage.objects(prefix.bucket, prefix.key):
            if (batch := batch_of_manifest(found.key.removeprefix(prefix.key))) is not None:
                yield batch, found
    except RsloaderError as error:
        text = f"the manifests cannot be listed and were not compared: {error}"
        report.add(Finding(f"load {config.load}", text, is_wrong=False))


def compare_manifest(batch: Batch, group: Group, storage: Storage, found: BatchFindings) -> None:
    """Compare the manifest of a batch that is not open, if there is one, with the batch's objects."""
    manifest = group.manifests.get(batch.manifest_name.rpartition("/")[2])
    content = render_manifest(group.entries) if manifest is not None else None
    if manifest is None or content is None:
        return
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if (manifest.size_bytes, manifest.etag) == (len(content), digest):
        return
    try:
        # An ETag is not a digest where S3 encrypts with KMS.
        same = manifest.size_bytes == len(content) and storage.read(manifest.bucket, manifest.key) == content
    except RsloaderError as error:
        found.add(batch.batch, f"its manifest {manifest.url} could not be read: {error}", is_wrong=False)
        return
    if not same:
        found.add(
            batch.batch,
            f"its manifest {manifest.url} was changed: it does not list the batch's objects. Each attempt writes "
            "it again before its COPY.",
            remedy=REPAIR,
            is_mendable=True,
        )
