"""Put back what the ledger has lost, from the load histories and the manifests, and undo the claims made meanwhile.

First every object gets its claim, and its place in a segment of its batch; then the batches are written, oldest first.
So whatever stops, a load goes on only when nothing that was loaded is without a claim: until its newest batch is there,
its transactions refuse to load.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import OperationRefusedError, UnknownBatchError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.claims import Claim, Place
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.rebuilding import LostBatch
from rsloader_provider.loader.boundaries import as_it_takes
from rsloader_provider.loader.operate.object_fates import ObjectFate, find_batch
from rsloader_provider.loader.operate.objects_named import ClaimedObject, as_claimed
from rsloader_provider.loader.operate.recovery.lost_batches import Lost, find_lost
from rsloader_provider.loader.operate.take_objects import Removal, take_objects
from rsloader_provider.loader.ports.ledger import TAKEN_OBJECTS, LostRaceError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.races import until_won
from rsloader_provider.loader.run.buffer import target_settings
from rsloader_provider.loader.run.discover import new_objects
from rsloader_provider.loader.services import Services

log = logger_of(__name__)

EXAMPLES = 3

TakeOut = Callable[[Sequence[ClaimedObject], str, Place | None], Batch | None]


@dataclass(frozen=True, slots=True)
class RebuildPlan:
    """What would be put back.

    Attributes:
        lost: The batches.
        objects: Objects that would get a claim for them.
        claimed_elsewhere: How many of these are claimed for other batches by now.
        new: Objects in S3 that nothing names, neither a claim nor a manifest: the next run loads them.
        examples: The first of them, as URLs.
        doubtful: How many of these were there when a batch was loaded whose objects no manifest tells.
        doubtful_and_claimed: How many more were there by then, and wait in batches that were claimed meanwhile.
    """

    lost: Lost
    objects: int
    claimed_elsewhere: int
    new: int
    examples: tuple[str, ...]
    doubtful: int
    doubtful_and_claimed: int

    @property
    def is_in_doubt(self) -> bool:
        """Whether a person has to say first of some objects that they were loaded."""
        return bool(self.doubtful or self.doubtful_and_claimed)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was put back.

    Attributes:
        batches: Batches.
        objects: Objects that got a claim.
    """

    batches: int
    objects: int


def plan_rebuild(config: LoadConfig, services: Services) -> RebuildPlan:
    """Tell what would be put back. Changes nothing.

    Raises:
        OperationRefusedError: A history cannot be read, or no target has one; or a load file cannot be read.
        NotSetUpError, AccessDeniedError, TransientError: The tables, the sources or the manifests cannot be read.
    """
    config = config.model_copy(update={"shadow": False})
    lost = find_lost(config, services)
    objects = elsewhere = 0
    for each in lost.batches:
        names = [entry.name for entry in lost.entries_of(each)]
        claims = services.ledger.find_claims(config.load, names)
        objects += len(names)
        elsewhere += sum(claim.batch != each.batch for claim in claims.values())
    until = max((each.loaded_at for each in lost.untold), default=None)
    new = doubtful = 0
    examples: list[str] = []
    for found in new_objects(as_it_takes(config, services), services) if lost.batches else ():
        if found.name not in lost.owners:
            new += 1
            doubtful += until is not None and found.last_modified <= until
            if len(examples) < EXAMPLES:
                examples.append(found.url)
    claimed = 0 if until is None else sum(each.last_modified <= until for each in _waiting(config, services, lost))
    return RebuildPlan(lost, objects, elsewhere, new, tuple(examples), doubtful, claimed)


def _waiting(config: LoadConfig, services: Services, lost: Lost) -> Iterator[Claim]:
    """Give the claims of objects that no manifest names, for batches that were not loaded yet."""
    ledger = services.ledger
    waits = {
        batch.batch
        for batch in ledger.batches(config.load)
        if batch.status is not BatchStatus.COMPLETE and batch.batch not in lost.loaded
    }
    return (claim for claim in ledger.claims(config.load, "") if claim.batch in waits and claim.name not in lost.owners)


