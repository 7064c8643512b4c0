"""Give a load another name: what was loaded under the old one counts as loaded by the new one.

The order makes it safe to stop anywhere. First both loads are told to hold still, and the rows of the load histories
change their load: from now on every transaction of the new load meets a newest batch that the ledger does not know,
and refuses to load. Then the old load gives up its open batch, so that whatever still works for it claims nothing more.
Each object is claimed for the new load, and only after that the batches are handed over, oldest first, so that the
newest, which those transactions ask for, comes last. What is left under the old name is dropped at the end.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import OperationRefusedError, UnknownBatchError, concerning
from rsloader_provider.core.ledger.batch import RENAMED, Batch, BatchStatus, TargetState
from rsloader_provider.core.ledger.claims import Claim, Place
from rsloader_provider.core.ledger.renaming import Renaming
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.other_loads import GiveRows
from rsloader_provider.loader.operate.object_fates import ObjectFate, find_batch
from rsloader_provider.loader.operate.objects_named import WINDOW_OBJECTS, ClaimedObject, as_claimed, some
from rsloader_provider.loader.operate.recovery.rows_under_name import histories_of, knows, with_left_targets
from rsloader_provider.loader.operate.take_objects import Removal, take_objects
from rsloader_provider.loader.ports.ledger import AlreadyClaimedError, LostRaceError
from rsloader_provider.loader.ports.renames import RENAMED_ITEMS
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.races import until_won
from rsloader_provider.loader.run.buffer import target_settings
from rsloader_provider.loader.services import Services

log = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class RenamePlan:
    """What would go over to the new name.

    Attributes:
        under_way: An earlier call that has not come to its end; None if none has begun.
        batches: Batches that the old load still has.
        waiting: How many of these are to be loaded yet.
        objects: Objects that the old load has claimed.
        claimed_since: How many of these the new load has claimed since, in batches that are not loaded.
        histories: The tables whose load history has rows of the old load.
    """

    under_way: Renaming | None
    batches: int
    waiting: int
    objects: int
    claimed_since: int
    histories: tuple[str, ...]

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to do."""
        return self.under_way is None and not (self.batches or self.objects or self.histories)


def plan_rename(config: LoadConfig, services: Services, old: str, declared: Collection[str]) -> RenamePlan:
    """Tell what would go over. Changes nothing.

    Args:
        config: The load under its new name.
        services: The ports and the clock.
        old: The name that it had.
        declared: The names of all loads that the folder of load files has, also of broken ones.

    Raises:
        OperationRefusedError: The old load still has a load file; a batch of it is being loaded; the new load has
            loaded objects of it; another renaming is under way; a history cannot be read, or lacks the column.
    """
    new, ledger = config.load, services.ledger
    if old == new or old in declared:
        raise OperationRefusedError(
            f"Load {old} still has a load file, so it was not renamed. Nothing was changed. Take that file away first, "
            f"on all machines, and let the tasks of its DAG end; {new} is the load that goes on."
        )
    under_way = _under_way(services, old, new)
    batches = [each for each in ledger.batches(old) if each.files or each.status is not BatchStatus.OPEN]
    for batch in batches:
        _refuse_while_loading(batch)
    objects = since = 0
    for window in _windows(ledger.claims_of_now(old), WINDOW_OBJECTS):
        objects += len(window)
        since += len(_claimed_since(services, new, window))
    newest = dict(histories_of(with_left_targets(config, batches), services, old))
    plan = RenamePlan(
        under_way,
        batches=len(batches),
        waiting=sum(batch.status is not BatchStatus.OPEN and bool(batch.unfinished_targets) for batch in batches),
        objects=objects,
        claimed_since=since,
        histories=tuple(map(str, newest)),
    )
    has_nothing = under_way is None and not (batches or objects)
    # What the new load knows came over before: its rows are of a target that was away then, or of a late COMMIT.
    if has_nothing and not all(knows(ledger, new, batch) for batch in newest.values()):
        raise OperationRefusedError(
            f"DynamoDB knows nothing of load {old}, but the load histories of {', '.join(plan.histories)} do. Its "
            f"ledger was lost: put the old load file back, run `rsloader rebuild-ledger {old}`, take the file away "
            "again, and then ask once more. Nothing was changed."
        )
    return plan


