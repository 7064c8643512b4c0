"""Take objects out of their batches: window by window, and in each batch step by step, while others may write to it.

Objects that stand together in a segment leave their batch in one transaction.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from rsloader_provider.core.errors import CorruptLedgerError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.claims import Place
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.operate.leaving import leaving_by_segment
from rsloader_provider.loader.operate.object_fates import ObjectFate, Taken, fate_of, find_batch
from rsloader_provider.loader.operate.objects_named import WINDOW_OBJECTS, ClaimedObject, some
from rsloader_provider.loader.ports.ledger import TAKEN_OBJECTS, Ledger, LostRaceError
from rsloader_provider.loader.races import until_won

log = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class Removal:
    """How objects leave their batch.

    Attributes:
        load: Name of the load.
        ledger: The ledger.
        by: Who asks.
        wanted: What becomes of an object that leaves.
        take_out: Takes objects out of the batch of this id, at most TAKEN_OBJECTS, and gives the batch without them.
            The place is None, and so is the batch, where they are in no segment: they were left out, or the batch was
            deleted. Raises LostRaceError if somebody wrote to the batch or a claim.
        without_claim: What became of an object that has no claim any more after a lost race: another writer dropped it,
            or the answer to our own write was lost.
        elsewhere: The same for an object that is claimed for another batch.
    """

    load: str
    ledger: Ledger
    by: str
    wanted: ObjectFate
    take_out: Callable[[Sequence[ClaimedObject], str, Place | None], Batch | None]
    without_claim: ObjectFate
    elsewhere: ObjectFate


def take_objects(removal: Removal, objects: Iterable[ClaimedObject]) -> Iterator[Taken]:
    """Take objects out of their batches.

    Yields:
        Each step after it was taken.

    Raises:
        CorruptLedgerError: A claim and its batch contradict each other.
        ContentionError: Others wrote to a batch over and over; call again.
    """
    stream = iter(objects)
    while window := [*islice(stream, WINDOW_OBJECTS)]:
        by_batch: dict[str, list[ClaimedObject]] = defaultdict(list)
        for each in window:
            by_batch[each.claim.batch].append(each)
        for batch_id, claimed in by_batch.items():
            batch = _Emptying(removal, batch_id, claimed)
            while (taken := until_won(batch, batch.step)) is not None:
                log.info("load %s: %d objects of batch %s: %s, asked for by %s",
                         removal.load, len(taken.names), batch_id, taken.fate, removal.by)  # fmt: skip
                yield taken


class _Emptying:
    """Objects of one batch on their way out; knows those that are still to leave it."""

    def __init__(self, removal: Removal, batch_id: str, claimed: Iterable[ClaimedObject]):
        self._removal = removal
        self._batch_id = batch_id
        self._claimed = {each.claim.name: each for each in claimed}
        self._missing: frozenset[str] = frozenset()
        self._steps = self._take()

    def __str__(self) -> str:
        return f"batch {self._batch_id} of load {self._removal.load}"

    def step(self) -> Taken | None:
        """Take the next step; None once there is none.

        Raises:
            LostRaceError: Nothing was written, or the answer was lost; the next call looks again.
        """
        try:
            taken = next(self._steps, None)
        except LostRaceError:
            self._steps = self._look_again()
            raise
        for name in taken.names if taken else ():
            self._claimed.pop(name, None)
        return taken

    def _look_again(self) -> Iterator[Taken]:
        """Report objects that have left the batch meanwhile, and go on with those that have not."""
        before = self._claimed
        now = self._removal.ledger.find_claims(self._removal.load, [*before])
        self._claimed = {
            name: ClaimedObject(claim, before[name].found)
            for name, claim in now.items()
            if claim.batch == self._batch_id
        }
        if gone := tuple(name for name in before if name not in now):
            yield Taken(self._batch_id, gone, self._removal.without_claim)
        if elsewhere := tuple(name for name in before if name in now and name not in self._claimed):
            yield Taken(self._batch_id, elsewhere, self._removal.elsewhere)
        yield from self._take()

    def _take(self) -> Iterator[Taken]:
        batch = find_batch(self._removal.ledger, self._removal.load, self._batch_id)
        apart = [name for name, each in self._claimed.items() if batch is None or each.claim.left_out_at is not None]
        inside = {*self._claimed} - {*apart}
        if inside and batch is not None:
            fate = fate_of(batch, self._removal.wanted, left_out=False)
            if fate is not self._removal.wanted:
                yield Taken(self._batch_id, tuple(sorted(inside)), fate)
            else:
                yield from self._take_inside(batch, inside)
        for start in range(0, len(apart), TAKEN_OBJECTS):
            names = apart[start : start + TAKEN_OBJECTS]
            self._take_out(names, None)
            yield Taken(self._batch_id, tuple(names), self._removal.wanted)

    def _take_inside(self, batch: Batch, inside: set[str]) -> Iterator[Taken]:
        is_open = batch.status is BatchStatus.OPEN
        left: Batch | None = batch
        found: set[str] = set()
        for segment, names in leaving_by_segment(self._removal.ledger.segments(batch), inside, is_open=is_open):
            if left is None:
                break
            left = self._take_out(names, Place(left, segment))
            found.update(names)
            yield Taken(self._batch_id, tuple(names), self._removal.wanted)
        if missing := frozenset(inside - found):
            self._note_missing(missing)

    def _take_out(self, names: Sequence[str], place: Place | None) -> Batch | None:
        return self._removal.take_out([self._claimed[name] for name in names], self._batch_id, place)

    def _note_missing(self, missing: frozenset[str]) -> None:
        """Look once more at objects that the batch does not have: their claims were read before the batch."""
        if missing != self._missing:
            self._missing = missing
            raise LostRaceError
        load = self._removal.load
        raise CorruptLedgerError(
            f"Batch {self._batch_id} of load {load} does not have {some(sorted(missing))} in its segments, but the "
            f"claims name it. `rsloader audit {load}` shows more. None of these objects was changed."
        )
