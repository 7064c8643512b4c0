"""What a use case changes outside, step by step, reported to a listener."""

from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol


class Step(StrEnum):
    """One change outside; between two of them a process may stop without leaving a trace of the second."""

    CLAIM = "claim"
    """Objects get their place in the open batch, in one transaction."""
    LOCK = "lock"
    """The open batch is locked and the next one opened, in one transaction."""
    ADOPT = "adopt"
    """A run takes over a locked batch that an earlier run left."""
    BEGIN_ATTEMPT = "begin attempt"
    WRITE_MANIFEST = "write manifest"
    END_SESSION = "end session"
    """The Redshift session of an attempt that never ended is terminated."""
    RECORD_SESSION = "record session"
    BEGIN_TRANSACTION = "begin transaction"
    """The transaction is open and holds the lock of the target's load history."""
    TRUNCATE = "truncate"
    """The table is emptied, which commits and gives the lock away; only for targets with `mode: truncate`."""
    COPY = "copy"
    WRITE_HISTORY = "write history"
    ANNOUNCE_COMMIT = "announce commit"
    """The batch notes that COMMIT comes next; only for targets without a load history."""
    COMMIT = "commit"
    FILL = "fill"
    """The claims of objects that were empty get the size with which they were loaded, in one transaction; only for such
    objects.
    """
    FINISH_ATTEMPT = "finish attempt"
    """The target is loaded; the batch is complete in the same write if it was the last one."""
    END_ATTEMPT = "end attempt"
    """The attempt failed and nothing of it is in the table."""
    KEEP_MANIFEST = "keep manifest"
    """The manifest of a failed batch is copied under the failed prefix."""
    KEEP_ERRORS = "keep errors"
    """What is known of the failure is written beside it."""
    NOTIFY = "notify"
    """A topic is notified."""
    RECORD_NOTIFIED = "record notified"
    MARK = "mark"
    """A person has objects marked as loaded, in one transaction. No task of a load's DAG takes this step."""
    REPROCESS = "reprocess"
    """A person has a batch wait once more: by a command, or by clearing `buffer_objects` after a target had failed."""
    RETARGET = "retarget"
    """A person has a batch loaded into another target, in the place of one that the load no longer has."""
    GIVE_UP = "give up"
    """A person has a batch never loaded into a target."""
    TAKE_OUT = "take out"
    """A person takes objects out of their batch: leaves them out, forgets them or moves them, in one transaction."""
    DELETE_BATCH = "delete batch"
    RESTORE_BATCH = "restore batch"
    REBUILD = "rebuild"
    """A person has a part of a lost ledger put back, in one transaction. No task of a DAG takes this step."""
    RENAME = "rename"
    """A person has a load renamed, in one transaction of DynamoDB or Redshift. No task of a DAG takes this step."""
    ACCEPT = "accept"
    """A person has a load go on beside another one with the same source. No task of a DAG takes this step."""
    MEND = "mend"
    """A person has an audit put right what a batch records. No task of a DAG takes this step."""


class Steps(Protocol):
    """Hears of each step before and after it."""

    def taking(self, step: Step, subject: object) -> AbstractContextManager[None]:
        """Surround a step; if the block leaves with an error, the step was not taken, or it is not known.

        Args:
            step: Which.
            subject: What it is about, as messages name it: a load, a batch, a target.
        """
        ...
