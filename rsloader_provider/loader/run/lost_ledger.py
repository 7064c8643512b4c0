"""Notices that the ledger was lost, or has another load's name: a load history knows more than DynamoDB does.

What was loaded would be claimed and loaded again. So each transaction compares the newest batch of the history, which
its look into the history gives anyway. Before the first claim of a load of which DynamoDB has nothing, the histories
are asked once; never otherwise, so that claiming goes on while Redshift cannot be reached.

A load that got another name is the same case. So where a history has nothing of a load, it is asked for other loads
with the same source, before the first claim and before the first batch.
"""

from collections.abc import Sequence

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import (
    CorruptLedgerError,
    DeletedBatchError,
    LedgerLostError,
    RenamedLoadError,
    UnknownBatchError,
)
from rsloader_provider.core.ledger.batch import BatchStatus, TargetState
from rsloader_provider.core.ledger.batch_ids import batch_time
from rsloader_provider.core.ledger.manifest import digest_of_names
from rsloader_provider.core.rebuilding import was_loaded
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.rows import HistoryAnswer, OtherLoad
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.ports.ledger import Ledger
from rsloader_provider.loader.services import Services


def ask_histories(config: LoadConfig, services: Services) -> None:
    """Compare the newest batch of each target's history with the ledger. A history that cannot be read is passed over.

    Raises:
        LedgerLostError: The ledger does not know one of them.
        RenamedLoadError: A history has none, and has batches of another load with the same source.
    """
    with Histories(config, services.warehouse) as histories:
        for name, table in histories.tables.items():
            if (answer := histories.newest(name)) is None:
                continue
            if answer.newest is not None:
                refuse_unknown(services.ledger, config.load, name, table, answer)
            elif answer.keeps_sources:
                refuse_renamed(services.ledger, config.load, table, histories.other_loads(name))


def refuse_unknown(ledger: Ledger, load: str, target: str, table: TableName, answer: HistoryAnswer) -> None:
    """Stop if the ledger does not know the newest batch of a history.

    Args:
        ledger: The ledger.
        load: Name of the load.
        target: The target's name.
        table: Its table.
        answer: What its history says.

    Raises:
        LedgerLostError: It does not, or what it has under that name was not loaded.
    """
    newest = str(answer.newest)
    if not _is_known(ledger, load, target, newest, answer.newest_digest):
        raise LedgerLostError(
            f"Nothing was loaded: the load history of {table} has batch {newest} of load {load}, and DynamoDB does not "
            "know that it was loaded. It looks as if the tables of DynamoDB had been emptied, created again or "
            "restored to an earlier moment; or another load was called so before. What was loaded before would be "
            f"loaded again. Pause the load's DAG. `rsloader rebuild-ledger {load} --dry-run` shows what can be put "
            f"back into DynamoDB, and `rsloader rebuild-ledger {load}` puts it back."
        )


def refuse_renamed(ledger: Ledger, load: str, table: TableName, others: Sequence[OtherLoad]) -> None:
    """Stop a load of which a history has nothing, where that has other loads with the same source.

    Args:
        ledger: The ledger.
        load: Name of the load.
        table: The target's table.
        others: Those others.

    Raises:
        RenamedLoadError: There is one of which no person has said that the load goes on beside it.
    """
    accepted = ledger.accepted(load) if others else {}
    for other in others:
        if other.load not in accepted:
            raise RenamedLoadError(
                f"Nothing was loaded: the load history of {table} has nothing of load {load}, and {other.batches:,} "
                f"batches of load {other.load}, which has loaded from the same source. The last of them, "
                f"{other.newest}, was opened at {batch_time(other.newest):%Y-%m-%d %H:%M} UTC. It looks as if load "
                f"{other.load} had been renamed to {load}. Then everything would be loaded again, and "
                f"`rsloader rename-load {other.load} {load}` hands over what was loaded. If both are to load these "
                f"objects into this table, so that their rows are there from each: `rsloader accept {load} "
                f"{other.load}`"
            )


def _is_known(ledger: Ledger, load: str, target: str, batch_id: str, digest: str | None) -> bool:
    """Tell whether the ledger knows a batch as the one that was loaded, or that a person deleted since.

    An open batch is not: what was loaded under its name was locked first. A locked one may have been open at the moment
    to which the ledger was restored, and have filled up with other objects since, or have lost its objects and ended.
    If it was not recorded as loaded, its objects decide.
    """
    try:
        batch = ledger.get(load, batch_id)
        progress = batch.targets.get(target)
        if batch.status is BatchStatus.OPEN or progress is None:
            return batch.status is not BatchStatus.OPEN
        if progress.state is TargetState.LOADED:
            return was_loaded(batch, progress)
        if digest is None:
            return progress.attempt > 0
        # Since then objects may have left it; a generation that is to be loaded again may have fewer than the last.
        ever = [entry.name for segment in ledger.segments(batch) for entry in segment.claimed]
        present = [entry.name for entry in ledger.entries(batch)]
        return progress.generation > 1 or digest in {digest_of_names(ever), digest_of_names(present)}
    except UnknownBatchError as error:
        return isinstance(error, DeletedBatchError)
    except CorruptLedgerError:
        return True  # it is there
