"""What only looks: batches, files, and who holds what."""

from rsloader_provider.core.visible import visible_json
from rsloader_provider.loader.look.reports import batch_with_files
from rsloader_provider.loader.operate.holdings import holdings
from rsloader_provider.loader.operate.operations.operation import Hear, Told
from rsloader_provider.loader.ports.ledger import Ledger
from rsloader_provider.loader.services import Services


def one_batch(ledger: Ledger, load: str, batch_id: str, hear: Hear) -> Told:
    """Describe one batch, and its objects; each is heard as a line.

    Raises:
        UnknownBatchError: There is none of this id.
    """
    report = batch_with_files(ledger, load, batch_id)
    entries = report.pop("entries")
    hear(0, visible_json(report, indent=2).splitlines())
    hear(0, (f"{entry['url']} ({entry['size_bytes']:,} bytes)" for entry in entries))
    return Told((), {"batch": report, "entries": entries})


def who_holds(load: str, services: Services, batch_id: str | None, hear: Hear) -> Told:
    """Tell who holds which batch; each is heard as a line.

    Args:
        load: Name of the load.
        services: The ports and the clock.
        batch_id: One batch; None for all that wait.
        hear: Hears of each.

    Raises:
        UnknownBatchError: There is no such batch.
    """
    items = []
    for each in holdings(load, services, batch_id):
        hear(0, (f"{each.batch} into {each.target}: {each.sentence}",))
        items.append(each.report)
    sentence = (
        "Nothing needs to be unlocked: the next run takes over unfinished batches."
        if items
        else f"No run holds a batch of load {load}: no locked batch waits."
    )
    return Told((sentence,), {"count": len(items), "items": items})
