"""Load what was there before, or mark it as loaded."""

from dataclasses import asdict, dataclass

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.loader.operate.backfill import Part, backfill, mark_existing, plan_backfill
from rsloader_provider.loader.operate.operations.operation import Hear, Planned, Told
from rsloader_provider.loader.services import Services


@dataclass(frozen=True, slots=True)
class BackfillOperation:
    """Claim what was there before, so that the next runs load it.

    Attributes:
        config: The load.
        services: The ports and the clock.
        part: Which objects.
        mark_only: Whether they are marked as loaded instead.
    """

    config: LoadConfig
    services: Services
    part: Part
    mark_only: bool

    def plan(self, _hear: Hear, /) -> Planned:
        """See Operation."""
        plan = plan_backfill(self.config, self.services, self.part)
        what = "would be marked as loaded" if self.mark_only else "would be loaded by the next runs"
        question = "Mark them as loaded, so that no run loads them?" if self.mark_only else "Claim them?"
        return Planned(
            (
                f"{plan.objects:,} objects that nothing has claimed, {plan.size_bytes:,} bytes, {what}"
                f"{':' if plan.examples else '.'}",
                *(f"  {url}" for url in plan.examples),
            ),
            asdict(plan) | {"examples": [*plan.examples]},
            question=question if plan.objects else None,
            objects=plan.objects,
        )

    def carry_out(self, by: str, hear: Hear, /) -> Told:
        """See Operation."""

        def progress(objects: int) -> None:
            hear(objects, ())

        if self.mark_only:
            marked = mark_existing(self.config, self.services, self.part, by=by, progress=progress)
            return Told(
                (f"{marked.marked:,} objects count as loaded now; {marked.passed_over:,} were claimed before.",),
                asdict(marked) | {"batches": [*marked.batches]},
            )
        found = backfill(self.config, self.services, self.part, by=by, progress=progress)
        return Told(
            (
                f"{found.claimed:,} objects claimed and {len(found.batches):,} batches locked, which the next runs of "
                f"{self.config.dag_id} load; the rest waits in the open batch.",
            ),
            {"claimed": found.claimed, "locked_batches": [*found.batches]},
        )
