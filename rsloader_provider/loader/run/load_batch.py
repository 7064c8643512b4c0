"""Load one batch into one target, exactly once, whatever is interrupted and however many try.

Three things make it so. An attempt is begun by a conditional write, and a newer attempt takes the place of an
older one. The transaction locks the target's load history before it looks into it, so that two attempts are
never between the look and the commit. And the history row commits together with the rows that it stands for,
so that a connection lost at COMMIT leaves no doubt to the next attempt. Targets with `history: none` have neither lock
nor row; what takes their place is in `commit_outcome.py`. The attempt is in `attempt.py`, the transaction in
`transaction.py`.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile

from rsloader_provider.core.config import LoadConfig, Target
from rsloader_provider.core.config.sql_templates import PlainSqlRenderer, SqlRenderer
from rsloader_provider.core.errors import (
    ConfigurationError,
    DeletedBatchError,
    EarlierBatchError,
    OperationRefusedError,
    UndecidedError,
)
from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import Batch, TargetProgress, TargetState, UnansweredCommit
from rsloader_provider.core.ledger.target_changes import command
from rsloader_provider.core.ledger.transitions import Asker, asks_anew, begin_attempt, needs_loading
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.races import until_won
from rsloader_provider.loader.run.attempt import Attempt
from rsloader_provider.loader.run.notify import never_ended, tell_failing
from rsloader_provider.loader.services import Services

log = logger_of(__name__)


class Outcome(StrEnum):
    """How a successful call ended."""

    LOADED = "loaded"
    FOUND_LOADED = "found loaded"
    """An earlier attempt had committed: its history row was found, and nothing was loaded again."""
    NOTHING_TO_DO = "nothing to do"
    """The batch was recorded as loaded, and no person asked for it again."""
    REFUSED = "refused"
    """A person asked for it again, and the load says `on_clear: skip`."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a call did.

    Attributes:
        outcome: See Outcome.
        batch: The batch as it is now.
        target: The target's name.
    """

    outcome: Outcome
    batch: Batch
    target: str


def load_batch(
    config: LoadConfig,
    services: Services,
    batch_id: str,
    target_name: str,
    asker: Asker,
    renderer: SqlRenderer | None = None,
) -> Result:
    """Load one batch into one target, unless that is done.

    Safe to call again at any time, by anybody, also while another call is at work: then the newer one goes on.

    Args:
        config: The load as it is configured now.
        services: The ports and the clock.
        batch_id: A locked, complete or failed batch.
        target_name: One of the targets that it was locked with.
        asker: Who asks; a person who cleared the task may have a loaded batch loaded again.
        renderer: Renders pre-SQL and post-SQL; None for one that knows the load's own values only.

    Raises:
        BadDataError, ObjectsArchivedError, ObjectsMissingError, OutOfOrderError, StatementError, TargetRemovedError:
            Nothing was loaded, and the batch waits in `error` for a person.
        OperationRefusedError: A person asked for a loaded batch again in a target that the load no longer has.
        UndecidedError: The target has no load history, or one that cannot be asked, and a person must say whether an
            earlier attempt has committed; the batch waits in `error`.
        AttemptLostError: A newer attempt took over.
        EarlierBatchError: Order matters, and an earlier batch of the load is still to be loaded into the target.
        TransientError: Nothing was loaded, or it is not known whether it was; call again.
        RsloaderError: Any other reason, for example something is not set up. The next run tries again.
    """
    if config.shadow:
        raise ConfigurationError(f"load {config.load} has 'shadow: true' and loads nothing. Take the line out first.")
    # Kept over all tries: once one of them has begun an attempt and lost its answer, the batch no longer shows that
    # this person was asked.
    denied: UnansweredCommit | None = None
    was_failing = False

    def begin() -> AttemptRecord | Result:
        nonlocal denied, was_failing
        batch = services.ledger.get(config.load, batch_id)
        progress = batch.progress(target_name)
        if progress.state is TargetState.GIVEN_UP:
            log.warning(
                "%s: a person gave %s up for it: nothing to do. To load it there: %s",
                batch, target_name, command("reprocess", batch, "--target", target_name),
            )  # fmt: skip
            return Result(Outcome.NOTHING_TO_DO, batch, target_name)
        if not needs_loading(progress, asker):
            log.info("%s is loaded into %s already: nothing to do", batch, target_name)
            if asker.try_number > 1:
                log.info(
                    "This counts as a try by Airflow itself. If you cleared the task to have the batch loaded again, "
                    "clear it once more when its run has ended, or run `rsloader reprocess %s %s --target %s`",
                    config.load, batch_id, target_name,
                )  # fmt: skip
            return Result(Outcome.NOTHING_TO_DO, batch, target_name)
        again = progress.state is TargetState.LOADED
        if again and config.on_clear == "skip":
            log.warning("%s is loaded into %s; on_clear: skip refuses to load it again", batch, target_name)
            return Result(Outcome.REFUSED, batch, target_name)
        target = _target(config, progress, target_name)
        if config.target_named(target_name) is not None:
            _refuse_too_early(config, services, batch, target)
        elif again:
            raise OperationRefusedError(
                f"{batch} is loaded into {target_name}, which load {config.load} no longer has: it is not loaded there "
                f"again. To load it into another target: {command('reprocess', batch, '--target', 'NEW')}"
            )
        if progress.is_undecided:
            if not asks_anew(progress, asker):
                said = progress.error or f"{batch} into {target_name}: a person has to decide."
                raise UndecidedError(*said.split("\n"))
            denied = progress.unanswered
        if again and batch.files:
            log.warning(
                "%s is loaded into %s already and a person asked for it again: its %s rows are loaded A SECOND TIME "
                "(generation %d)%s",
                batch, target_name, progress.rows, progress.generation + 1,
                ", in addition to those in the table" if target.mode == "append" else "",
            )  # fmt: skip
        # It cannot be known whether a lost write was carried out, or an equal one of another caller. So the next
        # attempt begins either way.
        was_failing = progress.is_failing
        with services.steps.taking(Step.BEGIN_ATTEMPT, f"{batch} into {target_name}"):
            begun = begin_attempt(
                batch, target_name, asker, now=services.now(), failing_after=config.failing_after,
                notify=config.notify.failure is not None,
            )  # fmt: skip
            batch = services.ledger.replace(batch, begun)
        return AttemptRecord.newest(batch, target_name)

    begun = until_won(f"batch {batch_id} of load {config.load}", begin)
    if isinstance(begun, Result):
        return begun
    if begun.progress.is_failing and not was_failing:
        tell_failing(config, services, begun.batch, target_name, never_ended(begun.batch, target_name))
    target = _target(config, begun.progress, target_name)
    attempt = Attempt(config, services, begun, target, denied, renderer or PlainSqlRenderer())
    found = attempt.run().was_found
    return Result(Outcome.FOUND_LOADED if found else Outcome.LOADED, attempt.batch, target_name)


def _target(config: LoadConfig, progress: TargetProgress, name: str) -> Target:
    """Give the target as it is configured now, or, when it no longer is, as the batch was locked with it.

    The latter only tells where an earlier attempt may have committed: nothing is loaded into such a target.
    """
    return config.target_named(name) or Target.model_validate(dict(progress.settings))


def _refuse_too_early(config: LoadConfig, services: Services, batch: Batch, target: Target) -> None:
    """Let earlier batches go first where order matters.

    This keeps the order; the load history makes sure that nothing newer is ever overwritten.
    """
    if target.mode == "append":
        return
    for earlier_id in takewhile(lambda each: each < batch.batch, services.ledger.unfinished(config.load)):
        try:
            earlier = services.ledger.get(config.load, earlier_id)
        except DeletedBatchError:
            continue  # it was loaded; the index of unfinished batches lags
        if target.name in earlier.unfinished_targets:
            raise EarlierBatchError(
                f"{batch} is not loaded into {target.name} before batch {earlier_id}, which is "
                f"{earlier.progress(target.name).state} (run {earlier.run}). Nothing was begun; it is tried again."
            )
