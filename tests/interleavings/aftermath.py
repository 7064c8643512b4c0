"""What follows when all actors are through: Airflow tries again, people answer what they are asked, clean runs come."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from interleavings.actors import Actor, Late
from interleavings.stage import Stage
from interleavings.use_cases import Running, begin
from rsloader_provider.core.errors import OperationRefusedError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetState
from rsloader_provider.loader.operate.change_targets import retarget_batch
from rsloader_provider.loader.operate.decide import decide_by_person

CLEAN_RUNS = 3
"""One claims and loads what is due, and meets what is still missing; one locks and loads the rest and what a person was
asked about; and the last has nothing left to do.
"""

A_DAY = timedelta(days=1)


class StuckError(Exception):
    """Nobody can go on, or nobody comes to an end."""


def play_aftermath(stage: Stage) -> None:
    """Let everything come to its end.

    Raises:
        StuckError: It does not.
    """
    _end_what_is_late(stage)
    again = [
        use_case
        for actor, use_case in zip(stage.actors, stage.cast, strict=False)
        if use_case.is_tried_again
        and (actor.is_stopped or not actor.is_done or (actor.error and actor.error.retryable))
    ]
    stage.clear()
    _to_the_end(begin(stage, use_case) for use_case in again)
    for number in range(CLEAN_RUNS):
        if number:
            _set_up_again(stage)
            _decide(stage)
        run = Running(f"dag/clean-{number}", loads=False)
        last = _to_the_end([begin(stage, run)])
        last += _to_the_end(begin(stage, loading) for loading in run.left or ())
        stage.clock.now += A_DAY
    if failed := [actor.error for actor in last if actor.error]:
        raise StuckError(f"the last of the clean runs fails: {failed[0]!r}")


def _end_what_is_late(stage: Stage) -> None:
    """Sessions that are to end have ended by now, and all is seen; a COMMIT that has not arrived never does."""
    stage.has_slow_ends = stage.cancels_waits = stage.ledger.lags = False
    for actor in stage.actors:
        if isinstance(actor, Late) and actor.is_certain and not actor.is_over:
            actor.advance()


def _set_up_again(stage: Stage) -> None:
    for table in stage.is_lost - {*stage.warehouse.histories}:
        stage.warehouse.create_history(table)


def _to_the_end(beginning: Iterable[Actor]) -> list[Actor]:
    """Let actors come to their end, in turn: one may wait for a lock that only the next attempt of another frees."""
    actors = [*beginning]
    while left := [actor for actor in actors if not actor.is_over]:
        ready = [actor for actor in left if actor.is_ready()]
        if not ready:
            raise StuckError(f"{left[0].name} waits for ever: {left[0].place}")
        for actor in ready:
            actor.advance()
    for actor in actors:
        if actor.bug:
            raise actor.bug
    return actors


def _decide(stage: Stage) -> None:
    """A person who is asked whether a batch is in a table looks, and says so; or says where it belongs."""
    for batch in stage.ledger.batches(stage.config.load):
        for target, progress in batch.targets.items():
            if target not in stage.targets and progress.state is not TargetState.LOADED:
                # The next attempt may have to find out first whether it is loaded.
                with suppress(OperationRefusedError):
                    retarget_batch(stage.config, stage.services, batch.batch, target, stage.targets[0], by="a person")
            elif batch.status is BatchStatus.ERROR and progress.is_undecided:
                decide_by_person(
                    stage.ledger, batch.load, batch.batch, target, loaded=_is_in_table(stage, batch, target)
                )


def _is_in_table(stage: Stage, batch: Batch, target: str) -> bool:
    table = stage.warehouse.tables[target.partition("/")[2]]
    return all(
        table.count(entry.name.rpartition("/")[2]) == stage.asked.times(entry.name, target)
        for entry in stage.ledger.entries(batch)
    )
