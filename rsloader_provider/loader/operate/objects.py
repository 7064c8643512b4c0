"""What a person does with single objects, or all below a prefix: forget them, or have them loaded again.

Claims and listings are read page by page, and objects that stand together leave their batch in one transaction. Each
call may be stopped at any moment and made again.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.sources import S3Url
from rsloader_provider.core.errors import (
    ConfigurationError,
    ContentionError,
    CorruptLedgerError,
    DeletedBatchError,
    OperationRefusedError,
    UnknownObjectError,
)
from rsloader_provider.core.ledger.batch import CLOSED_NOW, REPROCESSED, Batch, BatchStatus, TargetState
from rsloader_provider.core.ledger.claims import Claim, Place
from rsloader_provider.core.ledger.limits import count_fitting
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.loader.operate.leaving import places
from rsloader_provider.loader.operate.object_names import object_name, prefix_name
from rsloader_provider.loader.ports.ledger import TAKEN_OBJECTS, LostRaceError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.run.buffer import target_settings
from rsloader_provider.loader.services import Services

log = logging.getLogger(__name__)

WINDOW_OBJECTS = 2_000
_EXAMPLES = 10
_RACES = 20


class ObjectFate(StrEnum):
    """What becomes, or would become, of objects."""

    FORGOTTEN = "forgotten"
    """The claim is gone: an object that is still in S3 is new to the next run."""
    MOVED = "reprocessed"
    """It is in a batch that the next run loads."""
    WAITS = "waits already"
    """It is in a batch that waits for its load anyway, and was left there."""
    BEING_LOADED = "being loaded"
    """Its batch is being loaded, or what an attempt did is not known yet: it was left there. Ask again later."""
    TAKEN = "taken by somebody else"
    """Somebody else forgot it or had it reprocessed in the same moment: it was left to them."""


@dataclass(frozen=True, slots=True)
class ObjectsPlan:
    """What a call would do.

    Attributes:
        fates: Number of objects by what would become of them.
        size_bytes: Bytes of those that would be forgotten or reprocessed.
        examples: The first of them, as URLs.
        batches: How many batches they are in.
        emptied: How many locked batches would be left without objects.
        unclaimed: Objects below the prefix that nothing has claimed; only for reprocessing. Runs load them anyway.
    """

    fates: Mapping[ObjectFate, int]
    size_bytes: int
    examples: tuple[str, ...]
    batches: int
    emptied: int = 0
    unclaimed: int = 0

    @property
    def objects(self) -> int:
        """Objects that would be forgotten or reprocessed."""
        return self.fates.get(ObjectFate.FORGOTTEN, 0) + self.fates.get(ObjectFate.MOVED, 0)

    @property
    def about_emptied(self) -> str | None:
        """What becomes of batches that are left without objects, for people; None if none is."""
        if not self.emptied:
            return None
        return (
            f"left without objects: {self.emptied:,} batches. A run that loads one of them finishes it without "
            "touching the table."
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """A step of a call.

    Attributes:
        batch: The id of the batch that the objects were in.
        names: Their names, `bucket/key`.
        fate: What became of them.
    """

    batch: str
    names: tuple[str, ...]
    fate: ObjectFate


_Claimed = tuple[Claim, S3Object | None]
"""A claim, and the object as S3 lists it; None where S3 is not asked."""


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
        ConfigurationError: Neither is given, or both, or an URL is none.
    """
    return _Planning(config, services, ObjectFate.FORGOTTEN).plan(
        _claims(config, services, urls, prefix), strict=bool(urls)
    )


