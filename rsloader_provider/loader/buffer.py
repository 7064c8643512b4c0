"""Put new objects into batches, lock the batches that are due, and say what a run has to load."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from rsloader_provider.core.batch import Batch, TargetProgress, adopt
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import CorruptLedgerError
from rsloader_provider.core.limits import count_fitting, due_reason
from rsloader_provider.core.objects import S3Object
from rsloader_provider.loader.discover import new_objects
from rsloader_provider.loader.ports.ledger import CLAIM_OBJECTS, AlreadyClaimedError, LostRaceError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.services import Services

log = logging.getLogger(__name__)

_GOLDEN_RATIO = (1 + 5**0.5) / 2


@dataclass(frozen=True, slots=True)
class Work:
    """One batch to be loaded into one target.

    Attributes:
        batch: The locked batch.
        target: The target's name.
    """

    batch: Batch
    target: str


def buffer_objects(
    config: LoadConfig, services: Services, *, run: str, is_active: Callable[[str], bool], max_work: int
) -> list[Work]:
    """Claim what is new, lock what is due, and give what this run has to load.

    Called again by the same run, it claims nothing twice and gives the batches that the run still has to load.

    Args:
        config: The load.
        services: The ports and the clock.
        run: This DAG run, `dag_id/run_id`.
        is_active: Tells whether another DAG run is still going; its batches are left to it.
        max_work: The most pairs of batch and target to give, whatever the load allows. The rest stays
            locked for the next run.

    Returns:
        At most `max_batches_per_run` batches. If every target appends, first those that this call locked, then those
        that are left from earlier runs, beginning at a place that moves with the clock: batches that cannot be loaded
        at present, however many, hold up neither the new ones nor each other. If a target does not append, strictly
        the oldest first.
    """
    buffering = Buffering(config, services, run)
    buffering.claim_all(new_objects(config, services))
    buffering.lock_if_due()
    log.info("load %s: %d objects claimed, %d batches locked", config.load, buffering.claimed, len(buffering.locked))
    return _take_over(config, services, buffering.locked, run, is_active, max_work)


def target_settings(config: LoadConfig) -> dict[str, dict[str, Any]]:
    """Give the settings of the load's targets by name, as a batch carries them from its lock on."""
    return {
        target.name: target.model_dump(mode="json", by_alias=True, exclude_defaults=True) for target in config.targets
    }


class Buffering:
    """One pass over the new objects; knows the open batch as of its last write.

    Args:
        config: The load.
        services: The ports and the clock.
        run: Who has to load what it locks.

    Attributes:
        claimed: Objects claimed so far.
        locked: Batches locked so far.
    """

    def __init__(self, config: LoadConfig, services: Services, run: str):
        self.config = config
        self.ledger = services.ledger
        self.steps = services.steps
        self.now = services.now
        self.run = run
        self.claimed = 0
        self.locked: list[Batch] = []
        self.batch = self._open_batch()

    def claim_all(self, objects: Iterator[S3Object]) -> None:
        """Claim objects, and lock each batch that is full."""
        pending: list[S3Object] = []
        while True:
            pending.extend(islice(objects, CLAIM_OBJECTS - len(pending)))
            if not pending:
                return
            fitting = pending[: count_fitting(pending, self.batch, self.config.batch)]
            if not fitting:
                self.lock_if_due()
                continue
            try:
                with self.steps.taking(Step.CLAIM, f"{len(fitting)} objects for {self.batch}"):
                    self.batch = self.ledger.claim(self.batch, fitting, self.config.batch, self.now())
            except AlreadyClaimedError as taken:
                pending = [each for each in pending if each.name not in taken.names]
            except LostRaceError:
                self.batch = self._open_batch()
            else:
                self.claimed += len(fitting)
                del pending[: len(fitting)]

    def lock_if_due(self) -> None:
        """Lock the open batch if a limit is reached. Whoever loses to another writer looks again."""
        while reason := due_reason(self.batch, self.config.batch, self.now()):
            try:
                with self.steps.taking(Step.LOCK, self.batch):
                    locked, self.batch = self.ledger.lock(
                        self.batch, reason=reason, run=self.run, targets=target_settings(self.config), now=self.now()
                    )
            except LostRaceError:
                self.batch = self._open_batch()
            else:
                self.locked.append(locked)
                log.info("%s: locked for %s with %d files, %d bytes", locked, reason, locked.files, locked.size_bytes)

    def _open_batch(self) -> Batch:
        return self.ledger.open_batch(self.config.load, self.now())


def _take_over(
    config: LoadConfig,
    services: Services,
    locked: Sequence[Batch],
    run: str,
    is_active: Callable[[str], bool],
    max_work: int,
) -> list[Work]:
    known = {batch.batch: batch for batch in locked}
    work: list[Work] = []
    batches = 0
    for batch_id in _in_turn(config, known, services.ledger.unfinished(config.load), services.now()):
        try:
            batch = known.get(batch_id) or _taken_over(services, config.load, batch_id, run, is_active)
        except CorruptLedgerError as error:
            log.error("%s", error)
            batch = _unreadable(config, batch_id)
        if batch is None:
            continue
        targets = batch.unfinished_targets
        if batches == config.max_batches_per_run or len(work) + len(targets) > max_work:
            log.info("load %s: %d batches are enough for this run; the rest is for the next", config.load, batches)
            break
        work.extend(Work(batch, target) for target in targets)
        batches += 1
    return work


def _unreadable(config: LoadConfig, batch_id: str) -> Batch:
    """Stand for a batch that cannot be read: its own tasks fail and say why, and the others go on."""
    targets = {target.name: TargetProgress({}) for target in config.targets}
    return Batch(config.load, batch_id, targets=targets)


def _in_turn(config: LoadConfig, locked: Iterable[str], unfinished: Iterable[str], now: datetime) -> list[str]:
    # The index of unfinished batches may not show yet what this pass has just locked.
    new = sorted(locked)
    left = sorted({*unfinished} - {*new})
    if any(target.mode != "append" for target in config.targets):
        return sorted([*new, *left])
    # Multiples of the golden ratio fall everywhere between two whole numbers, whatever the step between runs is; a
    # plain remainder would give the same place to every run of a schedule that the number of batches divides.
    place = int(int(now.timestamp()) * _GOLDEN_RATIO % 1 * len(left))
    return [*new, *left[place:], *left[:place]]


def _taken_over(
    services: Services, load: str, batch_id: str, run: str, is_active: Callable[[str], bool]
) -> Batch | None:
    """Make a batch this run's own, unless another run is at work on it or has finished it."""
    batch = services.ledger.get(load, batch_id)
    if not batch.unfinished_targets or batch.run == run:
        return batch if batch.unfinished_targets else None
    if batch.run is not None and is_active(batch.run):
        log.info("%s: left to run %s, which is still going", batch, batch.run)
        return None
    try:
        with services.steps.taking(Step.ADOPT, batch):
            adopted = services.ledger.replace(batch, adopt(batch, run))
    except LostRaceError:
        # The write may have been carried out and only its answer lost: then the batch is this run's.
        adopted = services.ledger.get(load, batch_id)
        if adopted.run != run or not adopted.unfinished_targets:
            log.info("%s: another run took it in this moment", batch)
            return None
    log.info("%s: taken over from run %s, which ended without loading it", batch, batch.run)
    return adopted
