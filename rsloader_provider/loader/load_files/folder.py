"""Reads a folder of load files, and decides what concerns several of them: names, and which load owns an object."""

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from pathlib import Path

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.schedules import airflow_schedule
from rsloader_provider.core.config.sources import SourcePattern
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.load_file.reading import LoadFileMistake
from rsloader_provider.core.load_file.template_notes import template_notes
from rsloader_provider.loader.load_files.one_file import (
    SETTLED,
    FileContent,
    ReadFile,
    read_one_file,
    surely_names_its_sources,
)
from rsloader_provider.loader.load_files.owners import settle_overlaps

_ENDINGS = (".yaml", ".yml")
_HIDING_ESCAPE = re.compile(rb"\\[xuU/\r\n]")
"""YAML escapes that can hide a letter, a digit or a '/', so that a search in the bytes misses it."""

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_=./-")
"""Bytes that stand for themselves everywhere in YAML; any other may end a value or fold a line."""


@dataclass(frozen=True)
class BrokenLoad:
    """A load that cannot run until its file is corrected.

    Attributes:
        name: The load's name, or the best guess, so that its DAG keeps its name and its history.
        mistakes: All that is known, sorted by file and line.
        schedule: The schedule as Airflow takes it, or None when it cannot be read or is a mistake itself.
    """

    name: str
    mistakes: tuple[LoadFileMistake, ...]
    schedule: str | timedelta | None

    @property
    def dag_id(self) -> str:
        """The id of the load's DAG."""
        return f"rsloader_{self.name}"