def forget_objects(
    config: LoadConfig, services: Services, *, by: str, urls: Sequence[str] = (), prefix: str | None = None
) -> Iterator[Taken]:
    """Drop claims: what is still in S3 and matches the load is new to the next run, which loads it.

    What is in the open batch, or in one that waits, leaves it. Objects of a batch that is being loaded are left alone.

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
    """
    if urls:
        plan_forget(config, services, urls=urls)
    forgetting = _Forgetting(config, services)
    for window in _windows(_claims(config, services, urls, prefix)):
        yield from forgetting.take_all(window, by)


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
        ConfigurationError: Neither is given, or both, or an URL is none.
    """
    planning = _Planning(config, services, ObjectFate.MOVED)
    return planning.plan(_listed(config, services, urls, prefix, planning.pass_over), strict=bool(urls))


def reprocess_objects(
    config: LoadConfig, services: Services, *, by: str, urls: Sequence[str] = (), prefix: str | None = None
) -> Iterator[Taken]:
    """Have objects loaded again, in batches with just these, which the next run adopts.

    Their claims move, with size and ETag as S3 shows them now. What waits in the open batch is locked first. All of
    the load's targets get them. Interrupted, it may be called again, and what it has moved by then waits; called again
    after a run has loaded them, it has them loaded once more.

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
    """
    if urls:
        plan_reprocess_objects(config, services, urls=urls)
    moving = _Moving(config, services, by)
    for window in _windows(_listed(config, services, urls, prefix, lambda _: None)):
        yield from moving.take_all(window, by)
    moving.lock()


def _windows(stream: Iterable[_Claimed]) -> Iterator[list[_Claimed]]:
    each = iter(stream)
    while window := [*islice(each, WINDOW_OBJECTS)]:
        yield window


def _by_batch(window: Iterable[_Claimed]) -> dict[str, list[_Claimed]]:
    found: dict[str, list[_Claimed]] = defaultdict(list)
    for claim, listed in window:
        found[claim.batch].append((claim, listed))
    return found


def _one_of(urls: Sequence[str], prefix: str | None) -> None:
    if bool(urls) == (prefix is not None):
        raise ConfigurationError("Name either objects or one prefix. Nothing was changed.")


def _claims(config: LoadConfig, services: Services, urls: Sequence[str], prefix: str | None) -> Iterator[_Claimed]:
    """Give the claims of what a person named. Refuses before the first is given."""
    _one_of(urls, prefix)
    if prefix is None:
        for claim in _named(config, services, urls):
            yield claim, None
        return
    claims = services.ledger.claims(config.load, prefix_name(prefix))
    first = next(claims, None)
    if first is None:
        raise _nothing_below(config, prefix)
    yield first, None
    for claim in claims:
        yield claim, None


def _listed(
    config: LoadConfig,
    services: Services,
    urls: Sequence[str],
    prefix: str | None,
    pass_over: Callable[[int], None],
) -> Iterator[_Claimed]:
    """Give the claims of what a person named, each with the object as S3 lists it.

    Args:
        config: The load.
        services: The ports and the clock.
        urls: The objects.
        prefix: Or the prefix.
        pass_over: Told how many objects have no claim.
    """
    _one_of(urls, prefix)
    if prefix is None:
        claims = _named(config, services, urls)
        found = [(claim, _in_s3(services, claim)) for claim in claims]
        if gone := [claim.name for claim, listed in found if listed is None]:
            raise UnknownObjectError(
                f"Load {config.load}: no longer in S3: {_some(gone)}. Put them back first. Nothing was changed."
            )
        yield from found
        return
    name = prefix_name(prefix)
    bucket, _, key = name.partition("/")
    objects = services.storage.objects(bucket, key)
    is_empty = True
    while page := [*islice(objects, WINDOW_OBJECTS)]:
        claimed = services.ledger.find_claims(config.load, [each.name for each in page])
        pass_over(sum(not each.is_folder_marker for each in page) - len(claimed))
        for each in page:
            if each.name in claimed:
                is_empty = False
                yield claimed[each.name], each
    if is_empty:
        raise _nothing_below(config, prefix)


def _named(config: LoadConfig, services: Services, urls: Sequence[str]) -> list[Claim]:
    names = [*dict.fromkeys(map(object_name, urls))]
    claims = services.ledger.find_claims(config.load, names)
    if unknown := [name for name in names if name not in claims]:
        bucket, _, key = unknown[0].partition("/")
        why = (
            "The next run claims it by itself, if it is in S3."
            if config.matches(bucket, key)
            else f"It does not belong to the load: `rsloader explain {S3Url(bucket, key)}` tells whose it is."
        )
        raise UnknownObjectError(f"Load {config.load} has not claimed {_some(unknown)}. {why} Nothing was changed.")
    return list(claims.values())


def _nothing_below(config: LoadConfig, prefix: str) -> UnknownObjectError:
    return UnknownObjectError(
        f"Load {config.load} has claimed nothing below {prefix}, as far as that is in S3 or in the ledger; it loads "
        f"from {' and '.join(map(str, config.sources))}. Nothing was changed."
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return ", ".join(f"s3://{name}" for name in names[:5]) + more


def _in_s3(services: Services, claim: Claim) -> S3Object | None:
    bucket, _, key = claim.name.partition("/")
    first = next(services.storage.objects(bucket, key), None)
    return first if first is not None and first.key == key else None


def _find_batch(services: Services, load: str, batch_id: str) -> Batch | None:
    """Give a batch; None if a person deleted it."""
    try:
        return services.ledger.get(load, batch_id)
    except DeletedBatchError:
        return None


def _is_being_loaded(batch: Batch) -> bool:
    return any(progress.may_commit for progress in batch.targets.values())


def _fate(batch: Batch | None, wanted: ObjectFate, *, left_out: bool) -> ObjectFate:
    """Tell what becomes of the objects of a batch."""
    if batch is None or left_out:
        return wanted
    if _is_being_loaded(batch):
        return ObjectFate.BEING_LOADED
    waits = batch.status is BatchStatus.OPEN or any(
        progress.state is TargetState.WAITING for progress in batch.targets.values()
    )
    return ObjectFate.WAITS if wanted is ObjectFate.MOVED and waits else wanted


class _Planning:
    """Counts what would become of objects."""

    def __init__(self, config: LoadConfig, services: Services, wanted: ObjectFate):
        self._config = config
        self._services = services
        self._wanted = wanted
        self._unclaimed = 0

    def pass_over(self, objects: int) -> None:
        """Count objects without a claim."""
        self._unclaimed += objects

    def plan(self, stream: Iterable[_Claimed], *, strict: bool) -> ObjectsPlan:
        """Count them all.

        Args:
            stream: The claims.
            strict: Whether an object that is being loaded is refused, and not only counted.
        """
        batches: dict[str, Batch | None] = {}
        fates: dict[ObjectFate, int] = defaultdict(int)
        left: dict[str, int] = {}
        size_bytes = 0
        examples: list[str] = []
        for claim, listed in stream:
            if claim.batch not in batches:
                batches[claim.batch] = _find_batch(self._services, self._config.load, claim.batch)
            batch = batches[claim.batch]
            fate = _fate(batch, self._wanted, left_out=claim.left_out_at is not None)
            if strict and fate is ObjectFate.BEING_LOADED:
                raise OperationRefusedError(
                    f"s3://{claim.name} is in {batch}, which is being loaded. Nothing was changed. Try again when "
                    f"that has ended; `rsloader unlock {self._config.load} {claim.batch}` shows who is at work."
                )
            fates[fate] += 1
            if fate is self._wanted:
                if batch is not None and batch.status is not BatchStatus.OPEN and claim.left_out_at is None:
                    left[claim.batch] = left.get(claim.batch, batch.files) - 1
                size_bytes += claim.size_bytes if listed is None else listed.size_bytes
                if len(examples) < _EXAMPLES:
                    examples.append(f"s3://{claim.name}")
        emptied = sum(not files for files in left.values())
        return ObjectsPlan(dict(fates), size_bytes, tuple(examples), len(batches), emptied, self._unclaimed)


class _MissingError(Exception):
    """Objects are not in the segments of the batch that they were claimed for when the claims were read."""

    def __init__(self, names: Iterable[str]):
        super().__init__()
        self.names = frozenset(names)


@dataclass
class _Forgetting:
    """Takes the objects of one batch after the other."""

    config: LoadConfig
    services: Services

    wanted = ObjectFate.FORGOTTEN

    def take_all(self, window: Iterable[_Claimed], by: str) -> Iterator[Taken]:
        """Take the objects of a window."""
        for batch_id, claimed in _by_batch(window).items():
            for taken in self._take(batch_id, claimed):
                log.info("load %s: %d objects of batch %s: %s, asked for by %s",
                         self.config.load, len(taken.names), batch_id, taken.fate, by)  # fmt: skip
                yield taken

    def _take(self, batch_id: str, claimed: Sequence[_Claimed]) -> Iterator[Taken]:
        claims = {claim.name: claim for claim, _ in claimed}
        listed = {claim.name: found for claim, found in claimed if found is not None}
        missing: frozenset[str] = frozenset()
        for _ in range(_RACES):
            try:
                for taken in self._take_now(batch_id, claims, listed):
                    for name in taken.names:
                        del claims[name]
                    yield taken
            except (LostRaceError, _MissingError) as lost:
                if isinstance(lost, _MissingError):
                    if lost.names == missing:
                        raise self._corrupt(batch_id, missing) from lost
                    missing = lost.names
                log.info("batch %s: somebody wrote to it in this moment; looking again", batch_id)
                now = self.services.ledger.find_claims(self.config.load, [*claims])
                # Somebody else was quicker, or the answer to our own write was lost.
                yield from self._find_done(
                    batch_id,
                    tuple(name for name in claims if name not in now),
                    tuple(name for name in claims if name in now and now[name].batch != batch_id),
                )
                claims = {name: claim for name, claim in now.items() if claim.batch == batch_id}
            else:
                return
        raise ContentionError(f"Batch {batch_id} of load {self.config.load} was written to {_RACES} times. Try again.")

    def _find_done(self, batch_id: str, gone: tuple[str, ...], moved: tuple[str, ...]) -> Iterator[Taken]:
        """Tell of objects that have left their batch: those without a claim, and those of another batch."""
        if gone:
            yield Taken(batch_id, gone, ObjectFate.FORGOTTEN)
        if moved:
            yield Taken(batch_id, moved, ObjectFate.TAKEN)

    def _take_now(self, batch_id: str, claims: Mapping[str, Claim], listed: Mapping[str, S3Object]) -> Iterator[Taken]:
        batch = _find_batch(self.services, self.config.load, batch_id)
        apart = [name for name, claim in claims.items() if batch is None or claim.left_out_at is not None]
        inside = {*claims} - {*apart}
        if inside and batch is not None:
            fate = _fate(batch, self.wanted, left_out=False)
            if fate is not self.wanted:
                yield Taken(batch_id, tuple(sorted(inside)), fate)
            else:
                yield from self._take_inside(batch, inside, listed)
        for start in range(0, len(apart), TAKEN_OBJECTS):
            names = apart[start : start + TAKEN_OBJECTS]
            self._step(names, batch_id, None, listed)
            yield Taken(batch_id, tuple(names), self.wanted)

    def _take_inside(self, batch: Batch, inside: set[str], listed: Mapping[str, S3Object]) -> Iterator[Taken]:
        is_open = batch.status is BatchStatus.OPEN
        left: Batch | None = batch
        found: set[str] = set()
        for segment, names in places(self.services.ledger.segments(batch), inside, is_open=is_open):
            if left is None:
                break
            left = self._step(names, batch.batch, Place(left, segment), listed)
            found.update(names)
            yield Taken(batch.batch, tuple(names), self.wanted)
        if missing := inside - found:
            raise _MissingError(missing)

    def _corrupt(self, batch_id: str, missing: Iterable[str]) -> CorruptLedgerError:
        load = self.config.load
        return CorruptLedgerError(
            f"Batch {batch_id} of load {load} does not have {_some(sorted(missing))} in its segments, although it is "
            f"claimed for it. `rsloader audit {load}` tells more; nothing of them was changed."
        )

    def _step(
        self, names: Sequence[str], batch_id: str, place: Place | None, listed: Mapping[str, S3Object]
    ) -> Batch | None:
        with self.services.steps.taking(Step.TAKE_OUT, f"{len(names)} objects of batch {batch_id}"):
            return self.services.ledger.forget(self.config.load, names, batch_id, place)


@dataclass
class _Moving(_Forgetting):
    """Moves the objects into the open batch, which it has for itself unless a run claims in the same moment."""

    by: str
    into: Batch = field(init=False)
    moved: int = field(default=0, init=False)

    wanted = ObjectFate.MOVED

    def __post_init__(self) -> None:
        self.into = self._open_batch()

    def _step(
        self, names: Sequence[str], batch_id: str, place: Place | None, listed: Mapping[str, S3Object]
    ) -> Batch | None:
        pending = [listed[name] for name in names]
        if not self.moved and self.into.files:
            self._lock(CLOSED_NOW)
        while pending:
            fitting = pending[: count_fitting(pending, self.into, self.config.batch)]
            if not fitting:
                self._lock(REPROCESSED)
                continue
            place = self._move(fitting, batch_id, place)
            pending = pending[len(fitting) :]
        return place.batch if place else None

    def _find_done(self, batch_id: str, gone: tuple[str, ...], moved: tuple[str, ...]) -> Iterator[Taken]:
        self.moved += len(moved)
        if moved:
            yield Taken(batch_id, moved, ObjectFate.MOVED)
        if gone:
            yield Taken(batch_id, gone, ObjectFate.TAKEN)

    def _move(self, objects: Sequence[S3Object], batch_id: str, place: Place | None) -> Place | None:
        names = [each.name for each in objects]
        try:
            with self.services.steps.taking(Step.TAKE_OUT, f"{len(names)} objects of batch {batch_id} to {self.into}"):
                left, self.into = self.services.ledger.move(
                    objects, batch_id, place, self.into, self.config.batch, self.services.now()
                )
        except LostRaceError:
            self.into = self._open_batch()
            raise
        self.moved += len(objects)
        if place is None or left is None:
            return None
        smaller = place.segment.without(names, is_open=False)
        return Place(left, smaller or place.segment)

    def lock(self) -> None:
        """Lock the last batch, so that the next run loads it without waiting for its limits."""
        if self.moved and self.into.files:
            self._lock(REPROCESSED)

    def _lock(self, reason: str) -> None:
        settings = target_settings(self.config)
        try:
            with self.services.steps.taking(Step.LOCK, self.into):
                _, self.into = self.services.ledger.lock(
                    self.into, reason=reason, run=self.by, targets=settings, now=self.services.now()
                )
        except LostRaceError:
            # A run has locked it, or claimed into it: either way what is in it is loaded.
            self.into = self._open_batch()

    def _open_batch(self) -> Batch:
        return self.services.ledger.open_batch(self.config.load, self.services.now())
