"""Delete old complete batches, or put deleted ones back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rsloader_provider.core.ledger.claims import DeletedBatch
from rsloader_provider.loader.look.reports import batch_report
from rsloader_provider.loader.operate.deletions import delete_batches, plan_deletion, restore_batches
from rsloader_provider.loader.operate.operations.operation import RESULT_ITEMS, Hear, Planned, Told
from rsloader_provider.loader.services import Services


@dataclass(frozen=True, slots=True)
class DeleteOperation:
    """Delete complete batches; each is heard as a line of JSON before it is deleted, which a restoration reads.

    Attributes:
        load: Name of the load.
        services: The ports and the clock.
        before: Batches that were locked before this moment (aware, UTC).
    """

    load: str
    services: Services
    before: datetime

    def plan(self, hear: Hear, /) -> Planned:
        """See Operation."""
        batches = objects = 0
        kept: list[dict[str, Any]] = []
        for batch in plan_deletion(self.load, self.services, self.before):
            batches, objects = batches + 1, objects + batch.files
            report = batch_report(batch)
            hear(0, (json.dumps(report),))
            if batches <= RESULT_ITEMS:
                kept.append(report)
        return Planned(
            (
                f"{batches:,} complete batches of load {self.load}, with {objects:,} objects, were locked before "
                f"{self.before:%Y-%m-%d %H:%M} UTC. The claims of the objects stay.",
            ),
            {"count": batches, "items": kept},
            question="Delete them?" if batches else None,
        )

    def carry_out(self, by: str, hear: Hear, /) -> Told:
        """See Operation."""
        deleted = delete_batches(self.load, self.services, self.before, by=by, keep=lambda line: hear(0, (line,)))
        count = sum(1 for _ in deleted)
        return Told((f"{count:,} batches deleted; their objects stay claimed.",), {"count": count})


@dataclass(frozen=True, slots=True)
class RestoreOperation:
    """Put deleted batches back, without the objects that were forgotten or reprocessed since.

    Attributes:
        services: The ports and the clock.
        batches: The batches as a deletion printed them.
    """

    services: Services
    batches: Sequence[DeletedBatch]

    def plan(self, hear: Hear, /) -> Planned:
        """See Operation."""
        reports = [batch_report(each.batch) for each in self.batches]
        hear(0, map(json.dumps, reports))
        return Planned(
            (
                f"{len(reports):,} batches would be put back, as far as they are deleted, without the objects that "
                "were forgotten or reprocessed since.",
            ),
            {"count": len(reports), "items": reports},
            question=f"Put {len(reports):,} batches back?" if reports else None,
        )

    def carry_out(self, by: str, _hear: Hear, /) -> Told:
        """See Operation."""
        done = [*restore_batches(self.services, self.batches, by=by)]
        return Told(
            tuple(f"batch {each.batch} of load {each.load}: {each.outcome}, {each.files:,} objects" for each in done),
            {
                "count": len(done),
                "items": [
                    {"load": each.load, "batch": each.batch, "outcome": str(each.outcome), "files": each.files}
                    for each in done
                ],
            },
        )
