"""Which targets a locked batch carries, when a person changes that.

A name stands for a target: connection and table. What may have been committed under a name is looked for there and
nowhere else, so a name goes only once it is certain that nothing of the present generation is in its table.

As in `transitions.py`, what changes a batch takes it and gives the batch that it becomes, and the ledger writes that on
the condition that nobody wrote in between.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import OperationRefusedError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetProgress, TargetState
from rsloader_provider.core.ledger.transitions import settle, with_progress
from rsloader_provider.core.visible import shell_word

_DONE = {TargetState.LOADED, TargetState.GIVEN_UP}


def retarget(batch: Batch, old: str, new: str, settings: Mapping[str, Any], by: str) -> Batch:
    """A person wants the batch in another target, in the place of one that it was locked with.

    The generation stays: if the new name leads to the same table, its history tells what was loaded there before. The
    same request, made twice, counts once.

    Args:
        batch: The batch as it was read.
        old: A target of the batch.
        new: The target that takes its place.
        settings: Its settings.
        by: The request; no other has the same text.

    Raises:
        OperationRefusedError: The batch is, or may be, in the old target; or it has the new one already.
        UnknownBatchError: The batch is open, is marked as loaded, or has no such target.
    """
    taken = batch.targets.get(new)
    if taken is not None and taken.has_counted(by):
        return batch
    progress = batch.progress(old)
    if taken is not None:
        raise OperationRefusedError(
            f"{batch} has the target {new} already; there it is {taken.state}. Nothing was changed. To leave {old} "
            f"out: {command('give-up', batch, old)}"
        )
    _refuse_unless_certain(batch, old, progress)
    moved = replace(progress.asked_by(by), settings=settings, state=TargetState.WAITING, error=None, out_of_order=None)
    others = {name: each for name, each in batch.targets.items() if name != old}
    return settle(replace(batch, targets={**others, new: moved}))


def give_up(batch: Batch, target: str, by: str) -> Batch:
    """A person wants the batch not to be loaded into a target.

    The same request, made twice, counts once.

    Args:
        batch: The batch as it was read.
        target: One of its targets.
        by: The request; no other has the same text.

    Raises:
        OperationRefusedError: The batch is, or may be, in the target.
        UnknownBatchError: The batch is open, is marked as loaded, or has no such target.
    """
    progress = batch.progress(target)
    if progress.has_counted(by) or progress.state is TargetState.GIVEN_UP:
        return batch
    _refuse_unless_certain(batch, target, progress)
    over = replace(
        progress.asked_by(by), state=TargetState.GIVEN_UP, out_of_order=None, failing_since=None, is_failing=False
    )
    return with_progress(batch, target, over)


def add_target(batch: Batch, target: str, settings: Mapping[str, Any], by: str, *, out_of_order: bool = False) -> Batch:
    """A person wants the batch in a target that it was locked without: from now on it waits for the next run.

    Args:
        batch: The batch as it was read.
        target: The target; if the batch has it, nothing changes.
        settings: Its settings.
        by: The request.
        out_of_order: Whether it is to be loaded although a newer batch is in the table, where the mode allows it.
    """
    if target in batch.targets or batch.status is BatchStatus.OPEN:
        return batch
    return with_progress(batch, target, TargetProgress(settings, opened_by=by, out_of_order=out_of_order or None))


def removed_targets(config: LoadConfig, batch: Batch) -> tuple[str, ...]:
    """Name the targets of a batch that the load no longer has and that a person has to decide about, sorted."""
    return tuple(
        name
        for name, progress in sorted(batch.targets.items())
        if config.target_named(name) is None and progress.state not in _DONE
    )


def decisions(config: LoadConfig, batch: Batch) -> dict[str, str]:
    """Give what a person has to decide about those targets for which no repair helps, by their names."""
    asked: dict[str, str] = {}
    removed = removed_targets(config, batch)
    for name, progress in sorted(batch.targets.items()):
        if progress.is_undecided:
            asked[name] = (
                "look whether the rows of the batch are in its table. If they are: "
                f"{command('mark-loaded', batch, name)}; otherwise: {command('mark-not-loaded', batch, name)}"
            )
        elif name in removed and not progress.may_commit:
            asked[name] = f"the load no longer has this target: {'; or '.join(ways_out(config, batch, name))}"
    return asked


def ways_out(config: LoadConfig, batch: Batch, target: str) -> tuple[str, ...]:
    """Give the commands for a target that the load no longer has, each with what it does."""
    free = [each.name for each in config.targets if each.name not in batch.targets]
    new = free[0] if len(free) == 1 else "NEW"
    which = "" if len(free) == 1 else f"   (NEW is one of {', '.join(free)})"
    if batch.progress(target).state in _DONE:
        return (f"load it elsewhere too: {command('reprocess', batch, '--target', new)}{which}",) if free else ()
    elsewhere = (f"load it elsewhere: {command('retarget', batch, target, new)}{which}",) if free else ()
    return (*elsewhere, f"do not load it there: {command('give-up', batch, target)}")


def listed(ways: Iterable[str]) -> list[str]:
    """Put ways out below each other, each as a line of a message."""
    return [f"  {way}" for way in ways]


def command(name: str, batch: Batch, *arguments: str) -> str:
    """Write a command about a batch."""
    return " ".join(["rsloader", name, batch.load, batch.batch, *map(shell_word, arguments)])


def _refuse_unless_certain(batch: Batch, target: str, progress: TargetProgress) -> None:
    """Refuse to touch a target unless it is certain that nothing of its present generation is in its table."""
    if progress.state is TargetState.LOADED:
        raise OperationRefusedError(
            f"{batch} is loaded into {target}. Nothing was changed. To load it into another target as well: "
            f"{command('reprocess', batch, '--target', 'NEW')}"
        )
    if progress.state is TargetState.GIVEN_UP:
        raise OperationRefusedError(
            f"{target} was given up for {batch}. Nothing was changed. To load it into another target: "
            f"{command('reprocess', batch, '--target', 'NEW')}"
        )
    if progress.is_undecided:
        raise OperationRefusedError(
            f"It is not known whether {batch} is in {target}. Nothing was changed. Look in its table first: if the "
            f"rows are there, run `{command('mark-loaded', batch, target)}`, and nothing else is needed; otherwise "
            f"`{command('mark-not-loaded', batch, target)}`, and then this again."
        )
    if progress.state is TargetState.LOADING or progress.may_commit:
        raise OperationRefusedError(
            f"It is not known yet what attempt {progress.attempt} of run {batch.run} has loaded of {batch} into "
            f"{target}. Nothing was changed. The next attempt finds that out, with the settings that the batch was "
            f"locked with, or asks for mark-loaded or mark-not-loaded; `rsloader unlock {batch.load} {batch.batch}` "
            "shows which run makes it, and what to do if none does."
        )
