"""Load what was there before, or mark it as loaded."""

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.loader.operate.backfill import Part, backfill, mark_existing, plan_backfill
from rsloader_provider.loader.operate.operations.operation import Hear, Operation, Planned, Told
from rsloader_provider.loader.services import Services


def backfilling(config: LoadConfig, services: Services, part: Part) -> Operation:
    """Claim what was there before, so that the next runs load it."""

    def carry_out(by: str, hear: Hear) -> Told:
        found = backfill(config, services, part, by=by, progress=lambda objects: hear(objects, ()))
        sentence = (
            f"{found.claimed:,} objects claimed, {len(found.batches):,} batches locked. The next runs of "
            f"{config.dag_id} load these batches; the rest waits in the open batch."
        )
        return Told((sentence,), {"claimed": found.claimed, "locked_batches": [*found.batches]})

    return Operation(
        lambda _: _plan(config, services, part, "would be loaded by the next runs", "Claim them?"), carry_out
    )


def marking(config: LoadConfig, services: Services, part: Part) -> Operation:
    """Mark what was there before as loaded, so that no run loads it."""

    def carry_out(by: str, hear: Hear) -> Told:
        found = mark_existing(config, services, part, by=by, progress=lambda objects: hear(objects, ()))
        sentence = f"{found.marked:,} objects count as loaded now; {found.passed_over:,} were claimed before."
        report = {"marked": found.marked, "passed_over": found.passed_over, "batches": [*found.batches]}
        return Told((sentence,), report)

    question = "Mark them as loaded, so that no run loads them?"
    return Operation(lambda _: _plan(config, services, part, "would be marked as loaded", question), carry_out)


def _plan(config: LoadConfig, services: Services, part: Part, what: str, question: str) -> Planned:
    plan = plan_backfill(config, services, part)
    end = ":" if plan.examples else "."
    return Planned(
        (
            f"{plan.objects:,} objects that nothing has claimed, {plan.size_bytes:,} bytes, {what}{end}",
            *(f"  {url}" for url in plan.examples),
        ),
        {"objects": plan.objects, "size_bytes": plan.size_bytes, "examples": [*plan.examples]},
        question if plan.objects else None,
        plan.objects,
    )