def rename_load(
    config: LoadConfig,
    services: Services,
    old: str,
    declared: Collection[str],
    *,
    by: str,
    progress: Callable[[int], None] = lambda _: None,
) -> RenamePlan:
    """Hand over what the ledger and the histories have of a load to its new name.

    May be stopped at any moment and called again; until it has come to its end, neither load claims or loads anything.

    Args:
        config: The load under its new name.
        services: The ports and the clock.
        old: The name that it had.
        declared: As for `plan_rename`.
        by: Who asks.
        progress: Called with the number of objects since the last call.

    Returns:
        What there was to hand over when this call began.

    Raises:
        OperationRefusedError: As for `plan_rename`. It may be raised when a part is done: call again.
        ContentionError: Others wrote over and over; call again.
        RsloaderError: A history cannot be written; call again.
    """
    plan = plan_rename(config, services, old, declared)
    if plan.is_nothing:
        return plan
    renaming = plan.under_way or _begin(config, services, old, by)
    handing = _HandingOver(config, services, renaming, by)
    handing.give_rows()
    handing.close()
    for window in _windows(services.ledger.claims_of_now(old), RENAMED_ITEMS):
        handing.take_claims(window)
        progress(len(window))
    handing.hand_over_batches()
    handing.end()
    log.warning("load %s: its batches and claims are those of load %s now, asked for by %s", old, config.load, by)
    return plan


def _under_way(services: Services, old: str, new: str) -> Renaming | None:
    found = services.ledger.renaming(old) or services.ledger.renaming(new)
    if found is not None and (found.old, found.new) != (old, new):
        raise OperationRefusedError(
            f"Load {found.old} is being renamed to {found.new}. Nothing was changed. Go on with that first: "
            f"`{found.command}`"
        )
    return found


def _begin(config: LoadConfig, services: Services, old: str, by: str) -> Renaming:
    def begin() -> Renaming:
        if found := _under_way(services, old, config.load):
            return found
        now = services.now()
        for load in (old, config.load):
            services.ledger.open_batch(load, now)
        renaming = Renaming(old, config.load, by, now)
        with services.steps.taking(Step.RENAME, f"load {old} to {config.load}"):
            services.ledger.begin_renaming(renaming)
        return renaming

    return until_won(f"load {old}", begin)


class _OverError(OperationRefusedError):
    """The renaming has come to its end: by another call, or by this one, whose answer was lost."""


class _HandingOver:
    def __init__(self, config: LoadConfig, services: Services, renaming: Renaming, by: str):
        self._config = config
        self._targets = with_left_targets(config, services.ledger.batches(renaming.old)).targets
        self._services = services
        self._ledger = services.ledger
        self._renaming = renaming
        self._by = by

    def close(self) -> None:
        """Leave the old load without an open batch, so that a process that still works for it claims nothing."""
        old = self._renaming.old

        def close() -> None:
            for batch in self._ledger.batches(old):
                if batch.status is not BatchStatus.OPEN:
                    continue
                if batch.files:
                    with self._taking(batch):
                        self._ledger.lock(
                            batch, reason=RENAMED, run=self._by, targets=target_settings(self._config),
                            now=self._services.now(),
                        )  # fmt: skip
                    raise LostRaceError  # the one that was opened in its place is to be closed too
                with self._taking(batch):
                    self._ledger.retire(self._renaming, batch)

        self._until_won("the open batch", close)
        for batch in self._ledger.batches(old):
            _refuse_while_loading(batch)

    def give_rows(self) -> None:
        """Give the rows of the histories to the new load, each history in a transaction that holds its lock."""
        for target in self._targets:
            if target.history != "table":
                continue
            table = TableName(target.schema_name, target.table_name)
            given = GiveRows(table, self._renaming.old, self._renaming.new, self._config.source_text)
            with (
                concerning(f"the load history of {table}"),
                self._services.warehouse.connect(target.conn_id, target.transport) as session,
                self._taking(f"load history of {table}"),
            ):
                for statement in (sql.Begin(), sql.LockHistory(table), given, sql.Commit()):
                    session.execute(statement)

    def take_claims(self, claims: Sequence[Claim]) -> None:
        """Claim objects for the new load."""

        def take() -> None:
            try:
                with self._taking(f"{len(claims)} claims"):
                    self._ledger.take_claims(self._renaming, claims)
            except AlreadyClaimedError as taken:
                self._clear([each for each in claims if each.name in taken.names])
                raise LostRaceError from taken

        self._until_won("claims", take)

    def hand_over_batches(self) -> None:
        """Give the batches to the new load, oldest first, and then what is kept of deleted ones."""
        for batch in reversed([*self._ledger.batches(self._renaming.old)]):
            self._hand_over(batch.batch)
        self._write("notes of deleted batches", lambda: self._ledger.hand_over_deletions(self._renaming))

    def end(self) -> None:
        """Drop what is left under the old name, and let the new load work."""
        # An attempt that was at work when this began may have committed a row under the old name since.
        self.give_rows()
        for window in _windows(self._ledger.claims_of_now(self._renaming.old), RENAMED_ITEMS):
            taken = self._ledger.find_claims(self._renaming.new, [each.name for each in window])
            if late := [each for each in window if each.name not in taken]:
                self.take_claims(late)
            self._write(f"{len(window)} claims", partial(self._ledger.drop_claims, self._renaming, window))
        self.hand_over_batches()
        with suppress(_OverError):
            self._write("its end", lambda: self._ledger.end_renaming(self._renaming))

    def _hand_over(self, batch_id: str) -> None:
        def hand_over() -> None:
            try:
                batch = self._ledger.get(self._renaming.old, batch_id)
            except UnknownBatchError:
                return
            _refuse_while_loading(batch)
            with self._taking(batch):
                self._ledger.hand_over(self._renaming, batch)

        self._until_won(f"batch {batch_id}", hand_over)

    def _clear(self, claims: Sequence[Claim]) -> None:
        """Take objects out of batches of the new load that have claimed them since and have not loaded them."""
        removal = Removal(
            self._renaming.new, self._ledger, self._by, ObjectFate.FORGOTTEN, self._forget,
            without_claim=ObjectFate.TAKEN, elsewhere=ObjectFate.TAKEN,
        )  # fmt: skip
        found = _claimed_since(self._services, self._renaming.new, claims)
        for taken in take_objects(removal, map(as_claimed, found)):
            if taken.fate is ObjectFate.BEING_LOADED:
                raise _loaded_since(self._renaming.new, taken.batch, taken.names, "is loading")

    def _forget(self, objects: Sequence[ClaimedObject], batch: str, place: Place | None) -> Batch | None:
        names = [each.claim.name for each in objects]
        if place is None or _was_loaded(place.batch):
            raise _loaded_since(self._renaming.new, batch, names, "has loaded")
        with self._taking(f"{len(objects)} objects of batch {batch}"):
            return self._ledger.forget(self._renaming.new, names, batch, place)

    def _write(self, subject: str, write: Callable[[], None]) -> None:
        def taking() -> None:
            with self._taking(subject):
                write()

        self._until_won(subject, taking)

    def _until_won(self, subject: str, write: Callable[[], None]) -> None:
        def unless_over() -> None:
            try:
                write()
            except LostRaceError:
                if self._ledger.renaming(self._renaming.old) != self._renaming:
                    raise _OverError(
                        f"Load {self._renaming.old} was renamed by another call of `{self._renaming.command}`, which "
                        "has come to its end. There is nothing left to do."
                    ) from None
                raise

        until_won(f"load {self._renaming.old}: {subject}", unless_over)

    def _taking(self, subject: object) -> AbstractContextManager[None]:
        return self._services.steps.taking(Step.RENAME, f"load {self._renaming.old}: {subject}")


