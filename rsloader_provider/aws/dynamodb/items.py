"""Batches, claims and segments as items of DynamoDB, and back."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from rsloader_provider.core.errors import CorruptLedgerError
from rsloader_provider.core.ledger.batch import (
    Batch,
    BatchStatus,
    Notification,
    SkippedRows,
    TargetProgress,
    TargetState,
    UnansweredCommit,
)
from rsloader_provider.core.ledger.batch_ids import batch_time
from rsloader_provider.core.ledger.claims import Claim, Segment
from rsloader_provider.core.ledger.clearing import TaskFacts
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import S3Object, ledger_key

Item = dict[str, Any]

CURRENT = "#current"
"""Sort key of the item that names a load's open batch."""

SEGMENTS = "#segment#"
"""What the sort keys of all segments begin with; they sort by batch."""

DELETED = "#deleted#"
"""What the sort keys of the notes of deleted batches begin with."""

_SEGMENT_BYTES = 1_000_000
"""More than the entries of one claim need. Without a limit, a few kilobytes may inflate to gigabytes."""

FIRST_BATCH = "0"
"""Every batch id sorts at or after this, and every other item of a load before it."""


def segment_prefix(batch: str) -> str:
    """Give what the sort keys of a batch's segments begin with."""
    return f"{SEGMENTS}{batch}#"


def segment_key(segment: Segment) -> str:
    """Give the sort key of a segment. Its name is its first object, which is in no other segment of the batch."""
    first = hashlib.sha256(segment.claimed[0].name.encode()).hexdigest()[:32]
    return segment_prefix(segment.batch) + first


def segment_item(load: str, segment: Segment) -> Item:
    """Write a segment as an item."""
    item = {"load": load, "batch": segment_key(segment), "entries": pack_entries(segment.claimed)}
    if segment.taken_out:
        item["taken_out"] = pack_entries(entry for entry in segment.claimed if entry.name in segment.taken_out)
    if segment.filled:
        item["filled"] = pack_entries(segment.filled)
    return item


def deleted_item(batch: Batch, now: datetime) -> Item:
    """Write what stays of a deleted batch."""
    return {
        "load": batch.load,
        "batch": DELETED + batch.batch,
        "files": batch.files,
        "deleted_at": now.isoformat(),
        "changes": 0,
    }


def segment_batch(item: Mapping[str, Any]) -> str:
    """Give the id of the batch that a segment belongs to."""
    return str(item["batch"]).removeprefix(SEGMENTS).partition("#")[0]


def attention(batch: Batch) -> str | None:
    """Give the key of the sparse index, or None for a batch that needs nothing.

    `unfinished#` while a target is still to be loaded, also when another has failed; the next run looks for these.
    """
    if batch.status is BatchStatus.OPEN:
        return f"open#{batch.batch}"
    if batch.unfinished_targets:
        return f"{UNFINISHED}{batch.batch}"
    if batch.status is BatchStatus.ERROR:
        return f"{FAILED}{batch.batch}"
    return None


UNFINISHED = "unfinished#"
FAILED = "error#"


def batch_item(batch: Batch) -> Item:
    """Write a batch as an item. What is None is left out."""
    fields = {
        "load": batch.load,
        "batch": batch.batch,
        "status": str(batch.status),
        "attention": attention(batch),
        "files": batch.files,
        "size_bytes": batch.size_bytes,
        "opened_at": batch.opened_at and batch.opened_at.isoformat(),
        "locked_at": batch.locked_at and batch.locked_at.isoformat(),
        "reason": batch.reason,
        "run": batch.run,
        "targets": {name: progress_map(each) for name, each in batch.targets.items()} or None,
        "notification": batch.notification and str(batch.notification),
        "version": batch.version,
        "taken_out": batch.taken_out or None,
        "filled": batch.filled or None,
        "is_first": batch.is_first or None,
    }
    return _without_none(fields)


def progress_map(progress: TargetProgress) -> Item:
    """Write the progress in one target as a map. What is None is left out."""
    fields = {
        **asdict(progress),
        "state": str(progress.state),
        "settings": json.dumps(dict(progress.settings)),
        "asked_before": list(progress.asked_before) or None,
        "begun_by": progress.begun_by and _without_none(asdict(progress.begun_by)),
        "failing_since": progress.failing_since and progress.failing_since.isoformat(),
        "is_failing": progress.is_failing or None,
    }
    return _without_none(fields)


def _without_none(fields: Mapping[str, Any]) -> Item:
    return {name: value for name, value in fields.items() if value is not None}


