"""What DynamoDB records of a batch's loads, beside the rows of the load histories."""

from collections.abc import Mapping

from rsloader_provider.core.audit import Names, mended, missing_in_history
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.transitions import settle
from rsloader_provider.core.redshift.rows import HistoryRow
from rsloader_provider.loader.audit.batch_findings import BACKUP, REPAIR, BatchFindings
from rsloader_provider.loader.ports.inventory import StoredBatch


def contradicts(batch: Batch, rows: Mapping[str, list[HistoryRow]], names: Names) -> bool:
    """Tell whether a batch that is not open records other loads than the histories."""
    return batch.status is not BatchStatus.OPEN and mended(batch, rows, names, notify=False) != batch


def compare_history(batch: Batch, rows: Mapping[str, list[HistoryRow]], names: Names, found: BatchFindings) -> None:
    """Look for loads of other objects, and for loads that no history has."""
    for name, each in rows.items():
        if other := [row.files for row in each if not names.may_be_of(row)]:
            number = f"{other[0]} objects, " + (f"not {batch.files}" if other[0] != batch.files else "as many others")
            found.add(batch.batch, f"{name}: the history says that it was loaded with {number}.", remedy=BACKUP)
    for name in missing_in_history(batch, rows):
        text = f"{name}: recorded as loaded, generation {batch.targets[name].generation}, but not in the history."
        found.add(batch.batch, text, remedy=f"Clear load_batch of run {batch.run} in Airflow if its rows are gone.")


def compare_record(
    batch: Batch,
    rows: Mapping[str, list[HistoryRow]],
    names: Names,
    stored: StoredBatch | None,
    found: BatchFindings,
) -> None:
    """Look for what contradicts the rest of the record; all of it can be repaired.

    Args:
        batch: The batch as it was read last, not open.
        rows: Its history rows by target.
        names: Its objects.
        stored: Its item as the walk met it.
        found: Gets what is wrong.
    """
    should = mended(batch, rows, names, notify=False)
    for name, progress in batch.targets.items():
        other_progress = should.targets[name]
        if progress.state is not other_progress.state:
            text = f"{name}: recorded as {progress.state}, but its generation {progress.generation} is in the history."
            found.add(batch.batch, text, remedy=REPAIR, is_mendable=True)
        elif progress != other_progress:
            text = f"{name}: it is loaded, but still records session {progress.session}."
            found.add(batch.batch, text, remedy=REPAIR, is_mendable=True)
    if settle(batch).status is not batch.status:
        text = f"its status is {batch.status}, but its targets say {settle(batch).status}."
        found.add(batch.batch, text, remedy=REPAIR, is_mendable=True)
    if stored is not None and batch == stored.batch and not stored.is_indexed_right:
        text = "the index of batches that need attention does not show it as it is."
        found.add(batch.batch, text, remedy=REPAIR, is_mendable=True)
