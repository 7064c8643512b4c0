"""The messages that topics get when a batch ends, and the document beside its failed manifest: plain JSON.

The names in camel case are those of the Lambda loader's messages, with the same values in the same form: URLs without
`s3://`, the prefix without a `/` at its end. Its consumers need no change; new values have new names.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rsloader_provider.core.config.sources import S3Url, SourcePattern
from rsloader_provider.core.errors import BadDataError, ObjectsMissingError, RowError, RsloaderError, StatementError
from rsloader_provider.core.ledger.batch import Batch, SkippedRows, TargetState
from rsloader_provider.core.visible import visible_json

_LARGEST = 200_000
"""Bytes of a message. SNS takes 256 KiB, everything included, and a service that passes it on may quote it again.

Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""
_ERROR_CHARACTERS = 4_000
_KEY_CHARACTERS = 100


def success_message(
    batch: Batch,
    *,
    source: SourcePattern,
    key: str,
    manifest: S3Url,
    skipped: Sequence[RowError] = (),
    errors_file: S3Url | None = None,
) -> dict[str, Any]:
    """Write the message for a batch that is in all of its targets.

    Args:
        batch: The complete batch.
        source: The source of the load that this object is below.
        key: Key of the batch's last object.
        manifest: Where the batch's manifest is.
        skipped: Rows that COPY skipped, the first of them.
        errors_file: Where the document of `skipped_document` is; None when none was kept.
    """
    message = {**_facts(batch, source, key, manifest), "status": "ok", "error": None}
    if skipped:
        message["errors"] = [_row(row) for row in skipped]
    if errors_file is not None:
        message["errorsFile"] = str(errors_file)
    return message


def failure_message(
    batch: Batch,
    *,
    source: SourcePattern,
    key: str,
    manifest: S3Url,
    target: str,
    error: RsloaderError,
    failed_manifest: S3Url | None = None,
    errors_file: S3Url | None = None,
) -> dict[str, Any]:
    """Write the message for a batch that waits for a person, short enough for SNS.

    Args:
        batch: The batch.
        source: The source of the load that this object is below.
        key: Key of the batch's last object.
        manifest: Where the batch's manifest is.
        target: Name of the target that failed.
        error: Why.
        failed_manifest: Where the manifest's copy is; None when none was kept.
        errors_file: Where the document of `errors_document` is; None when none was kept.
    """
    said = str(error)[:_ERROR_CHARACTERS]
    message = {
        **_facts(batch, source, key, manifest),
        "status": "error",
        "error": _by_cluster(target, error, said),
        "errorText": said,
        "target": target,
        **_details(error),
    }
    if failed_manifest is not None:
        message["failedManifest"] = _without_scheme(failed_manifest)
    if errors_file is not None:
        message["errorsFile"] = str(errors_file)
    return _bounded(message, is_cut=said != str(error))


def failing_message(
    batch: Batch, *, source: SourcePattern, key: str, manifest: S3Url, target: str, error: RsloaderError
) -> dict[str, Any]:
    """Write the message for a batch whose attempts fail, while the runs go on trying. The arguments are as above."""
    since = batch.progress(target).failing_since
    message = failure_message(batch, source=source, key=key, manifest=manifest, target=target, error=error)
    return {**message, "failingSince": since and since.isoformat()}


def recovery_message(batch: Batch, *, source: SourcePattern, key: str, manifest: S3Url, target: str) -> dict[str, Any]:
    """Write the message for a batch that is loaded into a target of which `failing_message` was told."""
    message = success_message(batch, source=source, key=key, manifest=manifest)
    return {**message, "target": target, "recovered": True}


def errors_document(batch: Batch, *, target: str, manifest: S3Url, error: RsloaderError) -> bytes:
    """Write the document beside a failed manifest: all that is known of why a batch is not in a target.

    Args:
        batch: The batch.
        target: Name of the target that failed.
        manifest: Where the batch's manifest is.
        error: Why.
    """
    return _document(batch, target, manifest, type(error).__name__, str(error), _details(error))


