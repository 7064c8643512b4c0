"""The part of the ledger that gives a load another name, and keeps what people say of loads with one source."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.claims import Claim
from rsloader_provider.core.ledger.renaming import Accepted, Renaming


class Renames(Protocol):
    """What is kept under the old name goes over to the new one step by step; every step may be taken again.

    While a renaming is under way, `open_batch` of either load raises RenamedLoadError. Each step is taken only as long
    as it is under way; otherwise LostRaceError is raised, and nothing was written.
    """

    def renaming(self, load: str) -> Renaming | None:
        """Give the renaming that is under way of a load, by its old or its new name."""
        ...

    def claims_of_now(self, load: str) -> Iterator[Claim]:
        """Give all claims of a load. Sees every earlier write, unlike `claims`, and costs twice as much."""
        ...

    def begin_renaming(self, renaming: Renaming) -> None:
        """Record that it is under way. The new load leaves alone what the old one has, unless it has its own record.

        Raises:
            LostRaceError: One of the two loads has no open batch, or is in a renaming already.
        """
        ...

    def retire(self, renaming: Renaming, batch: Batch) -> None:
        """Drop the open batch of the old load, in whose place no other is opened.

        Raises:
            LostRaceError: It is not empty, or no longer open.
        """
        ...

    def take_claims(self, renaming: Renaming, claims: Sequence[Claim]) -> None:
        """Claim objects for the new load as they are claimed for the old one, which keeps its claims.

        Args:
            renaming: The renaming.
            claims: At most RENAMED_ITEMS of the old load.

        Raises:
            AlreadyClaimedError: The new load has claimed some of the objects for other batches.
        """
        ...

    def hand_over(self, renaming: Renaming, batch: Batch) -> None:
        """Give a batch that is not open to the new load, under its id.

        Interrupted, it leaves the batch with the old load, or gives it to the new one and leaves segments behind.

        Args:
            renaming: The renaming.
            batch: The batch as it was read, before its segments.

        Raises:
            LostRaceError: Somebody wrote to it, or the new load has a batch of its id.
        """
        ...

    def hand_over_deletions(self, renaming: Renaming) -> None:
        """Give the notes of deleted batches to the new load."""
        ...

    def drop_claims(self, renaming: Renaming, claims: Sequence[Claim]) -> None:
        """Drop claims of the old load.

        Args:
            renaming: The renaming.
            claims: At most RENAMED_ITEMS.
        """
        ...

    def end_renaming(self, renaming: Renaming) -> None:
        """Record that it has come to its end: what is left under the old name is dropped, and the new load works."""
        ...

    def accepted(self, load: str) -> Mapping[str, Accepted]:
        """Give the other loads of which a person has said that this one may load what they have loaded, by name."""
        ...

    def accept(self, load: str, other: str, accepted: Accepted) -> None:
        """Record what a person says. The load has an open batch. What was said before stays.

        Raises:
            LostRaceError: Somebody else said something at the same moment.
        """
        ...


RENAMED_ITEMS = 99
"""Claims in one step: DynamoDB's transactions take 100 items, and one tells that the renaming is under way."""
