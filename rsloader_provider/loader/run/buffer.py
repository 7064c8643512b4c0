"""Put new objects into batches, lock the batches that are due, and say what a run has to load."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ContentionError
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.boundary import LeftAlone, boundary
from rsloader_provider.core.ledger.limits import count_fitting, due_reason
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.shadow_name import as_recorded
from rsloader_provider.core.load_file.variables import differing
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.ports.ledger import CLAIM_OBJECTS, AlreadyClaimedError, LostRaceError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.run.discover import new_objects
from rsloader_provider.loader.run.lost_ledger import ask_histories
from rsloader_provider.loader.run.take_over import Work, take_over
from rsloader_provider.loader.services import Services

log = logger_of(__name__)

_LOSSES = 100
"""Each race that is lost is work that somebody else gets done; beyond this many in a row there is nobody else."""


def buffer_objects(
    config: LoadConfig,
    services: Services,
    *,
    run: str,
    is_active: Callable[[str], bool],
    max_work: int,
    again: str | None = None,
) -> list[Work]:
    """Claim what is new, lock what is due, and give what this run has to load.

    Called again by the same run, it claims nothing twice and gives the batches that the run still has to load.

    Args:
        config: The load.
        services: The ports and the clock.
        run: This DAG run, `dag_id/run_id`.
        is_active: Tells whether another DAG run is still going; its batches are left to it.
        max_work: The most pairs of batch and target to give for the targets that share a queue, whatever the load
            allows. The rest stays locked for the next run.
        again: This call, if it is not the run's first: a text that no other has. Then a person asks once more for what
            the run left in `error`, because Airflow forgets the tasks that this call does not give again.

    Returns:
        For each queue of targets at most `max_batches_per_run` batches. Those that append share one: first what this
        call locked, then what is left from earlier runs, beginning at a place that moves with the clock. Batches that
        cannot be loaded at present, however many, hold up neither the new ones nor each other. A target that takes its
        batches in order has a queue to itself, strictly the oldest first. Where no order is asked for, what a task of
        this run has tried already stands at that task's map index, if there is such a place.
    """
    config = as_recorded(config)
    buffering = Buffering(config, services, run)
    if not buffering.holds_still:
        buffering.claim_all(new_objects(buffering.config, services))
    buffering.lock_if_due()
    log.info("load %s: %d objects claimed, %d batches locked", config.load, buffering.claimed, len(buffering.locked))
    return take_over(config, services, buffering.locked, run, is_active, max_work, again)


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
        config: The load, which also leaves alone what it has to remember; see `core.ledger.boundary`.
        holds_still: Whether nothing may be claimed at present. What is claimed already is locked all the same.
        claimed: Objects claimed so far.
        losses: Races lost since the last write that was won.
        locked: Batches locked so far.
    """

    def __init__(self, config: LoadConfig, services: Services, run: str):
        self._services = services
        self.ledger = services.ledger
        self.steps = services.steps
        self.now = services.now
        self.run = run
        self.claimed = 0
        self.losses = 0
        self.locked: list[Batch] = []
        self._load = config.load
        self.batch = self._open_batch()
        self._record_variables(config)
        self.config, self.holds_still, self._to_record = self._settle(config)

    def claim_all(self, objects: Iterator[S3Object]) -> None:
        """Claim objects, and lock each batch that is full.

        Raises:
            LedgerLostError: Nothing is claimed yet, but a load history has batches of the load.
        """
        pending: list[S3Object] = []
        needs_asking = not self.config.shadow
        while True:
            pending.extend(islice(objects, CLAIM_OBJECTS - len(pending)))
            if not pending:
                return
            # Looked at each time: meanwhile the load may have been renamed, and this be its first batch once more.
            if needs_asking and self.batch.is_first:
                ask_histories(self.config, self._services)
                needs_asking = False
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
                self._look_again()
            else:
                self.losses = 0
                self.claimed += len(fitting)
                del pending[: len(fitting)]

    def lock_if_due(self) -> None:
        """Lock the open batch if a limit is reached. If another writer is faster, look again."""
        while reason := due_reason(self.batch, self.config.batch, self.now()):
            try:
                with self.steps.taking(Step.LOCK, self.batch):
                    locked, self.batch = self.ledger.lock(
                        self.batch,
                        reason=reason,
                        run=self.run,
                        targets=target_settings(self.config),
                        now=self.now(),
                        left_alone=self._to_record,
                    )
            except LostRaceError:
                self._look_again()
            else:
                self.losses = 0
                self.locked.append(locked)
                log.info("%s: locked for %s with %d files, %d bytes", locked, reason, locked.files, locked.size_bytes)

    def _record_variables(self, config: LoadConfig) -> None:
        """Record what the load file's variables stand for, if that has changed: commands compare it with theirs."""
        while config.variables and config.variables != self.batch.variables:
            if changed := differing(config.variables, self.batch.variables):
                log.warning(
                    "load %s: the last run had other values in %s, which its load file refers to; from now on this "
                    "run's count",
                    config.load, ", ".join(changed),
                )  # fmt: skip
            try:
                self.ledger.record_variables(config.load, self.batch.variables, config.variables)
            except LostRaceError:
                self._look_again()
            else:
                self.losses = 0
                return

    def _settle(self, config: LoadConfig) -> tuple[LoadConfig, bool, LeftAlone | None]:
        """Find out what the load takes, and record it if that has changed, before anything is claimed.

        That nothing is left alone is recorded for the first time by the next lock.
        """
        while True:
            known = self.batch.left_alone
            now = boundary(config, known, config.unread_files, self.now())
            for sentence in now.sentences():
                log.warning("%s", sentence)
            if now.left_alone is None or now.left_alone == (known or {}):
                return now.config, now.holds_still, now.left_alone if known is None else None
            try:
                self.ledger.leave_alone(config.load, known, now.left_alone)
            except LostRaceError:
                self._look_again()
            else:
                self.losses = 0
                return now.config, now.holds_still, None

    def _look_again(self) -> None:
        self.losses += 1
        if self.losses == _LOSSES:
            raise ContentionError(
                f"{self.batch}: others wrote to it, or locked it, {_LOSSES} times in a row, and this run could not. "
                "Try again. If it stays so, nobody else is at work: somebody edited the batch's item, or the item "
                "'#current' of the load, in DynamoDB's table of batches. Put both back from a backup of the table."
            )
        self.batch = self._open_batch()

    def _open_batch(self) -> Batch:
        return self.ledger.open_batch(self._load, self.now())
