"""The transaction that loads a batch into its table, and the history row that commits together with the rows."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from rsloader_provider.core.config import LoadConfig, Target
from rsloader_provider.core.config.sql_templates import SqlRenderer
from rsloader_provider.core.errors import (
    AccessDeniedError,
    BadDataError,
    CorruptLedgerError,
    NotSetUpError,
    OutOfOrderError,
    RsloaderError,
)
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.target_changes import command
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift import modes, sql
from rsloader_provider.core.redshift.access_key import AccessKey
from rsloader_provider.core.redshift.names import LoadKey
from rsloader_provider.core.redshift.other_loads import FindOtherLoads
from rsloader_provider.core.redshift.rows import Committed, HistoryAnswer
from rsloader_provider.loader.ports.ledger import Ledger
from rsloader_provider.loader.ports.steps import Step, Steps
from rsloader_provider.loader.ports.warehouse import Session
from rsloader_provider.loader.run.lost_ledger import refuse_renamed, refuse_unknown
from rsloader_provider.loader.run.user_sql import run_user_sql

log = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is in the table.

    Attributes:
        rows: Rows that COPY loaded.
        query_id: Redshift's id of that COPY; None when there was nothing to copy.
        was_found: Whether an earlier attempt had committed them, so that nothing was loaded again.
    """

    rows: int
    query_id: int | None
    was_found: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLoad:
    """One load of a batch's objects into the target's table, from BEGIN to COMMIT.

    Attributes:
        session: A session whose number is recorded on the batch.
        steps: Hears of each change outside.
        renderer: Renders pre-SQL and post-SQL.
        access_key: Gives the key that COPY reads with; asked right before it.
        announce: Notes on the batch that COMMIT comes next, with COPY's rows and query id; for loads without history.
        found_nothing: Hears that the history does not have the batch.
        unreadable: Gives the error where the history cannot be read, from what Redshift said.
        ledger: Asked for the newest batch of the history, if that is another.
        batch: The batch.
        names_digest: Digest of its objects' names.
        target: The target as it is loaded now.
        key: What is loaded at most once.
        attempt: Number of the attempt.
        manifest_url: The batch's manifest.
        has_rows: Whether there is a manifest; all objects may be empty.
        has_history: Whether the load history is the mutex and has the last word.
        out_of_order: Whether a person wants it merged although a newer batch is in the table.
        config: The load.
    """

    session: Session
    steps: Steps
    renderer: SqlRenderer
    access_key: Callable[[], AccessKey | None]
    announce: Callable[[int, int | None], None]
    found_nothing: Callable[[], None]
    unreadable: Callable[[RsloaderError], RsloaderError]
    ledger: Ledger
    batch: Batch
    names_digest: str
    target: Target
    key: LoadKey
    attempt: int
    manifest_url: str
    has_rows: bool
    has_history: bool
    out_of_order: bool
    config: LoadConfig

    def _taking(self, step: Step) -> AbstractContextManager[None]:
        return self.steps.taking(step, f"{self.batch} into {self.target.name}")

    def run(self) -> Loaded:
        """Load, and commit; an error leaves the transaction to be rolled back."""
        run = self.session.execute
        if self.target.mode == "truncate":
            answer = self._begin()
            if found := self._found(answer):
                return found
            self._refuse_to_load(answer)
            log.warning(
                "%s: TRUNCATE of %s commits: the table is empty until the rows are loaded, also if they are refused",
                self.batch, self.key.target,
            )  # fmt: skip
            with self._taking(Step.TRUNCATE):
                run(sql.Truncate(self.key.target))
            # That commit released the lock, so others may have loaded since: everything is looked at again.
        answer = self._begin()
        if found := self._found(answer):
            return found
        self._refuse_to_load(answer)
        run_user_sql(self.session, self.renderer, self.batch, self.target, "pre_sql", self.manifest_url)
        filling = modes.filling(self.target)
        for statement in filling.before:
            run(statement)
        rows, query_id = 0, None
        if self.has_rows:
            key = self.access_key()
            with self._taking(Step.COPY):
                run(sql.Copy(filling.into, self.target.columns, self.manifest_url, self.config.copy_options, key))
            (copied,) = run(sql.LastCopy())
            rows, query_id = copied.rows, copied.query_id
        if filling.check is not None:
            self._refuse_ambiguous(filling.check)
        for statement in filling.after:
            run(statement)
        if answer is not None:
            self._write_history(rows, query_id, answer)
        run_user_sql(self.session, self.renderer, self.batch, self.target, "post_sql", self.manifest_url, rows)
        if not self.has_history:
            with self._taking(Step.ANNOUNCE_COMMIT):
                self.announce(rows, query_id)
        with self._taking(Step.COMMIT):
            run(sql.Commit())
        return Loaded(rows, query_id)

    def find(self) -> Loaded | None:
        """Give what an earlier attempt has committed, and leave the table as it is."""
        found = self._found(self._begin())
        if found is None:
            self.session.execute(sql.Rollback())
        return found

    def _begin(self) -> HistoryAnswer | None:
        """Open the transaction with the target's mutex; give what the history says, None where there is none."""
        run = self.session.execute
        if not self.has_history:
            with self._taking(Step.BEGIN_TRANSACTION):
                run(sql.Begin())
            return None
        try:
            with self._taking(Step.BEGIN_TRANSACTION):
                run(sql.Begin())
                run(sql.LockHistory(self.key.target))
            (answer,) = run(sql.FindLoaded(self.key))
        except (AccessDeniedError, NotSetUpError) as refused:
            raise self.unreadable(refused) from refused
        return answer

    def _found(self, answer: HistoryAnswer | None) -> Loaded | None:
        """Give the result when there is nothing to load any more; the transaction is over then."""
        if answer is None:
            return None
        committed = answer.committed
        if committed is None:
            self.found_nothing()
            return None
        self.session.execute(sql.Rollback())
        self._refuse_other_objects(committed)
        return Loaded(committed.rows, committed.query_id, was_found=True)

    def _refuse_other_objects(self, committed: Committed) -> None:
        if committed.files != self.batch.files:
            loaded_with = f"{committed.files}"
        elif committed.names_digest is None:
            log.info(
                "%s: an earlier release wrote its history row, without a digest of the objects' names: that they are "
                "as many as were loaded has to be enough", self.batch,
            )  # fmt: skip
            return
        elif committed.names_digest != self.names_digest:
            loaded_with = "as many others"
        else:
            return
        raise CorruptLedgerError(
            f"{self.batch} has {self.batch.files} objects, but was loaded into {self.key.target} with {loaded_with}. "
            "DynamoDB was put back to a time before that load, and since then other objects came into the batch, or "
            "some were taken out. Nothing was loaded; `rsloader audit` names the objects."
        )

    def _write_history(self, rows: int, query_id: int | None, answer: HistoryAnswer) -> None:
        loaded = sql.RecordLoaded(
            self.key,
            attempt=self.attempt,
            rows=rows,
            files=self.batch.files,
            query_id=query_id,
            run=self.batch.run or "",
            names_digest=self.names_digest if answer.keeps_digests else None,
            source=self.config.source_text if answer.keeps_sources else None,
        )
        with self._taking(Step.WRITE_HISTORY):
            self.session.execute(loaded)

    def _refuse_ambiguous(self, check: sql.FindAmbiguousKeys) -> None:
        if found := self.session.execute(check):
            keys = ", ".join(check.keys)
            listed = "; ".join(f"({', '.join(map(str, key.values))}) in {key.rows} rows" for key in found)
            raise BadDataError(
                f"the key ({keys}) does not identify one row: it is in the batch more than once, "
                f"or a part of it is NULL. Nothing was loaded. The first {len(found)}: {listed}. Correct the files and "
                "clear the task. If a file has newer rows of an earlier file, load each file in a batch of its own: "
                "max_files: 1."
            )

    def _refuse_renamed(self, answer: HistoryAnswer) -> None:
        """Stop the first batch of a load in this history, if that has another load with the same source."""
        if answer.keeps_sources:
            table, load = self.key.target, self.key.load
            others = self.session.execute(FindOtherLoads(table, load, self.config.source_text))
            refuse_renamed(self.ledger, load, table, others)

    def _refuse_to_load(self, answer: HistoryAnswer | None) -> None:
        """Stop where the ledger was lost or has another name, and where rows would take the place of newer ones."""
        if answer is None or answer.newest == self.key.batch:
            return
        if answer.newest is None:
            self._refuse_renamed(answer)
            return
        newest = str(answer.newest)
        refuse_unknown(self.ledger, self.key.load, self.target.name, self.key.target, answer)
        mode = self.target.mode
        if newest < self.key.batch or mode == "append":
            return
        if mode == "merge" and self.out_of_order:
            log.warning(
                "%s: a person wants it in %s, which holds the newer batch %s: its rows replace those with the same key",
                self.batch, self.key.target, newest,
            )  # fmt: skip
            return
        give_up = command("give-up", self.batch, self.target.name)
        if mode == "merge":
            raise OutOfOrderError(
                f"{self.batch} was not loaded into {self.key.target}: the table holds the newer batch {newest}, "
                "and rows of this batch must not replace newer ones with the same key by themselves. What only this "
                "batch has is missing in the table. To load it nevertheless, so that its rows replace those with the "
                f"same key: {command('reprocess', self.batch, '--target', self.target.name, '--out-of-order')}. To "
                f"leave it out for good: {give_up}"
            )
        raise OutOfOrderError(
            f"{self.batch} was not loaded into {self.key.target}: the table holds the newer batch {newest}, "
            f"which mode {mode} would replace by older rows. Nothing needs repair. To leave this batch out for good: "
            f"{give_up}. To load objects of this batch nevertheless, put them into S3 again under new keys."
        )