def _claimed_since(services: Services, new: str, claims: Sequence[Claim]) -> list[Claim]:
    """Give the claims by which the new load has objects of the old one in batches of its own.

    Raises:
        OperationRefusedError: It has loaded some of them, or is about to.
    """
    wanted = {each.name: each.batch for each in claims}
    found = services.ledger.find_claims(new, [*wanted])
    since = [each for each in found.values() if each.batch != wanted[each.name]]
    for batch_id in sorted({each.batch for each in since}):
        batch = find_batch(services.ledger, new, batch_id)
        if batch is None or _was_loaded(batch) or any(each.may_commit for each in batch.targets.values()):
            raise _loaded_since(new, batch_id, [each.name for each in since if each.batch == batch_id], "has loaded")
    return since


def _was_loaded(batch: Batch) -> bool:
    loaded = any(progress.state is TargetState.LOADED for progress in batch.targets.values())
    return loaded or batch.status is BatchStatus.COMPLETE


def _loaded_since(new: str, batch: str, names: Sequence[str], what: str) -> OperationRefusedError:
    return OperationRefusedError(
        f"Batch {batch} of load {new} {what}, or counts as loaded with, objects that the old load has claimed as well: "
        f"{some(names)}. Only one of the two claims can stay. Delete the rows that {new} has loaded from them, and "
        f"forget them there: `rsloader forget {new}`; then ask again. Or leave both loads as they are. Nothing more "
        "was changed."
    )


def _refuse_while_loading(batch: Batch) -> None:
    if any(progress.state is TargetState.LOADING for progress in batch.targets.values()):
        raise OperationRefusedError(
            f"{batch} is being loaded (run {batch.run}). Let the tasks of that DAG end. If none is at work any more, "
            f"an attempt has not come to its end: put the load file of {batch.load} back in the place of the new one, "
            "clear the task load_batch of that run, exchange the files again once it has ended, and ask once more."
        )


def _windows(claims: Iterable[Claim], size: int) -> Iterator[list[Claim]]:
    stream = iter(claims)
    while window := [*islice(stream, size)]:
        yield window