def rebuild_ledger(
    config: LoadConfig, services: Services, *, by: str, progress: Callable[[int], None] = lambda _: None
) -> Rebuilt:
    """Put back what the ledger has lost.

    May be stopped at any moment and called again, also while runs are at work; what is there already is left as it is.

    Args:
        config: The load.
        services: The ports and the clock.
        by: Who asks.
        progress: Called with the number of objects since the last call.

    Raises:
        OperationRefusedError: As for `plan_rebuild`; or it is not known of some objects whether they were loaded, or a
            batch that has one of the objects is being loaded. The latter may be raised when a part is done: call again.
        ContentionError: Others wrote to a batch over and over; call again.
    """
    plan = plan_rebuild(config, services)
    if plan.is_in_doubt:
        raise OperationRefusedError(doubts(config, plan))
    rebuilding = _Rebuilding(config, services, plan.lost, by, progress)
    for batch_id in plan.lost.refilled:
        rebuilding.drop(batch_id)
    for each in plan.lost.batches:
        rebuilding.take_back(each)
    for each in plan.lost.batches:
        rebuilding.put_back(each)
    log.info(
        "load %s: %d batches put back with %d objects, asked for by %s",
        config.load, len(plan.lost.batches), rebuilding.objects, by,
    )  # fmt: skip
    return Rebuilt(len(plan.lost.batches), rebuilding.objects)


def doubts(config: LoadConfig, plan: RebuildPlan) -> str:
    """Say why nothing can be put back before a person has decided."""
    untold = plan.lost.untold
    until = max(each.loaded_at for each in untold) + timedelta(seconds=1)
    forget = (
        f" {plan.doubtful_and_claimed:,} of them wait in batches that were claimed meanwhile: forget these before "
        f"(`rsloader forget {config.load}`)."
        if plan.doubtful_and_claimed
        else ""
    )
    return (
        f"No manifest tells what {len(untold):,} of these batches have loaded, for example {untold[0].batch}, and "
        f"{plan.doubtful + plan.doubtful_and_claimed:,} objects in S3, which no manifest names, are old enough to be "
        f"theirs. Put the manifests below {config.manifests.join(config.load + '/')} back. Or first mark what was "
        f"written before as loaded: `rsloader backfill {config.load} --mark-only --until {until:%Y-%m-%dT%H:%M:%S}`, "
        f"and after the rebuilding have those objects loaded that were not: `rsloader reprocess-objects`.{forget} "
        "Nothing was changed."
    )


