"""Have loaded again what Redshift has lost."""

from datetime import datetime

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.loader.operate.operations.operation import RESULT_ITEMS, Hear, Operation, Planned, Told
from rsloader_provider.loader.operate.recovery.reconcile import find_unloaded, reconcile
from rsloader_provider.loader.services import Services

_SHOWN = 5


def reconciling(config: LoadConfig, services: Services, since: datetime) -> Operation:
    """Have batches loaded again that DynamoDB says are loaded, and no load history has.

    Args:
        config: The load.
        services: The ports and the clock.
        since: Only batches that were locked at this moment or later (aware, UTC).
    """

    def plan(hear: Hear) -> Planned:
        found = find_unloaded(config, services, since)
        lines = [f"{each.batch}: {each.batch.files:,} objects, {', '.join(each.targets)}" for each in found]
        hear(0, lines)
        objects = sum(each.batch.files for each in found)
        items = [{"batch": each.batch.batch, "targets": [*each.targets], "files": each.batch.files} for each in found]
        report = {"count": len(found), "objects": objects, "items": items[:RESULT_ITEMS]}
        if not found:
            sentence = f"Every batch of load {config.load} since then that counts as loaded is in its load histories."
            return Planned((sentence,), report)
        sentences = (
            f"{len(found):,} batches of load {config.load}, with {objects:,} objects, count as loaded, and no history "
            f"has them: {', '.join(each.batch.batch for each in found[:_SHOWN])}{' …' if len(found) > _SHOWN else ''}. "
            "The next runs would load them into the targets that lack them.",
            "This is right if Redshift was restored to an earlier moment, tables and histories together. If only a "
            "history was dropped or emptied, and the rows are in the table, they would be there TWICE.",
        )
        return Planned(sentences, report, "Have them loaded again?", objects)

    def carry_out(by: str, hear: Hear) -> Told:
        done = reconcile(config, services, since, by=by, progress=lambda objects: hear(objects, ()))
        count = sum(1 for _ in done)
        return Told((f"{count:,} batches wait; the next runs of {config.dag_id} load them.",), {"count": count})

    return Operation(plan, carry_out)
