"""What an audit compares and concludes: one state for each object, and what one write can repair.

Nothing here reads from anywhere: listing, claim, batch and history are handed in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetProgress, TargetState
from rsloader_provider.core.ledger.claims import Claim, Segment
from rsloader_provider.core.ledger.manifest import digest_of_names
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt, forget_session, settle
from rsloader_provider.core.redshift.rows import HistoryRow


class ObjectState(StrEnum):
    """The state of one object; each object has exactly one."""

    NOT_SEEN = "not seen"
    """It matches the load, and nothing has claimed it yet."""
    HIDDEN = "hidden and left out"
    """Its name is one that Spark and Hadoop give to what they leave beside data; see `hidden_files`."""
    WAITING = "claimed and waiting"
    """It is in the open batch."""
    LOADING = "in a batch being loaded"
    """Its batch is locked, and some target does not have it yet."""
    LOADED = "loaded"
    """It is in every target but those that a person gave up for its batch."""
    MARKED = "marked as loaded"
    """A person or an import marked it as loaded: no run loads it, and no history has it."""
    LEFT_OUT = "left out by a person"
    """A person left it out of its batch, or gave up all of the batch's targets: it stays claimed, and nothing loads it
    until a person asks for it."""
    LOADED_TWICE = "loaded more than once"
    """More often than a person asked for, or by two batches."""
    FAILING = "in a batch that keeps failing"
    """Its batch is tried again by each run, and every attempt has failed for long."""
    FAILED = "failed"
    """Its batch is in `error`."""
    CHANGED = "changed since its load"
    """Its key now holds other bytes than those that were claimed."""
    DELETED = "deleted since its load"
    """It is loaded, or marked so; the object is no longer there, as after a lifecycle rule."""
    GONE = "deleted before its load"
    """It is claimed but not loaded, and no longer there."""
    NOT_CLAIMED = "in the history but not claimed"
    """Redshift committed it, but DynamoDB does not know that."""
    NOT_IN_HISTORY = "recorded as loaded but not in the history"
    """DynamoDB says loaded; the history, or the list of files that its COPY read, says otherwise."""
    BROKEN = "broken in DynamoDB"
    """Its claim, its batch or its place in the batch is missing or cannot be read."""

    @property
    def is_wrong(self) -> bool:
        """Whether a person has to do something about such an object."""
        return self not in _GOOD


_GOOD = {
    ObjectState.NOT_SEEN, ObjectState.HIDDEN, ObjectState.WAITING, ObjectState.LOADING, ObjectState.LOADED,
    ObjectState.MARKED, ObjectState.LEFT_OUT, ObjectState.DELETED,
}  # fmt: skip
_LOADED = {ObjectState.LOADED, ObjectState.MARKED, ObjectState.LOADED_TWICE, ObjectState.NOT_CLAIMED}


Histories = Mapping[str, Sequence[HistoryRow]]
"""A batch's rows by target; a target whose history could not be read is missing."""