@dataclass(frozen=True)
class LoadFolder:
    """All loads of a folder; no name is in both.

    Attributes:
        loads: The good ones by name; `exclude` holds what more specific loads own.
        broken: The others by name.
        unread: Files whose sources cannot be read, sorted: they are empty, cut off or away, or a source is wrong. The
            good loads know them.
        notes: What may be meant in another way than it is taken, sorted by file and line; no load is broken by it.
    """

    loads: dict[str, LoadConfig]
    broken: dict[str, BrokenLoad]
    unread: tuple[str, ...] = ()
    notes: tuple[LoadFileMistake, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the environment variables that good loads were read with, sorted."""
        return tuple(sorted({name for config in self.loads.values() for name in config.variables}))

    @property
    def mistakes(self) -> tuple[LoadFileMistake, ...]:
        """Every mistake in the folder, sorted by file and line."""
        return tuple(sorted({mistake for broken in self.broken.values() for mistake in broken.mistakes}))


def read_load_folder(
    folder: Path, drafts: Mapping[str, str] | None = None, *, clock: Callable[[], float] = time.time
) -> LoadFolder:
    """Read all load files, `*.yaml` and `*.yml`, in a folder and the folders below it. Hidden ones are left out.

    A broken file breaks its own load only; its prefixes, as far as they can be read, still belong to it. If they cannot
    be read, the other loads go on leaving alone what they have left alone before, see `core.ledger.boundary`.
    Two loads of one name break each other. If two sources overlap, the more specific one owns its objects; if neither
    is more specific, the two loads break each other.

    Args:
        folder: The folder. An empty one has no loads.
        drafts: Texts that are not written yet, by their files' paths below the folder. They are read as if they were
            written.
        clock: The time in seconds since 1970, by which the age of a file's last change is told.

    Raises:
        ConfigurationError: There is no such folder.
    """
    return _settle(_with_texts(_contents(folder, clock), drafts or {}))


def file_of_load(folder: Path, name: str) -> str:
    """Return the path, below the folder, of the file that declares a load; the file may have mistakes.

    Raises:
        ConfigurationError: There is no such folder, or not one file that declares this load.
    """
    found = [read_one_file(each) for each in _contents(folder) if _may_name(each.content, name)]
    files = [each.file for each in found if each.declared == name]
    if len(files) != 1:
        if files:
            problem = f"Several files in {folder} declare the load {name!r}: {', '.join(files)}. Change all but one."
        else:
            problem = f"No file in {folder} declares the load {name!r}."
        raise ConfigurationError(f"{problem} Run `rsloader validate {folder}` to check them all.")
    return files[0]


def read_load_folder_with(folder: Path, more: Mapping[str, str]) -> LoadFolder:
    """Read all load files of a folder as if it held some more.

    Args:
        folder: The folder, which need not exist.
        more: Texts by name below the folder; a file that exists already is read instead.
    """
    there = _contents(folder) if folder.is_dir() else []
    files = {each.file for each in there}
    return _settle(_with_texts(there, {file: text for file, text in more.items() if file not in files}))


def read_file_alone(path: Path) -> LoadFolder:
    """Read one load file as if it stood alone in a folder.

    Raises:
        ConfigurationError: There is no such file.
    """
    if not path.is_file():
        raise ConfigurationError(f"The load file {str(path)!r} does not exist.")
    return _settle([read_one_file(_content(str(path), path.name, time.time))])


def read_one(folder: Path, name: str, *, clock: Callable[[], float] = time.time) -> LoadConfig | BrokenLoad:
    """Read one load as `read_load_folder` would, but parse only the files that can affect it.

    Raises:
        ConfigurationError: There is no such folder, or no load of this name in it.
    """
    contents = _contents(folder, clock)
    named = [read_one_file(each) for each in contents if _may_name(each.content, name)]
    declaring = [each for each in named if each.declared == name]
    if declaring:
        files = {each.file for each in named}
        sources = [source for each in declaring if each.config for source in each.config.sources]
        near = [
            read_one_file(each)
            for each in contents
            if each.file not in files
            and (_may_be_unread(each.content) or any(_may_overlap(each.content, source) for source in sources))
        ]
        found = _settle([*named, *near])
    else:
        # The name was guessed for a broken file, from the names of all others; or there is no such load.
        found = _settle(map(read_one_file, contents))
    load = found.loads.get(name) or found.broken.get(name)
    if load is None:
        known = ", ".join(sorted([*found.loads, *found.broken])) or "none"
        raise ConfigurationError(f"There is no load {name!r} in {folder}. The loads there: {known}.")
    return load


def read_good_load(folder: Path, name: str) -> LoadConfig:
    """Read one load that can run.

    Raises:
        ConfigurationError: There is no such folder or load, or its file has mistakes, which the message lists.
    """
    load = read_one(folder, name)
    if isinstance(load, BrokenLoad):
        raise ConfigurationError("Correct the load file first.", *load.mistakes)
    return load


def declared_loads(folder: Path) -> frozenset[str]:
    """Give the names of all loads in a folder, also of those that cannot run.

    Raises:
        ConfigurationError: There is no such folder.
    """
    found = read_load_folder(folder)
    return frozenset([*found.loads, *found.broken])


def _contents(folder: Path, clock: Callable[[], float] = time.time) -> list[FileContent]:
    """Return the load files below the folder as they are found, sorted by name."""
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise ConfigurationError(
            f"The folder of load files, {str(folder)!r}, {what}. Create it, or name another in [rsloader] loads_folder."
        )
    found: list[FileContent] = []
    for root, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if not each.startswith(".")]
        for each in files:
            if each.lower().endswith(_ENDINGS) and not each.startswith("."):
                path = os.path.join(root, each)  # noqa: PTH118 (a Path for each file takes as long as reading it)
                found.append(_content(path, os.path.relpath(path, folder), clock))
    return sorted(found, key=lambda each: each.file)


def _content(path: str, file: str, clock: Callable[[], float]) -> FileContent:
    file = os.fsencode(file).decode(errors="replace")  # a name that is not UTF-8 could not be printed
    try:
        with open(path, "rb") as opened:  # noqa: PTH123 (likewise)
            # The time of the inode's change: unlike that of the content's, no copy can carry it along.
            changed = os.fstat(opened.fileno()).st_ctime
            return FileContent(file, opened.read(), clock() - changed >= SETTLED.total_seconds())
    except OSError as error:
        return FileContent(file, error)


def _with_texts(contents: Iterable[FileContent], texts: Mapping[str, str]) -> list[ReadFile]:
    there = (each for each in contents if each.file not in texts)
    return [read_one_file(each) for each in (*there, *(FileContent(file, texts[file].encode()) for file in texts))]


def _settle(files: Iterable[ReadFile]) -> LoadFolder:
    files = sorted(files, key=lambda each: each.file)
    excludes, overlaps = settle_overlaps(files)
    loads: dict[str, LoadConfig] = {}
    broken: dict[str, BrokenLoad] = {}
    unread = tuple(each.file for each in files if each.is_unread)
    for name, same_name in _by_name(files).items():
        mistakes = [mistake for each in same_name for mistake in (*each.mistakes, *overlaps[each.file])]
        mistakes += _named_twice(same_name)
        if mistakes:
            schedule = next((each.schedule for each in same_name if each.schedule), None)
            broken[name] = BrokenLoad(name, tuple(sorted(mistakes)), schedule and airflow_schedule(schedule))
        elif config := same_name[0].config:
            loads[name] = _excluding(config, excludes[same_name[0].file]).beside(unread)
    notes = tuple(sorted(note for each in files for note in template_notes(each.file, each.text, each.config)))
    return LoadFolder(loads, broken, unread, notes)


def _by_name(files: list[ReadFile]) -> dict[str, list[ReadFile]]:
    """Group files by the load's name. A file that declares no name gets one from its own, unlike all declared ones."""
    named: dict[str, list[ReadFile]] = {}
    for each in files:
        if each.declared is not None:
            named.setdefault(each.declared, []).append(each)
    for each in files:
        if each.declared is None:
            name = each.guessed
            while name in named:
                name += "_broken"
            named[name] = [each]
    return named


def _named_twice(files: list[ReadFile]) -> list[LoadFileMistake]:
    mistakes = []
    for each in files if len(files) > 1 else ():
        others = ", ".join(f"{other.file}:{other.line_of('load')}" for other in files if other is not each)
        message = f"load {each.declared!r} is also in {others}."
        mistakes.append(LoadFileMistake(each.file, each.line_of("load"), message, "Give each load a name of its own."))
    return mistakes


def _excluding(config: LoadConfig, patterns: set[SourcePattern]) -> LoadConfig:
    if not patterns:
        return config
    return config.model_copy(update={"exclude": tuple(sorted({*config.exclude, *patterns}))})


def _may_name(content: bytes | OSError, name: str) -> bool:
    """Tell whether the file may declare the load: names hold only bytes that a search finds."""
    if isinstance(content, OSError):
        return False
    if name.encode() in content:  # many times faster than the search below, and most files end here
        # Nothing that could belong to a longer name may touch it.
        found = re.search(rb"(?<![\w.-])" + re.escape(name.encode()) + rb"(?![\w.-])", content)
        if found is not None:
            return True
    return _HIDING_ESCAPE.search(content) is not None


def _may_be_unread(content: bytes | OSError) -> bool:
    return isinstance(content, OSError) or not surely_names_its_sources(content)


def _may_overlap(content: bytes | OSError, source: SourcePattern) -> bool:
    """Tell whether an S3 URL in the file may overlap the source, by comparing the text before any wildcard.

    A file with escapes that can hide letters needs no search here: `_may_name` takes it.
    """
    if isinstance(content, OSError):
        return False
    if b"${" in content:  # what the variable stands for is known once the file is read
        return True
    start, wanted = f"s3://{source.bucket}".encode(), f"/{source.literal_prefix}".encode()
    found = content.find(start)
    while found >= 0:
        after = content[found + len(start) : found + len(start) + len(wanted) + 1]
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(after, wanted, strict=False)))
        if same == len(wanted) or same == len(after) or after[same] not in _PLAIN:
            return True
        found = content.find(start, found + 1)
    return False
