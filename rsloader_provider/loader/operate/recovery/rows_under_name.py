"""The rows that load histories have under a load's old name."""

from collections.abc import Iterable, Iterator

from rsloader_provider.core.config import LoadConfig, Target
from rsloader_provider.core.errors import DeletedBatchError, OperationRefusedError, UnknownBatchError
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.ports.ledger import Ledger
from rsloader_provider.loader.services import Services


def knows(ledger: Ledger, load: str, batch: str) -> bool:
    """Tell whether a load has a batch, or has had it until a person deleted it."""
    try:
        ledger.get(load, batch)
    except UnknownBatchError as error:
        return isinstance(error, DeletedBatchError)
    return True


def with_left_targets(config: LoadConfig, batches: Iterable[Batch]) -> LoadConfig:
    """Give the load with those histories too that it no longer keeps, but that may hold what an attempt has committed.

    Nobody has heard of that COMMIT; the next attempt looks for it there, under the new name.
    """
    targets = {target.name: target for target in config.targets}
    for batch in batches:
        for name in batch.unfinished_targets:
            progress = batch.progress(name)
            if progress.session is None or progress.announces:
                continue
            if name not in targets:
                targets[name] = Target.model_validate(dict(progress.settings))
            targets[name] = targets[name].model_copy(update={"history": "table"})
    return config.model_copy(update={"targets": tuple(targets.values())})


def histories_of(config: LoadConfig, services: Services, old: str) -> Iterator[tuple[TableName, str]]:
    """Give the tables whose history has rows of the old load, each with the newest batch of them.

    Raises:
        OperationRefusedError: A history cannot be read, or cannot be written by this release.
    """
    earlier = config.model_copy(update={"load": old})
    with Histories(earlier, services.warehouse) as histories:
        for name, table in histories.tables.items():
            answer = histories.newest(name)
            if answer is None:
                error = histories.unreadable[name]
                raise OperationRefusedError(f"The load history of {table} cannot be read: {error} Nothing was changed.")
            if not answer.keeps_sources:
                raise OperationRefusedError(
                    f"The load history of {table} was created by an earlier release. Run `rsloader setup` first. "
                    "Nothing was changed."
                )
            if answer.newest is not None:
                yield table, answer.newest
