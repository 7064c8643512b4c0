"""What was lost is put back: claims with their segments, and then the batches; the ledger may hold a part of it."""

from collections.abc import Callable, Sequence
from datetime import datetime

from rsloader_provider.aws.dynamodb.claiming import Claiming
from rsloader_provider.aws.dynamodb.items import CURRENT, Item, batch_item, segment_item, segment_prefix
from rsloader_provider.aws.dynamodb.leaving import Leaving
from rsloader_provider.aws.dynamodb.requests import LedgerRequests
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.batch_ids import next_batch_id
from rsloader_provider.core.ledger.claims import Place, Segment
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.loader.ports.ledger import LostRaceError


class Rebuilding:
    """Writes what a load history proves and the ledger has lost."""

    def __init__(
        self, requests: LedgerRequests, claiming: Claiming, leaving: Leaving, randomness: Callable[[int], bytes]
    ):
        self._requests = requests
        self._names = requests.names
        self._claiming = claiming
        self._leaving = leaving
        self._randomness = randomness

    def drop(self, batch: Batch, now: datetime) -> None:
        load = batch.load
        # Nothing enters a batch that is locked, and an open one that is empty has none.
        for segment in self._requests.query_rows(load, segment_prefix(batch.batch), projection="#batch"):
            if batch.files or batch.status is BatchStatus.OPEN:
                raise LostRaceError
            self._requests.transact_or_lose(
                [self._requests.delete(self._names.batches, load, segment["batch"], "attribute_exists(#load)", {})]
            )
        unchanged = "#version = :version AND #status = :status AND #files = :none"
        values = {":version": batch.version, ":status": batch.status, ":none": 0}
        actions = [self._requests.delete(self._names.batches, load, batch.batch, unchanged, values)]
        if batch.status is BatchStatus.OPEN:
            opened = Batch(load, next_batch_id(now, batch.batch, self._randomness))
            named = {":opened": opened.batch, ":batch": batch.batch}
            actions += [
                self._requests.update(load, CURRENT, "SET #open_batch = :opened", "#open_batch = :batch", named),
                self._requests.put(self._names.batches, batch_item(opened), "attribute_not_exists(#load)"),
            ]
        self._requests.transact_or_lose(actions)

    def take_back(
        self,
        objects: Sequence[S3Object],
        batch: str | None,
        place: Place | None,
        into: Batch,
        now: datetime,
        *,
        left_out: bool = False,
    ) -> Batch | None:
        left: Batch | None = None
        actions: list[Item] = []
        condition, values = "#batch = :batch", {":batch": batch}
        if batch is None:
            condition, values = "attribute_not_exists(#load)", {}
        elif batch != into.batch:
            actions, left, condition = self._leaving.leave(into.load, batch, place, [each.name for each in objects])
        taken = self._claiming.take(into, objects, now, condition, values, left_out=left_out)
        self._requests.transact_or_lose([*taken, *actions])
        return left

    def put_back(self, batch: Batch, left: Sequence[Segment]) -> None:
        items = [batch_item(batch), *(segment_item(batch.load, each) for each in left)]
        self._requests.transact_or_lose(
            [self._requests.put(self._names.batches, each, "attribute_not_exists(#load)") for each in items]
        )