class _Rebuilding:
    def __init__(self, config: LoadConfig, services: Services, lost: Lost, by: str, progress: Callable[[int], None]):
        self._load = config.load
        self._settings = target_settings(config)
        self._without_history = [target.name for target in config.targets if target.history == "none"]
        self._services = services
        self._ledger = services.ledger
        self._lost = lost
        self._by = by
        self._progress = progress
        self.objects = 0

    def drop(self, batch_id: str) -> None:
        """Drop what the ledger has under the name of a lost batch; its objects are new again, as far as they are."""

        def drop() -> None:
            try:
                batch = self._ledger.get(self._load, batch_id)
            except UnknownBatchError:
                return
            claims = self._ledger.find_claims(self._load, [entry.name for entry in self._ledger.entries(batch)])
            self._take(batch_id, [as_claimed(each) for each in claims.values()], self._forget)
            batch = self._ledger.get(self._load, batch_id)
            with self._services.steps.taking(Step.REBUILD, batch):
                self._ledger.drop(batch, self._services.now())

        until_won(f"batch {batch_id} of load {self._load}", drop)

    def take_back(self, lost: LostBatch) -> None:
        """Give the objects of a batch their claims, and their places in segments of it."""
        entries = self._lost.entries_of(lost)
        inside = [entry for entry in entries if entry.name not in lost.left_out]
        outside = [entry for entry in entries if entry.name in lost.left_out]
        until_won(lost, lambda: self._take_back(lost, inside, left_out=False))
        until_won(lost, lambda: self._take_back(lost, outside, left_out=True))
        self._progress(len(entries))

    def put_back(self, lost: LostBatch) -> None:
        """Write a batch, once its objects are claimed."""

        def write() -> None:
            entries = self._ledger.entries(Batch(self._load, lost.batch))
            waiting = self._lost.waiting(lost)
            batch = lost.rebuilt(entries, self._settings, waiting, self._without_history)
            try:
                with self._services.steps.taking(Step.REBUILD, batch):
                    self._ledger.put_back(batch, lost.gone(entries))
            except LostRaceError:
                self._ledger.get(self._load, lost.batch)  # another call has put it back, or the answer was lost
            log.info("%s: put back with %d objects, asked for by %s", batch, batch.files, self._by)

        until_won(lost, write)

    def _take_back(self, lost: LostBatch, entries: Sequence[Entry], *, left_out: bool) -> None:
        """Look once at what is missing, and claim it.

        Raises:
            LostRaceError: Others wrote meanwhile; look again.
        """
        into = Batch(self._load, lost.batch)
        there = {entry.name for entry in self._ledger.entries(into)}
        missing = [entry for entry in entries if entry.name not in there]
        claims = self._ledger.find_claims(self._load, [entry.name for entry in missing])
        by_batch: dict[str | None, list[ClaimedObject]] = defaultdict(list)
        free: dict[str | None, list[S3Object]] = defaultdict(list)
        for entry in missing:
            claim, found = claims.get(entry.name), lost.claimed(entry, claims.get(entry.name))
            if claim is None or (claim.batch == lost.batch and not (left_out and claim.left_out_at)):
                free[None if claim is None else claim.batch].append(found)
            elif claim.batch != lost.batch and self._may_take(lost, claim):
                by_batch[claim.batch].append(ClaimedObject(claim, found))

        def take(objects: Sequence[S3Object], batch: str | None, place: Place | None) -> Batch | None:
            with self._services.steps.taking(Step.REBUILD, f"{len(objects)} objects of {lost}"):
                left = self._ledger.take_back(objects, batch, place, into, self._services.now(), left_out=left_out)
            self.objects += len(objects)
            return left

        for batch, objects in free.items():
            for start in range(0, len(objects), TAKEN_OBJECTS):
                take(objects[start : start + TAKEN_OBJECTS], batch, None)
        for other, claimed in by_batch.items():
            self._take(str(other), claimed, lambda each, *at: take([one.found for one in each], *at))

    def _may_take(self, lost: LostBatch, claim: Claim) -> bool:
        """Tell whether an object is to leave the batch that has it: not if that one has loaded it later."""
        if claim.batch > lost.batch and claim.batch in self._lost.loaded:
            return False
        try:
            find_batch(self._ledger, self._load, claim.batch)
        except UnknownBatchError:
            log.warning("s3://%s stays claimed for batch %s, which the ledger has lost", claim.name, claim.batch)
            return False
        return True

    def _forget(self, objects: Sequence[ClaimedObject], batch: str, place: Place | None) -> Batch | None:
        with self._services.steps.taking(Step.TAKE_OUT, f"{len(objects)} objects of batch {batch}"):
            return self._ledger.forget(self._load, [each.claim.name for each in objects], batch, place)

    def _take(self, batch: str, objects: Sequence[ClaimedObject], take_out: TakeOut) -> None:
        """Take objects out of a batch that has claimed them meanwhile.

        Raises:
            LostRaceError: Another writer was quicker with some of them; look again.
            OperationRefusedError: The batch is being loaded.
        """
        removal = Removal(
            self._load, self._ledger, self._by, ObjectFate.PUT_BACK, take_out,
            without_claim=ObjectFate.TAKEN, elsewhere=ObjectFate.TAKEN,
        )  # fmt: skip
        for taken in take_objects(removal, objects):
            if taken.fate is ObjectFate.BEING_LOADED:
                raise OperationRefusedError(
                    f"Batch {batch} of load {self._load} has claimed s3://{taken.names[0]}, which was loaded before, "
                    "and is being loaded. What was put back until now stays. Pause the DAG, let its tasks end, and ask "
                    "again."
                )
            if taken.fate is ObjectFate.TAKEN:
                raise LostRaceError
