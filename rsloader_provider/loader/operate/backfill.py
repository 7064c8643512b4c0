"""Load what was there before, or mark it as loaded: claim everything now, instead of run by run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.sources import SourcePattern
from rsloader_provider.core.errors import OperationRefusedError
from rsloader_provider.core.ledger.batch import MARKED
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.boundaries import as_it_takes
from rsloader_provider.loader.operate.mark import Marked, mark_as_loaded
from rsloader_provider.loader.operate.object_names import prefix_name
from rsloader_provider.loader.run.buffer import Buffering
from rsloader_provider.loader.run.discover import new_objects
from rsloader_provider.loader.services import Services

log = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """Which of a load's objects are meant.

    Attributes:
        prefix: The URL of a prefix; None for all that the load matches.
        since: Objects that were written at this moment or later (aware, UTC); None for any.
        until: Objects that were written before this moment (aware, UTC); None for any.
    """

    prefix: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def has(self, found: S3Object) -> bool:
        """Tell whether an object is meant."""
        return (
            (self.prefix is None or found.name.startswith(prefix_name(self.prefix)))
            and (self.since is None or found.last_modified >= self.since)
            and (self.until is None or found.last_modified < self.until)
        )


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """What a backfill would do.

    Attributes:
        objects: Objects that nothing has claimed yet.
        size_bytes: Their bytes.
        examples: The first of them, as URLs.
    """

    objects: int
    size_bytes: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What a backfill did.

    Attributes:
        claimed: Objects that are in a batch now; others may have claimed some meanwhile.
        batches: Ids of the batches that it locked; the next runs load them. What is left over waits in the open batch.
    """

    claimed: int
    batches: tuple[str, ...]


_EXAMPLES = 10


def plan_backfill(config: LoadConfig, services: Services, part: Part) -> BackfillPlan:
    """Count what nothing has claimed yet. Changes nothing.

    Raises:
        OperationRefusedError: The prefix lies outside of the load's source, or no moment lies between the dates.
        ConfigurationError: The prefix is not an S3 URL.
    """
    objects, size_bytes = 0, 0
    examples: list[str] = []
    for found in _unclaimed(config, services, part):
        objects += 1
        size_bytes += found.size_bytes
        if len(examples) < _EXAMPLES:
            examples.append(found.url)
    return BackfillPlan(objects, size_bytes, tuple(examples))


def backfill(
    config: LoadConfig,
    services: Services,
    part: Part,
    *,
    by: str,
    progress: Callable[[int], None] = lambda _: None,
) -> Backfilled:
    """Claim everything that nothing has claimed yet, and lock each batch that is full or due.

    The next runs take over the locked batches, as many in one run as the load allows. May be stopped at any moment and
    called again, also while runs are at work: the first claim of an object wins.

    Args:
        config: The load.
        services: The ports and the clock.
        part: Which objects.
        by: Who asks.
        progress: Called with the number of objects since the last call.

    Raises:
        OperationRefusedError: As for `plan_backfill`, or the load runs in shadow; nothing was changed.
        ConfigurationError: As for `plan_backfill`.
    """
    if config.shadow:
        raise OperationRefusedError(
            f"Load {config.load} runs in shadow. Its first run without `shadow` would load what is claimed now, "
            "although another loader may have loaded it by then. Nothing was changed. Take `shadow` out of the load "
            "file first, or mark the objects as loaded with --mark-only."
        )
    unclaimed = _unclaimed(config, services, part)
    buffering = Buffering(config, services, by)
    buffering.claim_all(_counted(unclaimed, progress))
    buffering.lock_if_due()
    log.info(
        "load %s: %d objects claimed, %d batches locked, asked for by %s",
        config.load, buffering.claimed, len(buffering.locked), by,
    )  # fmt: skip
    return Backfilled(buffering.claimed, tuple(batch.batch for batch in buffering.locked))


def mark_existing(
    config: LoadConfig,
    services: Services,
    part: Part,
    *,
    by: str,
    progress: Callable[[int], None] = lambda _: None,
) -> Marked:
    """Mark everything that nothing has claimed yet as loaded: it is claimed, and no run loads it.

    Args:
        config: The load.
        services: The ports and the clock.
        part: Which objects.
        by: Who asks.
        progress: Called with the number of objects since the last call.

    Raises:
        OperationRefusedError, ConfigurationError: As for `plan_backfill`; nothing was changed.
    """
    objects = _unclaimed(config, services, part)
    return mark_as_loaded(config.load, services, objects, reason=MARKED, run=by, progress=progress)


def _unclaimed(config: LoadConfig, services: Services, part: Part) -> Iterator[S3Object]:
    if part.since is not None and part.until is not None and part.since >= part.until:
        raise OperationRefusedError(
            f"Load {config.load}: no object can be written at or after {part.since:%Y-%m-%d %H:%M} and before "
            f"{part.until:%Y-%m-%d %H:%M}. Give the earlier moment first. Nothing was changed."
        )
    # A shadow's claims do not count: only the load's own claims do.
    config = config.model_copy(update={"shadow": False})
    config = as_it_takes(config, services)
    narrowed = config if part.prefix is None else _narrowed(config, part.prefix)
    found = new_objects(narrowed, services, config)
    return (each for each in found if part.has(each) and config.matches(each.bucket, each.key))


def _narrowed(config: LoadConfig, prefix: str) -> LoadConfig:
    """Let a load see only what lies below a prefix, so that no more is listed."""
    bucket, _, key = prefix_name(prefix).partition("/")
    folder, slash, _ = key.rpartition("/")
    near = [each for each in config.sources if each.overlaps(SourcePattern(bucket, folder + slash))]
    if not near:
        sources = " and ".join(map(str, config.sources))
        raise OperationRefusedError(
            f"Load {config.load} takes nothing below {prefix}: it loads from {sources}. Nothing was changed."
        )
    below = SourcePattern(bucket, key)
    narrow = [each if "*" in key or each.literal_prefix.startswith(key) else below for each in near]
    return config.model_copy(update={"sources": tuple(dict.fromkeys(narrow))})


def _counted(objects: Iterator[S3Object], progress: Callable[[int], None]) -> Iterator[S3Object]:
    for each in objects:
        yield each
        progress(1)
