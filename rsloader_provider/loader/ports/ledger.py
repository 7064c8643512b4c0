"""The ledger: which objects are claimed, by which batch, and how far each batch is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from rsloader_provider.core.batch import Batch
from rsloader_provider.core.config import BatchLimits
from rsloader_provider.core.manifest import Entry
from rsloader_provider.core.objects import S3Object


@dataclass(frozen=True, slots=True)
class Claim:
    """An object's place in exactly one batch.

    Attributes:
        load: Name of the load.
        name: Bucket and key, `bucket/key`.
        batch: The batch that has it.
        size_bytes: Its size when it was claimed.
        etag: Its ETag then.
        last_modified: When it had been written (aware, UTC).
        claimed_at: When it was claimed (aware, UTC).
    """

    load: str
    name: str
    batch: str
    size_bytes: int
    etag: str
    last_modified: datetime
    claimed_at: datetime


class LostRaceError(Exception):
    """Somebody else wrote first; nothing was written. The caller reads again and decides anew."""


class AlreadyClaimedError(Exception):
    """Some of the objects have their place already; nothing was written.

    Attributes:
        names: The names of those objects.
    """

    def __init__(self, names: frozenset[str]):
        super().__init__(f"{len(names)} objects are claimed already")
        self.names = names


class Ledger(Protocol):
    """Claims and batches of all loads.

    Every method that writes does so in one step, all or nothing, on a condition; the loser is told.
    Reads see every earlier write, but for `claimed_keys` and `unfinished`, which may lag by a moment.

    Raises, all of them:
        NotSetUpError: The tables are not there.
        AccessDeniedError, TransientError: As their names say.
    """

    def open_batch(self, load: str, now: datetime) -> Batch:
        """Give the load's open batch; the first call for a load opens its first."""
        ...

    def claim(self, batch: Batch, objects: Sequence[S3Object], limits: BatchLimits, now: datetime) -> Batch:
        """Put objects into the open batch: each claimed, all of them in the batch, or nothing at all.

        Args:
            batch: The open batch as the caller knows it; others may have added to it since.
            objects: At most CLAIM_OBJECTS of one load, no object twice, few enough for `count_fitting`.
            limits: The batch never grows beyond them, whoever else adds to it.
            now: The moment of claiming (aware, UTC).

        Returns:
            The batch with the objects added to what the caller knew.

        Raises:
            AlreadyClaimedError: Drop the named objects and offer the rest again.
            LostRaceError: The batch is no longer open, or has no room for all of them.
        """
        ...

    def lock(
        self, batch: Batch, *, reason: str, run: str, targets: Mapping[str, Mapping[str, Any]], now: datetime
    ) -> tuple[Batch, Batch]:
        """Lock the open batch and open the next in the same step.

        Args:
            batch: The open batch; it is locked only if its files and bytes are still these.
            reason: The limit that was reached.
            run: The DAG run that has to load it.
            targets: The targets that the batch carries from now on: their settings by name.
            now: The moment of locking (aware, UTC).

        Returns:
            The locked batch and the new open one.

        Raises:
            LostRaceError: Somebody locked it or added to it.
        """
        ...

    def mark(
        self,
        load: str,
        objects: Sequence[S3Object],
        *,
        reason: str,
        run: str,
        now: datetime,
        into: Batch | None = None,
    ) -> Batch:
        """Mark objects as loaded: claim them for a batch that is complete and has no targets, or do nothing at all.

        No run ever loads such a batch, and no load history has it.

        Args:
            load: Name of the load.
            objects: At most CLAIM_OBJECTS of the load, no object twice.
            reason: `core.batch.MARKED` or `IMPORTED`.
            run: Who asked.
            now: The moment of marking (aware, UTC).
            into: The batch of an earlier call with the same reason and run, which takes these too; None for a new one.

        Returns:
            The batch with the objects added to what the caller knew.

        Raises:
            AlreadyClaimedError: Drop the named objects and offer the rest again.
            LostRaceError: `into` is no longer what it was; offer them for a new one.
        """
        ...

    def replace(self, before: Batch, after: Batch) -> Batch:
        """Write a change of a locked, complete or failed batch.

        Args:
            before: The batch as it was read.
            after: What becomes of it, made by a function of `core.batch`.

        Returns:
            `after` with its new version.

        Raises:
            LostRaceError: Its version is no longer the one that was read.
        """
        ...

    def get(self, load: str, batch: str) -> Batch:
        """Give one batch.

        Raises:
            UnknownBatchError: There is none of this id.
        """
        ...

    def entries(self, batch: Batch) -> list[Entry]:
        """Give the objects of a batch. Complete only once the batch is locked."""
        ...

    def unfinished(self, load: str) -> Iterator[str]:
        """Give the ids of locked batches that some target still has to load, oldest first."""
        ...

    def batches(self, load: str) -> Iterator[Batch]:
        """Give all batches of a load, newest first."""
        ...

    def claimed_keys(self, load: str, prefix: str) -> Iterator[str]:
        """Give the ledger keys of all claims under a prefix `bucket/…`, sorted as S3 lists.

        Of a prefix that is so long that names under it are cut, also keys that are near it (see `ledger_prefix`).
        """
        ...

    def claims(self, load: str, prefix: str) -> Iterator[Claim]:
        """Give all claims of objects whose names begin with a prefix `bucket/…`, of any length."""
        ...

    def find_claim(self, load: str, name: str) -> Claim | None:
        """Give the claim of one object, or None."""
        ...


CLAIM_OBJECTS = 98
"""Objects in one claim: DynamoDB's transactions take 100 items, and the segment and the batch are two.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""
