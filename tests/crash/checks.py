"""What must be so after a cell, however it went."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crash.scene import OBJECTS, Scene
from crash.stage import LANDING
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, Notification, TargetState

ROWS = Counter(int(line) for body in OBJECTS.values() for line in body.split())


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of telling, from watching the processes.

    Attributes:
        completions: How often a process completed the batch.
        untold: How many of these processes died before they told of it.
        undecided: Whether the process that completed the batch last died before it noted that it had told.
    """

    completions: int = 0
    untold: int = 0
    undecided: bool = False


def problems(scene: Scene, asked: Mapping[str, int], told: Told | None) -> Iterator[str]:
    """Give everything that is not as it must be, first of all rows.

    Args:
        scene: The scene, in which no process is at work any more.
        asked: The generations of the batch by target: 1, and one more for each time that a person asked for a batch
            that was loaded.
        told: What should have been told; None where the ledger has lost that.
    """
    for target, generations in asked.items():
        yield from _rows(scene, target, generations)
    batches = scene.batches()
    if len(batches) != 1:
        yield f"{len(batches)} batches were locked, and not 1: {[each.batch for each in batches]}"
        return
    for target, generations in asked.items():
        yield from _history(scene, batches[0], target, generations)
    yield from _ledger(scene, batches[0], asked)
    yield from _manifests(scene, batches[0])
    if told is not None:
        yield from _messages(scene, batches[0], told)


def _rows(scene: Scene, target: str, generations: int) -> Iterator[str]:
    # Only `append` adds the rows again when a person asks again.
    times = generations if scene.mode == "append" else 1
    wanted = Counter({row: count * times for row, count in ROWS.items()})
    if (found := scene.rows(target)) != wanted:
        yield f"{target} holds {dict(found)}, and not {dict(wanted)}"


def _history(scene: Scene, batch: Batch, target: str, generations: int) -> Iterator[str]:
    expected = [[batch.batch, number, ROWS.total(), len(OBJECTS)] for number in range(1, generations + 1)]
    if (history := scene.history(target)) != expected:
        yield f"the history of {target} is {history}, and not {expected}"


def _ledger(scene: Scene, batch: Batch, asked: Mapping[str, int]) -> Iterator[str]:
    ledger = scene.stage.ledger
    if batch.status is not BatchStatus.COMPLETE:
        yield f"{batch} is {batch.status}"
    if left := list(ledger.unfinished(scene.load)):
        yield f"batches are left to load: {left}"
    for target, generations in asked.items():
        progress = batch.progress(target)
        found = (progress.state, progress.generation, progress.rows, progress.session)
        if found != (TargetState.LOADED, generations, ROWS.total(), None):
            yield f"{target} is {found} in the ledger, and not loaded in generation {generations}"
    names = {f"{LANDING}/{scene.prefix}{name}" for name in OBJECTS}
    claims = {claim.name: claim.batch for claim in ledger.claims(scene.load, LANDING)}
    if claims != dict.fromkeys(names, batch.batch):
        yield f"the claims are {claims}"
    if sorted(entry.name for entry in ledger.entries(batch)) != sorted(names) or batch.files != len(names):
        yield f"{batch} counts {batch.files} objects and lists {ledger.entries(batch)}"
    opened = [each for each in ledger.batches(scene.load) if each.status is BatchStatus.OPEN]
    if [each.files for each in opened] != [0]:
        yield f"the open batches are {opened}, and not one that is empty"


def _manifests(scene: Scene, batch: Batch) -> Iterator[str]:
    found = scene.stage.loader_objects(f"{scene.prefix}manifests/")
    if list(found) != [f"{scene.prefix}manifests/{scene.load}/{batch.batch}.manifest"]:
        yield f"the manifests are {list(found)}, and not one for {batch}"
    urls = [f"s3://{LANDING}/{scene.prefix}{name}" for name in sorted(OBJECTS)]
    for key, content in found.items():
        if [entry["url"] for entry in json.loads(content)["entries"]] != urls:
            yield f"{key} holds {content.decode()}"


def _messages(scene: Scene, batch: Batch, told: Told) -> Iterator[str]:
    sent = [message for message in scene.stage.successes(scene.load) if message["batchId"] == batch.batch]
    if len(sent) != told.completions - told.untold:
        yield f"{len(sent)} notifications were sent for {told}"
    expected = Notification.DUE if told.undecided else Notification.SENT
    if batch.notification is not expected:
        yield f"the batch says that its notification is {batch.notification}, and not {expected}"
