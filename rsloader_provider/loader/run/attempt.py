"""The life of one attempt: what the ledger holds of it from its beginning to its end, while others write there too."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from rsloader_provider.core.config import LoadConfig, Target
from rsloader_provider.core.config.sql_templates import SqlRenderer
from rsloader_provider.core.errors import (
    AccessDeniedError,
    AttemptLostError,
    BadDataError,
    ConnectionLostError,
    CorruptLedgerError,
    NotSetUpError,
    ObjectsArchivedError,
    ObjectsMissingError,
    OutOfOrderError,
    RsloaderError,
    StatementError,
    TargetRemovedError,
    UndecidedError,
)
from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import Batch, UnansweredCommit
from rsloader_provider.core.ledger.manifest import Entry, digest_of_names, name_by_content, render_manifest
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import LoadKey, TableName
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.ports.warehouse import Session
from rsloader_provider.loader.run.attempt_writes import Watched, write_change
from rsloader_provider.loader.run.commit_outcome import has_committed, undecided, wait_until_over
from rsloader_provider.loader.run.copy_errors import CopiedObjects, all_empty, detailed
from rsloader_provider.loader.run.filled_claims import correct_claims
from rsloader_provider.loader.run.notify import tell_failing, tell_failure, tell_success
from rsloader_provider.loader.run.object_sizes import Filled, find_filled, with_sizes_of_now
from rsloader_provider.loader.run.removed_target import removed, undecided_there
from rsloader_provider.loader.run.skipped_rows import Skipped, read_skipped
from rsloader_provider.loader.run.transaction import Loaded, TableLoad
from rsloader_provider.loader.services import Services

log = logger_of(__name__)

_ERROR_CHARACTERS = 2000
_EMPTYING = {"replace", "truncate", "swap"}
_NEEDS_A_PERSON = (
    BadDataError, ObjectsArchivedError, ObjectsMissingError, OutOfOrderError, StatementError, TargetRemovedError,
)  # fmt: skip


class Attempt:
    """One attempt that has begun: it holds the target until it ends or a newer one takes its place.

    Args:
        config: The load.
        services: The ports and the clock.
        record: The attempt as the batch has it since it began.
        target: The target as it is configured now; if the load no longer has it, as the batch was locked with it.
        denied: The COMMIT of which a person says that it was not carried out; None when no person was asked.
        renderer: Renders pre-SQL and post-SQL.
    """

    def __init__(
        self,
        config: LoadConfig,
        services: Services,
        record: AttemptRecord,
        target: Target,
        denied: UnansweredCommit | None,
        renderer: SqlRenderer,
    ):
        self.config = config
        self.renderer = renderer
        self.services = services
        self.steps = Watched(services.steps)
        self.record = record
        self.target = target
        progress = record.progress
        self.was_failing = progress.is_failing
        self.previous_session = progress.session
        self.unanswered = progress.unanswered
        self.denied = denied
        # An attempt that kept a history is looked for there, even if the load no longer keeps one.
        self.left_in_history = progress.session is not None and not progress.announces
        self.has_history = self.target.history == "table" or self.left_in_history
        self.may_be_in_history = self.left_in_history
        self.unread: UnansweredCommit | None = None
        self.skipped: Skipped | None = None
        self.has_session = False
        self.earlier_may_run = False
        table = TableName(target.schema_name, target.table_name)
        self.key = LoadKey(table, config.load, self.batch.batch, progress.generation)
        self.manifest = config.manifests.join(self.batch.manifest_name)
        self.entries: Sequence[Entry] = ()
        self.filled = Filled()

    @property
    def batch(self) -> Batch:
        """The batch as the attempt last wrote or read it."""
        return self.record.batch

    def _taking(self, step: Step) -> AbstractContextManager[None]:
        return self.services.steps.taking(step, f"{self.batch} into {self.target.name}")

    def run(self) -> Loaded:
        """Load, record how that ended, and notify.

        Raises:
            RsloaderError: See `load_batch`. The end is recorded, unless a newer attempt took over or it is not known
                whether this one has committed.
            Exception: A fault of the loader. The same holds.
        """
        number, generation = self.record.number, self.key.generation
        log.info("%s: attempt %d, generation %d, into %s", self.batch, number, generation, self.target.name)
        try:
            loaded = self._load()
        except AttemptLostError:
            raise
        except ConnectionLostError:
            # The session may still commit: the next attempt ends it, and the history decides. If that attempt has
            # begun already, it was the one to break the connection, and must not be disturbed by a retry.
            self.record.within(self._read_again()).refuse_if_lost()
            raise
        except RsloaderError as error:
            if str(self.batch) not in str(error):
                error.concerns(f"{self.batch} into {self.target.name}")
            self._end(error)
            raise
        except Exception as bug:
            if self.steps.may_have_committed:
                self.record.within(self._read_again()).refuse_if_lost()
                raise
            # What a fault of the loader says may hold a secret: only the log, where they are masked, has it whole.
            self._end(
                RsloaderError(
                    f"{self.batch} into {self.target.name}: {type(bug).__name__}, a fault of the loader. Nothing was "
                    "loaded, and the next run tries again. The log of load_batch tells where it happened; report it."
                )
            )
            raise
        skipped = None if self.skipped is None else self.skipped.number
        for line in () if self.skipped is None else self.skipped.lines():
            log.warning("%s into %s: %s", self.batch, self.key.target, line)
        filled = None if loaded.was_found else self.filled.digest
        if filled is not None:
            self.record = correct_claims(self.services, self.record, self.filled, filled)
        with self._taking(Step.FINISH_ATTEMPT):
            notify = self.config.notify
            self._change(
                lambda record: record.finished(
                    rows=loaded.rows, query_id=loaded.query_id, skipped=skipped, filled=filled,
                    notify=notify.success is not None, notify_recovery=notify.failure is not None,
                )
            )  # fmt: skip
        if self.entries or loaded.was_found:
            log.info(
                "%s: %s into %s, %d rows, query %s",
                self.batch, "found loaded" if loaded.was_found else "loaded", self.target.name, loaded.rows,
                loaded.query_id,
            )  # fmt: skip
        else:
            log.info("%s has no objects: nothing was loaded into %s, and no SQL ran", self.batch, self.target.name)
        tell_success(
            self.config, self.services, self.batch, self.manifest, self.entries, self.target.name, self.skipped,
            recovered=self.was_failing,
        )  # fmt: skip
        return loaded

    def _load(self) -> Loaded:
        claimed = self._read_entries()
        if not claimed:
            return self._load_nothing()
        if self.config.target_named(self.target.name) is None:
            return self._leave_alone()
        has_rows = self._write_manifest(claimed)
        if not has_rows and self.target.mode in _EMPTYING and self.config.copy_options.empty_files == "refuse":
            return self._refuse(all_empty(self.batch, self.key.target, self.target.mode, self.entries))
        with self.services.warehouse.connect(self.target.conn_id, self.target.transport) as session:
            pid, found = self._end_earlier(session)
            if found is None:
                self._record_session(pid)
                found = self._load_table(session, pid, has_rows=has_rows)
            if self.config.copy_options.may_skip_rows and found.query_id is not None:
                self.skipped = read_skipped(session, found.query_id, self.services.sleep)
            return found

    def _load_nothing(self) -> Loaded:
        """Leave the table as it is: a batch without objects must not take the place of the rows that are there.

        Redshift is asked only what became of an earlier attempt, if one may have committed. This attempt changes
        nothing there, so it records no session.
        """
        if self.previous_session is None and self.unanswered is None:
            return Loaded(0, None)
        with self.services.warehouse.connect(self.target.conn_id, self.target.transport) as session:
            _, found = self._end_earlier(session)
            if found is None and self.left_in_history:
                found = self._table_load(session, has_rows=False).find()
        return found or Loaded(0, None)

    def _leave_alone(self) -> Loaded:
        """Load nothing into a target that the load no longer has, but find what an earlier attempt has committed."""
        refusal = removed(self.config, self.batch, self.target.name)
        if self.unanswered is None and not self.left_in_history:
            # An attempt that announces its COMMIT can no longer do so, since this one has taken its place.
            self.has_session = True
            raise refusal
        try:
            return self._refuse(refusal)
        except (AttemptLostError, TargetRemovedError):
            raise
        except RsloaderError as refused:
            # Also where trying again might help: a connection that is gone stays away, and a person is asked anyway.
            self.unread = self.unanswered or self._unread()
            self.earlier_may_run = not self.has_session
            raise undecided_there(
                self.config, self.batch, self.target.name, self.key.target, self.unread, refused
            ) from refused

    def _refuse(self, refusal: RsloaderError) -> Loaded:
        """Leave the table as it is, unless an earlier attempt has committed: that one is found."""
        if self.previous_session is not None or self.unanswered is not None:
            with self.services.warehouse.connect(self.target.conn_id, self.target.transport) as session:
                pid, found = self._end_earlier(session)
                if found is None:
                    self._record_session(pid)
                    found = self._table_load(session, has_rows=False).find() if self.left_in_history else None
                if found is not None:
                    return found
        raise refusal

    def _end_earlier(self, session: Session) -> tuple[int, Loaded | None]:
        """End the session of an earlier attempt; give this one's number, and what an announced COMMIT has loaded."""
        (pid,) = session.execute(sql.BackendPid())
        if self.previous_session not in {None, pid}:
            self._end_session(session, int(self.previous_session or 0))
        if self.unanswered is None:
            return pid, None
        if self.unanswered.is_in_history and (found := self._look_again(session)):
            return pid, found
        if self._has_committed(session, self.unanswered):
            return pid, Loaded(self.unanswered.rows or 0, self.unanswered.query_id, was_found=True)
        return pid, None

    def _look_again(self, session: Session) -> Loaded | None:
        """Look into a history that could not be read before; only what it has counts, as it may be a new one."""
        try:
            return replace(self._table_load(session, has_rows=False), has_history=True).find()
        except (AccessDeniedError, NotSetUpError) as refused:
            log.info("%s: the load history can still not be read: %s", self.batch, refused)
            session.execute(sql.Rollback())
            return None

    def _read_entries(self) -> Sequence[Entry]:
        """Read what is to be loaded; give it with the sizes of the claims."""
        self.entries = claimed = self.services.ledger.entries(self.batch)
        if len(self.entries) != self.batch.files:
            raise CorruptLedgerError(
                f"{self.batch} has {len(self.entries)} objects in its segments, but counts {self.batch.files}. "
                "Somebody edited the ledger's tables; nothing was loaded."
            )
        self.filled = find_filled(self.services.storage, claimed)
        if self.filled:
            log.info("%s: %d objects that it claimed empty hold something now", self.batch, len(self.filled))
            self.entries = self.filled.sizes_in(claimed)
        if self.record.progress.opened_by is not None and self.config.copy_options.is_columnar:
            log.info("%s: a person asked for it, so objects may have been repaired: asking S3 for sizes", self.batch)
            self.entries = with_sizes_of_now(self.services.storage, self.entries)
        return claimed

    def _write_manifest(self, claimed: Sequence[Entry]) -> bool:
        """Write the manifest; nothing is written, and there is nothing to copy, when every object is empty."""
        content = render_manifest(self.entries)
        if content is None:
            return False
        if content != render_manifest(claimed):
            # Other targets, older attempts and audits write the batch's own manifest, with the sizes of the claims.
            name = name_by_content(self.batch.manifest_name, content)
            self.manifest = self.config.manifests.join(name)
        log.info("%s: manifest of %d objects at %s", self.batch, len(self.entries), self.manifest)
        with self._taking(Step.WRITE_MANIFEST):
            self.services.storage.write(self.manifest.bucket, self.manifest.key, content)
        return True

    def _end_session(self, session: Session, previous: int) -> None:
        log.info("%s: ending session %s of an attempt that never ended", self.batch, previous)
        try:
            with self._taking(Step.END_SESSION):
                session.execute(sql.TerminateSession(previous))
        except AccessDeniedError as refused:
            # A user may end all their own sessions: the number has gone to another user's, and the attempt's is over.
            log.info("%s: session %s is another user's by now: %s", self.batch, previous, refused)
        else:
            if self.record.progress.announces:
                wait_until_over(session, previous, self.services.sleep)

    def _has_committed(self, session: Session, commit: UnansweredCommit) -> bool:
        own = self.config.manifests.join(self.batch.manifest_name)
        known = has_committed(session, commit, dict.fromkeys((str(own), str(self.manifest))))
        if known is None and commit != self.denied:
            raise undecided(self.batch, self.target.name, self.key.target, commit)
        log.info(
            "%s: the COMMIT of attempt %d was %scarried out, %s",
            self.batch, commit.attempt, "" if known else "not ",
            "a person says" if known is None else "Redshift says",
        )  # fmt: skip
        return bool(known)

    def _record_session(self, pid: int) -> None:
        with self._taking(Step.RECORD_SESSION):
            self._change(lambda record: record.session_recorded(pid, announces=not self.has_history))
        self.has_session = True

    def _load_table(self, session: Session, pid: int, *, has_rows: bool) -> Loaded:
        if self.target.statement_timeout is not None:
            milliseconds = int(self.target.statement_timeout.total_seconds() * 1000)
            session.execute(sql.SetStatementTimeout(milliseconds))
        try:
            return self._table_load(session, has_rows=has_rows).run()
        except ConnectionLostError:
            raise
        except RsloaderError as error:
            session.execute(sql.Rollback())
            copied = CopiedObjects(
                self.batch, self.entries, self.config.copy_options, self.key.target, self.services.storage
            )
            raise detailed(error, copied, session, pid) from error

    def _table_load(self, session: Session, *, has_rows: bool) -> TableLoad:
        return TableLoad(
            session=session,
            steps=self.steps,
            renderer=self.renderer,
            access_key=lambda: self.services.access_key(self.config),
            announce=self._announce,
            found_nothing=self._found_nothing,
            unreadable=self._unreadable,
            ledger=self.services.ledger,
            batch=self.batch,
            names_digest=digest_of_names(entry.name for entry in self.entries),
            target=self.target,
            key=self.key,
            attempt=self.record.number,
            manifest_url=str(self.manifest),
            has_rows=has_rows,
            has_history=self.has_history,
            out_of_order=bool(self.record.progress.out_of_order),
            config=self.config,
        )

    def _found_nothing(self) -> None:
        self.may_be_in_history = False

    def _unreadable(self, refused: RsloaderError) -> RsloaderError:
        if not self.may_be_in_history:
            return refused
        if self.target.history == "table" and isinstance(refused, AccessDeniedError):
            return refused  # a grant brings the same history back, and the next attempt looks
        # Also where the load keeps a history: one that is created in the place of a lost one knows nothing.
        self.unread = self._unread()
        return undecided(self.batch, self.target.name, self.key.target, self.unread, refused)

    def _unread(self) -> UnansweredCommit:
        """What may be in a history that does not answer."""
        return UnansweredCommit(self.record.number - 1, self.previous_session or 0, rows=None, query_id=None)

    def _announce(self, rows: int, query_id: int | None) -> None:
        self._change(lambda record: record.commit_announced(rows=rows, query_id=query_id))

    def _end(self, error: RsloaderError) -> None:
        # Until it is known whether an earlier attempt has committed, the batch must not wait for any other reason.
        in_doubt = self.unanswered is not None and not self.has_session
        final = isinstance(error, UndecidedError) or (isinstance(error, _NEEDS_A_PERSON) and not in_doubt)
        text = str(error)[:_ERROR_CHARACTERS]
        notify = self.config.notify.failure is not None
        # Until the history was looked at, a session stays recorded: what the earlier one did is not known.
        had_session = self.has_session and not self.may_be_in_history

        def ended(record: AttemptRecord) -> AttemptRecord:
            if isinstance(error, UndecidedError):
                return record.left_undecided(
                    error=text, notify=notify, unread=self.unread, is_over=not self.earlier_may_run
                )
            if not final:
                record = record.failed_again(self.services.now(), self.config.failing_after, notify=notify)
            return record.ended(error=text, final=final, had_session=had_session, notify=notify)

        with self._taking(Step.END_ATTEMPT):
            self._change(ended)
        if final:
            tell_failure(self.config, self.services, self.batch, self.target.name, self.manifest, self.entries, error)
        elif self.record.progress.is_failing and not self.was_failing:
            tell_failing(self.config, self.services, self.batch, self.target.name, error, self.entries)

    def _change(self, change: Callable[[AttemptRecord], AttemptRecord]) -> None:
        self.record = write_change(self.services, self.record, change)

    def _read_again(self) -> Batch:
        return self.services.ledger.get(self.batch.load, self.batch.batch)
