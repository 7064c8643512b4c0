"""What a person does with batches: have one loaded again, and lock the open one now.

Reprocessing has a plan, which changes nothing, and a call that does it and reads everything again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import OperationRefusedError, UnknownBatchError, UnknownObjectError
from rsloader_provider.core.ledger.batch import CLOSED_NOW, Batch, BatchStatus, TargetProgress, TargetState
from rsloader_provider.core.ledger.claims import Place
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.target_changes import add_target, command, listed, removed_targets, ways_out
from rsloader_provider.core.ledger.transitions import reprocess, reprocess_marked
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.operate.leaving import leaving_by_segment
from rsloader_provider.loader.operate.object_names import object_name
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.races import until_won
from rsloader_provider.loader.run.buffer import target_settings
from rsloader_provider.loader.services import Services

log = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class ReprocessPlan:
    """What reprocessing a batch would do.

    Attributes:
        batch: The batch as it is.
        targets: The targets that it would be loaded into.
        left_out: The objects that would leave it.
        sentences: The same for people, with a warning for each target whose rows would be there twice.
    """

    batch: Batch
    targets: tuple[str, ...]
    left_out: tuple[Entry, ...]
    sentences: tuple[str, ...]


def plan_reprocess(
    config: LoadConfig,
    services: Services,
    batch_id: str,
    *,
    targets: Sequence[str] = (),
    without: Sequence[str] = (),
    out_of_order: bool = False,
) -> ReprocessPlan:
    """Tell what reprocessing a batch would do, and refuse what cannot be done. Changes nothing.

    Args:
        config: The load.
        services: The ports and the clock.
        batch_id: The batch.
        targets: Names of the targets to load it into. One of the load's that the batch does not have is added to it.
            None for all that it has, without those that the load no longer has or that were given up.
        without: URLs of objects to leave out.
        out_of_order: Whether to load it although newer batches are in the table; only for targets that merge.

    Raises:
        UnknownBatchError: No such batch, or no such target in it or in the load.
        UnknownObjectError: One of those objects is not in the batch.
        OperationRefusedError: The batch is open, is being loaded or is undecided; no object would be left; the load no
            longer has the target; or it is to be loaded out of order into a target that does not merge.
    """
    batch = services.ledger.get(config.load, batch_id)
    chosen = _chosen(config, batch, targets)
    _asked(config, batch, chosen, "a plan", out_of_order=out_of_order)
    left_out = _to_leave_out(services, batch, without)
    sentences = [_about_target(config, batch, name) for name in chosen]
    for name in () if targets else removed_targets(config, batch):
        if name not in chosen:
            sentences.append(f"{name}: the load no longer has it, and it stays as it is.")
            sentences += listed(ways_out(config, batch, name))
    if left_out:
        sentences.append(
            f"{len(left_out):,} of its {batch.files:,} objects are left out, for all of its targets. They stay "
            f"claimed, so no run loads them by itself. To load one: rsloader reprocess-objects {config.load} URL"
        )
    if out_of_order:
        sentences.append("Its rows replace all that have the same key, also those of newer batches.")
    if config.on_clear == "skip":
        sentences.append("The load says on_clear: skip. That is about clearing tasks, and does not prevent this.")
    return ReprocessPlan(batch, chosen, left_out, tuple(sentences))


def reprocess_batch(
    config: LoadConfig,
    services: Services,
    batch_id: str,
    *,
    by: str,
    targets: Sequence[str] = (),
    without: Sequence[str] = (),
    out_of_order: bool = False,
) -> Batch:
    """Let a batch wait for the next run once more, which takes it over and loads it.

    A loaded target opens the next generation; a failed one gets one more attempt at the same. Safe to call again: the
    same request counts once, and an interrupted one goes on.

    Args:
        config: The load.
        services: The ports and the clock.
        batch_id: The batch.
        by: Who asks; a text that only this request has.
        targets: As for `plan_reprocess`.
        without: As for `plan_reprocess`.
        out_of_order: As for `plan_reprocess`.

    Returns:
        The batch as it is now.

    Raises:
        UnknownBatchError, UnknownObjectError, OperationRefusedError: As for `plan_reprocess`.
        ContentionError: Others wrote to it over and over; call again.
    """
    _leave_out(config, services, batch_id, targets, without, out_of_order=out_of_order)

    def ask() -> Batch:
        batch = services.ledger.get(config.load, batch_id)
        chosen = _chosen(config, batch, targets)
        wanted = _asked(config, batch, chosen, by, out_of_order=out_of_order)
        if wanted == batch:
            log.info("%s: it waits for the next run already, or this request was carried out before", batch)
            return batch
        for name in chosen:
            log.warning("%s: %s (asked for by %s)", batch, _about_target(config, batch, name), by)
        with services.steps.taking(Step.REPROCESS, batch):
            # If this is carried out and the answer lost, the batch names this request when it is read again.
            return services.ledger.replace(batch, wanted)

    return until_won(f"batch {batch_id} of load {config.load}", ask)


def _chosen(config: LoadConfig, batch: Batch, targets: Sequence[str]) -> tuple[str, ...]:
    if batch.status is BatchStatus.OPEN:
        raise OperationRefusedError(
            f"{batch} is still open, and was never loaded. `rsloader close-now {config.load}` locks it, and the next "
            "run loads it. Nothing was changed."
        )
    now = target_settings(config)
    known = sorted({*now, *batch.targets})
    for name in targets:
        if name not in known:
            raise UnknownBatchError(f"{batch} has no target {name}. Its targets and the load's: {', '.join(known)}.")
    if targets:
        chosen = tuple(dict.fromkeys(targets))
    elif batch.is_marked:
        chosen = tuple(sorted(now))
    else:
        chosen = tuple(name for name, each in sorted(batch.targets.items()) if _is_meant_by_all(config, name, each))
    if gone := [name for name in chosen or batch.targets if not _can_be_loaded(config, batch, name)]:
        raise OperationRefusedError(
            f"{batch}: the load no longer has the target {gone[0]}. Nothing was changed.",
            *listed(ways_out(config, batch, gone[0])),
        )
    if not chosen:
        raise OperationRefusedError(
            f"{batch} was given up for all of its targets. Nothing was changed. Name the one to load it into: "
            f"{command('reprocess', batch, '--target', 'NAME')}"
        )
    return chosen


def _is_meant_by_all(config: LoadConfig, name: str, progress: TargetProgress) -> bool:
    """Tell whether a target is one of those that are meant where none is named."""
    if config.target_named(name) is None:
        # One more attempt finds out what an earlier one did there, and loads nothing.
        return progress.may_commit
    return progress.state is not TargetState.GIVEN_UP


def _can_be_loaded(config: LoadConfig, batch: Batch, name: str) -> bool:
    progress = batch.targets.get(name)
    return config.target_named(name) is not None or (progress is not None and progress.may_commit)


def _asked(config: LoadConfig, batch: Batch, targets: Sequence[str], by: str, *, out_of_order: bool) -> Batch:
    settings = target_settings(config)
    if out_of_order and (others := [name for name in targets if _mode(config, name) != "merge"]):
        raise OperationRefusedError(
            f"{batch} is loaded out of order only into targets with mode merge, where rows are replaced by their key. "
            f"{others[0]} has mode {_mode(config, others[0])}. Nothing was changed. Name the targets that merge with "
            "--target."
        )
    if batch.is_marked:
        return reprocess_marked(batch, {name: settings[name] for name in targets}, by)
    for name in targets:
        if name in batch.targets:
            batch = reprocess(batch, name, by, out_of_order=out_of_order)
        else:
            batch = add_target(batch, name, settings[name], by, out_of_order=out_of_order)
    return batch


def _to_leave_out(services: Services, batch: Batch, without: Sequence[str]) -> tuple[Entry, ...]:
    if not without:
        return ()
    names = dict.fromkeys(object_name(url) for url in without)
    segments = services.ledger.segments(batch)
    entries = {entry.name: entry for segment in segments for entry in segment.entries}
    claims = services.ledger.find_claims(batch.load, [*names])
    unknown = [
        name for name in names if name not in entries and not (name in claims and claims[name].batch == batch.batch)
    ]
    if unknown:
        named = ", ".join(f"s3://{name}" for name in unknown[:5])
        raise UnknownObjectError(
            f"{batch} does not have {named}{' and others' if len(unknown) > 5 else ''}. `rsloader batch {batch.load} "
            f"{batch.batch}` lists its objects. Nothing was changed."
        )
    leaving = tuple(entries[name] for name in names if name in entries)
    if len(leaving) == len(entries):
        raise OperationRefusedError(f"Nothing would be left of {batch}: all of its objects are to be left out.")
    return leaving


def _leave_out(
    config: LoadConfig,
    services: Services,
    batch_id: str,
    targets: Sequence[str],
    without: Sequence[str],
    *,
    out_of_order: bool,
) -> None:
    if not without:
        return

    def leave_out() -> None:
        batch = services.ledger.get(config.load, batch_id)
        # A batch that cannot be reprocessed must not lose objects either.
        _asked(config, batch, _chosen(config, batch, targets), "a plan", out_of_order=out_of_order)
        # What an earlier call has left out is in no segment any more, even if the answer was lost.
        leaving = {entry.name for entry in _to_leave_out(services, batch, without)}
        for segment, names in leaving_by_segment(services.ledger.segments(batch), leaving, is_open=False):
            with services.steps.taking(Step.TAKE_OUT, f"{len(names)} objects of {batch}"):
                batch = services.ledger.leave_out(Place(batch, segment), names, services.now())

    until_won(f"batch {batch_id} of load {config.load}", leave_out)


def _about_target(config: LoadConfig, batch: Batch, name: str) -> str:
    if not batch.files:
        return f"{name}: the batch has no objects; the next run finishes it without touching the table."
    if batch.is_marked:
        return f"{name}: the objects were only marked as loaded; the next run loads them."
    if name not in batch.targets:
        return _about_added_target(config, batch, name)
    progress = batch.progress(name)
    match progress.state:
        case TargetState.WAITING:
            return f"{name}: it waits for the next run already (generation {progress.generation})."
        case TargetState.FAILED:
            return f"{name}: it failed; the next run makes one more attempt at generation {progress.generation}."
        case TargetState.LOADED:
            return (
                f"{name}: it is loaded, and the next run loads it AGAIN as generation {progress.generation + 1}. "
                + _consequence(_mode(config, name), progress.rows or 0)
            )
        case TargetState.LOADING:
            return f"{name}: it is being loaded (attempt {progress.attempt}, run {batch.run})."
        case TargetState.GIVEN_UP:
            return f"{name}: it was given up; the next run loads it after all (generation {progress.generation})."


def _about_added_target(config: LoadConfig, batch: Batch, name: str) -> str:
    sentence = f"{name}: the batch was locked without it; the next run loads it there for the first time."
    if _mode(config, name) != "append":
        sentence += " It fails if a newer batch is in the table."
    table = name.partition("/")[2]
    for other, progress in sorted(batch.targets.items()):
        if progress.state is TargetState.LOADED and other.partition("/")[2] == table:
            target = config.target_named(name)
            sentence += f" It is loaded into {other}. If that is the same table over another connection, " + (
                "ITS ROWS ARE ADDED A SECOND TIME: the target keeps no load history that would tell."
                if target is not None and target.history == "none"
                else "the load history tells so, and nothing is loaded a second time."
            )
    return sentence


def _mode(config: LoadConfig, name: str) -> str:
    target = config.target_named(name)
    return "append" if target is None else target.mode


def _consequence(mode: str, rows: int) -> str:
    if mode == "append":
        return (
            f"mode: append ADDS THE ROWS A SECOND TIME: the {rows:,} rows of the earlier load stay, unless you delete "
            "them first."
        )
    if mode == "merge":
        return (
            "mode: merge leaves the same rows; it fails if a newer batch is in the table, unless it is loaded out of "
            "order (--out-of-order)."
        )
    return f"mode: {mode} replaces the table's rows; it fails if a newer batch is in the table."


def close_now(config: LoadConfig, services: Services, *, by: str) -> Batch | None:
    """Lock the open batch, so that the next run loads it without waiting for its limits.

    Args:
        config: The load.
        services: The ports and the clock.
        by: Who asks.

    Returns:
        The locked batch; None if nothing waits in the open one.

    Raises:
        ContentionError: Others wrote to it over and over; call again.
    """

    def lock() -> Batch | None:
        opened = services.ledger.open_batch(config.load, services.now())
        if not opened.files:
            return None
        try:
            with services.steps.taking(Step.LOCK, opened):
                locked, _ = services.ledger.lock(
                    opened, reason=CLOSED_NOW, run=by, targets=target_settings(config), now=services.now()
                )
        except LostRaceError:
            now = services.ledger.get(config.load, opened.batch)
            if now.status is BatchStatus.OPEN:
                raise
            log.info("%s: it was locked at this moment, for %s", now, now.reason)
            return now
        log.info("%s: locked with %d files, asked for by %s", locked, locked.files, by)
        return locked

    return until_won(f"the open batch of load {config.load}", lock)
