"""Notices that the ledger was lost: a load history has batches that DynamoDB does not have.

What was loaded would be claimed and loaded again. So each transaction compares the newest batch of the history, which
its look into the history gives anyway. Before the first claim of a load of which DynamoDB has nothing, the histories
are asked once; never otherwise, so that claiming goes on while Redshift cannot be reached.
"""

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import CorruptLedgerError, DeletedBatchError, LedgerLostError, UnknownBatchError
from rsloader_provider.core.ledger.batch import BatchStatus, TargetState
from rsloader_provider.core.ledger.manifest import digest_of_names
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.rows import HistoryAnswer
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.ports.ledger import Ledger
from rsloader_provider.loader.services import Services


def ask_histories(config: LoadConfig, services: Services) -> None:
    """Compare the newest batch of each target's history with the ledger. A history that cannot be read is passed over.

    Raises:
        LedgerLostError: The ledger does not know one of them.
    """
    with Histories(config, services.warehouse) as histories:
        for name, table in histories.tables.items():
            if answer := histories.newest(name):
                refuse_unknown(services.ledger, config.load, name, table, answer)


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


def _is_known(ledger: Ledger, load: str, target: str, batch_id: str, digest: str | None) -> bool:
    """Tell whether the ledger knows a batch as the one that was loaded, or that a person deleted since.

    An open batch is not: what was loaded under its name was locked first. A locked one may have been open at the moment
    to which the ledger was restored, and have filled up with other objects since. If it was not recorded as loaded, its
    objects decide.
    """
    try:
        batch = ledger.get(load, batch_id)
        progress = batch.targets.get(target)
        if batch.status is BatchStatus.OPEN or progress is None or progress.state is TargetState.LOADED:
            return batch.status is not BatchStatus.OPEN
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
