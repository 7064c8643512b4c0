"""Delete old complete batches, or put deleted ones back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rsloader_provider.core.ledger.claims import DeletedBatch
from rsloader_provider.core.visible import visible_json
from rsloader_provider.loader.look.reports import batch_report
from rsloader_provider.loader.operate.deletions import delete_batches, plan_deletion, restore_batches
from rsloader_provider.loader.operate.operations.operation import RESULT_ITEMS, Hear, Operation, Planned, Told
from rsloader_provider.loader.services import Services


def deleting(load: str, services: Services, before: datetime) -> Operation:
    """Delete complete batches; each is heard as a line of JSON before it is deleted, which `restoring` needs.

    Args:
        load: Name of the load.
        services: The ports and the clock.
        before: Batches that were locked before this moment (aware, UTC).
    """

    def plan(hear: Hear) -> Planned:
        count = objects = 0
        kept: list[dict[str, Any]] = []
        for batch in plan_deletion(load, services, before):
            count, objects = count + 1, objects + batch.files
            report = batch_report(batch)
            hear(0, (visible_json(report),))
            if count <= RESULT_ITEMS:
                kept.append(report)
        sentence = (
            f"{count:,} complete batches of load {load}, with {objects:,} objects, were locked before "
            f"{before:%Y-%m-%d %H:%M} UTC. The claims of the objects stay."
        )
        return Planned((sentence,), {"count": count, "items": kept}, "Delete them?" if count else None)

    def carry_out(by: str, hear: Hear) -> Told:
        deleted = delete_batches(load, services, before, by=by, keep=lambda line: hear(0, (line,)))
        count = sum(1 for _ in deleted)
        return Told((f"{count:,} batches deleted; their objects stay claimed.",), {"count": count})

    return Operation(plan, carry_out)


def restoring(services: Services, batches: Sequence[DeletedBatch]) -> Operation:
    """Put deleted batches back, without the objects that were forgotten or reprocessed since."""

    def plan(hear: Hear) -> Planned:
        reports = [batch_report(each.batch) for each in batches]
        hear(0, map(visible_json, reports))
        sentence = (
            f"{len(reports):,} batches would be put back, as far as they are deleted, without the objects that were "
            "forgotten or reprocessed since."
        )
        question = f"Put {len(reports):,} batches back?" if reports else None
        return Planned((sentence,), {"count": len(reports), "items": reports}, question)

    def carry_out(by: str, _: Hear) -> Told:
        done = [*restore_batches(services, batches, by=by)]
        items = [
            {"load": each.load, "batch": each.batch, "outcome": str(each.outcome), "files": each.files} for each in done
        ]
        return Told(
            tuple(f"batch {each.batch} of load {each.load}: {each.outcome}, {each.files:,} objects" for each in done),
            {"count": len(items), "items": items},
        )

    return Operation(plan, carry_out)
