"""What a person is asked when the load no longer has a target that a batch was locked with.

Nothing is loaded into such a target. Its settings, which the batch keeps, serve only to find out what an earlier
attempt has committed there: another connection or another table has another history.
"""

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import RsloaderError, TargetRemovedError, UndecidedError
from rsloader_provider.core.ledger.batch import Batch, UnansweredCommit
from rsloader_provider.core.ledger.target_changes import command, listed, ways_out
from rsloader_provider.core.redshift.names import TableName


def removed(config: LoadConfig, batch: Batch, target: str) -> TargetRemovedError:
    """Say that nothing was loaded, and what a person can do.

    Args:
        config: The load, which does not have the target.
        batch: The batch, of which no attempt has committed its present generation there.
        target: The target's name.
    """
    return TargetRemovedError(
        f"{batch} was locked for the target {target}, which load {config.load} no longer has. Nothing was loaded into "
        "it. Decide what becomes of it, on a machine with the load files; the batch's other targets stay as they are:",
        *listed(ways_out(config, batch, target)),
        "Or put the target back into the load file, and clear the task.",
    )


def undecided_there(
    config: LoadConfig, batch: Batch, target: str, table: TableName, commit: UnansweredCommit, refused: RsloaderError
) -> UndecidedError:
    """Say that it is not known whether an earlier attempt has committed, and what a person can do.

    Args:
        config: The load, which does not have the target.
        batch: The batch.
        target: The target's name.
        table: Its table.
        commit: What may have been carried out.
        refused: Why that could not be found out.
    """
    why = "Redshift does not say" if isinstance(refused, UndecidedError) else f"{refused}"
    return UndecidedError(
        f"{batch} into {table}: it is not known whether it is loaded. Attempt {commit.attempt} (session "
        f"{commit.session}) may have committed, load {config.load} no longer has the target {target}, and what was "
        f"committed there could not be found out ({why}). Check in its database that this session has ended, and "
        "whether the rows of the batch's files are in the table. Then, on a machine with the load files:",
        f"  they are there: {command('mark-loaded', batch, target)}",
        f"  they are not there: {command('mark-not-loaded', batch, target)}, and then:",
        *listed(ways_out(config, batch, target)),
        "Clearing the task looks once more.",
    )
