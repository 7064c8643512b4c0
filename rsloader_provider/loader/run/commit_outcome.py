"""Find out whether an attempt has committed that left no load history: `history: none`.

And ask a person, also where a load history was left that can no longer be read.

Such an attempt announces its COMMIT on the batch before it sends it. If nothing is announced and its session is over,
nothing of it is in the table. If a COMMIT is announced, SYS_LOAD_HISTORY names the transaction of its COPY and
SYS_TRANSACTION_HISTORY how that ended, if the user may read it. Otherwise only a person can tell: a COPY that was
rolled back later is `completed` in every other view.
"""

from collections.abc import Callable, Iterable

from rsloader_provider.core.errors import (
    AccessDeniedError,
    NotSetUpError,
    RsloaderError,
    StatementError,
    TransientError,
    UndecidedError,
)
from rsloader_provider.core.ledger.batch import Batch, UnansweredCommit
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName, history_table
from rsloader_provider.loader.ports.warehouse import Session

log = logger_of(__name__)

_LOOKS = 25
_LOOK_SECONDS = 0.2


def wait_until_over(session: Session, pid: int, sleep: Callable[[float], None]) -> None:
    """Wait until a session that was terminated is gone: until then its COMMIT may still be carried out.

    Args:
        session: Another session of the same user.
        pid: The terminated one.
        sleep: Waits so many seconds.

    Raises:
        TransientError: It is still there after five seconds.
    """
    for _ in range(_LOOKS):
        if session.execute(sql.CountSessions(pid)) == [0]:
            return
        sleep(_LOOK_SECONDS)
    raise TransientError(
        f"Session {pid} of an earlier attempt was terminated but has not ended yet, so it is not known what it has "
        "done. It is tried again."
    )


def has_committed(session: Session, commit: UnansweredCommit, manifests: Iterable[str]) -> bool | None:
    """Tell whether an announced COMMIT was carried out; None if Redshift cannot say.

    Args:
        session: Any session of the same user.
        commit: The COMMIT; its session is over.
        manifests: URLs of the manifests, one of which its COPY had.
    """
    if commit.query_id is None:
        return None
    for manifest in manifests:
        try:
            ends = session.execute(sql.FindTransactionEnd(manifest, commit.session, commit.query_id))
        except (AccessDeniedError, NotSetUpError, StatementError) as error:
            log.info("the end of the transaction is not readable: %s", error)
            return None
        if ends:
            return ends[0]
    return None


def undecided(
    batch: Batch, target: str, table: TableName, commit: UnansweredCommit, refused: RsloaderError | None = None
) -> UndecidedError:
    """Say what is known, and what a person can do.

    Args:
        batch: The batch.
        target: The target's name.
        table: Its table.
        commit: What may have been carried out.
        refused: Why the load history cannot be read; None where none was kept, or another attempt was refused.
    """
    arguments = f"{batch.load} {batch.batch} {target}"
    known, way_out = _known_of_history(table, commit, refused) if commit.is_in_history else _known(commit)
    return UndecidedError(
        f"{batch} into {table}: it is not known whether it is loaded. {known} Check whether the rows of the batch's "
        "files are in the table. Then, on a machine with the connections:",
        f"  they are there:      rsloader mark-loaded {arguments}",
        f"  they are not there:  rsloader mark-not-loaded {arguments}   (the next run loads them)",
        f"Clearing the task load_batch also says that they are not there, and loads them. {way_out}",
    )


def _known(commit: UnansweredCommit) -> tuple[str, str]:
    copied = "there was nothing to copy" if commit.query_id is None else f"COPY query {commit.query_id}"
    return (
        f"Attempt {commit.attempt} (session {commit.session}, {copied}, {commit.rows} rows) was about to commit, and "
        "no answer came. Redshift does not let this user see how the transaction ended. Without a load history "
        "(history: none) the loader does not guess.",
        "After GRANT ROLE sys:monitor to the loader's user, the loader decides such cases by itself.",
    )


def _known_of_history(table: TableName, commit: UnansweredCommit, refused: RsloaderError | None) -> tuple[str, str]:
    why = "could not be read" if refused is None else f"cannot be read ({refused})"
    return (
        f"Attempt {commit.attempt} (session {commit.session}), or one before it, may have committed. Only the load "
        f"history {history_table(table)} tells, and it {why}. A history that was created since then does not know, so "
        "the loader does not guess.",
        "If the old history can be read again by then, the loader looks into it first.",
    )
