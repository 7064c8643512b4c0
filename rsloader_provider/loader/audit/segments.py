"""The objects of a batch's segments beside its counts, and beside those that are claimed for it."""

from collections.abc import Iterable, Mapping

from rsloader_provider.core.errors import CorruptLedgerError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.loader.audit.batch_findings import BACKUP, BatchFindings
from rsloader_provider.loader.audit.groups import Group
from rsloader_provider.loader.ports.ledger import Ledger

_SUM = 2**64

Fingerprint = tuple[int, int]
"""How many names, and the sum of their hashes: two sets of names that differ in it differ."""


def fingerprint(names: Iterable[str], start: Fingerprint = (0, 0)) -> Fingerprint:
    """Add names to a fingerprint. It holds within one process."""
    count, total = start
    for name in names:
        count, total = count + 1, (total + hash(name)) % _SUM
    return count, total


def compare_counts(batch: Batch, group: Group, found: BatchFindings) -> None:
    """Compare how many objects a batch counts and its segments hold."""
    held = len(group.entries)
    # Objects may be marked while the two are read, and no load begins with a marked batch anyway.
    if held < batch.files or (held > batch.files and not batch.is_marked):
        text = f"it counts {batch.files} objects, but its segments hold {held}. No run loads it like this."
        found.add(batch.batch, text, remedy=BACKUP)


def compare_claims(
    batch: Batch,
    names: frozenset[str],
    claimed: Mapping[str, Fingerprint],
    ledger: Ledger,
    found: BatchFindings,
    *,
    is_loaded: bool,
) -> frozenset[str] | None:
    """Compare the objects of a batch's segments with those that are claimed for it.

    Args:
        batch: The batch.
        names: The objects of its segments.
        claimed: The fingerprint of the names that are claimed for each batch.
        ledger: Asked for single claims where the two differ.
        found: Gets what is wrong.
        is_loaded: Whether a history has the batch.

    Returns:
        The objects of the segments where they differ; None where they do not.
    """
    # While the batch is open both grow, between the two readings as well.
    if batch.status is BatchStatus.OPEN or fingerprint(names) == claimed.get(batch.batch, (0, 0)):
        return None
    for name in sorted(names):
        try:
            claim = ledger.find_claim(batch.load, name)
        except CorruptLedgerError:
            continue  # the walk over the claims names it
        if claim is not None and claim.batch == batch.batch:
            continue
        if is_loaded:
            found.note_copied(name, batch.batch)
        else:
            where = "no claim" if claim is None else f"a claim of batch {claim.batch}"
            found.add(batch.batch, f"its segments hold s3://{name}, which has {where}.", remedy=BACKUP)
    # A batch of marked objects grows as an open one does.
    return None if batch.is_marked else names
