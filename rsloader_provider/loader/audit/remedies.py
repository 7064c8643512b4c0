"""What a person can do about the objects of a state: commands, exact and quoted, a few for each state."""

from collections.abc import Callable, Iterator

from rsloader_provider.core.audit import ObjectState
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import RsloaderError
from rsloader_provider.core.ledger.batch import Batch, TargetState
from rsloader_provider.core.ledger.target_changes import decisions
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import LoadKey, TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.core.visible import shell_word
from rsloader_provider.loader.audit.report import Tally
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.ports.ledger import Ledger

BATCHES_NAMED = 20


def remedies(config: LoadConfig, ledger: Ledger, histories: Histories, state: ObjectState, tally: Tally) -> list[str]:
    """Give the commands for the objects of a state that is wrong; none for any other.

    Args:
        config: The load.
        ledger: Asked for the runs of the batches.
        histories: Asked for the generations of a batch that was loaded too often.
        state: The state.
        tally: Its objects. The first BATCHES_NAMED batches are named.
    """
    if not state.is_wrong or not tally.objects:
        return []
    lines = list(_Remedies(config, ledger, histories, tally).of(state))
    if len(tally.batches) > BATCHES_NAMED:
        lines.append(f"… and the same for {len(tally.batches) - BATCHES_NAMED} more batches")
    return lines


class _Remedies:
    def __init__(self, config: LoadConfig, ledger: Ledger, histories: Histories, tally: Tally):
        self._config = config
        self._ledger = ledger
        self._histories = histories
        self._tally = tally

    def of(self, state: ObjectState) -> Iterator[str]:
        by_state: dict[ObjectState, Callable[[], Iterator[str]]] = {
            ObjectState.FAILED: self._failed,
            ObjectState.FAILING: self._failing,
            ObjectState.CHANGED: self._changed,
            ObjectState.GONE: self._gone,
            ObjectState.NOT_IN_HISTORY: self._not_in_history,
            ObjectState.LOADED_TWICE: self._loaded_twice,
            ObjectState.NOT_CLAIMED: self._not_claimed,
            ObjectState.BROKEN: self._broken,
        }
        return by_state[state]()

    def _failed(self) -> Iterator[str]:
        for batch_id in self._batches():
            batch = self._get(batch_id)
            asked = {} if batch is None else decisions(self._config, batch)
            for name, text in asked.items():
                yield f"Batch {batch_id}, target {name}: {text}"
            if batch is not None and not any(
                each.state is TargetState.FAILED and name not in asked for name, each in batch.targets.items()
            ):
                continue
            yield (
                f"Do what the error says that `{self._show(batch_id)}` shows; after a repair, {self._clear(batch_id)}; "
                "add --without URL to leave an object out."
            )

    def _failing(self) -> Iterator[str]:
        for batch_id in self._batches():
            yield f"Repair what `{self._show(batch_id)}` shows. The next run then loads batch {batch_id} by itself."

    def _not_in_history(self) -> Iterator[str]:
        for batch_id in self._batches():
            yield (
                f"Check whether the rows of batch {batch_id} are in the table (`{self._show(batch_id)}`). If they are "
                f"not, {self._clear(batch_id)}"
            )
        yield (
            "If Redshift was restored to an earlier moment, have all of them loaded again: "
            f"rsloader reconcile {self._config.load} --since MOMENT --dry-run"
        )

    def _changed(self) -> Iterator[str]:
        for name, _ in self._tally.examples:
            url = f"s3://{name}"
            move = f"aws s3 mv {shell_word(url)} {shell_word(_new(url))}"
            yield (
                f"To load the new content, put it under a new key: {move}. Or, which leaves the old rows in the table: "
                f"rsloader reprocess-objects {self._config.load} {shell_word(url)}"
            )

    def _gone(self) -> Iterator[str]:
        for name, batch_id in self._tally.examples:
            yield (
                f"Put s3://{name} back; the next run loads batch {batch_id} by itself. Or, if it is not to be loaded: "
                f"rsloader forget {self._config.load} {shell_word(f's3://{name}')}"
            )

    def _loaded_twice(self) -> Iterator[str]:
        for batch_id in self._batches():
            batch = self._get(batch_id)
            yield f"See each load: {self._show(batch_id)}"
            for target_name, rows in self._histories.of_batch(batch_id).items():
                asked = batch.targets[target_name].generation if batch and target_name in batch.targets else 0
                target = self._histories.targets[target_name]
                for row in rows:
                    if row.generation > asked:
                        key = LoadKey(
                            TableName(target.schema_name, target.table_name),
                            self._config.load,
                            batch_id,
                            row.generation,
                        )
                        yield (
                            f"Remove from {key.target} the {row.rows} rows of query {row.query_id}; then, over "
                            f"connection {target.conn_id}: {render(sql.ForgetLoaded(key))};"
                        )

    def _not_claimed(self) -> Iterator[str]:
        yield f"Keep the next run from loading again what is still in S3: airflow dags pause {self._config.dag_id}"
        yield f"Put the batches back: rsloader rebuild-ledger {self._config.load} --dry-run, and then without --dry-run"
        for batch_id in self._batches():
            if self._get(batch_id) is None:
                for target_name, rows in self._histories.of_batch(batch_id).items():
                    target = self._histories.targets[target_name]
                    table = TableName(target.schema_name, target.table_name)
                    for row in rows:
                        key = LoadKey(table, self._config.load, batch_id, row.generation)
                        yield (
                            f"Or, if they are to be loaded again, over connection {target.conn_id}: "
                            f"{render(sql.ForgetLoaded(key))};"
                        )

    def _broken(self) -> Iterator[str]:
        yield "Put the items of DynamoDB back, for example from a backup of the tables; the findings below name them."

    def _batches(self) -> list[str]:
        return sorted(self._tally.batches)[:BATCHES_NAMED]

    def _show(self, batch_id: str) -> str:
        return f"rsloader batch {self._config.load} {batch_id}"

    def _clear(self, batch_id: str) -> str:
        batch = self._get(batch_id)
        run = batch.run if batch else None
        return (
            f"clear load_batch of run {run} in Airflow (batch {batch_id}). Or: rsloader reprocess {self._config.load} "
            f"{batch_id}"
        )

    def _get(self, batch_id: str) -> Batch | None:
        try:
            return self._ledger.get(self._config.load, batch_id)
        except RsloaderError:
            return None


def _new(url: str) -> str:
    """Give a key beside the old one that the same filter finds, as far as endings go."""
    head, slash, name = url.rpartition("/")
    return f"{head}{slash}new-{name}"
