"""A batch, and how far it is in each of its targets."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from rsloader_provider.core.errors import (
    UnknownBatchError,
)
from rsloader_provider.core.ledger.boundary import LeftAlone
from rsloader_provider.core.ledger.clearing import TaskFacts


class BatchStatus(StrEnum):
    """The words of the wire; they never change."""

    OPEN = "open"
    LOCKED = "locked"
    COMPLETE = "complete"
    ERROR = "error"


class TargetState(StrEnum):
    """Where one target of a batch stands."""

    WAITING = "waiting"
    """Nothing runs: no attempt yet, or the last one ended without loading and without a verdict."""
    LOADING = "loading"
    """An attempt began. Whether it lives, or has committed, is for the load history to tell."""
    LOADED = "loaded"
    FAILED = "failed"
    """An attempt ended with an error that trying again does not mend; a person decides."""
    GIVEN_UP = "given up"
    """A person decided that the batch is not loaded into this target. What an earlier generation loaded stays there."""


class Notification(StrEnum):
    """Whether a topic was notified of how a batch ended."""

    DUE = "due"
    """It is to be notified. If that stays, a process stopped in between or the topic's answer was lost, and it is not
    known whether it was notified."""
    SENT = "sent"
    REFUSED = "refused"
    """The topic could not be notified; the task's log says why."""


@dataclass(frozen=True, slots=True)
class UnansweredCommit:
    """A COMMIT that was announced before it was sent, and whose answer nobody has recorded.

    Or one that may have been sent, of an attempt that kept a load history, which can no longer be read.

    Attributes:
        attempt: The attempt that announced it; with a load history, the last before the one that could not read it.
        session: Redshift's process id of its session.
        rows: Rows that its COPY loaded; None where only the load history can tell.
        query_id: Redshift's id of that COPY; None when there was nothing to copy, or only the load history can tell.
    """

    attempt: int
    session: int
    rows: int | None
    query_id: int | None

    @property
    def is_in_history(self) -> bool:
        """Whether the load history has it, if it was carried out."""
        return self.rows is None


@dataclass(frozen=True, slots=True)
class SkippedRows:
    """Rows that COPY could not read and left out, as MAXERROR and IGNOREALLERRORS let it.

    Attributes:
        rows: How many, as far as Redshift has told.
        is_exact: Whether those are all; otherwise at least so many.
    """

    rows: int
    is_exact: bool

    def __str__(self) -> str:
        """The number, as messages have it."""
        if not self.rows and not self.is_exact:
            return "an unknown number of rows"
        return f"{self.rows} rows" if self.is_exact else f"at least {self.rows} rows"


MARKED = "marked"
"""The reason of a batch of objects that a person wants never to be loaded."""

IMPORTED = "imported"
"""The reason of a batch of objects that another loader has loaded."""

CLOSED_NOW = "closed_now"
"""The reason of a batch that a person had locked before a limit was reached."""

REPROCESSED = "reprocessed"
"""The reason of a batch of objects that a person had taken out of earlier batches to be loaded again."""

REBUILT = "rebuilt"
"""The reason of a batch that was put back from the load histories after the ledger had lost it."""

RENAMED = "renamed"
"""The reason of a batch that was open when its load got another name."""


UNFINISHED = (TargetState.WAITING, TargetState.LOADING)

_REQUESTS_KEPT = 10
"""A request that is older than so many others has no try left that could repeat it, and items must not grow."""


