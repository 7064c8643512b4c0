"""What a person asks of a load through a form: one request, answered line by line, and done only if confirmed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.loader.look.reports import batch_reports, file_reports
from rsloader_provider.loader.operate.backfill import Part
from rsloader_provider.loader.operate.deletions import read_deleted
from rsloader_provider.loader.operate.objects_named import ObjectsNamed
from rsloader_provider.loader.operate.operations.backfill import backfilling, marking
from rsloader_provider.loader.operate.operations.batches import closing_now, reprocessing
from rsloader_provider.loader.operate.operations.change_targets import giving_up, retargeting
from rsloader_provider.loader.operate.operations.decide import deciding
from rsloader_provider.loader.operate.operations.deletions import deleting, restoring
from rsloader_provider.loader.operate.operations.look_ups import one_batch, who_holds
from rsloader_provider.loader.operate.operations.objects import forgetting, reprocessing_objects
from rsloader_provider.loader.operate.operations.operation import RESULT_ITEMS, Hear, Operation, Told, listed
from rsloader_provider.loader.operate.operations.rebuild import rebuilding
from rsloader_provider.loader.operate.operations.reconcile import reconciling
from rsloader_provider.loader.operate.operations.rename import accepting, renaming
from rsloader_provider.loader.services import Services

_Given = TypeVar("_Given")


class Action(StrEnum):
    """What can be asked for; named like the commands."""

    BATCHES = "batches"
    BATCH = "batch"
    UNLOCK = "unlock"
    FILES = "files"
    REPROCESS = "reprocess"
    RETARGET = "retarget"
    GIVE_UP = "give-up"
    CLOSE_NOW = "close-now"
    REPROCESS_OBJECTS = "reprocess-objects"
    FORGET = "forget"
    BACKFILL = "backfill"
    MARK_ONLY = "mark-only"
    MARK_LOADED = "mark-loaded"
    MARK_NOT_LOADED = "mark-not-loaded"
    DELETE_BATCHES = "delete-batches"
    RESTORE = "restore"
    REBUILD_LEDGER = "rebuild-ledger"
    RECONCILE = "reconcile"
    RENAME_LOAD = "rename-load"
    ACCEPT = "accept"

    @property
    def changes(self) -> bool:
        """Whether it changes anything, so that it has to be confirmed."""
        return self not in {Action.BATCHES, Action.BATCH, Action.UNLOCK, Action.FILES}


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        action: What is asked for.
        by: Who asks: a DAG run, `dag_id/run_id`. A text that only this request has.
        confirmed: Whether to do it; otherwise only what it would do is reported.
        batch: The batch's id.
        targets: Names of targets; none for all. For another target, the old one and then the new one.
        objects: URLs of objects: those that are meant, or for reprocessing a batch those to leave out.
        prefix: The URL of a prefix instead.
        out_of_order: Whether to reprocess a batch although newer ones are in the table; only for targets that merge.
        status: Only batches of this status; None for all.
        since: Only what is from this moment or later (aware, UTC); None for any.
        until: Only what is from before this moment (aware, UTC); None for any.
        deleted: What a deletion printed, for putting it back.
        other: The name of another load: the old name of this one, or the one that it is accepted beside.
        declared: The names of all loads that the folder of load files has.
    """

    action: Action
    by: str
    confirmed: bool = False
    batch: str | None = None
    targets: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    prefix: str | None = None
    out_of_order: bool = False
    status: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    deleted: str = ""
    other: str | None = None
    declared: frozenset[str] = frozenset()


def operate(config: LoadConfig, services: Services, request: Request, tell: Callable[[str], None]) -> dict[str, Any]:
    """Carry out one request, or report what it would do.

    Do not call it again with the same request: it would forget objects that were loaded meanwhile, or load them again.

    Args:
        config: The load.
        services: The ports and the clock.
        request: The request.
        tell: Gets each line of the answer, in its order.

    Returns:
        The answer for programs, plain JSON: `action`, `load`, `done`, and what was found or done; of long lists the
        first RESULT_ITEMS items.

    Raises:
        ConfigurationError: Something that the action needs was not given, or is not valid.
        RsloaderError: Whatever the use case raises; the message says what was changed.
    """

    def hear(_objects: int, lines: Iterable[str]) -> None:
        for line in lines:
            tell(line)

    done = request.confirmed and request.action.changes
    if not request.action.changes:
        told = _look_up(config, services, request, hear)
    elif not request.confirmed:
        told = _operation(config, services, request).plan(hear)
    else:
        operation = _operation(config, services, request)
        if request.action is Action.DELETE_BATCHES:
            tell(
                "Each batch follows as one line of JSON. Keep the lines: 'restore' needs them to put the batches back."
            )
        told = operation.carry_out(request.by, hear)
    hear(0, told.sentences)
    if request.action.changes and not request.confirmed:
        tell("Nothing was changed: the request was not confirmed.")
    report = {name: value[:RESULT_ITEMS] if isinstance(value, list) else value for name, value in told.report.items()}
    return {"action": str(request.action), "load": config.load, "done": done, **report}