def batch_from(item: Mapping[str, Any]) -> Batch:
    """Read a batch.

    Raises:
        CorruptLedgerError: The item does not hold what it must.
    """
    try:
        batch_time(item["batch"])
        return Batch(
            load=item["load"],
            batch=item["batch"],
            status=BatchStatus(item["status"]),
            files=int(item["files"]),
            size_bytes=int(item["size_bytes"]),
            opened_at=_optional_time(item.get("opened_at")),
            locked_at=_optional_time(item.get("locked_at")),
            reason=_optional_text(item.get("reason")),
            run=_optional_text(item.get("run")),
            targets={name: _progress(each) for name, each in item.get("targets", {}).items()},
            notification=_notification(item.get("notification")),
            version=int(item["version"]),
            taken_out=int(item.get("taken_out", 0)),
            filled=int(item.get("filled", 0)),
            is_first=bool(item.get("is_first")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise CorruptLedgerError(
            f"The item of batch {item.get('batch')!r} of load {item.get('load')!r} cannot be read ({error!r}). "
            "Put it back as it was, for example from a backup of the table; nothing was changed."
        ) from error


def _progress(item: Mapping[str, Any]) -> TargetProgress:
    return TargetProgress(
        settings=json.loads(item["settings"]),
        state=TargetState(item["state"]),
        generation=int(item["generation"]),
        attempt=int(item["attempt"]),
        opened_by=_optional_text(item.get("opened_by")),
        asked_before=tuple(text(each) for each in item.get("asked_before", ())),
        begun_by=_task_facts(item.get("begun_by")),
        session=_integer(item.get("session")),
        announces=item.get("announces"),
        unanswered=_unanswered(item.get("unanswered")),
        rows=_integer(item.get("rows")),
        query_id=_integer(item.get("query_id")),
        error=_optional_text(item.get("error")),
        skipped=_skipped(item.get("skipped")),
        out_of_order=item.get("out_of_order"),
        filled=_optional_text(item.get("filled")),
        failing_since=_optional_time(item.get("failing_since")),
        is_failing=bool(item.get("is_failing")),
    )


def _skipped(item: Mapping[str, Any] | None) -> SkippedRows | None:
    return None if item is None else SkippedRows(int(item["rows"]), is_exact=bool(item["is_exact"]))


def _task_facts(item: Mapping[str, Any] | None) -> TaskFacts | None:
    if item is None:
        return None
    return TaskFacts(
        task=text(item["task"]),
        max_tries=int(item["max_tries"]),
        clears=int(item["clears"]),
        run_began=_optional_text(item.get("run_began")),
        handed_at=_optional_text(item.get("handed_at")),
        try_number=_integer(item.get("try_number")),
    )


def _unanswered(item: Mapping[str, Any] | None) -> UnansweredCommit | None:
    if item is None:
        return None
    return UnansweredCommit(
        attempt=int(item["attempt"]),
        session=int(item["session"]),
        rows=_integer(item["rows"]),
        query_id=_integer(item["query_id"]),
    )


def claim_item(load: str, found: S3Object, batch: str, now: datetime) -> Item:
    """Write the claim of an object. A name too long for a key is kept whole beside the key."""
    return item_of_claim(Claim(load, found.name, batch, found.size_bytes, found.etag, found.last_modified, now))


def item_of_claim(claim: Claim) -> Item:
    """Write a claim as an item."""
    key = ledger_key(claim.name)
    fields = {
        "load": claim.load,
        "object": key,
        "batch": claim.batch,
        "etag": claim.etag,
        "size_bytes": claim.size_bytes,
        "last_modified": claim.last_modified.isoformat(),
        "claimed_at": claim.claimed_at.isoformat(),
        "left_out_at": claim.left_out_at and claim.left_out_at.isoformat(),
        "name": None if key == claim.name else claim.name,
    }
    return _without_none(fields)


def claim_from(item: Mapping[str, Any]) -> Claim:
    """Read a claim.

    Raises:
        CorruptLedgerError: The item does not hold what it must.
    """
    try:
        return Claim(
            load=item["load"],
            name=text(item.get("name", item["object"])),
            batch=text(item["batch"]),
            size_bytes=int(item["size_bytes"]),
            etag=text(item["etag"]),
            last_modified=time(item["last_modified"]),
            claimed_at=time(item["claimed_at"]),
            left_out_at=_optional_time(item.get("left_out_at")),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CorruptLedgerError(
            f"The claim of {item.get('object')!r} by load {item.get('load')!r} cannot be read ({error!r}). Put the "
            "item back as it was, for example from a backup of the table; nothing was changed."
        ) from error


def pack_entries(objects: Iterable[S3Object | Entry]) -> bytes:
    """Write a segment's entries: JSON, deflated, because keys repeat each other and write units are paid by size."""
    return zlib.compress(json.dumps([[each.name, each.size_bytes] for each in objects]).encode())


def segment_from(item: Mapping[str, Any]) -> Segment:
    """Read a segment.

    Raises:
        CorruptLedgerError: It was edited by hand.
    """
    try:
        taken_out = _unpacked(item["taken_out"]) if "taken_out" in item else []
        return Segment(
            segment_batch(item),
            tuple(_unpacked(item["entries"])),
            frozenset(entry.name for entry in taken_out),
            tuple(_unpacked(item["filled"])) if "filled" in item else (),
        )
    except (zlib.error, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise CorruptLedgerError(
            f"A segment of batch {segment_batch(item)} of load {item.get('load')!r} cannot be read ({error!r}). Put "
            "it back as it was, for example from a backup of the table; nothing was loaded."
        ) from error


def _unpacked(packed: Any) -> list[Entry]:
    if isinstance(packed, int):
        raise TypeError("it is a number")  # of which bytes() makes as many zeros
    inflater = zlib.decompressobj()
    entries = json.loads(inflater.decompress(bytes(packed), _SEGMENT_BYTES))
    if not inflater.eof:
        raise ValueError("it does not end where it should")
    return [Entry(text(name), int(size_bytes)) for name, size_bytes in entries]


def text(value: Any) -> str:
    """Read a text.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _optional_text(value: Any) -> str | None:
    return None if value is None else text(value)


def time(written: str) -> datetime:
    """Read a moment.

    Raises:
        ValueError: It is none, or has no time zone.
    """
    moment = datetime.fromisoformat(written)
    if moment.tzinfo is None:
        raise ValueError(f"{written!r} has no time zone")
    return moment


def _optional_time(text: str | None) -> datetime | None:
    return None if text is None else time(text)


def _notification(text: str | None) -> Notification | None:
    return None if text is None else Notification(text)


def _integer(number: Decimal | int | None) -> int | None:
    return None if number is None else int(number)