def _document(batch: Batch, target: str, manifest: S3Url, kind: str, error: str, details: Mapping[str, Any]) -> bytes:
    document = {
        "load": batch.load,
        "batch": batch.batch,
        "target": target,
        "run": batch.run,
        "manifest": str(manifest),
        "kind": kind,
        "error": error,
        **details,
    }
    return visible_json(document, indent=1, ascii_only=False).encode()


def skipped_document(
    batch: Batch, *, target: str, manifest: S3Url, number: SkippedRows, rows: Sequence[RowError]
) -> bytes:
    """Write the document of a batch that is loaded without some rows.

    Args:
        batch: The batch.
        target: Name of the target.
        manifest: Where the batch's manifest is.
        number: How many rows COPY skipped.
        rows: The first of them.
    """
    text = f"COPY skipped {number}, as the load's `copy.options` let it; the batch's other rows are loaded."
    return _document(batch, target, manifest, "RowsSkipped", text, _details(BadDataError(text, rows=tuple(rows))))


def errors_file_name(batch: Batch, target: str) -> str:
    """Name the document of a target, beside those of the batch's other targets.

    >>> errors_file_name(Batch("orders", "01J", targets={"wh/public.orders": None}), "wh/public.orders")
    '01J.errors.json'
    """
    if len(batch.targets) == 1:
        return f"{batch.batch}.errors.json"
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", target)[:_KEY_CHARACTERS]
    # Names that differ in the replaced characters, or after the cut, would otherwise give the same file name.
    digest = hashlib.sha256(target.encode()).hexdigest()[:8]
    return f"{batch.batch}.{readable}.{digest}.errors.json"


def _facts(batch: Batch, source: SourcePattern, key: str, manifest: S3Url) -> dict[str, Any]:
    rows = {name: progress.rows for name, progress in batch.targets.items() if progress.rows is not None}
    skipped = {
        name: {"rows": progress.skipped.rows, "isExact": progress.skipped.is_exact}
        for name, progress in batch.targets.items()
        if progress.skipped is not None
    }
    facts: dict[str, Any] = {"skippedRows": skipped} if skipped else {}
    return facts | {
        "batchId": batch.batch,
        "s3Prefix": f"{source.bucket}/{source.pattern}".removesuffix("/"),
        "key": key,
        "originalManifest": _without_scheme(manifest),
        "load": batch.load,
        "targets": sorted(
            name for name, progress in batch.targets.items() if progress.state is not TargetState.GIVEN_UP
        ),
        "rows": rows,
        "files": batch.files,
        "bytes": batch.size_bytes,
        "run": batch.run,
        "reason": batch.reason,
    }


def _details(error: RsloaderError) -> dict[str, Any]:
    rows = error.rows if isinstance(error, BadDataError) else ()
    missing = error.urls if isinstance(error, ObjectsMissingError) else ()
    query_id = next((row.query_id for row in rows if row.query_id is not None), None)
    return {"queryId": query_id, "errors": [_row(row) for row in rows], "missing": list(missing)}


def _row(row: RowError) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name != "query_id"}


def _by_cluster(target: str, error: RsloaderError, said: str) -> str:
    """Write an error as the Lambda loader did: JSON in a text, by cluster.

    Its function for failed batches takes the first cluster, and the `code` of its `error`.
    """
    code = (error.sqlstate if isinstance(error, StatementError) else "") or type(error).__name__
    cluster = target.partition("/")[0]
    return json.dumps({cluster: {"status": -1, "error": {"code": code, "message": said}}}, ensure_ascii=False)


def _bounded(message: Mapping[str, Any], *, is_cut: bool) -> dict[str, Any]:
    """Leave out the last rows and missing objects, if necessary; the file has all."""
    kept = {**message}
    lists: dict[str, Sequence[Any]] = {name: kept[name] for name in ("errors", "missing")}
    while len(json.dumps(kept)) > _LARGEST and any(lists.values()):
        lists = {name: each[: len(each) // 2] for name, each in lists.items()}
        kept = {**kept, **lists}
    return {**kept, "truncated": True} if is_cut or kept != message else kept


def _without_scheme(url: S3Url) -> str:
    return str(url).removeprefix("s3://")
