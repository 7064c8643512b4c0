"""What people and programs are shown of batches and files: plain JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from itertools import chain
from typing import Any

from rsloader_provider.core.errors import CorruptLedgerError, OperationRefusedError, UnknownBatchError
from rsloader_provider.core.ledger.batch import Batch, TargetProgress
from rsloader_provider.core.ledger.batch_ids import batch_time
from rsloader_provider.core.ledger.claims import Claim
from rsloader_provider.loader.ports.ledger import Ledger


def batch_report(batch: Batch) -> dict[str, Any]:
    """Describe a batch; times in ISO 8601, sizes in bytes, None where there is nothing yet."""
    return {
        "load": batch.load,
        "batch": batch.batch,
        "status": str(batch.status),
        "files": batch.files,
        "taken_out": batch.taken_out,
        "size_bytes": batch.size_bytes,
        "opened_at": batch.opened_at and batch.opened_at.isoformat(),
        "locked_at": batch.locked_at and batch.locked_at.isoformat(),
        "reason": batch.reason,
        "is_marked": batch.is_marked,
        "run": batch.run,
        "notification": batch.notification and str(batch.notification),
        "targets": {name: _progress_report(each) for name, each in sorted(batch.targets.items())},
    }


def _progress_report(progress: TargetProgress) -> dict[str, Any]:
    report = asdict(progress)
    del report["settings"]
    return report | {
        "state": str(progress.state),
        "asked_before": list(progress.asked_before),
        "failing_since": progress.failing_since and progress.failing_since.isoformat(),
    }


def batch_with_files(ledger: Ledger, load: str, batch_id: str) -> dict[str, Any]:
    """Describe a batch and name its files.

    Raises:
        UnknownBatchError: There is none of this id.
    """
    batch = ledger.get(load, batch_id)
    entries = sorted(ledger.entries(batch))
    return {
        **batch_report(batch),
        "entries": [{"url": entry.url, "size_bytes": entry.size_bytes} for entry in entries],
    }


def batch_reports(
    ledger: Ledger,
    load: str,
    status: str | None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """Describe all batches of a load, newest first.

    Args:
        ledger: The ledger.
        load: Name of the load.
        status: Only batches of this status; None for all.
        since: Only batches that were opened at this moment or later (aware, UTC); None for all.
        until: Only batches that were opened before this moment (aware, UTC); None for all.

    Raises:
        UnknownBatchError: The ledger knows no such load. Raised by the call, not by the iteration.
        OperationRefusedError: No moment lies between the two.
    """
    if since is not None and until is not None and since >= until:
        raise OperationRefusedError(
            f"Load {load}: no batch was opened at or after {since:%Y-%m-%d %H:%M} and before {until:%Y-%m-%d %H:%M}. "
            "Give the earlier moment first."
        )
    batches = ledger.batches(load)
    first = next(batches, None)
    if first is None:
        raise UnknownBatchError(f"There is no batch of load {load} yet: it has never run, or the name is wrong.")

    def reports() -> Iterator[dict[str, Any]]:
        for batch in chain((first,), batches):
            opened = batch_time(batch.batch)
            if since is not None and opened < since:
                return  # ids sort by the time of opening
            if (until is None or opened < until) and (status is None or batch.status == status):
                yield batch_report(batch)

    return reports()


def file_reports(ledger: Ledger, load: str, key: str | None) -> Iterator[dict[str, Any]]:
    """Describe the files that a load has claimed, as S3 lists them.

    Args:
        ledger: The ledger.
        load: Name of the load.
        key: The beginning of the objects' URLs, or without `s3://` of their keys; None for all objects.
    """
    prefix = key.removeprefix("s3://") if key and key.startswith("s3://") else ""
    is_marked: dict[str, bool] = {}
    for claim in ledger.claims(load, prefix):
        if key is None or prefix or claim.name.partition("/")[2].startswith(key):
            if claim.batch not in is_marked:
                is_marked[claim.batch] = _is_marked(ledger, load, claim.batch)
            yield _file_report(claim, is_marked=is_marked[claim.batch])


def _is_marked(ledger: Ledger, load: str, batch_id: str) -> bool:
    try:
        return ledger.get(load, batch_id).is_marked
    except (UnknownBatchError, CorruptLedgerError):
        return False  # the claim is shown all the same; `rsloader audit` tells what is wrong


def _file_report(claim: Claim, *, is_marked: bool) -> dict[str, Any]:
    return {
        "url": f"s3://{claim.name}",
        "batch": claim.batch,
        "is_marked": is_marked,
        "size_bytes": claim.size_bytes,
        "etag": claim.etag,
        "last_modified": claim.last_modified.isoformat(),
        "claimed_at": claim.claimed_at.isoformat(),
        "left_out_at": claim.left_out_at and claim.left_out_at.isoformat(),
    }
