"""Mark objects as loaded: they are claimed, and no run ever loads them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.ports.ledger import CLAIM_OBJECTS, AlreadyClaimedError, LostRaceError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.services import Services

log = logger_of(__name__)

MARKING_BATCH_OBJECTS = 100 * CLAIM_OBJECTS
"""Objects after which the next batch begins, so that reading one batch never means reading a million of them."""


@dataclass(frozen=True, slots=True)
class Marked:
    """What became of the objects.

    Attributes:
        marked: Objects that count as loaded from now on.
        passed_over: Objects that were claimed before, by a load or by an earlier marking.
        batches: The batches that have the marked ones, in their order.
    """

    marked: int = 0
    passed_over: int = 0
    batches: tuple[str, ...] = ()


def mark_as_loaded(
    load: str,
    services: Services,
    objects: Iterable[S3Object],
    *,
    reason: str,
    run: str,
    progress: Callable[[int], None] = lambda _: None,
) -> Marked:
    """Mark objects as loaded, so that the load's runs pass them over.

    May be stopped at any moment and called again with the same objects: what is claimed already is passed over, and a
    batch always counts what its segments hold. Safe while the load is at work: the first claim of an object wins.
    Leave out objects that are known to be claimed, because each of them costs a write.

    Args:
        load: Name of the load.
        services: The ports and the clock.
        objects: The objects, none twice.
        reason: `core.batch.MARKED` or `IMPORTED`.
        run: Who asks: a DAG run `dag_id/run_id`, or a command.
        progress: Called after each write with the number of objects that it was about.

    Raises:
        NotSetUpError, AccessDeniedError, TransientError: As their names say; what was marked until then stays so.
    """
    stream = iter(objects)
    marking = _Marking(load, services, reason, run)
    while chunk := [*islice(stream, CLAIM_OBJECTS)]:
        marking.mark(chunk)
        progress(len(chunk))
    done = Marked(marking.marked, marking.passed_over, tuple(marking.batches))
    log.info("load %s: %d objects marked as loaded, %d claimed before", load, done.marked, done.passed_over)
    return done


class _Marking:
    """One pass; knows the batch that it fills."""

    _batch: Batch | None = None

    def __init__(self, load: str, services: Services, reason: str, run: str):
        self._load = load
        self._services = services
        self._reason = reason
        self._run = run
        self.marked = 0
        self.passed_over = 0
        self.batches: list[str] = []

    def mark(self, objects: list[S3Object]) -> None:
        """Mark at most CLAIM_OBJECTS; those that are claimed already are dropped, and the rest is tried again."""
        while objects:
            if self._batch is not None and self._batch.files + len(objects) > MARKING_BATCH_OBJECTS:
                self._batch = None
            try:
                with self._services.steps.taking(Step.MARK, f"{len(objects)} objects of load {self._load}"):
                    batch = self._services.ledger.mark(
                        self._load,
                        objects,
                        reason=self._reason,
                        run=self._run,
                        now=self._services.now(),
                        into=self._batch,
                    )
            except AlreadyClaimedError as taken:
                self.passed_over += len(taken.names)
                objects = [each for each in objects if each.name not in taken.names]
            except LostRaceError:
                # Another writer changed or deleted the batch that was being filled: go on with a new one.
                self._batch = None
            else:
                self.marked += len(objects)
                if self._batch is None:
                    self.batches.append(batch.batch)
                self._batch = batch
                return
