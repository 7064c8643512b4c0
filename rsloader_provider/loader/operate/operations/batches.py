"""Have a batch loaded again, or lock the open one now."""

from collections.abc import Sequence

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.loader.look.reports import batch_report
from rsloader_provider.loader.operate.batches import close_now, plan_reprocess, reprocess_batch
from rsloader_provider.loader.operate.operations.operation import Hear, Operation, Planned, Told
from rsloader_provider.loader.services import Services


def reprocessing(
    config: LoadConfig,
    services: Services,
    batch_id: str,
    targets: Sequence[str],
    without: Sequence[str],
    *,
    out_of_order: bool = False,
) -> Operation:
    """Have a batch loaded again.

    Args:
        config: The load.
        services: The ports and the clock.
        batch_id: The batch.
        targets: Names of the targets to load it into; none for all that it has.
        without: URLs of objects to leave out.
        out_of_order: Whether to load it although newer batches are in the table; only for targets that merge.
    """

    def plan(_: Hear) -> Planned:
        found = plan_reprocess(config, services, batch_id, targets=targets, without=without, out_of_order=out_of_order)
        return Planned(
            (f"{found.batch}: {found.batch.files:,} objects, {found.batch.status}.", *found.sentences),
            {"batch": batch_report(found.batch), "plan": [*found.sentences]},
            "Have it loaded by the next run?",
        )

    def carry_out(by: str, _: Hear) -> Told:
        batch = reprocess_batch(
            config, services, batch_id, by=by, targets=targets, without=without, out_of_order=out_of_order
        )
        sentence = f"{batch} is {batch.status}; the next run of {config.dag_id} loads it."
        return Told((sentence,), {"batch": batch_report(batch)})

    return Operation(plan, carry_out)


def closing_now(config: LoadConfig, services: Services) -> Operation:
    """Lock the open batch, so that the next run loads it without waiting for its limits."""
    nothing = f"Nothing waits in the open batch of load {config.load}."

    def plan(_: Hear) -> Planned:
        opened = services.ledger.open_batch(config.load, services.now())
        if not opened.files:
            return Planned((nothing,), {"batch": None})
        sentence = (
            f"{opened}, with {opened.files:,} objects, would be locked, and the next run of {config.dag_id} would load "
            "it."
        )
        question = f"Lock what waits in the open batch of load {config.load}?"
        return Planned((sentence,), {"batch": batch_report(opened)}, question)

    def carry_out(by: str, _: Hear) -> Told:
        batch = close_now(config, services, by=by)
        if batch is None:
            return Told((nothing,), {"batch": None})
        sentence = f"{batch} is {batch.status} with {batch.files:,} objects; the next run of {config.dag_id} loads it."
        return Told((sentence,), {"batch": batch_report(batch)})

    return Operation(plan, carry_out)
