"""A load gets another name: what is kept under the old one is written under the new one, and then dropped.

Each transaction demands that the renaming is under way, so that a process that was stopped for long, and wakes up after
others have come to its end, writes nothing any more.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from rsloader_provider.aws.dynamodb.batch_states import BatchStates
from rsloader_provider.aws.dynamodb.beside import accepted_from, accepted_map, renaming_from, renaming_map
from rsloader_provider.aws.dynamodb.items import (
    CURRENT,
    DELETED,
    SEGMENTS,
    Item,
    batch_item,
    claim_from,
    item_of_claim,
    segment_prefix,
)
from rsloader_provider.aws.dynamodb.requests import PAGE_SEGMENTS, LedgerRequests
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.claims import Claim
from rsloader_provider.core.ledger.renaming import Accepted, Renaming
from rsloader_provider.loader.ports.ledger import AlreadyClaimedError, LostRaceError
from rsloader_provider.loader.ports.renames import RENAMED_ITEMS

_IS_NEW = "attribute_not_exists(#load)"


class RenamingLoads:
    """Writes what a renaming needs, and what people say of loads with one source."""

    def __init__(self, requests: LedgerRequests, states: BatchStates):
        self._requests = requests
        self._names = requests.names
        self._states = states

    def renaming(self, load: str) -> Renaming | None:
        current = self._requests.get_row(load, CURRENT)
        return None if current is None else renaming_from(current)

    def claims_of_now(self, load: str) -> Iterator[Claim]:
        found = self._requests.query(self._names.files, "#load = :load", {":load": load}, ConsistentRead=True)
        return map(claim_from, found)

    def begin(self, renaming: Renaming) -> None:
        under_way = {":renaming": renaming_map(renaming)}
        free = "attribute_exists(#load) AND attribute_not_exists(#renaming)"
        change, values = "SET #renaming = :renaming", {**under_way}
        old = self._requests.get_row(renaming.old, CURRENT) or {}
        for name in ("left_alone", "accepted"):
            if name in old:
                change += f", #{name} = if_not_exists(#{name}, :{name})"
                values[f":{name}"] = old[name]
        self._requests.transact_or_lose(
            [
                self._requests.update(renaming.old, CURRENT, "SET #renaming = :renaming", free, under_way),
                self._requests.update(renaming.new, CURRENT, change, free, values),
            ]
        )

    def retire(self, renaming: Renaming, batch: Batch) -> None:
        empty, values = "#status = :open AND #files = :none", {":open": BatchStatus.OPEN, ":none": 0}
        self._transact(renaming, [self._requests.delete(self._names.batches, renaming.old, batch.batch, empty, values)])

    def take_claims(self, renaming: Renaming, claims: Sequence[Claim]) -> None:
        actions = [
            self._requests.put(
                self._names.files, {**item_of_claim(each), "load": renaming.new},
                f"{_IS_NEW} OR #batch = :batch", {":batch": each.batch},
            )
            for each in claims
        ]  # fmt: skip
        failed = self._requests.transact([*actions, self._is_under_way(renaming)])
        if taken := frozenset(each.name for place, each in enumerate(claims) if place in failed):
            raise AlreadyClaimedError(taken)
        if failed:
            raise LostRaceError

    def hand_over(self, renaming: Renaming, batch: Batch) -> None:
        old, new = renaming.old, renaming.new
        # A batch of marked objects may grow without another version.
        unchanged = "#version = :version AND #status = :status AND #files = :files"
        values = {":version": batch.version, ":status": batch.status, ":files": batch.files}
        segments = [*self._requests.query_rows(old, segment_prefix(batch.batch))]
        kept = {each["batch"] for each in segments}
        written = self._requests.query_rows(new, segment_prefix(batch.batch), projection="#batch")
        stale = [each["batch"] for each in written if each["batch"] not in kept]
        is_here = self._requests.update(old, batch.batch, "SET #version = :version", unchanged, values)
        copied = [*(self._gone(new, key) for key in stale), *(self._written(new, each) for each in segments)]
        for page in _pages(copied, PAGE_SEGMENTS):
            self._transact(renaming, [*page, is_here])
        self._transact(
            renaming,
            [
                self._requests.put(self._names.batches, {**batch_item(batch), "load": new}, _IS_NEW),
                self._requests.delete(self._names.batches, old, batch.batch, unchanged, values),
            ],
        )
        self._drop_rows(renaming, kept)

    def hand_over_deletions(self, renaming: Renaming) -> None:
        for note in self._requests.query_rows(renaming.old, DELETED):
            self._transact(
                renaming,
                [
                    self._written(renaming.new, note),
                    self._requests.delete(
                        self._names.batches, renaming.old, note["batch"], "#changes = :changes",
                        {":changes": note["changes"]},
                    ),
                ],
            )  # fmt: skip

    def drop_claims(self, renaming: Renaming, claims: Sequence[Claim]) -> None:
        self._transact(
            renaming,
            [
                self._requests.delete(
                    self._names.files, renaming.old, each.name, f"{_IS_NEW} OR #batch = :batch", {":batch": each.batch}
                )
                for each in claims
            ],
        )

    def end(self, renaming: Renaming) -> None:
        left = self._requests.query_rows(renaming.old, SEGMENTS, projection="#batch")
        self._drop_rows(renaming, [each["batch"] for each in left])
        same, values = "#renaming = :renaming", {":renaming": renaming_map(renaming)}
        self._requests.transact_or_lose(
            [
                self._requests.delete(self._names.batches, renaming.old, CURRENT, same, values),
                self._requests.update(renaming.new, CURRENT, "REMOVE #renaming", same, values),
            ]
        )

    def accepted(self, load: str) -> Mapping[str, Accepted]:
        current = self._requests.get_row(load, CURRENT)
        return {} if current is None else accepted_from(current)

    def accept(self, load: str, other: str, accepted: Accepted) -> None:
        before = self.accepted(load)
        after = accepted_map({**before, other: accepted})
        self._states.record(load, "accepted", accepted_map(before) if before else None, after)

    def _drop_rows(self, renaming: Renaming, keys: Iterable[str]) -> None:
        for page in _pages((self._gone(renaming.old, key) for key in keys), RENAMED_ITEMS):
            self._transact(renaming, page)

    def _gone(self, load: str, key: str) -> Item:
        return {"Delete": {"TableName": self._names.batches, "Key": {"load": load, "batch": key}}}

    def _written(self, load: str, item: Item) -> Item:
        return {"Put": {"TableName": self._names.batches, "Item": {**item, "load": load}}}

    def _transact(self, renaming: Renaming, actions: Sequence[Item]) -> None:
        self._requests.transact_or_lose([*actions, self._is_under_way(renaming)])

    def _is_under_way(self, renaming: Renaming) -> Item:
        # Writes what is there, because a check alone would need a permission of its own.
        same, values = "#renaming = :renaming", {":renaming": renaming_map(renaming)}
        return self._requests.update(renaming.old, CURRENT, f"SET {same}", same, values)


def _pages(actions: Iterable[Item], size: int) -> Iterator[list[Item]]:
    stream = iter(actions)
    while page := [*islice(stream, size)]:
        yield page
