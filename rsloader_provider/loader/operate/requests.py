"""What a person asks of a load through a form: one request, told line by line, and done only when it is confirmed."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.loader.look.reports import batch_report, batch_reports, batch_with_files, file_reports
from rsloader_provider.loader.operate.backfill import Part, backfill, mark_existing, plan_backfill
from rsloader_provider.loader.operate.batches import close_now, holdings, plan_reprocess, reprocess_batch
from rsloader_provider.loader.operate.deletions import delete_batches, plan_deletion, read_deleted, restore_batches
from rsloader_provider.loader.operate.forget_objects import forget_objects, plan_forget
from rsloader_provider.loader.operate.move_objects import plan_reprocess_objects, reprocess_objects
from rsloader_provider.loader.operate.object_fates import ObjectFate, Taken
from rsloader_provider.loader.operate.plan_objects import ObjectsPlan
from rsloader_provider.loader.run.commit_outcome import decide_by_person
from rsloader_provider.loader.services import Services

RESULT_ITEMS = 100
_STEPS_TOLD = 10_000


class Action(StrEnum):
    """What can be asked for; named like the commands."""

    BATCHES = "batches"
    BATCH = "batch"
    UNLOCK = "unlock"
    FILES = "files"
    REPROCESS = "reprocess"
    CLOSE_NOW = "close-now"
    REPROCESS_OBJECTS = "reprocess-objects"
    FORGET = "forget"
    BACKFILL = "backfill"
    MARK_ONLY = "mark-only"
    MARK_LOADED = "mark-loaded"
    MARK_NOT_LOADED = "mark-not-loaded"
    DELETE_BATCHES = "delete-batches"
    RESTORE = "restore"

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
        confirmed: Whether it is to be done; otherwise it is told what would be.
        batch: The batch's id.
        targets: Names of targets; none for all.
        objects: URLs of objects: those that are meant, or for reprocessing a batch those to leave out.
        prefix: The URL of a prefix instead.
        status: Only batches of this status; None for all.
        since: Only what is of this moment or later (aware, UTC); None for any.
        until: Only what is of before this moment (aware, UTC); None for any.
        deleted: What a deletion printed, for putting it back.
    """

    action: Action
    by: str
    confirmed: bool = False
    batch: str | None = None
    targets: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    prefix: str | None = None
    status: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    deleted: str = ""


def operate(config: LoadConfig, services: Services, request: Request, tell: Callable[[str], None]) -> dict[str, Any]:
    """Carry out one request, or tell what it would do.

    Not to be made again with the same request: objects that were loaded meanwhile would be forgotten or loaded again.

    Args:
        config: The load.
        services: The ports and the clock.
        request: The request.
        tell: Gets each line of the answer, in its order.

    Returns:
        The answer for programs, plain JSON: `action`, `load`, `done`, and what was found or done; of long lists the
        first RESULT_ITEMS items.

    Raises:
        ConfigurationError: Something that the action needs was not given, or is no such thing.
        RsloaderError: Whatever the use case raises; the message says what was changed.
    """
    found = _Operation(config, services, request, tell).run()
    done = request.confirmed and request.action.changes
    if request.action.changes and not request.confirmed:
        tell("Nothing was changed: the request was not confirmed.")
    return {"action": str(request.action), "load": config.load, "done": done, **found}


