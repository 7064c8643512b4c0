"""Tell the story of one object: whose it is, how far it is, and what happens next. Each piece may be missing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.sources import S3Url
from rsloader_provider.core.errors import DeletedBatchError, RsloaderError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, Notification, TargetProgress, TargetState
from rsloader_provider.core.ledger.claims import Claim
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.target_changes import decisions
from rsloader_provider.core.visible import shell_word
from rsloader_provider.loader.boundaries import boundary_of
from rsloader_provider.loader.hidden_objects import leaves_out
from rsloader_provider.loader.histories import Histories
from rsloader_provider.loader.load_files.folder import LoadFolder
from rsloader_provider.loader.look.about_targets import about_history, about_target, moment, row_facts, tasks
from rsloader_provider.loader.look.reports import batch_report
from rsloader_provider.loader.services import Services

_Asked = TypeVar("_Asked")

TaskState = Callable[[str, str, str, int], str | None]
"""Tells the state of a task of Airflow by DAG, run, task and map index; None if nobody can say."""


def _nobody_knows(*_: object) -> None:
    return None


@dataclass(slots=True)
class LoadStory:
    """What one load has to do with the object.

    Attributes:
        load: Name of the load.
        is_owner: Whether the object is its, as it is configured now.
        sentences: The story in its order.
        facts: The same for programs: claim, batch, manifest and history, None where there is none.
    """

    load: str
    is_owner: bool
    sentences: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Explanation:
    """The story of one object.

    Attributes:
        url: The object.
        found: What S3 lists of it; None if it is not there or S3 could not be asked.
        sentences: What holds for all loads.
        loads: The loads that have to do with it, the owner first.
    """

    url: str
    found: S3Object | None = None
    sentences: list[str] = field(default_factory=list)
    loads: list[LoadStory] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        return {
            "url": self.url,
            "object": self.found
            and {
                "size_bytes": self.found.size_bytes,
                "etag": self.found.etag,
                "last_modified": self.found.last_modified.isoformat(),
            },
            "sentences": self.sentences,
            "loads": [
                {"load": each.load, "is_owner": each.is_owner, "sentences": each.sentences, **each.facts}
                for each in self.loads
            ],
        }


def explain_object(
    url: S3Url, folder: LoadFolder, services_of: Callable[[str], Services], state_of: TaskState = _nobody_knows
) -> Explanation:
    """Explain one object. Says what could not be asked; changes nothing.

    Args:
        url: The object.
        folder: All loads.
        services_of: Gives the ports for an AWS connection.
        state_of: Asked for the task of a failed batch, which Airflow may have removed.
    """
    told = Explanation(str(url))
    near = [config for config in folder.loads.values() if any(each.bucket == url.bucket for each in config.sources)]
    conn_id = next((each.aws_conn_id for each in near if each.matches(url.bucket, url.key)), None)
    conn_id = conn_id or next((each.aws_conn_id for each in near), "aws_default")
    told.found = _ask(told.sentences, "S3", lambda: services_of(conn_id).storage.find(url.bucket, url.key))
    told.sentences.append(_about_object(told.found))
    stories = (_story(config, url, told.found, folder, services_of, state_of) for config in near)
    told.loads.extend(story for story in stories if story is not None)
    told.loads.sort(key=lambda each: (not each.is_owner, each.load))
    if not any(each.is_owner for each in told.loads):
        told.sentences.append("No load takes it.")
    for name, broken in sorted(folder.broken.items()):
        told.sentences.append(
            f"Load {name} cannot be read ({broken.mistakes[0].file}), so it is not known whether it takes the object. "
            "`rsloader validate` shows what to correct."
        )
    return told


def _story(
    config: LoadConfig,
    url: S3Url,
    found: S3Object | None,
    folder: LoadFolder,
    services_of: Callable[[str], Services],
    state_of: TaskState,
) -> LoadStory | None:
    """Tell what a load has to do with the object; None if that is nothing."""
    story = LoadStory(config.load, is_owner=config.matches(url.bucket, url.key))
    services = _ask(story.sentences, "AWS", lambda: services_of(config.aws_conn_id))
    claim = None
    is_left_out: bool | None = False
    if services is not None:
        ledger = services.ledger
        if story.is_owner and (now := _ask([], "DynamoDB", partial(boundary_of, config, services))):
            config = now.config
            story.is_owner = config.matches(url.bucket, url.key)
            story.sentences += [f"{each[0].upper()}{each[1:]}" for each in now.sentences()]
        claim = _ask(story.sentences, "DynamoDB", lambda: ledger.find_claim(config.load, f"{url.bucket}/{url.key}"))
        is_left_out = _ask(
            story.sentences, "DynamoDB", lambda: leaves_out(config, services, url.bucket, url.key)
        )  # fmt: skip
    if not (story.is_owner or claim or config.source_of(url.bucket, url.key)):
        return None
    if is_left_out and story.is_owner:
        story.is_owner = False
        story.sentences.insert(0, _hidden(config, url))
    else:
        story.sentences.insert(0, _ownership(config, url, folder))
    if services is not None:
        _Storyteller(config, services, story, found, state_of).tell(claim)
    return story


def _ask(sentences: list[str], whom: str, question: Callable[[], _Asked]) -> _Asked | None:
    try:
        return question()
    except RsloaderError as error:
        sentences.append(f"{whom} could not be asked: {type(error).__name__}: {error}")
        return None


def _about_object(found: S3Object | None) -> str:
    if found is None:
        return "It was not found in S3."
    if found.is_folder_marker:
        return "It only stands for a folder; no load takes such an object."
    return f"It is in S3: {found.size_bytes:,} bytes, ETag {found.etag}, written {moment(found.last_modified)}."


def _ownership(config: LoadConfig, url: S3Url, folder: LoadFolder) -> str:
    name = f"Load {config.load}"
    source = config.source_of(url.bucket, url.key)
    if config.matches(url.bucket, url.key):
        by = "" if config.file_filter is None else f", and its file_filter {config.file_filter!r} matches it"
        return f"{name} takes it: it lies below {source}{by}."
    if source is None:
        return f"{name} does not take it: it does not lie below {' or '.join(map(str, config.sources))}."
    for each in config.exclude:
        if each.bucket == url.bucket and each.matches(url.key):
            other = next((load.load for load in folder.loads.values() if each in load.sources), None)
            whose = f", which load {other} takes by a more specific source" if other else ""
            return f"{name} does not take it: it leaves alone what lies below {each}{whose}."
    for prefix in config.manifest_prefixes:
        if prefix.bucket == url.bucket and url.key.startswith(prefix.key):
            return f"{name} does not take it: it writes its own manifests under {prefix}."
    return f"{name} does not take it: its file_filter {config.file_filter!r} does not match it."


def _hidden(config: LoadConfig, url: S3Url) -> str:
    why = "hidden_files: ignore" if config.hidden_files else "hidden_files is not set, and it has claimed none so far"
    return (
        f"Load {config.load} does not take it: below {config.source_of(url.bucket, url.key)} its key holds a hidden "
        f"name, as Spark and Hadoop leave them beside data, and the load leaves these out ({why}). To load them, "
        "write 'hidden_files: load'."
    )


class _Storyteller:
    """Tells what one load did with the object."""

    def __init__(
        self,
        config: LoadConfig,
        services: Services,
        story: LoadStory,
        found: S3Object | None,
        state_of: TaskState,
    ):
        self._config = config
        self._state_of = state_of
        self._services = services
        self._story = story
        self._found = found

    def tell(self, claim: Claim | None) -> None:
        self._story.facts = {"claim": None, "batch": None, "manifest": None, "history": None}
        if claim is None:
            if self._story.is_owner:
                self._say(*self._unclaimed())
            return
        self._story.facts["claim"] = {
            "batch": claim.batch,
            "size_bytes": claim.size_bytes,
            "etag": claim.etag,
            "last_modified": claim.last_modified.isoformat(),
            "claimed_at": claim.claimed_at.isoformat(),
            "left_out_at": claim.left_out_at and claim.left_out_at.isoformat(),
        }
        self._say(f"It was claimed for batch {claim.batch} at {moment(claim.claimed_at)}.")
        if self._found is not None and not claim.is_of(self._found):
            self._say(f"It has been overwritten since its claim, which was for ETag {claim.etag or 'unknown'}.")
        if claim.left_out_at is not None:
            self._say(
                f"A person left it out of that batch at {moment(claim.left_out_at)}, and no later attempt loads it "
                "with the batch. Next: nothing by itself. To have it loaded: rsloader reprocess-objects "
                f"{claim.load} {shell_word(f's3://{claim.name}')}"
            )
            return
        batch = self._find_batch(claim)
        if batch is None:
            return
        self._story.facts["batch"] = batch_report(batch)
        if batch.is_marked:
            self._say(
                f"That batch only marks its {batch.files:,} objects as loaded: {batch.reason} by {batch.run}. Nothing "
                "of it was loaded, and nothing will be."
            )
            return
        self._say(
            f"The batch is {batch.status}, with {batch.files:,} objects, {batch.size_bytes:,} bytes{_locked(batch)}."
        )
        if batch.status is not BatchStatus.OPEN:
            self._about_manifest(batch)
            self._about_targets(batch)
        self._say(*self._next(batch))

    def _find_batch(self, claim: Claim) -> Batch | None:
        """Give the batch of a claim, or say why there is none."""
        try:
            return self._services.ledger.get(claim.load, claim.batch)
        except DeletedBatchError as error:
            self._say(f"{error} Next: nothing. The batch was complete, and a person deleted it.")
        except RsloaderError as error:
            self._say(
                f"Its batch could not be read: {type(error).__name__}: {error}",
                f"Put the batch back into DynamoDB; `rsloader audit {claim.load}` shows what else is missing.",
            )
        return None

    def _say(self, *sentences: str) -> None:
        self._story.sentences.extend(sentences)

    def _unclaimed(self) -> Iterator[str]:
        if self._found is None:
            yield "Nothing has claimed it."
        elif not self._found.is_folder_marker:
            yield f"Nothing has claimed it yet: the next run of DAG {self._config.dag_id} does."

    def _about_manifest(self, batch: Batch) -> None:
        url = self._config.manifests.join(batch.manifest_name)
        there = _ask(self._story.sentences, "S3", lambda: self._services.storage.find(url.bucket, url.key) is not None)
        if there is not None:
            self._story.facts["manifest"] = {"url": str(url), "is_there": there}
            self._say(f"Its manifest is {url}{'' if there else ', which is not there'}.")

    def _about_targets(self, batch: Batch) -> None:
        with Histories(self._config, self._services.warehouse) as histories:
            rows = histories.of_batch(batch.batch)
            unreadable = {**histories.unreadable}
        self._story.facts["history"] = {name: [row_facts(row) for row in each] for name, each in rows.items()}
        for name, progress in sorted(batch.targets.items()):
            self._say(*about_target(name, progress))
            if name in rows:
                self._say(*about_history(name, progress, rows[name]))
            elif name in unreadable:
                error = unreadable[name]
                self._say(f"{name}: its load history could not be read: {type(error).__name__}: {error}")
            else:
                self._say(
                    f"{name}: it has no load history, or the load no longer has this target: nothing was compared."
                )
        if batch.notification is Notification.DUE:
            self._say("A notification of how it ended was due, and it is not known whether it was sent.")
        elif batch.notification is not None:
            self._say(
                f"The notification of how it ended was "
                f"{'sent' if batch.notification is Notification.SENT else 'refused'}."
            )

    def _next(self, batch: Batch) -> Iterator[str]:
        limits = self._config.batch
        match batch.status:
            case BatchStatus.OPEN:
                since = "" if batch.opened_at is None else f" ({moment(batch.opened_at)})"
                yield (
                    f"Next: the batch is locked and loaded at {limits.max_files:,} objects, "
                    f"{limits.max_bytes:,} bytes, or {limits.max_age} after its first claim{since}."
                )
            case BatchStatus.LOCKED:
                yield f"Next: run {batch.run} loads it; if that run is over, the next run takes it over by itself."
            case BatchStatus.ERROR:
                yield from self._after_failure(batch)
                if batch.unfinished_targets:
                    yield f"The next run takes over by itself: {', '.join(batch.unfinished_targets)}."
            case BatchStatus.COMPLETE:
                given_up = any(each.state is TargetState.GIVEN_UP for each in batch.targets.values())
                where = "every target that was not given up" if given_up else "every target"
                yield f"Next: nothing. It is in {where}, and is loaded again only if a person asks for it."

    def _after_failure(self, batch: Batch) -> Iterator[str]:
        asked = decisions(self._config, batch)
        for name, text in asked.items():
            yield f"Next: decide about {name}: {text}"
        failed = [
            each for name, each in batch.targets.items() if each.state is TargetState.FAILED and name not in asked
        ]
        if failed:
            yield self._after_repair(batch, failed)

    def _after_repair(self, batch: Batch, failed: list[TargetProgress]) -> str:
        command = f"rsloader reprocess {batch.load} {batch.batch}"
        removed = [each for each in failed if each.begun_by and self._state_of(*each.begun_by.names) == "removed"]
        if removed:
            return (
                f"Next: do what the error says; after a repair: {command}. Do not clear {tasks(batch, removed)}: "
                "Airflow has removed it since buffer_objects was cleared, and would remove it again."
            )
        return f"Next: do what the error says; after a repair, clear {tasks(batch, failed)} in Airflow. Or: {command}"


def _locked(batch: Batch) -> str:
    if batch.locked_at is None:
        return ""
    return f", locked at {moment(batch.locked_at)} for {batch.reason}, run {batch.run}"
