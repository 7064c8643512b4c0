"""Rows that COPY skipped, as MAXERROR lets it: how many, and the first of them, so that somebody hears of it.

They are read after COMMIT: whether the views show them inside of the open transaction is documented nowhere. The views
fill up by and by, so that they are asked again for a minute.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rsloader_provider.core.errors import RowError, RsloaderError
from rsloader_provider.core.ledger.batch import SkippedRows
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.rows import SkippedRow
from rsloader_provider.loader.ports.warehouse import Session
from rsloader_provider.loader.run.copy_errors import ROW_ERRORS_SHOWN

log = logger_of(__name__)

_WAITS_SECONDS = (1, 2, 4, 8, 15, 30)


@dataclass(frozen=True, slots=True)
class Skipped:
    """What Redshift tells of the rows that a COPY skipped.

    Attributes:
        number: How many.
        first: The first of them; may be empty.
    """

    number: SkippedRows
    first: tuple[RowError, ...]

    def lines(self) -> Iterator[str]:
        """Give them as lines of a log."""
        yield f"COPY skipped {self.number}"
        yield from (f"skipped {row}" for row in self.first)


def read_skipped(session: Session, query_id: int, sleep: Callable[[float], None]) -> Skipped | None:
    """Ask which rows a COPY skipped; None if it skipped none.

    Its rows are in the table whatever this finds, so it never fails: what cannot be read is "at least 0".

    Args:
        session: A session of the user whose COPY it was, in no transaction.
        query_id: Redshift's id of the COPY.
        sleep: Waits so many seconds; called for a minute at most.
    """
    found = [SkippedRow(None, 0, None)]
    for wait in (*_WAITS_SECONDS, 0):
        try:
            found = session.execute(sql.FindSkippedRows(query_id, ROW_ERRORS_SHOWN))
        except RsloaderError as error:
            log.warning("how many rows COPY query %d skipped cannot be read: %s", query_id, error)
            break
        if found[0].counted == 0:
            return None
        if found[0].counted is not None and found[0].shown:
            break
        sleep(wait)
    counted, shown = found[0].counted, found[0].shown
    number = SkippedRows(max(counted or 0, shown), is_exact=counted is not None)
    return Skipped(number, tuple(row.error for row in found if row.error is not None))