class _Operation:
    """A method for each action."""

    def __init__(self, config: LoadConfig, services: Services, request: Request, tell: Callable[[str], None]):
        self._config = config
        self._services = services
        self._request = request
        self._tell = tell

    def run(self) -> dict[str, Any]:
        by_action: dict[Action, Callable[[], dict[str, Any]]] = {
            Action.BATCHES: self._batches,
            Action.BATCH: self._batch,
            Action.UNLOCK: self._unlock,
            Action.FILES: self._files,
            Action.REPROCESS: self._reprocess,
            Action.CLOSE_NOW: self._close_now,
            Action.REPROCESS_OBJECTS: self._reprocess_objects,
            Action.FORGET: self._forget,
            Action.BACKFILL: self._backfill,
            Action.MARK_ONLY: self._backfill,
            Action.MARK_LOADED: self._decide,
            Action.MARK_NOT_LOADED: self._decide,
            Action.DELETE_BATCHES: self._delete,
            Action.RESTORE: self._restore,
        }
        return by_action[self._request.action]()

    def _needed(self, value: Any, name: str) -> Any:
        if not value:
            raise ConfigurationError(f"{self._request.action} needs {name!r}. Fill it in. Nothing was changed.")
        return value

    def _list(self, items: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """Tell all, and keep the first."""
        kept: list[dict[str, Any]] = []
        count = 0
        for each in items:
            count += 1
            self._tell(json.dumps(each))
            if count <= RESULT_ITEMS:
                kept.append(each)
        self._tell(f"{count:,} found.")
        return {"count": count, "items": kept}

    def _batches(self) -> dict[str, Any]:
        request = self._request
        return self._list(
            batch_reports(
                self._services.ledger, self._config.load, request.status, since=request.since, until=request.until
            )
        )

    def _batch(self) -> dict[str, Any]:
        batch_id = self._needed(self._request.batch, "batch")
        report = batch_with_files(self._services.ledger, self._config.load, batch_id)
        entries = report.pop("entries")
        self._tell(json.dumps(report, indent=2))
        for entry in entries:
            self._tell(f"{entry['url']} ({entry['size_bytes']:,} bytes)")
        return {"batch": report, "entries": entries[:RESULT_ITEMS]}

    def _unlock(self) -> dict[str, Any]:
        found = []
        for each in holdings(self._config.load, self._services, self._request.batch or None):
            self._tell(f"{each.batch} into {each.target}: {each.sentence}")
            found.append({"batch": each.batch.batch, "target": each.target, "sentence": each.sentence})
        if not found:
            self._tell("No batch waits for a target.")
        self._tell("There is nothing to unlock: the next run takes over what a run that is over has left.")
        return {"count": len(found), "items": found[:RESULT_ITEMS]}

    def _files(self) -> dict[str, Any]:
        request = self._request
        places = request.objects or ((request.prefix,) if request.prefix else (None,))
        ledger = self._services.ledger
        return self._list(each for place in places for each in file_reports(ledger, self._config.load, place))

    def _reprocess(self) -> dict[str, Any]:
        request = self._request
        batch_id = self._needed(request.batch, "batch")
        choice: dict[str, Sequence[str]] = {"targets": request.targets, "without": request.objects}
        if not request.confirmed:
            plan = plan_reprocess(self._config, self._services, batch_id, **choice)
            for sentence in plan.sentences:
                self._tell(f"{plan.batch}: {sentence}")
            return {"batch": batch_id, "targets": list(plan.targets), "left_out": len(plan.left_out)}
        batch = reprocess_batch(self._config, self._services, batch_id, by=request.by, **choice)
        self._tell(f"{batch} waits for the next run of {self._config.dag_id}, which loads it.")
        return {"batch": batch_report(batch)}

    def _close_now(self) -> dict[str, Any]:
        if not self._request.confirmed:
            opened = self._services.ledger.open_batch(self._config.load, self._services.now())
            self._tell(f"{opened}, with {opened.files:,} objects, would be locked, and the next run would load it.")
            return {"batch": opened.batch, "files": opened.files}
        batch = close_now(self._config, self._services, by=self._request.by)
        if batch is None:
            self._tell("Nothing waits in the open batch; it stays open.")
            return {"batch": None, "files": 0}
        self._tell(f"{batch} is locked with {batch.files:,} objects; the next run of {self._config.dag_id} loads it.")
        return {"batch": batch.batch, "files": batch.files}

    def _reprocess_objects(self) -> dict[str, Any]:
        return self._objects(plan_reprocess_objects, reprocess_objects)

    def _forget(self) -> dict[str, Any]:
        return self._objects(plan_forget, forget_objects)

    def _objects(self, plan: Callable[..., ObjectsPlan], do: Callable[..., Iterable[Taken]]) -> dict[str, Any]:
        request = self._request
        if bool(request.objects) == bool(request.prefix):
            raise ConfigurationError(f"{request.action} needs either 'objects' or 'prefix'. Nothing was changed.")
        which = {"urls": request.objects, "prefix": request.prefix or None}
        if not request.confirmed:
            planned = plan(self._config, self._services, **which)
            for url in planned.examples:
                self._tell(f"for example {url}")
            if planned.unclaimed:
                self._tell(f"{planned.unclaimed:,} objects that nothing has claimed: runs load them anyway.")
            if planned.about_emptied is not None:
                self._tell(planned.about_emptied)
            return self._fates(planned.fates)
        fates: dict[ObjectFate, int] = {}
        for taken in do(self._config, self._services, by=request.by, **which):
            fates[taken.fate] = fates.get(taken.fate, 0) + len(taken.names)
            for name in islice(taken.names, _STEPS_TOLD):
                self._tell(f"s3://{name} of batch {taken.batch}: {taken.fate}")
        return self._fates(fates)

    def _fates(self, fates: Any) -> dict[str, Any]:
        counts = {str(fate): count for fate, count in fates.items()}
        for fate, count in counts.items():
            self._tell(f"{count:,} objects: {fate}")
        return {"objects": counts}

    def _backfill(self) -> dict[str, Any]:
        request = self._request
        part = Part(request.prefix or None, request.since, request.until)
        if not request.confirmed:
            plan = plan_backfill(self._config, self._services, part)
            what = (
                "be marked as loaded"
                if request.action is Action.MARK_ONLY
                else "be claimed, and loaded by the next runs"
            )
            self._tell(f"{plan.objects:,} objects, {plan.size_bytes:,} bytes, would {what}.")
            for url in plan.examples:
                self._tell(f"for example {url}")
            return {"objects": plan.objects, "size_bytes": plan.size_bytes}
        if request.action is Action.MARK_ONLY:
            marked = mark_existing(self._config, self._services, part, by=request.by)
            self._tell(f"{marked.marked:,} objects count as loaded now; {marked.passed_over:,} were claimed before.")
            return {"objects": marked.marked, "batches": list(marked.batches[:RESULT_ITEMS])}
        claimed = backfill(self._config, self._services, part, by=request.by)
        self._tell(
            f"{claimed.claimed:,} objects claimed and {len(claimed.batches):,} batches locked, which the next runs of "
            f"{self._config.dag_id} load; the rest waits in the open batch."
        )
        return {"objects": claimed.claimed, "batches": list(claimed.batches[:RESULT_ITEMS])}

    def _decide(self) -> dict[str, Any]:
        request = self._request
        batch_id = self._needed(request.batch, "batch")
        (target, *more) = self._needed(request.targets, "targets")
        if more:
            raise ConfigurationError(f"{request.action} takes one target at a time. Nothing was changed.")
        loaded = request.action is Action.MARK_LOADED
        if not request.confirmed:
            progress = self._services.ledger.get(self._config.load, batch_id).progress(target)
            self._tell(f"Batch {batch_id} would count as {'loaded' if loaded else 'not loaded'} in {target}.")
            self._tell(progress.error or f"{target}: {progress.state}.")
            return {"batch": batch_id, "target": target, "is_undecided": progress.is_undecided}
        batch = decide_by_person(self._services.ledger, self._config.load, batch_id, target, loaded=loaded)
        self._tell(f"{batch} is {batch.progress(target).state} in {target}; the batch is {batch.status}.")
        return {"batch": batch_id, "target": target, "status": str(batch.status)}

    def _delete(self) -> dict[str, Any]:
        before: datetime = self._needed(self._request.until, "until")
        if not self._request.confirmed:
            return self._list(map(batch_report, plan_deletion(self._config.load, self._services, before)))
        self._tell("Each batch follows as one line of JSON. Keep the lines: 'restore' puts them back.")
        count = 0
        for _ in delete_batches(self._config.load, self._services, before, by=self._request.by, keep=self._tell):
            count += 1
        self._tell(f"{count:,} batches deleted; their objects stay claimed.")
        return {"count": count}

    def _restore(self) -> dict[str, Any]:
        batches = read_deleted(self._needed(self._request.deleted, "deleted").splitlines())
        if others := {each.batch.load for each in batches} - {self._config.load}:
            raise ConfigurationError(
                f"The lines are of load {', '.join(sorted(others))}, not of {self._config.load}. Nothing was put back."
            )
        if not self._request.confirmed:
            return self._list(batch_report(each.batch) for each in batches)
        return self._list(
            asdict(each) | {"outcome": str(each.outcome)}
            for each in restore_batches(self._services, batches, by=self._request.by)
        )
