"""Forget objects: what is still in S3 is new to the next run."""

from collections.abc import Iterator, Sequence

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.claims import Place
from rsloader_provider.loader.operate.object_fates import ObjectFate, Taken
from rsloader_provider.loader.operate.objects_named import ClaimedObject, ObjectsNamed, claimed_objects
from rsloader_provider.loader.operate.plan_objects import ObjectsPlan, plan_objects
from rsloader_provider.loader.operate.take_objects import Removal, take_objects
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.services import Services


def plan_forget(
    config: LoadConfig, services: Services, *, urls: Sequence[str] = (), prefix: str | None = None
) -> ObjectsPlan:
    """Tell what forgetting objects would do. Changes nothing.

    Args:
        config: The load.
        services: The ports and the clock.
        urls: URLs of objects.
        prefix: The URL of a prefix instead: all that the load has claimed below it.

    Raises:
        UnknownObjectError: The load has not claimed one of the objects, or nothing below the prefix.
        OperationRefusedError: One of the named objects is in a batch that is being loaded.
        ConfigurationError: Neither is given, or both, or a URL is not an S3 URL.
    """
    objects = claimed_objects(config, services, ObjectsNamed(tuple(urls), prefix))
    return plan_objects(config, services, objects, ObjectFate.FORGOTTEN, strict=bool(urls))


def forget_objects(
    config: LoadConfig, services: Services, *, by: str, urls: Sequence[str] = (), prefix: str | None = None
) -> Iterator[Taken]:
    """Drop claims: what is still in S3 and matches the load is new to the next run, which loads it.

    Objects leave an open or a waiting batch. Objects of a batch that is being loaded are left alone.
    May be stopped at any moment and called again.

    Args:
        config: The load.
        services: The ports and the clock.
        by: Who asks.
        urls: As for `plan_forget`.
        prefix: As for `plan_forget`.

    Yields:
        Each step after it was taken.

    Raises:
        UnknownObjectError, OperationRefusedError, ConfigurationError: As for `plan_forget`; nothing was changed.
        CorruptLedgerError: A claim and its batch contradict each other.
        ContentionError: Others wrote to a batch over and over; call again.
    """

    def take_out(objects: Sequence[ClaimedObject], batch_id: str, place: Place | None) -> Batch | None:
        names = [each.claim.name for each in objects]
        with services.steps.taking(Step.TAKE_OUT, f"{len(names)} objects of batch {batch_id}"):
            return services.ledger.forget(config.load, names, batch_id, place)

    if urls:
        plan_forget(config, services, urls=urls)
    removal = Removal(
        config.load, services.ledger, by, ObjectFate.FORGOTTEN, take_out,
        without_claim=ObjectFate.FORGOTTEN, elsewhere=ObjectFate.TAKEN,
    )  # fmt: skip
    yield from take_objects(removal, claimed_objects(config, services, ObjectsNamed(tuple(urls), prefix)))
