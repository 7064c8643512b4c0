"""A batch, its targets, and the changes that are legal.

    open ──lock──▶ locked ──every target loaded──▶ complete
                     │ ▲                              │
      a target failed│ │a new attempt                 │a person asks again
                     ▼ │                              │
                    error ◀───────────────────────────┘ (to locked, then on)

A batch of objects that a person marked as loaded is complete from the start, and has no targets.

Every function here takes a batch and gives the batch that it becomes; the ledger writes it on the
condition that nobody wrote in between. What an attempt does from its beginning on is in `attempt_record.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from rsloader_provider.core.errors import NothingToDecideError, OperationRefusedError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, Notification, TargetProgress, TargetState
from rsloader_provider.core.ledger.clearing import HandedOut, TaskFacts
from rsloader_provider.core.ledger.manifest import Entry


def lock(batch: Batch, *, reason: str, run: str, targets: Mapping[str, Mapping[str, Any]], now: datetime) -> Batch:
    """Nothing is added to the batch any more, and a run has to load it.

    Args:
        batch: The open batch.
        reason: The limit that was reached.
        run: The DAG run.
        targets: The targets that it carries from now on: their settings by name.
        now: The moment of locking (aware, UTC).
    """
    waiting = {name: TargetProgress(settings) for name, settings in targets.items()}
    return replace(batch, status=BatchStatus.LOCKED, locked_at=now, reason=reason, run=run, targets=waiting, version=1)


def adopt(batch: Batch, run: str) -> Batch:
    """Give the batch to a run: from now on that run has to load it."""
    return replace(batch, run=run)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants a batch loaded.

    Attributes:
        task_try: One try of one task instance, for example `rsloader_orders/scheduled__…/load_batch/0/2`.
        run: Its DAG run, `dag_id/run_id`.
        cleared: Whether the caller knows by itself that a person asks by this try. Where `task` and `handed_out` tell
            of a clear, or the batch remembers an earlier try of the task, this is not looked at.
        try_number: The try's number.
        task: What Airflow says of the task instance; None if no task of Airflow asks.
        handed_out: How the batch was handed to the task; None where that is not known.
    """

    task_try: str
    run: str
    cleared: bool = False
    try_number: int = 1
    task: TaskFacts | None = None
    handed_out: HandedOut | None = None

    def request(self, progress: TargetProgress) -> str | None:
        """Give the person's request that this try belongs to; None if Airflow tries by itself.

        All tries since a clear belong to it, with the same text. Once one of them has begun an attempt, the request has
        been counted, and those after it are automatic retries.
        """
        if self.task is not None:
            earlier = progress.begun_by
            if earlier and (earlier.task, earlier.handed_at) == (self.task.task, self.task.handed_at):
                return self.task.clear if self.task.is_after_clear_since(earlier) else None
            if self.handed_out is not None:
                return self.task.clear if self.task.is_after_clear_of(self.handed_out, self.try_number) else None
        return self.task_try if self.cleared else None


def needs_loading(progress: TargetProgress, asker: Asker) -> bool:
    """Tell whether there is something to do for the one who asks.

    A loaded batch is loaded again only for a person, and one that a person gave up only for `reprocess`.
    """
    if progress.state is TargetState.GIVEN_UP:
        return False
    return progress.state is not TargetState.LOADED or asks_anew(progress, asker)


def asks_anew(progress: TargetProgress, asker: Asker) -> bool:
    """Tell whether a person asks, and none of the tries of this request has begun an attempt: it counts only once."""
    request = asker.request(progress)
    return request is not None and not progress.has_counted(request)


