"""What an import found and what it does, for people and for programs. No output of it holds a secret."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.lambda_loader.fates import Choice, FileFate
from rsloader_provider.core.lambda_loader.load_file import AirflowConnection
from rsloader_provider.core.lambda_loader.tables import ImportFinding
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.loader.ports.secret_store import Stored

UNRECORDED = "unrecorded"
"""Objects that match a load and that the Lambda loader never recorded."""

SHOWN = 20

OPTIONS: dict[str, str] = {
    FileFate.OPEN: "--open",
    FileFate.LOCKED: "--locked",
    FileFate.ERROR: "--error",
    FileFate.UNKNOWN: "--unknown",
    UNRECORDED: "--unrecorded",
}
"""The option by which a person says what is done about the objects of a fate."""


@dataclass(frozen=True, slots=True)
class LostFile:
    """A file that the Lambda loader recorded and never loaded.

    Attributes:
        name: `bucket/key`.
        batch: The batch that should have had it; None where none is recorded.
        is_there: Whether it is in S3, so that the first run loads it.
    """

    name: str
    batch: str | None
    is_there: bool


@dataclass(slots=True)
class BatchInDoubt:
    """A batch of which nobody but a person knows whether its rows are in the table, and what helps to decide.

    Attributes:
        batch: Its id.
        fate: What became of its files, as far as the tables say: locked, error or unknown.
        last_update: When it was written last; None where that is not known.
        loaded_clusters: Clusters into which it was loaded.
        errors: What the Lambda loader recorded of its failure, by cluster.
        choice: What is done about its files; None if that has to be chosen.
        files: Its files that nothing has claimed yet.
    """

    batch: str
    fate: str
    last_update: datetime | None = None
    loaded_clusters: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    choice: Choice | None = None
    files: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {
            "batch": self.batch,
            "fate": str(self.fate),
            "last_update": self.last_update and self.last_update.isoformat(),
            "loaded_clusters": [*self.loaded_clusters],
            "errors": {**self.errors},
            "choice": self.choice and str(self.choice),
            "files": [f"s3://{name}" for name in self.files],
        }

    def lines(self) -> Iterator[str]:
        """Give it as lines for people."""
        when = f", last written {self.last_update:%Y-%m-%d %H:%M:%S} UTC" if self.last_update else ""
        loaded = f"; loaded into {', '.join(self.loaded_clusters)}" if self.loaded_clusters else ""
        ask = "" if self.choice else f". --load-batch or --mark-batch {self.batch} decides about it alone"
        yield f"  Batch {self.batch} ({self.fate}{when}), {len(self.files):,} objects{loaded}{ask}:"
        yield from (f"    {cluster or 'error'}: {error}" for cluster, error in sorted(self.errors.items()))
        yield from _some([f"s3://{name}" for name in self.files])


@dataclass(slots=True)
class LoadPlan:
    """What becomes of one configuration.

    Attributes:
        prefix: The configuration.
        load: The load's name.
        file: The load file's name in its folder.
        config: The load; None if it cannot be moved.
        settings: What its file will hold; the secret access key is put in when the file is written.
        secret: The secret of its access key; None where it has none, or it is not kept.
        file_state: What becomes of the file.
        counts: Objects by fate, and unrecorded ones.
        claimed: Objects that are claimed already, by an earlier import or by our own load.
        gone: Objects that were loaded and are no longer in S3; they are marked all the same.
        changed: Objects that were overwritten after their load: their new content was never loaded.
        lost: Files that were lost.
        unrecorded: Examples of objects that the Lambda loader never recorded.
        to_mark: What will be marked as loaded.
        to_load: Objects that stay unclaimed, so that the first run loads them.
        undecided: Objects by option that a person has to choose first.
        in_doubt: Batches whose files are locked, failed or unknown, by id; those of no batch are not among them.
        marked: Objects that were marked by this call.
    """

    prefix: str
    load: str
    file: str
    config: LoadConfig | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    secret: str | None = field(default=None, repr=False)
    file_state: Stored = Stored.CREATED
    counts: Counter[str] = field(default_factory=Counter)
    claimed: int = 0
    gone: int = 0
    changed: list[str] = field(default_factory=list)
    lost: list[LostFile] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    to_mark: list[S3Object] = field(default_factory=list, repr=False)
    to_load: int = 0
    undecided: Counter[str] = field(default_factory=Counter)
    in_doubt: dict[str, BatchInDoubt] = field(default_factory=dict)
    marked: int = 0

    def as_json(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {
            "prefix": self.prefix,
            "load": self.load,
            "file": self.file,
            "is_movable": self.config is not None,
            "file_state": str(self.file_state) if self.config else None,
            "objects": dict(self.counts),
            "claimed_already": self.claimed,
            "to_mark": len(self.to_mark),
            "marked": self.marked,
            "to_load": self.to_load,
            "no_longer_in_s3": self.gone,
            "overwritten_since": [f"s3://{name}" for name in self.changed],
            "lost": [
                {"url": f"s3://{each.name}", "batch": each.batch, "is_there": each.is_there} for each in self.lost
            ],
            "undecided": dict(self.undecided),
            "in_doubt": [each.as_json() for _, each in sorted(self.in_doubt.items())],
        }


@dataclass(slots=True)
class ImportReport:
    """What becomes of everything.

    Attributes:
        loads: By prefix, sorted.
        connections: Each with what becomes of it.
        where: Where the connections go.
        findings: What a person should know.
        without_load: Processed files that do not belong to any configuration.
        is_applied: Whether it was carried out, not only planned.
    """

    loads: list[LoadPlan] = field(default_factory=list)
    connections: list[tuple[AirflowConnection, Stored]] = field(default_factory=list)
    where: str = ""
    findings: list[ImportFinding] = field(default_factory=list)
    without_load: int = 0
    is_applied: bool = False

    @property
    def undecided(self) -> Counter[str]:
        """Objects by option that a person has to choose before anything is written."""
        return sum((each.undecided for each in self.loads), Counter())

    def as_json(self) -> dict[str, Any]:
        """Give it as plain JSON, without passwords and keys."""
        return {
            "is_applied": self.is_applied,
            "loads": [each.as_json() for each in self.loads],
            "connections": [{"conn_id": each.conn_id, "state": str(state)} for each, state in self.connections],
            "connections_in": self.where,
            "files_of_no_configuration": self.without_load,
            "undecided": dict(self.undecided),
            "findings": [
                {
                    "table": each.table,
                    "key": each.key,
                    "text": each.text,
                    "remedy": each.remedy,
                    "is_blocking": each.is_blocking,
                }
                for each in self.findings
            ],
        }

    def lines(self) -> Iterator[str]:
        """Give it as lines for people."""
        for each in self.loads:
            yield from _about(each, is_applied=self.is_applied)
        for connection, state in self.connections:
            yield f"Connection {connection.conn_id}: {_told(state, is_applied=self.is_applied)} ({self.where})."
        if self.without_load:
            yield f"{self.without_load:,} processed files do not belong to any configuration and are left out."
        for finding in self.findings:
            yield f"{'NOT MOVED' if finding.is_blocking else 'Note'}: {finding}"
        for option, objects in sorted(self.undecided.items()):
            yield f"{objects:,} objects need your choice: {option} load, or {option} mark."


def _about(plan: LoadPlan, *, is_applied: bool) -> Iterator[str]:
    if plan.config is None:
        yield f"{plan.prefix}: cannot be moved; the reasons are below."
        return
    counts = ", ".join(f"{objects:,} {fate}" for fate, objects in sorted(plan.counts.items())) or "nothing"
    state = _told(plan.file_state, is_applied=is_applied)
    yield f"{plan.prefix} → load {plan.load} ({plan.file}: {state}): {counts}."
    marked = f"{plan.marked:,} objects marked" if is_applied else f"{len(plan.to_mark):,} objects to be marked"
    yield (
        f"  {marked} as loaded, {plan.claimed:,} claimed before, {plan.to_load:,} left for the first run"
        + (f"; {plan.gone:,} of the loaded ones are no longer in S3." if plan.gone else ".")
    )
    there = [each for each in plan.lost if each.is_there]
    if plan.lost:
        yield (
            f"  The Lambda loader silently lost {len(plan.lost):,} of these; the first run loads the {len(there):,} "
            "that are in S3:"
        )
        yield from _some([f"s3://{each.name}{'' if each.is_there else ' (no longer in S3)'}" for each in plan.lost])
    if plan.changed:
        yield f"  {len(plan.changed):,} objects were overwritten after their load; their new content was never loaded:"
        yield from _some([f"s3://{name}" for name in plan.changed])
    for number, (_, doubt) in enumerate(sorted(plan.in_doubt.items())):
        if number == SHOWN:
            yield f"  … and {len(plan.in_doubt) - SHOWN:,} more batches; --json names them all"
            break
        yield from doubt.lines()
    if plan.unrecorded:
        yield "  The Lambda loader never recorded these objects, for example:"
        yield from _some([f"s3://{name}" for name in plan.unrecorded])


def _told(state: Stored, *, is_applied: bool) -> str:
    return "will be created" if state is Stored.CREATED and not is_applied else str(state)


def _some(lines: list[str]) -> Iterator[str]:
    yield from (f"    {line}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"    … and {len(lines) - SHOWN:,} more; --json names them all"


def chosen(fate: str, choices: Mapping[str, Choice]) -> Choice | None:
    """Give what is done about the objects of a fate; None if the person has not chosen."""
    if fate == FileFate.LOADED:
        return Choice.MARK
    if fate in {FileFate.LOST, FileFate.CHOSEN}:
        return Choice.LOAD
    return choices.get(fate)