def _look_up(config: LoadConfig, services: Services, request: Request, hear: Hear) -> Told:
    ledger, load = services.ledger, config.load
    match request.action:
        case Action.BATCH:
            return one_batch(ledger, load, _needed(request, request.batch, "batch"), hear)
        case Action.UNLOCK:
            return who_holds(load, services, request.batch, hear)
        case Action.FILES:
            begins = request.objects or (request.prefix,)
            return listed((each for begin in begins for each in file_reports(ledger, load, begin)), hear)
        case _:  # Action.BATCHES
            found = batch_reports(ledger, load, request.status, since=request.since, until=request.until)
            return listed(found, hear)


def _operation(config: LoadConfig, services: Services, request: Request) -> Operation:
    match request.action:
        case Action.REPROCESS:
            batch = _needed(request, request.batch, "batch")
            return reprocessing(
                config, services, batch, request.targets, request.objects, out_of_order=request.out_of_order
            )
        case Action.RETARGET:
            old, new = _targets(request, 2)
            return retargeting(config, services, _needed(request, request.batch, "batch"), old, new)
        case Action.GIVE_UP:
            (target,) = _targets(request, 1)
            return giving_up(config, services, _needed(request, request.batch, "batch"), target)
        case Action.CLOSE_NOW:
            return closing_now(config, services)
        case Action.REPROCESS_OBJECTS:
            return reprocessing_objects(config, services, _named(request))
        case Action.FORGET:
            return forgetting(config, services, _named(request))
        case Action.BACKFILL | Action.MARK_ONLY:
            part = Part(request.prefix, request.since, request.until)
            claim = backfilling if request.action is Action.BACKFILL else marking
            return claim(config, services, part)
        case Action.DELETE_BATCHES:
            return deleting(config.load, services, _needed(request, request.until, "until"))
        case Action.RESTORE:
            return _restoration(config, services, request)
        case Action.MARK_LOADED | Action.MARK_NOT_LOADED:
            return _decision(config, services, request)
        case _:
            return _recovery(config, services, request)


def _recovery(config: LoadConfig, services: Services, request: Request) -> Operation:
    match request.action:
        case Action.REBUILD_LEDGER:
            return rebuilding(config, services)
        case Action.RECONCILE:
            return reconciling(config, services, _needed(request, request.since, "since"))
        case Action.RENAME_LOAD:
            return renaming(config, services, _needed(request, request.other, "other"), request.declared)
        case _:  # Action.ACCEPT
            return accepting(config, services, _needed(request, request.other, "other"))


def _needed(request: Request, value: _Given | None, name: str) -> _Given:
    if not value:
        raise ConfigurationError(f"{request.action} needs {name!r}. Fill it in. Nothing was changed.")
    return value


def _targets(request: Request, number: int) -> tuple[str, ...]:
    """Give the targets of an action that takes so many."""
    targets = _needed(request, request.targets, "targets")
    if len(targets) != number:
        takes = "one target at a time" if number == 1 else "two targets: the old one, and in the next line the new one"
        raise ConfigurationError(f"{request.action} takes {takes}. Nothing was changed.")
    return targets


def _named(request: Request) -> ObjectsNamed:
    if bool(request.objects) == bool(request.prefix):
        raise ConfigurationError(f"{request.action} needs either 'objects' or 'prefix'. Nothing was changed.")
    return ObjectsNamed(request.objects, request.prefix)


def _restoration(config: LoadConfig, services: Services, request: Request) -> Operation:
    batches = read_deleted(_needed(request, request.deleted, "deleted").splitlines())
    if others := {each.batch.load for each in batches} - {config.load}:
        raise ConfigurationError(
            f"The lines belong to load {', '.join(sorted(others))}, not to {config.load}. Nothing was put back."
        )
    return restoring(services, batches)


def _decision(config: LoadConfig, services: Services, request: Request) -> Operation:
    batch = _needed(request, request.batch, "batch")
    (target,) = _targets(request, 1)
    loaded = request.action is Action.MARK_LOADED
    return deciding(services.ledger, config.load, batch, target, loaded=loaded)