def begin_attempt(
    batch: Batch,
    target: str,
    asker: Asker,
    *,
    now: datetime | None = None,
    failing_after: timedelta = timedelta.max,
    notify: bool = False,
) -> Batch:
    """Begin an attempt; it takes the place of any earlier one.

    If the generation is loaded, the attempt opens the next one; otherwise it is one more try at the same
    generation, so that a load whose outcome nobody knew is found in the history instead of being repeated.
    The batch is that run's which asks, so that no other takes it over while that one is at work.
    The session of an attempt that never ended stays recorded until somebody could end it.

    Args:
        batch: The batch as it was read.
        target: The target's name.
        asker: Who asks.
        now: The moment (aware, UTC), at which an attempt that never ended counts as failed; None if it does not.
        failing_after: How long attempts may go on failing before that is told.
        notify: Whether somebody is to be told then, once.
    """
    progress = batch.progress(target)
    begun = replace(progress, state=TargetState.LOADING, attempt=progress.attempt + 1, error=None, begun_by=asker.task)
    if request := asker.request(progress):
        begun = begun.asked_by(request)
    if progress.state is TargetState.LOADED:
        begun = replace(begun, generation=progress.generation + 1, rows=None, query_id=None)
    if progress.state is TargetState.LOADING and now is not None:
        begun = begun.failed_again(now, failing_after)
    # What was due and never noted as sent stays so: nobody knows whether it was.
    notification = batch.notification if batch.notification is Notification.DUE else None
    if notify and begun.is_failing and not progress.is_failing:
        notification = Notification.DUE
    return replace(with_progress(adopt(batch, asker.run), target, begun), notification=notification)


def decide(batch: Batch, target: str, *, loaded: bool) -> Batch:
    """A person has looked: the announced COMMIT was carried out, or it was not and the next run loads the batch.

    Args:
        batch: The batch as it was read.
        target: A target that is undecided.
        loaded: What they found.

    Raises:
        NothingToDecideError: Nobody asked.
    """
    progress = batch.progress(target)
    commit = progress.unanswered
    if commit is None or not progress.is_undecided:
        raise NothingToDecideError(
            f"There is nothing to decide: {batch} is {progress.state} in {target}. Nothing was changed."
        )
    decided = replace(progress, session=None, announces=None, unanswered=None, error=None)
    if loaded:
        decided = replace(decided, state=TargetState.LOADED, rows=commit.rows, query_id=commit.query_id)
    else:
        decided = replace(decided, state=TargetState.WAITING)
    return with_progress(batch, target, decided)


def reprocess(batch: Batch, target: str, by: str, *, out_of_order: bool = False) -> Batch:
    """A person asks for a target once more: from now on it waits for the next run.

    If its generation is loaded, the next one is opened; a target that has failed waits for one more attempt at the
    same generation, so that a load whose outcome nobody knew is found in the history instead of being repeated; so does
    one that was given up; one that waits already goes on waiting. The same request, made twice, counts once.

    Args:
        batch: The batch as it was read.
        target: The target's name.
        by: The request; no other has the same text.
        out_of_order: Whether it is to be loaded although a newer batch is in the table, where the mode allows it.

    Raises:
        OperationRefusedError: An attempt is at work, or a person has to say first whether the batch is in the table.
        UnknownBatchError: The batch is open, is marked as loaded, or has no such target.
    """
    progress = batch.progress(target)
    waits = progress.state is TargetState.WAITING and (progress.out_of_order or not out_of_order)
    if progress.has_counted(by) or waits:
        return batch
    if progress.state is TargetState.LOADING:
        raise OperationRefusedError(
            f"{batch} is being loaded into {target}: attempt {progress.attempt} of run {batch.run} has not ended. "
            "Nothing was changed. Try again when that attempt has ended; if its run is over, the next run takes the "
            "batch up by itself."
        )
    if progress.unanswered is not None:
        raise OperationRefusedError(
            f"It is not known whether {batch} is in {target}. Nothing was changed. Before it is loaded again, look in "
            f"the table: if its rows are there, run `rsloader mark-loaded {batch.load} {batch.batch} {target}`, "
            f"otherwise `rsloader mark-not-loaded {batch.load} {batch.batch} {target}`."
        )
    asked = replace(progress.asked_by(by), state=TargetState.WAITING, out_of_order=out_of_order or None)
    if progress.state is TargetState.LOADED:
        asked = replace(asked, generation=progress.generation + 1, rows=None, query_id=None)
    return with_progress(batch, target, asked)