@dataclass(frozen=True, slots=True)
class Names:
    """The objects of a batch, against which a history row is held.

    Attributes:
        files: How many are in the batch, as it counts them.
        files_ever: How many were in it when it was locked; an earlier generation may have loaded them.
        present: Names of those that are in it, as its segments have them.
        ever: Names of those that were in it when it was locked.
    """

    files: int
    files_ever: int
    present: frozenset[str]
    ever: frozenset[str]

    @classmethod
    def of(cls, batch: Batch, segments: Sequence[Segment]) -> Self:
        """Give the objects of a batch and its segments."""
        present = frozenset(entry.name for segment in segments for entry in segment.entries)
        ever = frozenset(entry.name for segment in segments for entry in segment.claimed)
        return cls(batch.files, batch.files + batch.taken_out, present, ever)

    def may_be_of(self, row: HistoryRow) -> bool:
        """Tell whether a row can stand for a load of these objects.

        Objects only ever leave a locked batch: as many as now are those of now, as many as ever are all of them.
        In between, without a digest, and where the segments are not whole, the number is all there is to compare.
        """
        if not self.files <= row.files <= self.files_ever:
            return False
        names = {len(self.ever): self.ever, len(self.present): self.present}.get(row.files)
        return None in (names, row.names_digest) or row.names_digest == digest_of_names(names or ())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a batch's objects from the batch alone.

    Attributes:
        state: The state of the objects that are there and unchanged.
        entries: Names of the objects in its segments; None where these are the objects that are claimed for it.
        unread: Names of the objects that the COPY of a committed load did not read.
        loaded_at: Everything written before this moment has been loaded, whether or not it is what was claimed; None
            where no history shows the moment.
    """

    state: ObjectState
    entries: frozenset[str] | None = None
    unread: frozenset[str] = frozenset()
    loaded_at: datetime | None = None


def judge_batch(batch: Batch, histories: Histories, names: Names | None = None) -> ObjectState:
    """Give the state of a batch's objects as far as it is known without S3; without histories, names say nothing."""
    for target, rows in histories.items():
        progress = batch.targets.get(target) or _under_an_old_name(batch, target, histories)
        generations = [row.generation for row in rows]
        if generations and (
            progress is None or max(generations) > progress.generation or len(set(generations)) < len(generations)
        ):
            # An open batch in the history was restored from a backup: what it holds now is not what was loaded.
            return ObjectState.BROKEN if batch.status is BatchStatus.OPEN else ObjectState.LOADED_TWICE
    if batch.status is BatchStatus.OPEN:
        return ObjectState.WAITING
    if batch.is_marked:
        return ObjectState.MARKED
    if names is not None and loaded_as_others(batch, histories, names):
        return ObjectState.BROKEN
    states = {progress.state for progress in batch.targets.values()}
    if TargetState.FAILED in states:
        return ObjectState.FAILED
    if missing_in_history(batch, histories):
        return ObjectState.NOT_IN_HISTORY
    if all((each.state, each.generation) == (TargetState.GIVEN_UP, 1) for each in batch.targets.values()):
        return ObjectState.LEFT_OUT
    return ObjectState.LOADED if states <= {TargetState.LOADED, TargetState.GIVEN_UP} else ObjectState.LOADING


def _under_an_old_name(batch: Batch, target: str, histories: Histories) -> TargetProgress | None:
    """Give the progress in the same table over a connection that was renamed since; None if there is none."""
    table = target.partition("/")[2]
    old = (name for name in sorted(batch.targets) if name not in histories and name.partition("/")[2] == table)
    return next((batch.targets[name] for name in old), None)


def keeps_failing(batch: Batch, now: datetime, failing_after: timedelta) -> list[str]:
    """Name the targets that every attempt has failed to load for long, while nobody is asked to decide.

    Args:
        batch: The batch.
        now: The moment (aware, UTC).
        failing_after: How long that is.
    """
    return [
        target
        for target, progress in sorted(batch.targets.items())
        if progress.is_failing
        or (progress.failing_since is not None and progress.error and now - progress.failing_since >= failing_after)
    ]


def loaded_as_others(batch: Batch, histories: Histories, names: Names) -> list[str]:
    """Name the targets whose history has the batch's generation with other objects than the batch holds.

    The batch was restored from a backup, open, and was filled again: what it holds now is not what was loaded.
    """
    return [
        target
        for target, progress in sorted(batch.targets.items())
        if any(row.generation == progress.generation and not names.may_be_of(row) for row in histories.get(target, ()))
    ]


def missing_in_history(batch: Batch, histories: Histories) -> list[str]:
    """Name the targets that are recorded as loaded while their history does not have the generation.

    A batch that had no objects left when it was loaded wrote no row.
    """
    return [
        target
        for target, progress in sorted(batch.targets.items())
        if progress.state is TargetState.LOADED
        and (batch.files or progress.rows)
        and target in histories
        and progress.generation not in {row.generation for row in histories[target]}
    ]


