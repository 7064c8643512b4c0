"""Write what others write too. Nothing is locked: each write has a condition, and the loser looks again."""

from collections.abc import Callable
from typing import TypeVar

from rsloader_provider.core.errors import ContentionError
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.ports.ledger import LostRaceError

log = logger_of(__name__)

RACES = 20

_Won = TypeVar("_Won")


def until_won(subject: object, write: Callable[[], _Won]) -> _Won:
    """Read, decide and write on a condition, until the write wins, at most RACES times.

    A lost race may be one's own: the write was carried out and its answer lost, so botocore sent it again, and the
    second one failed its own condition. So `write` must recognise its earlier write, in one of two ways: by what it
    reads when it is called once more, or by a look at the ledger before it lets LostRaceError through.

    Args:
        subject: What is written to, as messages name it.
        write: Does all three, and decides on nothing that was read before the last loss. Raises LostRaceError when it
            has written nothing, or cannot tell.

    Returns:
        What `write` gave when it did not lose.

    Raises:
        ContentionError: Others won RACES times in a row; call again.
    """
    for _ in range(RACES):
        try:
            return write()
        except LostRaceError:
            log.info("%s: another writer was faster; looking again", subject)
    raise ContentionError(f"{subject}: others wrote to it {RACES} times in a row. Try again.")
