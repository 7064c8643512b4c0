"""Reprocess objects: move them into batches of their own, which the next run loads."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.ledger.batch import CLOSED_NOW, REPROCESSED, Batch
from rsloader_provider.core.ledger.claims import Place
from rsloader_provider.core.ledger.limits import count_fitting
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.loader.operate.object_fates import ObjectFate, Taken
from rsloader_provider.loader.operate.objects_named import ClaimedObject, ObjectsNamed, listed_objects
from rsloader_provider.loader.operate.plan_objects import ObjectsPlan, plan_objects
from rsloader_provider.loader.operate.take_objects import Removal, take_objects
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.run.buffer import target_settings
from rsloader_provider.loader.services import Services


def plan_reprocess_objects(
    config: LoadConfig, services: Services, *, urls: Sequence[str] = (), prefix: str | None = None
) -> ObjectsPlan:
    """Tell what reprocessing objects would do. Changes nothing.

    Args:
        config: The load.
        services: The ports and the clock.
        urls: URLs of objects.
        prefix: The URL of a prefix instead: all below it that is in S3 and claimed by the load.

    Raises:
        UnknownObjectError: The load has not claimed one of the objects, or nothing below the prefix; or one is no
            longer in S3.
        OperationRefusedError: One of the named objects is in a batch that is being loaded.
        ConfigurationError: Neither is given, or both, or a URL is not an S3 URL.
    """
    unclaimed: list[int] = []
    objects = listed_objects(config, services, ObjectsNamed(tuple(urls), prefix), unclaimed.append)
    plan = plan_objects(config, services, objects, ObjectFate.MOVED, strict=bool(urls))
    return replace(plan, unclaimed=sum(unclaimed))


def reprocess_objects(
    config: LoadConfig, services: Services, *, by: str, urls: Sequence[str] = (), prefix: str | None = None
) -> Iterator[Taken]:
    """Have objects loaded again, in batches with just these, which the next run takes over.

    Their claims move, with size and ETag as S3 shows them now. What waits in the open batch is locked first. All of
    the load's targets get them. It may be called again after an interruption: what it has moved by then waits. Called
    again after a run has loaded the objects, it has them loaded once more.

    Args:
        config: The load.
        services: The ports and the clock.
        by: Who asks.
        urls: As for `plan_reprocess_objects`.
        prefix: As for `plan_reprocess_objects`.

    Yields:
        Each step after it was taken.

    Raises:
        UnknownObjectError, OperationRefusedError, ConfigurationError: As for `plan_reprocess_objects`; nothing was
            changed.
        CorruptLedgerError: A claim and its batch contradict each other.
        ContentionError: Others wrote to a batch over and over; call again.
    """
    if urls:
        plan_reprocess_objects(config, services, urls=urls)
    gathering = _Gathering(config, services, by)
    removal = Removal(
        config.load, services.ledger, by, ObjectFate.MOVED, gathering.take_out,
        without_claim=ObjectFate.TAKEN, elsewhere=ObjectFate.MOVED,
    )  # fmt: skip
    for taken in take_objects(removal, listed_objects(config, services, ObjectsNamed(tuple(urls), prefix))):
        # Also where the answer to the move itself was lost.
        gathering.has_moved |= taken.fate is ObjectFate.MOVED
        yield taken
    gathering.lock_last()


class _Gathering:
    """Moves objects into the open batch, which it has for itself unless a run claims in the same moment."""

    def __init__(self, config: LoadConfig, services: Services, by: str):
        self._config = config
        self._services = services
        self._by = by
        self._into = self._open_batch()
        self.has_moved = False

    def take_out(self, objects: Sequence[ClaimedObject], batch_id: str, place: Place | None) -> Batch | None:
        """Move objects from their batch into the open one, and into the next where that is full."""
        pending = [each.found for each in objects]
        if not self.has_moved and self._into.files:
            self._lock(CLOSED_NOW)
        while pending:
            fitting = pending[: count_fitting(pending, self._into, self._config.batch)]
            if not fitting:
                self._lock(REPROCESSED)
                continue
            place = self._move(fitting, batch_id, place)
            pending = pending[len(fitting) :]
        return place.batch if place else None

    def lock_last(self) -> None:
        """Lock the last batch, so that the next run loads it without waiting for its limits."""
        if self.has_moved and self._into.files:
            self._lock(REPROCESSED)

    def _move(self, objects: Sequence[S3Object], batch_id: str, place: Place | None) -> Place | None:
        names = [each.name for each in objects]
        services = self._services
        try:
            with services.steps.taking(Step.TAKE_OUT, f"{len(names)} objects of batch {batch_id} to {self._into}"):
                left, self._into = services.ledger.move(
                    objects, batch_id, place, self._into, self._config.batch, services.now()
                )
        except LostRaceError:
            self._into = self._open_batch()
            raise
        self.has_moved = True
        if place is None or left is None:
            return None
        smaller = place.segment.without(names, is_open=False)
        return Place(left, smaller or place.segment)

    def _lock(self, reason: str) -> None:
        services = self._services
        try:
            with services.steps.taking(Step.LOCK, self._into):
                _, self._into = services.ledger.lock(
                    self._into, reason=reason, run=self._by, targets=target_settings(self._config), now=services.now()
                )
        except LostRaceError:
            # A run has locked it, or claimed into it: either way what is in it is loaded.
            self._into = self._open_batch()

    def _open_batch(self) -> Batch:
        return self._services.ledger.open_batch(self._config.load, self._services.now())