@dataclass(frozen=True, slots=True)
class TargetProgress:
    """How far a batch is in one target.

    Attributes:
        settings: The target's configuration as it was when the batch was locked, as plain JSON.
        state: See TargetState.
        generation: Starts at 1; each reprocessing that a person asks for opens the next.
        attempt: Attempts begun so far, over all generations; 0 before the first. The newest one holds the target.
        opened_by: The clear, the task try or the command by which a person last asked for the batch, for this
            generation, for one more attempt at it, for another target or to give it up; None if nobody has.
        asked_before: What `opened_by` was before, oldest first, the last few: each counts once.
        begun_by: What Airflow said of the task that began the newest attempt; None where no task of this version did.
        session: Redshift's process id of the newest attempt that recorded one and never ended: the next attempt to
            connect ends it. None when there is nothing to end.
        announces: Whether the attempt of that session announces its COMMIT, as it does without a load history. Then
            it has not committed as long as nothing is announced.
        unanswered: The COMMIT whose outcome is to be found out; None when there is none. That of an attempt with a
            load history stands here only once the history could not be read; until then its session tells of it.
        rows: Rows that COPY loaded in this generation; None while not loaded.
        query_id: Redshift's id of that COPY; None while not loaded, or when there was nothing to copy.
        error: What the last attempt ended with; None when it did not fail.
        skipped: Rows that the COPY of the last load skipped; None where it skipped none, or may not skip any.
        out_of_order: Whether a person wants this generation loaded although a newer batch is in the table; None for no.
        filled: Tells which objects it was loaded with that were empty when they were claimed, and how they were then;
            None if there were none.
        failing_since: When the first of the attempts was known to have failed that have all failed since, and were
            tried again by themselves; None where none has, once it is loaded, and once it waits for a person.
        is_failing: Whether that has gone on for so long that it is told; see `LoadConfig.failing_after`.
    """

    settings: Mapping[str, Any]
    state: TargetState = TargetState.WAITING
    generation: int = 1
    attempt: int = 0
    opened_by: str | None = None
    asked_before: tuple[str, ...] = ()
    begun_by: TaskFacts | None = None
    session: int | None = None
    announces: bool | None = None
    unanswered: UnansweredCommit | None = None
    rows: int | None = None
    query_id: int | None = None
    error: str | None = None
    skipped: SkippedRows | None = None
    out_of_order: bool | None = None
    filled: str | None = None
    failing_since: datetime | None = None
    is_failing: bool = False

    def failed_again(self, now: datetime, failing_after: timedelta) -> "TargetProgress":
        """Note one more attempt that failed and will be tried again.

        Args:
            now: The moment (aware, UTC).
            failing_after: After how long this is to be told.
        """
        since = self.failing_since or now
        return replace(self, failing_since=since, is_failing=self.is_failing or now - since >= failing_after)

    def has_counted(self, request: str) -> bool:
        """Tell whether a person's request has been counted: it does so once."""
        return request == self.opened_by or request in self.asked_before

    def asked_by(self, request: str) -> "TargetProgress":
        """Count a person's request."""
        if self.has_counted(request):
            return self
        before = self.asked_before if self.opened_by is None else (*self.asked_before, self.opened_by)
        return replace(self, opened_by=request, asked_before=before[-_REQUESTS_KEPT:])

    @property
    def is_undecided(self) -> bool:
        """Whether a person has to say if the batch is in the table, because nothing else can."""
        return self.state is TargetState.FAILED and self.unanswered is not None

    @property
    def may_commit(self) -> bool:
        """Whether an attempt that has begun may still commit, or may have committed, what it read of the batch.

        Also when it has ended for the ledger: the session of an attempt before it may never have been ended.
        """
        if self.state is TargetState.LOADED:
            return False
        return self.state is TargetState.LOADING or self.session is not None or self.unanswered is not None


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of a load.

    Attributes:
        load: Name of the load.
        batch: Its id, a ULID: batches sort by the time they were opened.
        status: See BatchStatus.
        files: Objects in it.
        size_bytes: Their bytes.
        opened_at: When its first object was claimed; None while it is empty.
        locked_at: When it was locked; None while it is open.
        reason: Why it was locked: max_files, max_bytes or max_age; `CLOSED_NOW` or `REPROCESSED`, where a person
            asked; `REBUILT`; `RENAMED`; what marked its objects as loaded, see `MARKED` and `IMPORTED`; None while it
            is open.
        run: The DAG run that has to load it or was the last to try, `dag_id/run_id`; who asked, for objects that are
            marked as loaded, and for a batch that a person had locked until a run takes it; None while it is open.
        targets: Progress by target name; empty while it is open, and for objects that are marked as loaded.
        notification: See Notification; None while there is nothing to tell, or nobody to be told.
        version: Counts the writes after locking; the ledger writes only on the version that it read.
        taken_out: Objects that a person has taken out of it since it was locked. They count no longer among its files,
            but earlier generations may have loaded them.
        left_alone: What the load left alone when it last looked, which stands beside the batch; None if that was never
            recorded, and for a batch that was not read as the open one.
        variables: Digests of the variables in the load file at the last run, which stand beside the batch likewise.
        filled: Objects that were empty when they were claimed, and held something when they were loaded.
        is_first: Whether it is the load's first, and nothing was claimed for it yet: the ledger may have been lost.
    """

    load: str
    batch: str
    status: BatchStatus = BatchStatus.OPEN
    files: int = 0
    size_bytes: int = 0
    opened_at: datetime | None = None
    locked_at: datetime | None = None
    reason: str | None = None
    run: str | None = None
    targets: Mapping[str, TargetProgress] = field(default_factory=dict)
    notification: Notification | None = None
    version: int = 0
    taken_out: int = 0
    left_alone: LeftAlone | None = field(default=None, compare=False)
    variables: Mapping[str, str] | None = field(default=None, compare=False)
    filled: int = 0
    is_first: bool = False

    def __str__(self) -> str:
        """Load and batch, as messages name them."""
        return f"batch {self.batch} of load {self.load}"

    @property
    def is_marked(self) -> bool:
        """Whether its objects count as loaded by a person's word alone: nothing of it was loaded, or will be."""
        return self.status is BatchStatus.COMPLETE and self.reason in (MARKED, IMPORTED) and not self.targets

    def progress(self, target: str) -> TargetProgress:
        """Give the progress in one target.

        Raises:
            UnknownBatchError: The batch was locked without this target.
        """
        try:
            return self.targets[target]
        except KeyError:
            without = "its objects are only marked as loaded" if self.is_marked else "it is still open"
            known = ", ".join(sorted(self.targets)) or f"none, as {without}"
            raise UnknownBatchError(f"{self} has no target {target}. Its targets: {known}.") from None

    @property
    def manifest_name(self) -> str:
        """Where its manifest stands below the load's prefix for manifests.

        Each taking out of objects begins another manifest: an attempt that was stopped before, and wakes up after, can
        never put its objects into a later attempt's; and so do objects that were filled. So does an attempt when it
        finds other sizes than those of the claims: see `name_by_content`.
        """
        edition = f"-{self.taken_out}" if self.taken_out or self.filled else ""
        edition += f"-{self.filled}" if self.filled else ""
        return f"{self.load}/{self.batch}{edition}.manifest"

    @property
    def unfinished_targets(self) -> tuple[str, ...]:
        """Names of the targets that a run still has to load, sorted."""
        return tuple(name for name, progress in sorted(self.targets.items()) if progress.state in UNFINISHED)
