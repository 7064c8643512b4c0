"""Have a batch loaded again, or lock the open one now."""

from dataclasses import dataclass

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.loader.look.reports import batch_report
from rsloader_provider.loader.operate.batches import close_now, plan_reprocess, reprocess_batch
from rsloader_provider.loader.operate.operations.operation import Hear, Planned, Told
from rsloader_provider.loader.services import Services


@dataclass(frozen=True, slots=True)
class ReprocessOperation:
    """Have a batch loaded again.

    Attributes:
        config: The load.
        services: The ports and the clock.
        batch: The batch's id.
        targets: Names of the targets to load it into; none for all that it has.
        without: URLs of objects to leave out.
    """

    config: LoadConfig
    services: Services
    batch: str
    targets: tuple[str, ...]
    without: tuple[str, ...]

    def plan(self, _hear: Hear, /) -> Planned:
        """See Operation."""
        plan = plan_reprocess(self.config, self.services, self.batch, targets=self.targets, without=self.without)
        return Planned(
            (f"{plan.batch}: {plan.batch.files:,} objects, {plan.batch.status}.", *plan.sentences),
            {"batch": batch_report(plan.batch), "plan": [*plan.sentences]},
            question="Have it loaded by the next run?",
        )

    def carry_out(self, by: str, _hear: Hear, /) -> Told:
        """See Operation."""
        batch = reprocess_batch(
            self.config, self.services, self.batch, by=by, targets=self.targets, without=self.without
        )
        return Told(
            (f"{batch} is {batch.status}; the next run of {self.config.dag_id} loads it.",),
            {"batch": batch_report(batch)},
        )


@dataclass(frozen=True, slots=True)
class CloseNowOperation:
    """Lock the open batch, so that the next run loads it without waiting for its limits.

    Attributes:
        config: The load.
        services: The ports and the clock.
    """

    config: LoadConfig
    services: Services

    def plan(self, _hear: Hear, /) -> Planned:
        """See Operation."""
        opened = self.services.ledger.open_batch(self.config.load, self.services.now())
        if not opened.files:
            return Planned((self._nothing,), {"batch": None}, question=None)
        return Planned(
            (
                f"{opened}, with {opened.files:,} objects, would be locked, and the next run of {self.config.dag_id} "
                "would load it.",
            ),
            {"batch": batch_report(opened)},
            question=f"Lock what waits in the open batch of load {self.config.load}?",
        )

    def carry_out(self, by: str, _hear: Hear, /) -> Told:
        """See Operation."""
        batch = close_now(self.config, self.services, by=by)
        if batch is None:
            return Told((self._nothing,), {"batch": None})
        return Told(
            (
                f"{batch} is {batch.status} with {batch.files:,} objects; the next run of {self.config.dag_id} loads "
                "it.",
            ),
            {"batch": batch_report(batch)},
        )

    @property
    def _nothing(self) -> str:
        return f"Nothing waits in the open batch of load {self.config.load}."
