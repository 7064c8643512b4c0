"""What must hold once everything has come to its end."""

from collections import Counter
from collections.abc import Iterator

from interleavings.stage import Stage
from interleavings.use_cases import Loading
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetState


def problems(stage: Stage) -> Iterator[str]:
    """Say what is not as it must be: each object as often in each table as asked, nothing stuck, ledger and history
    agree.
    """
    batches = [*stage.ledger.batches(stage.config.load)]
    for batch in batches:
        if not (batch.status is BatchStatus.COMPLETE or (batch.status is BatchStatus.OPEN and not batch.files)):
            errors = [progress.error for progress in batch.targets.values() if progress.error]
            yield f"{batch} is stuck: {batch.status}, {batch.files} objects, {errors}"
    for use_case in stage.cast:
        if isinstance(use_case, Loading) and use_case.is_lost(stage):
            yield f"nobody has done what a person asked for: {use_case.request}"
    yield from _members(stage, batches)
    for target in stage.targets:
        yield from _rows(stage, target)
        yield from _history(stage, batches, target)


def _members(stage: Stage, batches: list[Batch]) -> Iterator[str]:
    claims = {claim.name: claim.batch for claim in stage.ledger.claims(stage.config.load, "landing/")}
    members = [(entry.name, batch.batch) for batch in batches for entry in stage.ledger.entries(batch)]
    if sorted(members) != sorted(claims.items()):
        yield f"claims and batches contradict each other: {sorted(claims.items())}, {sorted(members)}"
    for batch in batches:
        if batch.files != len(stage.ledger.entries(batch)):
            yield f"{batch} counts {batch.files} objects, and has {len(stage.ledger.entries(batch))}"


def _rows(stage: Stage, target: str) -> Iterator[str]:
    """In a table that each batch replaces, nobody but a batch with objects may have taken rows away."""
    rows = Counter(stage.warehouse.tables[target.partition("/")[2]])
    if stage.replaces:
        if not rows:
            yield f"{target} is empty"
        return
    for name in stage.objects:
        asked = stage.asked.times(f"landing/orders/{name}", target)
        if rows[name] != asked:
            yield f"object {name} is in {target} {rows[name]} times, and was asked for {asked} times"


def _history(stage: Stage, batches: list[Batch], target: str) -> Iterator[str]:
    table = target.partition("/")[2]
    history = stage.warehouse.histories[table]
    keys = Counter(row.key for row in history)
    for row in history:
        if keys[row.key] > 1:
            yield f"{row.key} is in the history {keys[row.key]} times"
        if not row.files:
            yield f"the history has {row.key}, which has no objects"
    if stage.keeps_no_history or table in stage.is_lost:
        return
    known = {(row.key.batch, row.key.generation) for row in history}
    for batch in batches:
        progress = batch.targets.get(target)
        if progress is None or progress.state is not TargetState.LOADED:
            continue
        if batch.files and (batch.batch, progress.generation) not in known:
            yield f"{batch} is loaded into {target} for the ledger, and its history does not know it"
    for batch_id, generation in known:
        if not any(
            batch.batch == batch_id and target in batch.targets and generation <= batch.targets[target].generation
            for batch in batches
        ):
            yield f"the history has generation {generation} of {batch_id}, which the ledger does not"
