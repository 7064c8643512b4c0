"""Notices that the ledger was lost: a load history has batches that DynamoDB does not have.

What was loaded would be claimed and loaded again. So each transaction compares the newest batch of the history, which
its look into the history gives anyway. Before the first claim of a load of which DynamoDB has nothing, the histories
are asked once; never otherwise, so that claiming goes on while Redshift cannot be reached.
"""

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import CorruptLedgerError, DeletedBatchError, LedgerLostError, UnknownBatchError
from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.core.redshift.names import TableName
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
            if newest := histories.newest(name):
                refuse_unknown(services.ledger, config.load, table, newest)


def refuse_unknown(ledger: Ledger, load: str, table: TableName, newest: str) -> None:
    """Stop if the ledger does not know the newest batch of a history.

    Raises:
        LedgerLostError: It does not, or for the ledger the batch is still open.
    """
    if not is_known(ledger, load, newest):
        raise LedgerLostError(
            f"Nothing was loaded: the load history of {table} has batch {newest} of load {load}, and DynamoDB does not "
            "know that it was loaded. It looks as if the tables of DynamoDB had been emptied, created again or "
            "restored to an earlier moment; or another load was called so before. What was loaded before would be "
            f"loaded again. Pause the load's DAG. `rsloader rebuild-ledger {load} --dry-run` shows what can be put "
            f"back into DynamoDB, and `rsloader rebuild-ledger {load}` puts it back."
        )


def is_known(ledger: Ledger, load: str, batch: str) -> bool:
    """Tell whether the ledger knows a batch as one that may have been loaded, or that a person deleted since.

    An open batch may not: what was loaded under its name was locked first.
    """
    try:
        return ledger.get(load, batch).status is not BatchStatus.OPEN
    except UnknownBatchError as error:
        return isinstance(error, DeletedBatchError)
    except CorruptLedgerError:
        return True  # it is there
