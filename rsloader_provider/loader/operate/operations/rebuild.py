"""Put back what the ledger has lost."""

from collections.abc import Iterator

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.loader.operate.operations.operation import RESULT_ITEMS, Hear, Operation, Planned, Told
from rsloader_provider.loader.operate.recovery.rebuild import RebuildPlan, doubts, plan_rebuild, rebuild_ledger
from rsloader_provider.loader.services import Services


def rebuilding(config: LoadConfig, services: Services) -> Operation:
    """Put back what the ledger has lost, from the load histories and the manifests."""

    def plan(_: Hear) -> Planned:
        found = plan_rebuild(config, services)
        lost = found.lost.batches
        report = {
            "batches": [each.batch for each in lost][:RESULT_ITEMS],
            "count": len(lost),
            "objects": found.objects,
            "claimed_elsewhere": found.claimed_elsewhere,
            "without_manifest": [each.batch for each in found.lost.untold][:RESULT_ITEMS],
            "new": found.new,
            "examples": [*found.examples],
        }
        question = "Put them back?" if lost and not found.is_in_doubt else None
        return Planned(tuple(_sentences(config, found)), report, question, found.objects)

    def carry_out(by: str, hear: Hear) -> Told:
        done = rebuild_ledger(config, services, by=by, progress=lambda objects: hear(objects, ()))
        sentence = (
            f"{done.batches:,} batches put back, {done.objects:,} objects claimed for them. `rsloader audit "
            f"{config.load}` compares the result with S3 and Redshift."
        )
        return Told((sentence,), {"count": done.batches, "objects": done.objects})

    return Operation(plan, carry_out)


def _sentences(config: LoadConfig, plan: RebuildPlan) -> Iterator[str]:
    lost = plan.lost.batches
    if not lost:
        yield f"DynamoDB knows every batch of load {config.load} that the load histories have: there is nothing to do."
        return
    yield (
        f"DynamoDB does not know {len(lost):,} batches that the load histories of load {config.load} have, from "
        f"{lost[0].batch} to {lost[-1].batch}. They would be put back as loaded, with claims of {plan.objects:,} "
        f"objects. {plan.claimed_elsewhere:,} of these are claimed for other batches by now, and would leave them."
    )
    for target in config.targets:
        if target.history == "none":
            yield f"{target.name} has no load history: the batches would count as loaded into it."
        elif waiting := sum(target.name in plan.lost.waiting(each) for each in lost):
            yield f"{target.name}: its history lacks {waiting:,} of the batches; the next run would load them into it."
    if plan.is_in_doubt:
        yield doubts(config, plan)
    elif untold := plan.lost.untold:
        yield f"No manifest tells what {len(untold):,} of the batches have loaded; no object in S3 can be theirs."
    if plan.new:
        listed = ", ".join(plan.examples)
        yield (
            f"{plan.new:,} objects in S3 have neither a claim nor a manifest, and the next run would load them as new, "
            f"for example {listed}. No history has what was marked as loaded (`import-lambda`, `backfill "
            "--mark-only`): mark that again first."
        )
    yield f"Pause the DAG {config.dag_id} first, and let its tasks end."
