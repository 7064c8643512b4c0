"""What a batch records of one attempt, and what it becomes by the steps that the attempt takes.

Each step here takes the record as it was read and gives the record that it becomes; the ledger writes its batch on the
condition that nobody wrote in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from rsloader_provider.core.errors import AttemptLostError
from rsloader_provider.core.ledger.batch import (
    Batch,
    BatchStatus,
    Notification,
    SkippedRows,
    TargetProgress,
    TargetState,
    UnansweredCommit,
)
from rsloader_provider.core.ledger.transitions import with_progress

_NOT_FAILING: Mapping[str, Any] = {"failing_since": None, "is_failing": False}


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt at one target of a batch, as the batch has it.

    Every step raises AttemptLostError when a newer attempt has taken this one's place, or this one has ended.

    Attributes:
        batch: The batch as it was read, or as the step before made it.
        target: The target's name.
        number: The attempt's number.
    """

    batch: Batch
    target: str
    number: int

    @classmethod
    def newest(cls, batch: Batch, target: str) -> Self:
        """Give the attempt that began last.

        Raises:
            UnknownBatchError: The batch was locked without this target.
        """
        return cls(batch, target, batch.progress(target).attempt)

    @property
    def progress(self) -> TargetProgress:
        """How far the batch is in the target, be it by this attempt or by a newer one."""
        return self.batch.progress(self.target)

    def within(self, batch: Batch) -> Self:
        """Give the same attempt, as the batch has it after another read or write."""
        return replace(self, batch=batch)

    def refuse_if_lost(self) -> None:
        """Stop an attempt that does not hold its target any more.

        Raises:
            AttemptLostError: A newer attempt took its place, or it has ended.
        """
        progress = self.progress
        if progress.attempt != self.number or progress.state is not TargetState.LOADING:
            raise AttemptLostError(
                f"Attempt {self.number} to load {self.batch} into {self.target} is over: attempt {progress.attempt} is "
                f"the newest ({progress.state}). This one stops and leaves the batch as it is."
            )

    def session_recorded(self, session: int, *, announces: bool = False) -> Self:
        """Note which Redshift session the attempt uses, before that session changes anything.

        It takes the place of an earlier attempt's session, which must have been ended, and of that one's announced
        COMMIT, whose outcome must have been found out.
        """
        return self._with(session=session, announces=announces or None, unanswered=None)

    def commit_announced(self, *, rows: int, query_id: int | None) -> Self:
        """Note that the attempt's next statement is COMMIT, so that without this note nothing can be in the table.

        Args:
            rows: Rows that COPY loaded.
            query_id: Redshift's id of that COPY; None if there was nothing to copy.
        """
        session = self.progress.session or 0
        return self._with(unanswered=UnansweredCommit(self.number, session, rows, query_id))

    def finished(
        self,
        *,
        rows: int,
        query_id: int | None,
        skipped: SkippedRows | None = None,
        notify: bool = False,
        notify_recovery: bool = False,
        filled: str | None = None,
    ) -> Self:
        """The attempt's generation is in the load history.

        Args:
            rows: Rows that COPY loaded.
            query_id: Redshift's id of that COPY; None if there was nothing to copy.
            skipped: Rows that it skipped; None for none.
            notify: Whether somebody is to be told once the batch is in all of its targets.
            notify_recovery: Whether somebody is to be told who was told that its attempts failed.
            filled: See `TargetProgress`.
        """
        finished = self._with(
            state=TargetState.LOADED,
            session=None,
            announces=None,
            unanswered=None,
            rows=rows,
            query_id=query_id,
            skipped=skipped,
            out_of_order=None,
            filled=filled,
            **_NOT_FAILING,
        )
        is_told = (notify and finished.batch.status is BatchStatus.COMPLETE) or (
            notify_recovery and self.progress.is_failing
        )
        return finished._due() if is_told else finished

    def failed_again(self, now: datetime, failing_after: timedelta, *, notify: bool = False) -> Self:
        """The attempt has failed, and the next one tries again by itself. It has not ended yet.

        Args:
            now: The moment (aware, UTC).
            failing_after: How long attempts may go on failing before that is told.
            notify: Whether somebody is to be told then, once.
        """
        progress = self.progress.failed_again(now, failing_after)
        failed = self._with(failing_since=progress.failing_since, is_failing=progress.is_failing)
        return failed._due() if notify and progress.is_failing and not self.progress.is_failing else failed

    def ended(self, *, error: str, final: bool, had_session: bool = True, notify: bool = False) -> Self:
        """The attempt ended and nothing of it is in the table.

        Args:
            error: Why, for people.
            final: Whether trying again would end the same way, so that a person has to decide.
            had_session: Whether it had recorded its session, and knows what those before it did; if not, the one that
                is recorded stays for the next to end.
            notify: Whether somebody is to be told if it is final.
        """
        state = TargetState.FAILED if final else TargetState.WAITING
        over: dict[str, Any] = {"session": None, "announces": None, "unanswered": None} if had_session else {}
        ended = self._with(state=state, error=error, **over, **(_NOT_FAILING if final else {}))
        return ended._due() if notify and final else ended

    def left_undecided(
        self, *, error: str, notify: bool = False, unread: UnansweredCommit | None = None, is_over: bool = True
    ) -> Self:
        """The attempt could not find out whether an earlier one has committed; a person decides.

        Args:
            error: What is known, for people.
            notify: Whether somebody is to be told.
            unread: What may be in a load history that cannot be read; None for what was announced without one.
            is_over: Whether the earlier one's session is; if not, it stays recorded for the next attempt to end.
        """
        unanswered = unread or self.progress.unanswered
        over: dict[str, Any] = {"session": None, "announces": None} if is_over else {}
        left = self._with(state=TargetState.FAILED, unanswered=unanswered, error=error, **over, **_NOT_FAILING)
        return left._due() if notify else left

    def _with(self, **changes: Any) -> Self:
        self.refuse_if_lost()
        return self.within(with_progress(self.batch, self.target, replace(self.progress, **changes)))

    def _due(self) -> Self:
        return self.within(replace(self.batch, notification=Notification.DUE))
