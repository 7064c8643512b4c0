"""How an attempt writes to its batch while others write there too, and whether its COMMIT was under way."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.ports.steps import Step, Steps
from rsloader_provider.loader.races import until_won
from rsloader_provider.loader.services import Services


class Watched:
    """Steps of which is known whether COMMIT was among them: from then on only Redshift knows how it went.

    Args:
        steps: Hears of each.
    """

    def __init__(self, steps: Steps):
        self._steps = steps
        self.may_have_committed = False

    def taking(self, step: Step, subject: object) -> AbstractContextManager[None]:
        """Surround a step."""
        self.may_have_committed |= step is Step.COMMIT
        return self._steps.taking(step, subject)


def write_change(
    services: Services, record: AttemptRecord, change: Callable[[AttemptRecord], AttemptRecord]
) -> AttemptRecord:
    """Write a change of the record, and try again while other targets of the same batch write theirs.

    The progress in the ledger shows whether a race was lost or only the answer to a write: it holds the attempt's
    number, and only the attempt itself writes under that.

    Returns:
        The attempt with the batch as this write made it, not as it is now: if another target has completed it since,
        that one notifies, and this one would notify a second time.

    Raises:
        AttemptLostError: A newer attempt took its place.
        ContentionError: Others wrote to the batch over and over.
    """
    known = record

    def write() -> AttemptRecord:
        nonlocal known
        wanted = change(known)
        try:
            return wanted.within(services.ledger.replace(known.batch, wanted.batch))
        except LostRaceError:
            now = known.within(services.ledger.get(record.batch.load, record.batch.batch))
            if now.progress != wanted.progress:
                known = now
                raise
            return wanted.within(replace(wanted.batch, version=known.batch.version + 1))

    return until_won(record.batch, write)