def wait_again(batch: Batch, target: str, by: str) -> Batch:
    """A person says that a load is gone, because Redshift was put back to an earlier moment: it waits to be repeated.

    It waits at its generation, which the history lacks: if the history has it after all, the next attempt finds it.

    Args:
        batch: The batch as it was read.
        target: The target's name; one that is not loaded stays as it is.
        by: The request; no other has the same text. Made twice, it counts once.
    """
    progress = batch.progress(target)
    if progress.state is not TargetState.LOADED or progress.has_counted(by):
        return batch
    waiting = replace(progress.asked_by(by), state=TargetState.WAITING, rows=None, query_id=None)
    return with_progress(batch, target, waiting)


def reprocess_marked(batch: Batch, targets: Mapping[str, Mapping[str, Any]], by: str) -> Batch:
    """A person asks for a batch whose objects were only marked as loaded: it gets targets, which wait.

    Args:
        batch: The batch as it was read.
        targets: The targets' settings by name; at least one.
        by: The request.

    Raises:
        OperationRefusedError: The batch's objects are not only marked as loaded.
    """
    if not batch.is_marked:
        raise OperationRefusedError(f"The objects of {batch} are not only marked as loaded: it has targets.")
    waiting = {name: TargetProgress(settings, opened_by=by) for name, settings in targets.items()}
    return settle(replace(batch, targets=waiting))


def take_out(batch: Batch, entries: Iterable[Entry]) -> Batch:
    """Objects leave the batch: it counts them no longer, and no later attempt loads them with it.

    Args:
        batch: The batch as it was read, open or not.
        entries: The objects; they are in it.

    Raises:
        OperationRefusedError: An attempt is at work that may have read the batch's objects already, or what one did is
            not known yet.
    """
    for target, progress in batch.targets.items():
        if progress.may_commit:
            raise OperationRefusedError(
                f"{batch} is being loaded into {target}, or what attempt {progress.attempt} of run {batch.run} did is "
                "not known yet, so no object can be taken out of it. Nothing was changed. Try again when the next "
                f"attempt has found that out: `rsloader unlock {batch.load} {batch.batch}` shows which run makes it."
            )
    sizes = [entry.size_bytes for entry in entries]
    files = batch.files - len(sizes)
    smaller = replace(batch, files=files, size_bytes=batch.size_bytes - sum(sizes))
    if batch.status is BatchStatus.OPEN:
        # Its age counts from its first object.
        return smaller if files else replace(smaller, opened_at=None)
    return replace(smaller, taken_out=batch.taken_out + len(sizes))


def record_notification(batch: Batch, notification: Notification) -> Batch:
    """Note what became of telling how the batch ended."""
    return replace(batch, notification=notification)


def same_attempts(batch: Batch, other: Batch) -> bool:
    """Tell whether no attempt has begun between two states of a batch."""
    return {name: each.attempt for name, each in batch.targets.items()} == {
        name: each.attempt for name, each in other.targets.items()
    }


def forget_session(batch: Batch, target: str) -> Batch:
    """Drop the session that a loaded target still records: there is nothing left that it could do."""
    progress = batch.progress(target)
    return replace(batch, targets={**batch.targets, target: replace(progress, session=None)})


def settle(batch: Batch) -> Batch:
    """Give the batch the status that its targets say, which may have been edited by hand.

    Args:
        batch: A batch that was locked, or whose objects are marked as loaded.
    """
    if batch.is_marked:
        return batch
    states = {each.state for each in batch.targets.values()}
    if states and states <= {TargetState.LOADED, TargetState.GIVEN_UP}:
        status = BatchStatus.COMPLETE
    elif TargetState.FAILED in states:
        status = BatchStatus.ERROR
    else:
        status = BatchStatus.LOCKED
    return replace(batch, status=status)


def with_progress(batch: Batch, target: str, progress: TargetProgress) -> Batch:
    """Give the batch with this progress in one target, and with the status that follows from it."""
    return settle(replace(batch, targets={**batch.targets, target: progress}))
