"""Which of the locked batches a run loads: its own, and those that an earlier run left."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import CorruptLedgerError, DeletedBatchError
from rsloader_provider.core.ledger.batch import Batch, TargetProgress, TargetState
from rsloader_provider.core.ledger.transitions import adopt, reprocess
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.races import until_won
from rsloader_provider.loader.services import Services

log = logger_of(__name__)


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


def take_over(
    config: LoadConfig,
    services: Services,
    locked: Sequence[Batch],
    run: str,
    is_active: Callable[[str], bool],
    max_work: int,
    again: str | None = None,
) -> list[Work]:
    """Give the work of a run: what it has locked itself, and what earlier runs left, as `buffer_objects` orders it."""
    takeover = _Takeover(config, services, locked, run, is_active, again)
    # The index of unfinished batches may not show yet what this pass has just locked.
    new = sorted(batch.batch for batch in locked)
    failed = () if again is None else services.ledger.failed(config.load)
    left = sorted({*services.ledger.unfinished(config.load), *failed} - {*new})
    apart = {target.name for target in config.targets_apart}
    in_order = any(target.mode != "append" for target in config.targets if target.name not in apart)
    order = sorted([*new, *left]) if in_order else [*new, *_from_somewhere(left, services.now())]
    work = _queue(config, order, takeover, max_work, lambda name: name not in apart)
    if not in_order:
        work = _at_their_places(work, run)
    for name in sorted(apart):
        work += _queue(config, sorted([*new, *left]), takeover, max_work, name.__eq__)
    return work


def _queue(
    config: LoadConfig,
    batches: Iterable[str],
    takeover: "_Takeover",
    max_work: int,
    is_in_queue: Callable[[str], bool],
) -> list[Work]:
    work: list[Work] = []
    taken = 0
    for batch_id in batches:
        targets = [target for target in takeover.unfinished_targets(batch_id) if is_in_queue(target)]
        if not targets:
            continue
        if taken == config.max_batches_per_run or len(work) + len(targets) > max_work:
            log.info("load %s: %d batches are enough for this run; the rest is for the next", config.load, taken)
            break
        if (batch := takeover.take(batch_id)) is not None:
            work.extend(Work(batch, target) for target in targets)
            taken += 1
    return work


def _at_their_places(work: list[Work], run: str) -> list[Work]:
    """Put what tasks of the run have tried at the map indexes of those tasks; all else keeps its order around them."""
    placed: dict[int, Work] = {}
    others: list[Work] = []
    for each in work:
        tried_by = each.batch.progress(each.target).begun_by
        dag_id, run_id, _, index = tried_by.names if tried_by else ("", "", "", -1)
        if f"{dag_id}/{run_id}" != run:
            index = -1
        if 0 <= index < len(work) and index not in placed:
            placed[index] = each
        else:
            others.append(each)
    rest = iter(others)
    return [placed[index] if index in placed else next(rest) for index in range(len(work))]


def _from_somewhere(left: list[str], now: datetime) -> list[str]:
    # Multiples of the golden ratio fall everywhere between two whole numbers, whatever the step between runs is; a
    # plain remainder would give the same place to every run of a schedule that the number of batches divides.
    place = int(int(now.timestamp()) * _GOLDEN_RATIO % 1 * len(left))
    return [*left[place:], *left[:place]]


class _Takeover:
    """Makes batches this run's own, each at most once, and only those of which the run loads something."""

    def __init__(
        self,
        config: LoadConfig,
        services: Services,
        locked: Iterable[Batch],
        run: str,
        is_active: Callable[[str], bool],
        again: str | None,
    ):
        self._config = config
        self._again = again
        self._services = services
        self._run = run
        self._is_active = is_active
        self._known: dict[str, Batch | None] = {batch.batch: batch for batch in locked}

    def unfinished_targets(self, batch_id: str) -> tuple[str, ...]:
        """Give the targets that the batch is still to be loaded into; none if it is another run's."""
        if batch_id not in self._known:
            self._known[batch_id] = self._free(batch_id)
        batch = self._known[batch_id]
        if batch is None:
            return ()
        if not self._is_asked_again(batch):
            return batch.unfinished_targets
        # Nobody but a person can say whether these are loaded; their tasks fail and say what to look for.
        undecided = (name for name, progress in batch.targets.items() if progress.is_undecided)
        return tuple(sorted([*batch.unfinished_targets, *undecided]))

    def take(self, batch_id: str) -> Batch | None:
        """Give the batch as this run's own; None if another run was faster."""
        batch = self._known[batch_id]
        if batch is not None and batch.run != self._run:
            self._known[batch_id] = batch = _taken_over(self._services, batch, self._run)
        return batch

    def _free(self, batch_id: str) -> Batch | None:
        try:
            batch = self._services.ledger.get(self._config.load, batch_id)
        except CorruptLedgerError as error:
            log.error("%s", error)
            return self._unreadable(batch_id)
        except DeletedBatchError as deleted:
            log.info("%s It was loaded; the index of unfinished batches lags.", deleted)
            return None
        if batch.unfinished_targets and batch.run not in {None, self._run} and self._is_active(str(batch.run)):
            log.info("%s: left to run %s, which is still going", batch, batch.run)
            return None
        return self._asked_again(batch) if self._is_asked_again(batch) else batch

    def _is_asked_again(self, batch: Batch) -> bool:
        return self._again is not None and batch.run == self._run

    def _asked_again(self, batch: Batch) -> Batch | None:
        """Have what the run left in `error` wait for it once more, as a person asks who clears its `buffer_objects`."""

        def ask() -> Batch | None:
            try:
                now = self._services.ledger.get(batch.load, batch.batch)
            except DeletedBatchError:
                return None
            if not self._is_asked_again(now):
                return None
            asked = now
            for name, progress in now.targets.items():
                if progress.state is TargetState.FAILED and not progress.is_undecided:
                    asked = reprocess(asked, name, str(self._again))
            if asked == now:
                return now
            with self._services.steps.taking(Step.REPROCESS, now):
                asked = self._services.ledger.replace(now, asked)
            log.info("%s: it had failed, and this run tries it once more", asked)
            return asked

        failed = any(progress.state is TargetState.FAILED for progress in batch.targets.values())
        return until_won(batch, ask) if failed else batch

    def _unreadable(self, batch_id: str) -> Batch:
        """Stand for a batch that cannot be read: its own tasks fail and say why, and the others go on."""
        targets = {target.name: TargetProgress({}) for target in self._config.targets}
        return Batch(self._config.load, batch_id, run=self._run, targets=targets)


def _taken_over(services: Services, batch: Batch, run: str) -> Batch | None:
    try:
        with services.steps.taking(Step.ADOPT, batch):
            adopted = services.ledger.replace(batch, adopt(batch, run))
    except LostRaceError:
        # The write may have been carried out and only its answer lost: then the batch is this run's.
        try:
            adopted = services.ledger.get(batch.load, batch.batch)
        except DeletedBatchError as deleted:
            log.info("%s It was loaded meanwhile.", deleted)
            return None
        if adopted.run != run or not adopted.unfinished_targets:
            log.info("%s: another run took it over at the same moment", batch)
            return None
    log.info("%s: taken over from run %s, which ended without loading it", batch, batch.run)
    return adopted
