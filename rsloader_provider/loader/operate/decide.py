"""What a person found out about an undecided target."""

from dataclasses import replace

from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.transitions import decide
from rsloader_provider.loader.ports.ledger import Ledger, LostRaceError
from rsloader_provider.loader.races import until_won


def decide_by_person(ledger: Ledger, load: str, batch_id: str, target: str, *, loaded: bool) -> Batch:
    """Record what a person found out about an undecided target.

    Args:
        ledger: The ledger.
        load: Name of the load.
        batch_id: The batch.
        target: The target's name.
        loaded: Whether the rows are in the table; if not, the next run loads them.

    Returns:
        The batch as it is now.

    Raises:
        UnknownBatchError: No such batch, or no such target in it.
        NothingToDecideError: There is nothing to decide, or another person has decided it.
        ContentionError: Others wrote to it over and over; call again.
    """

    def write() -> Batch:
        batch = ledger.get(load, batch_id)
        decided = decide(batch, target, loaded=loaded)
        try:
            return ledger.replace(batch, decided)
        except LostRaceError:
            now = ledger.get(load, batch_id)
            if now == replace(decided, version=batch.version + 1):
                return now  # it was written, and the answer lost
            raise

    return until_won(f"batch {batch_id} of load {load}", write)
