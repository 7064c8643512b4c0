"""What a person decides about a target of a locked batch: load it into another one instead, or not at all.

Each has a plan, which changes nothing, and a call that does it and reads everything again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import OperationRefusedError, UnknownBatchError
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.target_changes import command, give_up, retarget
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.races import until_won
from rsloader_provider.loader.run.buffer import target_settings
from rsloader_provider.loader.services import Services

log = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """What a change would do.

    Attributes:
        batch: The batch as it is.
        sentences: What would become of it, for people.
    """

    batch: Batch
    sentences: tuple[str, ...]


def plan_retarget(config: LoadConfig, services: Services, batch_id: str, old: str, new: str) -> TargetPlan:
    """Tell what retargeting would do, and refuse what cannot be done. Changes nothing.

    Args:
        config: The load.
        services: The ports and the clock.
        batch_id: The batch.
        old: The target that it was locked with, and that the load no longer has.
        new: The target of the load that takes its place.

    Raises:
        UnknownBatchError: No such batch, or no such target in it or in the load.
        OperationRefusedError: The load still has the old target; the batch has the new one already; or the batch is, or
            may be, in the old one.
    """
    batch = services.ledger.get(config.load, batch_id)
    _retargeted(config, batch, old, new, "a plan")
    return TargetPlan(
        batch, (f"{new}: the next run loads the batch into it, in the place of {old}.", _others(batch, old))
    )


def retarget_batch(config: LoadConfig, services: Services, batch_id: str, old: str, new: str, *, by: str) -> Batch:
    """Have a batch loaded into another target, in the place of one that the load no longer has.

    Safe to call again: the same request counts once.

    Args:
        config: The load.
        services: The ports and the clock.
        batch_id: The batch.
        old: As for `plan_retarget`.
        new: As for `plan_retarget`.
        by: Who asks; a text that only this request has.

    Returns:
        The batch as it is now.

    Raises:
        UnknownBatchError, OperationRefusedError: As for `plan_retarget`.
        ContentionError: Others wrote to it over and over; call again.
    """
    return _change(config, services, batch_id, Step.RETARGET, by, lambda now: _retargeted(config, now, old, new, by))


def plan_give_up(config: LoadConfig, services: Services, batch_id: str, target: str) -> TargetPlan:
    """Tell what giving up a target would do, and refuse what cannot be done. Changes nothing.

    Args:
        config: The load.
        services: The ports and the clock.
        batch_id: The batch.
        target: A target that it was locked with.

    Raises:
        UnknownBatchError: No such batch, or no such target in it.
        OperationRefusedError: The batch is, or may be, in the target.
    """
    batch = services.ledger.get(config.load, batch_id)
    given_up = give_up(batch, target, "a plan")
    still = f" The load still has {target}: only this batch is left out of it." if config.target_named(target) else ""
    sentence = (
        f"{target}: no run loads the batch into it, and the batch would be {given_up.status}. To load it there after "
        f"all: {command('reprocess', batch, '--target', target)}.{still}"
    )
    return TargetPlan(batch, (sentence, _others(batch, target)))


def give_up_target(config: LoadConfig, services: Services, batch_id: str, target: str, *, by: str) -> Batch:
    """Have a batch never loaded into a target. Safe to call again: the same request counts once.

    Args:
        config: The load.
        services: The ports and the clock.
        batch_id: The batch.
        target: As for `plan_give_up`.
        by: Who asks; a text that only this request has.

    Returns:
        The batch as it is now.

    Raises:
        UnknownBatchError, OperationRefusedError: As for `plan_give_up`.
        ContentionError: Others wrote to it over and over; call again.
    """
    return _change(config, services, batch_id, Step.GIVE_UP, by, lambda now: give_up(now, target, by))


def _change(
    config: LoadConfig, services: Services, batch_id: str, step: Step, by: str, change: Callable[[Batch], Batch]
) -> Batch:
    def write() -> Batch:
        batch = services.ledger.get(config.load, batch_id)
        wanted = change(batch)
        if wanted == batch:
            log.info("%s: this request was carried out before", batch)
            return batch
        with services.steps.taking(step, batch):
            # If this is carried out and the answer lost, the batch names this request when it is read again.
            written = services.ledger.replace(batch, wanted)
        log.warning("%s: %s, asked for by %s", batch, step, by)
        return written

    return until_won(f"batch {batch_id} of load {config.load}", write)


def _retargeted(config: LoadConfig, batch: Batch, old: str, new: str, by: str) -> Batch:
    settings = target_settings(config)
    if new not in settings:
        raise UnknownBatchError(
            f"Load {config.load} has no target {new}. Its targets: {', '.join(sorted(settings))}. Nothing was changed."
        )
    if old in settings:
        raise OperationRefusedError(
            f"Load {config.load} still has the target {old}, so the batch is loaded into it. Nothing was changed. To "
            f"load it into {new} as well: {command('reprocess', batch, '--target', new)}. To leave {old} out: "
            f"{command('give-up', batch, old)}"
        )
    return retarget(batch, old, new, settings[new], by)


def _others(batch: Batch, target: str) -> str:
    others = {name: str(each.state) for name, each in sorted(batch.targets.items()) if name != target}
    if not others:
        return "The batch has no other target."
    return f"Its other targets stay as they are: {', '.join(f'{name} ({state})' for name, state in others.items())}."
