"""The part of the ledger in memory that gives a load another name."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.boundary import LeftAlone
from rsloader_provider.core.ledger.claims import Claim, Segment
from rsloader_provider.core.ledger.objects import ledger_key
from rsloader_provider.core.ledger.renaming import Accepted, Renaming
from rsloader_provider.loader.ports.ledger import AlreadyClaimedError, LostRaceError
from support.fakes.lagging import LaggingItems


class MemoryRenames:
    _lock: threading.Lock
    _claims: LaggingItems[tuple[str, str], Claim]
    _batches: LaggingItems[tuple[str, str], Batch]
    _current: dict[str, str]
    _left_alone: dict[str, LeftAlone]
    _segments: dict[tuple[str, str], list[Segment]]
    _deleted: set[tuple[str, str]]

    def __init__(self) -> None:
        self._renamings: dict[str, Renaming] = {}
        self._accepted: dict[str, Mapping[str, Accepted]] = {}

    def renaming(self, load: str) -> Renaming | None:
        with self._lock:
            return self._renamings.get(load)

    def claims_of_now(self, load: str) -> Iterator[Claim]:
        with self._lock:
            return iter([claim for (owner, _), claim in sorted(self._claims.items()) if owner == load])

    def begin_renaming(self, renaming: Renaming) -> None:
        with self._lock:
            for load in (renaming.old, renaming.new):
                if load not in self._current or load in self._renamings:
                    raise LostRaceError
            self._renamings.update(dict.fromkeys((renaming.old, renaming.new), renaming))
            if renaming.old in self._left_alone:
                self._left_alone.setdefault(renaming.new, self._left_alone[renaming.old])
            if renaming.old in self._accepted:
                self._accepted.setdefault(renaming.new, self._accepted[renaming.old])

    def retire(self, renaming: Renaming, batch: Batch) -> None:
        with self._lock:
            self._refuse_unless_under_way(renaming)
            stored = self._batches.get((renaming.old, batch.batch))
            if stored is None or stored.files or stored.status is not BatchStatus.OPEN:
                raise LostRaceError
            del self._batches[renaming.old, batch.batch]

    def take_claims(self, renaming: Renaming, claims: Sequence[Claim]) -> None:
        with self._lock:
            self._refuse_unless_under_way(renaming)
            there = {each.name: self._claims.get((renaming.new, ledger_key(each.name))) for each in claims}
            taken = [each.name for each in claims if (claim := there[each.name]) and claim.batch != each.batch]
            if taken:
                raise AlreadyClaimedError(frozenset(taken))
            for each in claims:
                self._claims[renaming.new, ledger_key(each.name)] = replace(each, load=renaming.new)

    def hand_over(self, renaming: Renaming, batch: Batch) -> None:
        with self._lock:
            self._refuse_unless_under_way(renaming)
            old, new = (renaming.old, batch.batch), (renaming.new, batch.batch)
            if self._batches.get(old) != batch or new in self._batches:
                raise LostRaceError
            self._batches[new] = replace(batch, load=renaming.new)
            self._segments[new] = self._segments.pop(old, [])
            del self._batches[old]

    def hand_over_deletions(self, renaming: Renaming) -> None:
        with self._lock:
            self._refuse_unless_under_way(renaming)
            mine = {each for each in self._deleted if each[0] == renaming.old}
            self._deleted -= mine
            self._deleted |= {(renaming.new, batch) for _, batch in mine}

    def drop_claims(self, renaming: Renaming, claims: Sequence[Claim]) -> None:
        with self._lock:
            self._refuse_unless_under_way(renaming)
            for each in claims:
                self._claims.pop((renaming.old, ledger_key(each.name)), None)

    def end_renaming(self, renaming: Renaming) -> None:
        with self._lock:
            self._refuse_unless_under_way(renaming)
            for load in (renaming.old, renaming.new):
                del self._renamings[load]
            for each in (self._current, self._left_alone, self._accepted):
                each.pop(renaming.old, None)
            for key in [key for key in self._segments if key[0] == renaming.old]:
                del self._segments[key]

    def accepted(self, load: str) -> Mapping[str, Accepted]:
        with self._lock:
            return self._accepted.get(load, {})

    def accept(self, load: str, other: str, accepted: Accepted) -> None:
        with self._lock:
            if load not in self._current:
                raise LostRaceError
            self._accepted[load] = {**self._accepted.get(load, {}), other: accepted}

    def _refuse_unless_under_way(self, renaming: Renaming) -> None:
        if self._renamings.get(renaming.old) != renaming:
            raise LostRaceError
