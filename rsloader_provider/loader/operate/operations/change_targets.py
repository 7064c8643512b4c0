"""Decide about one target of a locked batch: load the batch into another one instead, or not at all."""

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.loader.look.reports import batch_report
from rsloader_provider.loader.operate.change_targets import (
    TargetPlan,
    give_up_target,
    plan_give_up,
    plan_retarget,
    retarget_batch,
)
from rsloader_provider.loader.operate.operations.operation import Hear, Operation, Planned, Told
from rsloader_provider.loader.services import Services


def retargeting(config: LoadConfig, services: Services, batch_id: str, old: str, new: str) -> Operation:
    """Have a batch loaded into another target, in the place of one that the load no longer has.

    Args:
        config: The load.
        services: The ports and the clock.
        batch_id: The batch.
        old: The target that it was locked with.
        new: The target of the load that takes its place.
    """

    def plan(_: Hear) -> Planned:
        found = plan_retarget(config, services, batch_id, old, new)
        return _planned(found, f"Have it loaded into {new} instead of {old}?")

    def carry_out(by: str, _: Hear) -> Told:
        batch = retarget_batch(config, services, batch_id, old, new, by=by)
        return _told(batch, f"{batch} is {batch.status}; the next run of {config.dag_id} loads it into {new}.")

    return Operation(plan, carry_out)


def giving_up(config: LoadConfig, services: Services, batch_id: str, target: str) -> Operation:
    """Have a batch never loaded into a target.

    Args:
        config: The load.
        services: The ports and the clock.
        batch_id: The batch.
        target: A target that it was locked with.
    """

    def plan(_: Hear) -> Planned:
        return _planned(plan_give_up(config, services, batch_id, target), f"Give {target} up for this batch?")

    def carry_out(by: str, _: Hear) -> Told:
        batch = give_up_target(config, services, batch_id, target, by=by)
        state = batch.progress(target).state
        return _told(batch, f"{batch} is {batch.status}; {target} is {state}.")

    return Operation(plan, carry_out)


def _planned(found: TargetPlan, question: str) -> Planned:
    about = f"{found.batch}: {found.batch.files:,} objects, {found.batch.status}."
    report = {"batch": batch_report(found.batch), "plan": [*found.sentences]}
    return Planned((about, *found.sentences), report, question)


def _told(batch: Batch, sentence: str) -> Told:
    return Told((sentence,), {"batch": batch_report(batch)})
