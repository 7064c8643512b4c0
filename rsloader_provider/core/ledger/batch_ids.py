"""Ids of batches: ULIDs, so that batches sort by the time they were opened."""

from collections.abc import Callable
from datetime import datetime, timedelta

from ulid import ULID

_LAST_YEAR = 9998
"""Python's times end with the year 9999, a ULID's later."""


def batch_time(batch_id: str) -> datetime:
    """Give the moment at which a batch was opened, as its id holds it (aware, UTC).

    The moment can lie in the future: a clock may have been wrong, or a person may have made up the id.

    Raises:
        ValueError: It is not a batch id, or no later id could follow it.
    """
    opened = ULID.from_str(batch_id).datetime
    if opened.year > _LAST_YEAR:
        raise ValueError(f"batch id {batch_id!r} is of the year {opened.year}")
    return opened


def next_batch_id(now: datetime, previous: str | None, randomness: Callable[[int], bytes]) -> str:
    """Make the id of a new batch. It sorts after the previous batch, whatever the clocks say.

    Args:
        now: The moment of opening (aware, UTC).
        previous: The id of the batch that it follows; None for a load's first.
        randomness: Gives as many random bytes as it is asked for.
    """
    if previous is not None:
        now = max(now, batch_time(previous) + timedelta(milliseconds=1))
    milliseconds = int(now.timestamp() * 1000)
    return str(ULID.from_bytes(milliseconds.to_bytes(6) + randomness(10)))
