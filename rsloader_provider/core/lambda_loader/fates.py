"""What became of each file that the Lambda loader had an event for, and what is done about it here.

The loader decoded keys once: in its tables a blank is '+', and so is a plus; in its manifests '+' became a blank and
'%2B' a plus. So only the manifests of complete batches show what was loaded, and a file with a plus never was.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from rsloader_provider.core.lambda_loader.tables import LambdaBatch, LambdaFile, LambdaStatus


class FileFate(StrEnum):
    """What became of one file, by what the tables and the manifests say."""

    LOADED = "loaded"
    """A complete batch's manifest names it."""
    OPEN = "open"
    """It waits in an open batch."""
    LOCKED = "locked"
    """Its batch is locked or being reprocessed: whether its COPY was committed is not recorded."""
    ERROR = "error"
    """Its batch failed, in one cluster at least."""
    UNKNOWN = "unknown"
    """Its batch was deleted from the table, or cannot be read."""
    CHOSEN = "chosen to be loaded"
    """The person chose that for its batch."""
    LOST = "lost"
    """It was recorded, but it is in no batch that was or will be loaded: the loader lost it silently."""


class Choice(StrEnum):
    """What is done about the files of a fate."""

    LOAD = "load"
    """They stay unclaimed, so that the first run loads them."""
    MARK = "mark"
    """They are marked as loaded."""


_BY_STATUS = {
    LambdaStatus.OPEN: FileFate.OPEN,
    LambdaStatus.LOCKED: FileFate.LOCKED,
    LambdaStatus.REPROCESSING: FileFate.LOCKED,
    LambdaStatus.ERROR: FileFate.ERROR,
    LambdaStatus.REPROCESSED: FileFate.ERROR,
}
_BY_CHOICE = {Choice.MARK: FileFate.LOADED, Choice.LOAD: FileFate.CHOSEN}
_LONG_AGO = datetime.fromtimestamp(0, UTC)
_ORDER = (
    FileFate.LOADED,
    FileFate.CHOSEN,
    FileFate.OPEN,
    FileFate.LOCKED,
    FileFate.ERROR,
    FileFate.UNKNOWN,
    FileFate.LOST,
)
"""If several facts of a file are equally new, the first of these counts."""


@dataclass(frozen=True, slots=True)
class JudgedFile:
    """One file, and what became of it.

    Attributes:
        fate: See FileFate.
        batch: The batch that the fate comes from; None where there is none.
        size_bytes: Its size as the batch recorded it; None where that is not known.
    """

    fate: FileFate
    batch: str | None
    size_bytes: int | None


@dataclass(slots=True)
class Fates:
    """The fates of all files of one configuration.

    Attributes:
        by_name: By name as S3 has it, as far as the manifests and the decoding show it.
        lost: Names of lost files as the tables have them, with the batch that should have had them.
        without_manifest: Complete batches whose manifest is gone; their entries count as loaded.
    """

    by_name: dict[str, JudgedFile] = field(default_factory=dict)
    lost: dict[str, str | None] = field(default_factory=dict)
    without_manifest: list[str] = field(default_factory=list)

    def lost_as(self, name: str) -> str | None:
        """Give the name under which the tables have an object that was lost; None for one that they do not have."""
        return next((written for written in (name, as_written(name)) if written in self.lost), None)

    def lost_name(self, written: str) -> str | None:
        """Give the object that a lost name of the tables means, if nothing in S3 has shown which it is.

        Returns:
            None if it may mean an object that was loaded.
        """
        name = as_in_manifest(written)
        return None if name in self.by_name else name


def as_in_manifest(written: str) -> str:
    """Give the name that the loader's manifest has for a name of its tables.

    >>> as_in_manifest("landing/a+b%2Bc.csv")
    'landing/a b+c.csv'
    """
    return written.replace("+", " ").replace("%2B", "+")


def as_written(name: str) -> str:
    """Give the name that the loader's tables have for an object: an event writes a blank in a key as '+'.

    >>> as_written("landing/a b.csv")
    'landing/a+b.csv'
    """
    return name.replace(" ", "+")


