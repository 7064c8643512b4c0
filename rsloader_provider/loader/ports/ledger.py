"""The ledger: which objects are claimed, by which batch, and how far each batch is."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.boundary import LeftAlone
from rsloader_provider.core.ledger.claims import Claim, DeletedBatch, Place, Segment
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.loader.ports.renames import Renames


class LostRaceError(Exception):
    """Another writer was first; nothing was written. The caller reads again and decides again."""


class AlreadyClaimedError(Exception):
    """Some of the objects have their place already; nothing was written.

    Attributes:
        names: The names of those objects.
    """

    def __init__(self, names: frozenset[str]):
        super().__init__(f"{len(names)} objects are claimed already")
        self.names = names


class Ledger(Renames, Protocol):
    """Claims and batches of all loads.

    Every method that writes does so in one step, all or nothing, on a condition; the loser gets an error.
    Reads see every earlier write, but for `claimed_keys`, `claims`, `unfinished` and `failed`. Those may lag by a
    moment, and show a later write before an earlier one.

    Raises, all of them:
        NotSetUpError: The tables are not there.
        AccessDeniedError, TransientError: As their names say.
    """

    def open_batch(self, load: str, now: datetime) -> Batch:
        """Give the load's open batch, with what stands beside it; the first call for a load opens its first."""
        ...

    def left_alone(self, load: str) -> LeftAlone | None:
        """Give what the load left alone when it last looked; None if that was never recorded."""
        ...

    def leave_alone(self, load: str, before: LeftAlone | None, after: LeftAlone) -> None:
        """Record what the load leaves alone. It has an open batch.

        Args:
            load: Name of the load.
            before: What is recorded, as it was read.
            after: What is to be recorded.

        Raises:
            LostRaceError: Somebody recorded something else since.
        """
        ...

    def variables(self, load: str) -> Mapping[str, str] | None:
        """Give the digests of the variables in the load file, by name, at the load's last run; None for none ever."""
        ...

    def record_variables(self, load: str, before: Mapping[str, str] | None, after: Mapping[str, str]) -> None:
        """Record the digests of the variables in the load file. The load has an open batch.

        Args:
            load: Name of the load.
            before: What is recorded, as it was read.
            after: What is to be recorded.

        Raises:
            LostRaceError: Somebody recorded something else since.
        """
        ...

    def claim(self, batch: Batch, objects: Sequence[S3Object], limits: BatchLimits, now: datetime) -> Batch:
        """Put objects into the open batch: each claimed, all of them in the batch, or nothing at all.

        Args:
            batch: The open batch as the caller knows it; others may have added to it since.
            objects: At most CLAIM_OBJECTS of one load, no object twice, few enough for `count_fitting`.
            limits: The batch never grows beyond them, even if others add to it too.
            now: The moment of claiming (aware, UTC).

        Returns:
            The batch with the objects added to what the caller knew.

        Raises:
            AlreadyClaimedError: Drop the named objects and offer the rest again.
            LostRaceError: The batch is no longer open, or has no room for all of them.
            CorruptLedgerError: The batch has a segment of objects that have no claim.
        """
        ...

    def lock(
        self,
        batch: Batch,
        *,
        reason: str,
        run: str,
        targets: Mapping[str, Mapping[str, Any]],
        now: datetime,
        left_alone: LeftAlone | None = None,
    ) -> tuple[Batch, Batch]:
        """Lock the open batch and open the next in the same step.

        Args:
            batch: The open batch; it is locked only if its files and bytes are still these.
            reason: The limit that was reached.
            run: The DAG run that has to load it.
            targets: The targets that the batch carries from now on: their settings by name.
            now: The moment of locking (aware, UTC).
            left_alone: What the load leaves alone, recorded in the same step if nothing is yet; None to leave it.

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

    def fill(self, place: Place, objects: Sequence[S3Object]) -> Batch:
        """Correct the claims of objects that were empty when they were claimed, and loaded with what they hold now.

        Args:
            place: Where they are; the batch is not open.
            objects: Of the segment's, those that are empty there, as they were loaded.

        Returns:
            The batch with their sizes.

        Raises:
            LostRaceError: Somebody wrote to the batch, or an object is not claimed for it.
        """
        ...

    def leave_out(self, place: Place, names: Sequence[str], now: datetime) -> Batch:
        """Leave objects out of their batch; they stay claimed for it, and no run claims or loads them.

        Args:
            place: Where they are; the batch is not open.
            names: At most TAKEN_OBJECTS of the segment's.
            now: The moment (aware, UTC).

        Returns:
            The batch without them.

        Raises:
            LostRaceError: Somebody wrote to the batch, or an object is not claimed for it.
            OperationRefusedError: The batch is being loaded.
        """
        ...

    def forget(self, load: str, names: Sequence[str], batch: str, place: Place | None) -> Batch | None:
        """Drop the claims of objects, and take the objects out of their batch.

        Args:
            load: Name of the load.
            names: At most TAKEN_OBJECTS, all claimed for the batch.
            batch: The id of that batch.
            place: Where they are; None if they are in no segment, because they were left out or the batch was deleted.

        Returns:
            The batch without them; None without a place.

        Raises:
            LostRaceError: Somebody wrote to the batch, or an object is not claimed for it.
            OperationRefusedError: The batch is being loaded.
        """
        ...

    def move(
        self,
        objects: Sequence[S3Object],
        batch: str,
        place: Place | None,
        into: Batch,
        limits: BatchLimits,
        now: datetime,
    ) -> tuple[Batch | None, Batch]:
        """Move objects from their batch into the open one, in one step.

        Args:
            objects: At most TAKEN_OBJECTS, all claimed for the batch, as S3 shows them now.
            batch: The id of that batch.
            place: As for `forget`.
            into: The open batch as the caller knows it.
            limits: As for `claim`.
            now: The moment (aware, UTC).

        Returns:
            The batch without them, None without a place; and the open batch with them.

        Raises:
            LostRaceError: Somebody wrote to the batch, an object is not claimed for it, or the open batch is no longer
                open or has no room for all of them.
            OperationRefusedError: The batch is being loaded.
        """
        ...

    def delete(self, deleted: DeletedBatch, now: datetime) -> None:
        """Delete a complete batch. The claims of its objects stay, and the ledger keeps that it was deleted.

        Interrupted, it leaves the batch as it was, or deleted with segments that `sweep` removes.

        Args:
            deleted: The batch as it was read, and then all of its segments.
            now: The moment (aware, UTC).

        Raises:
            LostRaceError: Somebody wrote to the batch or deleted it.
        """
        ...

    def sweep(self, load: str) -> int:
        """Remove the segments that interrupted deletions left.

        Returns:
            How many there were.
        """
        ...

    def restore(self, deleted: DeletedBatch) -> Batch:
        """Put a deleted batch back, without the objects that have been claimed for other batches since or forgotten.

        Interrupted, it leaves the batch deleted.

        Returns:
            The batch as it is now.

        Raises:
            LostRaceError: It is not deleted, or another writer took objects out of it at the same moment.
        """
        ...

    def drop(self, batch: Batch, now: datetime) -> None:
        """Drop a batch that is empty, with its segments; in the place of the open one another is opened.

        Raises:
            LostRaceError: Somebody wrote to it, or it is not empty.
        """
        ...

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
        """Claim objects for a batch that the ledger has lost, with a segment of them; `put_back` writes the batch.

        Args:
            objects: At most TAKEN_OBJECTS of one load, no object twice, all of them claimed for `batch`.
            batch: The id of the batch that they are claimed for, which may be the lost one; None if for none.
            place: As for `forget`, if that is another batch.
            into: The lost batch.
            now: The moment (aware, UTC).
            left_out: Whether they are claimed as left out of it, and get no segment.

        Returns:
            The batch without them; None without a place.

        Raises:
            LostRaceError: Somebody wrote to the batch, or an object is claimed otherwise.
            OperationRefusedError: The batch is being loaded.
        """
        ...

    def put_back(self, batch: Batch, left: Sequence[Segment]) -> None:
        """Write a batch that the ledger has lost; the segments of the objects that are in it are there.

        Args:
            batch: The batch.
            left: Segments of objects that have left it; at most 50.

        Raises:
            LostRaceError: It is there.
        """
        ...

    def deleted(self, load: str) -> Iterator[str]:
        """Give the ids of the batches that a person deleted, oldest first."""
        ...

    def get(self, load: str, batch: str) -> Batch:
        """Give one batch.

        Raises:
            UnknownBatchError: There is none of this id.
            DeletedBatchError: A person deleted it.
        """
        ...

    def entries(self, batch: Batch) -> list[Entry]:
        """Give the objects of a batch. Complete only once the batch is locked."""
        ...

    def segments(self, batch: Batch) -> list[Segment]:
        """Give the segments of a batch, those of objects that were taken out too. Complete only once it is locked."""
        ...

    def unfinished(self, load: str) -> Iterator[str]:
        """Give the ids of locked batches that some target still has to load, oldest first."""
        ...

    def failed(self, load: str) -> Iterator[str]:
        """Give the ids of batches that some target failed on and no target waits for, oldest first."""
        ...

    def batches(self, load: str) -> Iterator[Batch]:
        """Give all batches of a load, newest first."""
        ...

    def claimed_keys(self, load: str, prefix: str) -> Iterator[str]:
        """Give the ledger keys of all claims under a prefix `bucket/…`, sorted as S3 lists.

        If a prefix is so long that names under it are cut, keys that are near it are given too (see `ledger_prefix`).
        """
        ...

    def claims(self, load: str, prefix: str) -> Iterator[Claim]:
        """Give all claims of objects whose names begin with a prefix `bucket/…`, of any length."""
        ...

    def find_claim(self, load: str, name: str) -> Claim | None:
        """Give the claim of one object, or None."""
        ...

    def find_claims(self, load: str, names: Sequence[str]) -> dict[str, Claim]:
        """Give the claims of objects by name, page by page; those that have none are missing."""
        ...


TAKEN_OBJECTS = 95
"""Objects that leave their batch in one step. Besides them there are the batch and its segment, which may have to be
put under another key; if they move, the open batch and its new segment.
"""

CLAIM_OBJECTS = 98
"""Objects in one claim: DynamoDB's transactions take 100 items, and the segment and the batch are two.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""