def judge_object(
    found: S3Object | None,
    claim: Claim | None,
    verdict: Verdict | None,
    batch: str | None,
    copied_by: frozenset[str],
    *,
    name: str,
    looked: bool = True,
    left_out: bool = False,
) -> ObjectState:
    """Give the state of one object.

    Args:
        found: The object as S3 lists it; None if it is not there.
        claim: Its claim; None if it has none.
        verdict: What is known of the claim's batch; None if there is no such batch.
        batch: That batch.
        copied_by: Batches whose committed COPY read the object although it is not theirs, or was empty by its claim.
        name: Bucket and key.
        looked: Whether S3 was asked. A claim outside of the present source is judged without asking.
        left_out: Whether a person left it out of that batch.
    """
    if claim is None:
        return ObjectState.NOT_CLAIMED if copied_by else ObjectState.NOT_SEEN
    if left_out and verdict is not None:
        return ObjectState.LEFT_OUT
    if verdict is None or (verdict.entries is not None and name not in verdict.entries):
        return ObjectState.BROKEN
    if copied_by - {batch}:
        return ObjectState.LOADED_TWICE if verdict.state in _LOADED else ObjectState.NOT_CLAIMED
    if verdict.state not in {ObjectState.WAITING, ObjectState.LOADING, ObjectState.LOADED, ObjectState.MARKED}:
        return verdict.state
    if name in verdict.unread:
        return ObjectState.NOT_IN_HISTORY
    loaded = verdict.state in {ObjectState.LOADED, ObjectState.MARKED}
    if found is None and looked:
        return ObjectState.DELETED if loaded else ObjectState.GONE
    # Somebody may have repaired it before it was loaded. S3 lists times in whole seconds. What its claim calls empty
    # was in no manifest: else the claim was corrected once it was loaded, or its COPY is known to have read it.
    is_other = found is not None and not claim.is_of(found)
    was_left_out = claim.size_bytes == 0 and batch not in copied_by
    is_old = (
        found is not None
        and not was_left_out
        and verdict.loaded_at is not None
        and (found.last_modified + timedelta(seconds=1) <= verdict.loaded_at)
    )
    return ObjectState.CHANGED if loaded and is_other and not is_old else verdict.state


def loaded_since(batch: Batch, histories: Histories) -> datetime | None:
    """Give the moment before which everything written under a loaded batch's keys is in every target.

    Returns:
        The earliest beginning among the loads of the current generations; None if one of them is not known.
    """
    began = [
        row.loaded_at
        for target, progress in batch.targets.items()
        for row in histories.get(target, ())
        if row.generation == progress.generation
    ]
    known = [each for each in began if each is not None]
    return min(known) if known and len(known) == len(began) else None


def mended(batch: Batch, histories: Histories, names: Names, *, notify: bool, notify_recovery: bool = False) -> Batch:
    """Give the batch as it should be recorded, from what its targets' histories prove.

    A target whose current generation is in its history is loaded, whatever is recorded. A loaded target has no session
    left to end. The status follows from the targets. Everything else stays. A row of other objects proves nothing.

    Args:
        batch: A batch that was locked, as it was just read.
        histories: Its rows, read after it.
        names: Its objects.
        notify: Whether to notify once the batch is in all of its targets.
        notify_recovery: Whether to notify of a target that was told to be failing.
    """
    others = loaded_as_others(batch, histories, names)
    for target, progress in batch.targets.items():
        proof = next((row for row in histories.get(target, ()) if row.generation == progress.generation), None)
        if proof is None or target in others:
            continue
        if progress.state is TargetState.LOADED:
            batch = forget_session(batch, target)
            continue
        if progress.state is not TargetState.LOADING:
            # The attempt ended as if it had not loaded, which was wrong. One more attempt stands for finding the row.
            batch = begin_attempt(batch, target, Asker("rsloader audit", batch.run or ""))
        # With the number of the attempt that holds it: if that attempt is alive, it finds its own write done.
        record = AttemptRecord.newest(batch, target)
        batch = record.finished(
            rows=proof.rows, query_id=proof.query_id, notify=notify, notify_recovery=notify_recovery
        ).batch
    return settle(batch)
