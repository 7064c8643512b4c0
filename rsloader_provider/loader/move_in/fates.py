"""What became of the files of one configuration of the Lambda loader: its batches and their manifests, read."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from rsloader_provider.core.errors import NotSetUpError
from rsloader_provider.core.lambda_loader.fates import Choice, Fates, judge_files, manifest_names
from rsloader_provider.core.lambda_loader.tables import ImportFinding, LambdaBatch, LambdaFile, LambdaStatus, read_batch
from rsloader_provider.loader.move_in.choices import Stage
from rsloader_provider.loader.ports.lambda_tables import LambdaTables
from rsloader_provider.loader.ports.storage import Storage

_READERS = 8
"""Manifests that are read at the same time: there is one for each batch that ever was."""


@dataclass(slots=True)
class ReadFates:
    """The result of reading.

    Attributes:
        batches: Every batch that could be read.
        fates: The fate of each file.
        findings: What could not be read.
    """

    batches: list[LambdaBatch] = field(default_factory=list)
    fates: Fates = field(default_factory=Fates)
    findings: list[ImportFinding] = field(default_factory=list)


def read_fates(
    tables: LambdaTables,
    storage: Storage,
    prefix: str,
    files: Iterable[LambdaFile],
    decided: Mapping[str, Choice],
    stage: Stage,
) -> ReadFates:
    """Read the batches of a configuration with the manifests of the complete ones, and judge its files.

    Args:
        tables: The Lambda loader's tables.
        storage: S3.
        prefix: The configuration.
        files: Its processed files.
        decided: Batches that a person decided about one by one.
        stage: Reports the progress.

    Raises:
        NotSetUpError, AccessDeniedError, TransientError: As their names say. A missing manifest is not an error.
    """
    read = ReadFates()
    told = stage(f"{prefix}: reading batches", None)
    for item in tables.batches(prefix):
        told(1)
        batch, findings = read_batch(item)
        read.findings.extend(findings)
        if batch is not None:
            read.batches.append(batch)
    complete = [each for each in read.batches if each.status is LambdaStatus.COMPLETE]
    told = stage(f"{prefix}: reading manifests", len(complete))
    manifests: dict[str, frozenset[str] | None] = {}
    readers = ThreadPoolExecutor(_READERS)
    try:
        for batch, names in zip(complete, readers.map(partial(_manifest, storage), complete), strict=True):
            manifests[batch.batch] = names
            told(1)
    finally:
        # A person who stops the import does not wait for the thousands that are left.
        readers.shutdown(cancel_futures=True)
    read.fates = judge_files(read.batches, manifests, files, decided)
    return read


def _manifest(storage: Storage, batch: LambdaBatch) -> frozenset[str] | None:
    if batch.manifest is None:
        return None
    bucket, _, key = batch.manifest.partition("/")
    try:
        content = storage.read(bucket, key)
        return None if content is None else manifest_names(content)
    except (NotSetUpError, ValueError):
        return None