def manifest_names(content: bytes) -> frozenset[str]:
    """Read the names in a manifest of the loader's.

    Raises:
        ValueError: It is not a manifest.
    """
    try:
        entries: list[dict[str, Any]] = json.loads(content)["entries"]
        return frozenset(str(entry["url"]).removeprefix("s3://") for entry in entries)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"it is not a manifest ({error!r})") from None


def judge_files(
    batches: Iterable[LambdaBatch],
    manifests: Mapping[str, frozenset[str] | None],
    files: Iterable[LambdaFile],
    decided: Mapping[str, Choice],
) -> Fates:
    """Sort the files of one configuration. The newest fact of a file decides.

    That is what became of the batch that took it last, as its record says; if that says nothing of it, of the batch
    that was written last among those that have it.

    Args:
        batches: All of its batches.
        manifests: The names in the manifests of its complete batches, by batch; None for one that is gone.
        files: Its processed files.
        decided: Batches that the person decided about one by one, also deleted ones.
    """
    files = [*files]
    fates = Fates()
    facts = _Facts(fates.by_name, {as_in_manifest(each.name): each.batch for each in files})
    known: set[str] = set()
    suspects: dict[str, str | None] = {}
    for batch in batches:
        known.add(batch.batch)
        if (choice := decided.get(batch.batch)) is not None:
            facts.note_all(batch, _BY_CHOICE[choice])
        elif batch.status is not LambdaStatus.COMPLETE:
            facts.note_all(batch, _BY_STATUS[batch.status])
        elif (names := manifests.get(batch.batch)) is None:
            fates.without_manifest.append(batch.batch)
            facts.note_all(batch, FileFate.LOADED)
        else:
            sizes = {as_in_manifest(written): size for written, size in batch.entries.items()}
            for name in names:
                facts.note(name, JudgedFile(FileFate.LOADED, batch.batch, sizes.get(name)), batch.last_update)
            suspects.update((each, batch.batch) for each in batch.entries if as_in_manifest(each) not in names)
    for file in files:
        if file.batch is not None and file.batch not in known:
            choice = decided.get(file.batch)
            fate = FileFate.UNKNOWN if choice is None else _BY_CHOICE[choice]
            facts.note(as_in_manifest(file.name), JudgedFile(fate, file.batch, None), None)
        else:
            suspects.setdefault(file.name, file.batch)
    for written, batch_id in suspects.items():
        if as_in_manifest(written) not in fates.by_name:
            fates.lost[written] = batch_id
        elif "+" in written:
            # Either name may be meant. If there is an object with the plus as well, it was never loaded.
            fates.lost.setdefault(written, batch_id)
    return fates


class _Facts:
    """Keeps the newest fact of each file.

    Args:
        by_name: Where they are kept.
        recorded: The batch that took each file last, by its name in manifests.
    """

    def __init__(self, by_name: dict[str, JudgedFile], recorded: Mapping[str, str | None]):
        self._by_name = by_name
        self._recorded = recorded
        self._ages: dict[str, tuple[bool, datetime, int]] = {}

    def note_all(self, batch: LambdaBatch, fate: FileFate) -> None:
        for written, size_bytes in batch.entries.items():
            self.note(as_in_manifest(written), JudgedFile(fate, batch.batch, size_bytes), batch.last_update)

    def note(self, name: str, found: JudgedFile, moment: datetime | None) -> None:
        age = self._recorded.get(name) == found.batch, moment or _LONG_AGO, -_ORDER.index(found.fate)
        if name not in self._ages or age > self._ages[name]:
            self._ages[name] = age
            self._by_name[name] = found


def partly_loaded(batches: Iterable[LambdaBatch]) -> Iterator[tuple[LambdaBatch, tuple[str, ...]]]:
    """Give the batches that failed in one cluster and were loaded into others, each with the latter."""
    for batch in batches:
        if batch.status in {LambdaStatus.ERROR, LambdaStatus.LOCKED} and batch.loaded_clusters:
            yield batch, batch.loaded_clusters
