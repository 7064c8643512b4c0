"""Load one batch into one target, exactly once, whatever stops and whoever else tries.

Three things make it so. An attempt is begun by a conditional write, and a newer attempt takes the place of an
older one. The transaction locks the target's load history before it looks into it, so that two attempts are
never between the look and the commit. And the history row commits together with the rows that it stands for,
so that a connection lost at COMMIT leaves no doubt to the next attempt. Targets with `history: none` have neither lock
nor row; what takes their place is in `doubt.py`.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import takewhile
from typing import Any

from rsloader_provider.core import modes, sql
from rsloader_provider.core.batch import (
    Asker,
    Batch,
    TargetState,
    UnansweredCommit,
    announce_commit,
    asks_anew,
    begin_attempt,
    end_attempt,
    finish_attempt,
    held,
    leave_undecided,
    needs_loading,
    record_session,
)
from rsloader_provider.core.config import LoadConfig, Target
from rsloader_provider.core.errors import (
    AccessDeniedError,
    AttemptLostError,
    BadDataError,
    ConfigurationError,
    ConnectionLostError,
    ContentionError,
    CorruptLedgerError,
    EarlierBatchError,
    NotSetUpError,
    ObjectsMissingError,
    OutOfOrderError,
    RowError,
    RsloaderError,
    StatementError,
    UndecidedError,
)
from rsloader_provider.core.manifest import Entry, render_manifest
from rsloader_provider.core.sources import S3Url
from rsloader_provider.core.sql_templates import PlainSqlRenderer, SqlRenderer
from rsloader_provider.loader.doubt import has_committed, undecided, wait_until_over
from rsloader_provider.loader.notify import tell_failure, tell_success
from rsloader_provider.loader.overwritten import overwritten, with_sizes_of_now
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.ports.warehouse import Session
from rsloader_provider.loader.services import Services
from rsloader_provider.loader.user_sql import run_user_sql

log = logging.getLogger(__name__)

ROW_ERRORS_SHOWN = 10
_ERROR_CHARACTERS = 2000
_OBJECTS_SHOWN = 10
_VIEW_URL_BYTES = 256
"""So much of a URL the load-error views keep."""

_RACES = 20
_NEEDS_A_PERSON = (BadDataError, ObjectsMissingError, OutOfOrderError, StatementError)


class Outcome(StrEnum):
    """How a call ended that did not fail."""

    LOADED = "loaded"
    FOUND_LOADED = "found loaded"
    """An earlier attempt had committed: its history row was found, and nothing was loaded again."""
    NOTHING_TO_DO = "nothing to do"
    """The batch was recorded as loaded, and no person asked for it again."""
    REFUSED = "refused"
    """A person asked for it again, and the load says `on_clear: skip`."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a call did.

    Attributes:
        outcome: See Outcome.
        batch: The batch as it is now.
        target: The target's name.
    """

    outcome: Outcome
    batch: Batch
    target: str


def load_batch(
    config: LoadConfig,
    services: Services,
    batch_id: str,
    target_name: str,
    asker: Asker,
    renderer: SqlRenderer | None = None,
) -> Result:
    """Load one batch into one target, unless that is done.

    Safe to call again at any time, by anybody, also while another call is at work: then the newer one goes on.

    Args:
        config: The load as it is configured now.
        services: The ports and the clock.
        batch_id: A locked, complete or failed batch.
        target_name: One of the targets that it was locked with.
        asker: Who asks; a person who cleared the task may have a loaded batch loaded again.
        renderer: Renders pre-SQL and post-SQL; None for one that knows the load's own values only.

    Raises:
        BadDataError, ObjectsMissingError, OutOfOrderError, StatementError: Nothing was loaded, and the batch
            waits in `error` for a person.
        UndecidedError: The target has no load history, and whether an earlier attempt has committed is for a person
            to say; the batch waits in `error`.
        AttemptLostError: A newer attempt took over.
        EarlierBatchError: Order matters, and an earlier batch of the load is still to be loaded into the target.
        TransientError: Nothing was loaded, or it is not known; call again.
        RsloaderError: Any other reason, for example something is not set up. The next run tries again.
    """
    if config.shadow:
        raise ConfigurationError(f"load {config.load} has 'shadow: true' and loads nothing. Take the line out first.")
    batch = services.ledger.get(config.load, batch_id)
    denied: UnansweredCommit | None = None
    for _ in range(_RACES):
        progress = batch.progress(target_name)
        if not needs_loading(progress, asker):
            log.info("%s is loaded into %s already: nothing to do", batch, target_name)
            return Result(Outcome.NOTHING_TO_DO, batch, target_name)
        again = progress.state is TargetState.LOADED
        if again and config.on_clear == "skip":
            log.warning("%s is loaded into %s; on_clear: skip refuses to load it again", batch, target_name)
            return Result(Outcome.REFUSED, batch, target_name)
        _refuse_too_early(config, services, batch, target_name)
        if progress.is_undecided:
            if not asks_anew(progress, asker):
                raise UndecidedError(progress.error or f"{batch} into {target_name}: a person has to decide.")
            denied = progress.unanswered
        if again:
            log.warning(
                "%s is loaded into %s already and a person asked for it again: its %s rows are loaded A SECOND TIME "
                "(generation %d)%s",
                batch, target_name, progress.rows, progress.generation + 1,
                ", in addition to those in the table" if _target(config, batch, target_name).mode == "append" else "",
            )  # fmt: skip
        try:
            with services.steps.taking(Step.BEGIN_ATTEMPT, f"{batch} into {target_name}"):
                begun = services.ledger.replace(batch, begin_attempt(batch, target_name, asker))
        except LostRaceError:
            # Whether this write or an equal one of somebody else was carried out cannot be told, so the next attempt
            # is begun either way.
            batch = services.ledger.get(config.load, batch_id)
        else:
            return _Attempt(config, services, begun, target_name, denied, renderer or PlainSqlRenderer()).run()
    raise ContentionError(f"{batch}: others wrote to it {_RACES} times in a row. Try again.")


def _target(config: LoadConfig, batch: Batch, name: str) -> Target:
    """Give the target as it is configured now, or, when it no longer is, as the batch was locked with it."""
    for target in config.targets:
        if target.name == name:
            return target
    return Target.model_validate(dict(batch.progress(name).settings))


def _refuse_too_early(config: LoadConfig, services: Services, batch: Batch, target_name: str) -> None:
    """Let earlier batches go first where order matters.

    This keeps the order; that nothing newer is ever overwritten is what the load history sees to.
    """
    if _target(config, batch, target_name).mode == "append":
        return
    for earlier_id in takewhile(lambda each: each < batch.batch, services.ledger.unfinished(config.load)):
        earlier = services.ledger.get(config.load, earlier_id)
        if target_name in earlier.unfinished_targets:
            raise EarlierBatchError(
                f"{batch} is not loaded into {target_name} before batch {earlier_id}, which is "
                f"{earlier.progress(target_name).state} (run {earlier.run}). Nothing was begun; it is tried again."
            )


class _Attempt:
    """One attempt that has begun: it holds the target until it ends or a newer one takes its place.

    Args:
        config: The load.
        services: The ports and the clock.
        batch: The batch as it is since the attempt began.
        target_name: The target.
        denied: The COMMIT of which a person says that it was not carried out; None when nobody was asked.
        renderer: Renders pre-SQL and post-SQL.
    """

    def __init__(
        self,
        config: LoadConfig,
        services: Services,
        batch: Batch,
        target_name: str,
        denied: UnansweredCommit | None,
        renderer: SqlRenderer,
    ):
        self.config = config
        self.renderer = renderer
        self.services = services
        self.batch = batch
        self.target_name = target_name
        self.target = _target(config, batch, target_name)
        progress = batch.progress(target_name)
        self.previous_session = progress.session
        self.unanswered = progress.unanswered
        self.denied = denied
        # What an attempt left that kept a history is found there, whatever the load says by now.
        left_in_history = progress.session is not None and not progress.announces
        self.has_history = self.target.history == "table" or left_in_history
        self.has_session = False
        self.number = progress.attempt
        self.table = sql.TableName(self.target.schema_name, self.target.table_name)
        self.key = sql.LoadKey(self.table, config.load, batch.batch, progress.generation)
        self.manifest = config.manifests.join(batch.manifest_name)
        self.entries: Sequence[Entry] = ()

    def _taking(self, step: Step) -> AbstractContextManager[None]:
        return self.services.steps.taking(step, f"{self.batch} into {self.target_name}")

    def run(self) -> Result:
        log.info(
            "%s: attempt %d, generation %d, into %s", self.batch, self.number, self.key.generation, self.target_name
        )
        try:
            outcome, rows, query_id = self._load()
        except AttemptLostError:
            raise
        except ConnectionLostError:
            # The session may still commit: the next attempt ends it, and the history decides. If that attempt has
            # begun already, it was the one to break the connection, and must not be disturbed by a retry.
            held(self.services.ledger.get(self.batch.load, self.batch.batch), self.target_name, self.number)
            raise
        except RsloaderError as error:
            if str(self.batch) not in str(error):
                error.concerns(f"{self.batch} into {self.target_name}")
            self._end(error)
            raise
        with self._taking(Step.FINISH_ATTEMPT):
            notify = self.config.notify.success is not None
            self._change(
                lambda batch: finish_attempt(
                    batch, self.target_name, self.number, rows=rows, query_id=query_id, notify=notify
                )
            )
        log.info("%s: %s into %s, %d rows, query %s", self.batch, outcome, self.target_name, rows, query_id)
        tell_success(self.config, self.services, self.batch, self.manifest, self.entries)
        return Result(outcome, self.batch, self.target_name)

    def _load(self) -> tuple[Outcome, int, int | None]:
        self.entries = self.services.ledger.entries(self.batch)
        if len(self.entries) != self.batch.files:
            raise CorruptLedgerError(
                f"{self.batch} has {len(self.entries)} objects in its segments, but counts {self.batch.files}. "
                "Somebody edited the ledger's tables; nothing was loaded."
            )
        if self.batch.progress(self.target_name).opened_by is not None:
            log.info("%s: a person asked for it, so objects may have been repaired: asking S3 for sizes", self.batch)
            self.entries = with_sizes_of_now(self.services.storage, self.entries, self.config.copy_options)
        content = render_manifest(self.entries)
        if content is not None:
            log.info("%s: manifest of %d objects at %s", self.batch, len(self.entries), self.manifest)
            with self._taking(Step.WRITE_MANIFEST):
                self.services.storage.write(self.manifest.bucket, self.manifest.key, content)
        with self.services.warehouse.connect(self.target.conn_id, self.target.transport) as session:
            pid = int(session.execute(sql.BackendPid())[0][0])
            if self.previous_session not in {None, pid}:
                self._end_session(session, int(self.previous_session or 0))
            if self.unanswered is not None and self._has_committed(session, self.unanswered):
                return Outcome.FOUND_LOADED, self.unanswered.rows, self.unanswered.query_id
            with self._taking(Step.RECORD_SESSION):
                self._change(
                    lambda batch: record_session(
                        batch, self.target_name, self.number, pid, announces=not self.has_history
                    )
                )
            self.has_session = True
            if self.target.statement_timeout is not None:
                milliseconds = int(self.target.statement_timeout.total_seconds() * 1000)
                session.execute(sql.SetStatementTimeout(milliseconds))
            try:
                return self._transaction(session, has_rows=content is not None)
            except ConnectionLostError:
                raise
            except RsloaderError as error:
                session.execute(sql.Rollback())
                raise self._explained(error, session, pid) from error

    def _end_session(self, session: Session, previous: int) -> None:
        log.info("%s: ending session %s of an attempt that never ended", self.batch, previous)
        try:
            with self._taking(Step.END_SESSION):
                session.execute(sql.TerminateSession(previous))
        except AccessDeniedError as refused:
            # A user may end all their own sessions: the number has gone to another user's, and the attempt's is over.
            log.info("%s: session %s is another user's by now: %s", self.batch, previous, refused)
        else:
            if self.batch.progress(self.target_name).announces:
                wait_until_over(session, previous, self.services.sleep)

    def _has_committed(self, session: Session, commit: UnansweredCommit) -> bool:
        known = has_committed(session, commit, str(self.manifest))
        if known is None and commit != self.denied:
            raise undecided(self.batch, self.target_name, self.table, commit)
        log.info(
            "%s: the COMMIT of attempt %d was %scarried out, %s",
            self.batch, commit.attempt, "" if known else "not ",
            "a person says" if known is None else "Redshift says",
        )  # fmt: skip
        return bool(known)

    def _transaction(self, session: Session, *, has_rows: bool) -> tuple[Outcome, int, int | None]:
        run = session.execute
        if self.target.mode == "truncate":
            if found := self._begin(session):
                return found
            log.warning(
                "%s: TRUNCATE of %s commits: until the rows are loaded, and if they are refused, the table is empty",
                self.batch, self.table,
            )  # fmt: skip
            with self._taking(Step.TRUNCATE):
                run(sql.Truncate(self.table))
            # The lock went with that commit, so that others may have loaded since: everything is looked at again.
        if found := self._begin(session):
            return found
        run_user_sql(session, self.renderer, self.batch, self.target, "pre_sql", str(self.manifest))
        filling = modes.filling(self.target)
        for statement in filling.before:
            run(statement)
        rows, query_id = 0, None
        if has_rows:
            key = self.services.access_key(self.config)
            with self._taking(Step.COPY):
                run(sql.Copy(filling.into, self.target.columns, str(self.manifest), self.config.copy_options, key))
            rows, query_id = run(sql.LastCopy())[0]
        if filling.check is not None:
            self._refuse_ambiguous(filling.check.keys, run(filling.check))
        for statement in filling.after:
            run(statement)
        if self.has_history:
            self._write_history(session, rows, query_id)
        run_user_sql(session, self.renderer, self.batch, self.target, "post_sql", str(self.manifest), rows)
        if not self.has_history:
            with self._taking(Step.ANNOUNCE_COMMIT):
                self._change(
                    lambda batch: announce_commit(batch, self.target_name, self.number, rows=rows, query_id=query_id)
                )
        with self._taking(Step.COMMIT):
            run(sql.Commit())
        return Outcome.LOADED, rows, query_id

    def _begin(self, session: Session) -> tuple[Outcome, int, int | None] | None:
        """Open the transaction with the target's mutex; give the result when there is nothing to load any more."""
        run = session.execute
        with self._taking(Step.BEGIN_TRANSACTION):
            run(sql.Begin())
            if self.has_history:
                run(sql.LockHistory(self.table))
        if not self.has_history:
            return None
        times, rows, query_id, files, newer = run(sql.FindLoaded(self.key))[0]
        if not times:
            if self.target.mode != "append":
                self._refuse_older(newer)
            return None
        run(sql.Rollback())
        if files != self.batch.files:
            raise CorruptLedgerError(
                f"{self.batch} has {self.batch.files} objects, but was loaded into {self.table} with {files}. "
                "DynamoDB was put back to a time before that load, and its open batch took other objects since. "
                "Nothing was loaded; `rsloader audit` names the objects."
            )
        return Outcome.FOUND_LOADED, rows, query_id

    def _write_history(self, session: Session, rows: int, query_id: int | None) -> None:
        loaded = sql.RecordLoaded(
            self.key,
            attempt=self.number,
            rows=rows,
            files=self.batch.files,
            query_id=query_id,
            run=self.batch.run or "",
        )
        with self._taking(Step.WRITE_HISTORY):
            session.execute(loaded)

    def _refuse_ambiguous(self, keys: Sequence[str], found: Sequence[Sequence[Any]]) -> None:
        if found:
            listed = "; ".join(f"({', '.join(map(str, values))}) in {rows} rows" for *values, rows in found)
            raise BadDataError(
                f"the key ({', '.join(keys)}) does not tell which row is meant: it stands more than once in the batch, "
                f"or a part of it is NULL. Nothing was loaded. The first {len(found)}: {listed}. Correct the files and "
                "clear the task; where one file follows another with newer rows, let each be a batch: max_files: 1."
            )

    def _refuse_older(self, newer: str | None) -> None:
        if newer is not None:
            raise OutOfOrderError(
                f"{self.batch} was not loaded into {self.table}: the table holds the newer batch {newer}, which mode "
                f"{self.target.mode} would replace by older rows. Nothing needs repair. Objects of this batch that "
                "must be loaded nevertheless have to be put again under new keys."
            )

    def _explained(self, error: RsloaderError, session: Session, pid: int) -> RsloaderError:
        """Add to an error of COPY what Redshift and S3 know of it. Called after the rollback."""
        match error:
            case BadDataError():
                return self._refused_files(error, _row_errors(session, pid))
            case ObjectsMissingError():
                missing = self._missing_urls()
                jsonpaths = self.config.copy_options.jsonpaths_url
                if jsonpaths is not None and not missing:
                    # COPY reads nothing else.
                    return NotSetUpError(
                        f"{self.batch} into {self.table}: the JSONPaths file {jsonpaths} (`copy.jsonpaths`) is not in "
                        f"S3: {error}. Nothing was loaded. Put it there, and the next run loads the batch; or correct "
                        "the load file."
                    )
                return ObjectsMissingError(
                    f"{self.batch} into {self.table}: objects that it claimed are no longer in S3. Nothing was loaded. "
                    "Put them back and clear the task.",
                    missing,
                )
            case _:
                return error

    def _refused_files(self, error: BadDataError, rows: tuple[RowError, ...]) -> BadDataError:
        # A session's number is given out again, and the views go back for days.
        own = {entry.url.encode()[:_VIEW_URL_BYTES].decode(errors="ignore").strip() for entry in self.entries}
        rows = tuple(row for row in rows if row.file in own)
        text = f"{self.batch} into {self.table}: {error}"
        changed = overwritten(self.services.storage, self.entries) if self.config.copy_options.is_columnar else ()
        if changed:
            text += (
                "\nObjects were written again after the batch claimed them, and COPY refuses files of another size:"
                f"{_listed(changed)}\nNothing was loaded. Clear the task, and they are loaded as they are then."
            )
            return BadDataError(text, rows)
        if not rows and not any(entry.name in str(error) for entry in self.entries):
            text += f"\nRedshift names no object. The batch has:{_listed([entry.url for entry in self.entries])}"
        text += (
            "\nNothing was loaded. Repair the objects under their keys, or correct the load file or the table, "
            "and clear the task."
        )
        return BadDataError(text, rows)

    def _missing_urls(self) -> tuple[str, ...]:
        log.info("%s: asking S3 which of its %d objects are missing", self.batch, len(self.entries))
        urls = (S3Url.parse(entry.url) for entry in self.entries)
        return tuple(str(url) for url in urls if not self.services.storage.exists(url.bucket, url.key))

    def _end(self, error: RsloaderError) -> None:
        # As long as nobody knows whether an earlier attempt has committed, its batch does not wait for another reason.
        in_doubt = self.unanswered is not None and not self.has_session
        final = isinstance(error, UndecidedError) or (isinstance(error, _NEEDS_A_PERSON) and not in_doubt)
        text = str(error)[:_ERROR_CHARACTERS]
        notify = self.config.notify.failure is not None

        def ended(batch: Batch) -> Batch:
            if isinstance(error, UndecidedError):
                return leave_undecided(batch, self.target_name, self.number, error=text, notify=notify)
            return end_attempt(
                batch,
                self.target_name,
                self.number,
                error=text,
                final=final,
                had_session=self.has_session,
                notify=notify,
            )

        with self._taking(Step.END_ATTEMPT):
            self._change(ended)
        if final:
            tell_failure(self.config, self.services, self.batch, self.target_name, self.manifest, self.entries, error)

    def _change(self, change: Callable[[Batch], Batch]) -> None:
        """Write a change of the batch, over and over while other targets of the same batch write theirs.

        A write may be carried out and its answer lost: botocore then tries it again, and the second try fails its
        own condition. The progress in the ledger tells that from a lost race, since it holds the attempt's number
        and only the attempt itself writes under that.
        """
        for _ in range(_RACES):
            wanted = change(self.batch)
            try:
                self.batch = self.services.ledger.replace(self.batch, wanted)
            except LostRaceError:
                now = self.services.ledger.get(self.batch.load, self.batch.batch)
                if now.progress(self.target_name) == wanted.progress(self.target_name):
                    # Go on with the batch as this write made it, not as it is now: if another target has completed
                    # it since, that one tells of it, and telling here as well would tell twice.
                    self.batch = replace(wanted, version=self.batch.version + 1)
                    return
                self.batch = now
            else:
                return
        raise ContentionError(f"{self.batch}: others wrote to it {_RACES} times in a row. Try again.")


def _listed(lines: Sequence[str]) -> str:
    left = len(lines) - _OBJECTS_SHOWN
    return "".join(f"\n  {line}" for line in [*lines[:_OBJECTS_SHOWN], *([f"and {left} more"] if left > 0 else [])])


def _row_errors(session: Session, pid: int) -> tuple[RowError, ...]:
    for statement in (sql.FindRowErrors(pid, ROW_ERRORS_SHOWN), sql.FindRowErrorsWithoutValues(pid, ROW_ERRORS_SHOWN)):
        try:
            rows = session.execute(statement)
        except (AccessDeniedError, NotSetUpError, StatementError) as error:
            log.info("load errors are not readable: %s", error)
            continue
        if rows:
            return tuple(
                RowError(file, int(line), column, value, reason, int(code), int(query_id))
                for file, line, column, value, reason, code, query_id in rows
            )
    return ()
