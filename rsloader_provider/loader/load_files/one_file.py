"""What one load file of a folder declares, good or broken: its name, its schedule and its prefixes."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.sources import SourcePattern
from rsloader_provider.core.load_file.reading import (
    LoadFileError,
    LoadFileMistake,
    declared_name,
    load_name_in,
    prefixes_in,
    read_load_file,
    schedule_in,
    sources_named,
)
from rsloader_provider.core.load_file.yaml_reader import YamlSyntaxError, explore_yaml
from rsloader_provider.core.load_file.yaml_salvage import top_level_text

SETTLED = timedelta(minutes=1)
"""A file that has not been changed for so long is not being written any more."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file of the folder as it was found.

    Attributes:
        file: Its path below the folder, with '/'.
        content: Its bytes, or why they cannot be read.
        is_settled: Whether it has not been changed for a while, see `SETTLED`.
    """

    file: str
    content: bytes | OSError
    is_settled: bool = True


@dataclass(frozen=True)
class ReadFile:
    """What was read from one load file.

    Attributes:
        file: Its path below the folder, with '/'.
        text: Its text; bytes that are not UTF-8 are replaced.
        config: The load, or None when the file has mistakes.
        mistakes: The file's mistakes.
        declared: The name that it gives the load; None when that cannot be read.
        guessed: The declared name, or one made from the file's name.
        schedule: The schedule's text; None when it cannot be read or is wrong.
        sources: The sources, as far as they can be read.
        written: The prefixes that the load writes manifests under, as far as they can be read.
        is_unread: Whether it may have sources that cannot be read: it is empty, cut off, or one of them is wrong. Whole
            YAML that names no source has none, once it is settled.
    """

    file: str
    text: str
    config: LoadConfig | None
    mistakes: tuple[LoadFileMistake, ...]
    declared: str | None
    guessed: str
    schedule: str | None
    sources: tuple[SourcePattern, ...]
    written: tuple[SourcePattern, ...]
    is_unread: bool = False

    def line_of(self, key: str) -> int:
        """Return the line of a top-level key's value; 1 when it is not found."""
        found = top_level_text(self.text, key)
        return found[1] if found else 1

    def line_of_source(self, source: SourcePattern) -> int:
        """Return the line of one source of a good file."""
        return explore_yaml(self.text).line_of(("source", self.sources.index(source)))


def surely_names_its_sources(content: bytes) -> bool:
    """Tell, without reading the whole file, that it is not unread."""
    try:
        return sources_named(content.decode("utf-8-sig")) is not None
    except UnicodeDecodeError:
        return False


def read_one_file(found: FileContent) -> ReadFile:
    """Read a load file's bytes; never raises."""
    file, content = found.file, found.content
    if isinstance(content, OSError):
        reason = f"this cannot be read: {content.strerror}."
        return _broken(found, "", (LoadFileMistake(file, 1, reason, "Check the file and who may read it."),))
    try:
        text = content.decode("utf-8-sig")
        config = read_load_file(text, file)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        mistake = LoadFileMistake(file, line, "this is not UTF-8.", "Save the file as UTF-8.")
        return _broken(found, content.decode(errors="replace"), (mistake,))
    except LoadFileError as error:
        return _broken(found, text, error.mistakes)
    written = tuple(SourcePattern(url.bucket, url.key) for url in config.manifest_prefixes)
    return ReadFile(file, text, config, (), config.load, config.load, config.schedule, config.sources, written)


def _broken(found: FileContent, text: str, mistakes: tuple[LoadFileMistake, ...]) -> ReadFile:
    declared = declared_name(text)
    prefixes = prefixes_in(text)
    sources = prefixes.pop("source", ())
    written = tuple(chain.from_iterable(prefixes.values()))
    name, schedule = load_name_in(text, found.file), schedule_in(text)
    is_unread = sources_named(text) is None and not (found.is_settled and _is_whole_without_source(text))
    return ReadFile(
        found.file, text, None, mistakes, declared and declared[0], name, schedule, sources, written, is_unread
    )


def _is_whole_without_source(text: str) -> bool:
    try:
        data = explore_yaml(text).data
    except YamlSyntaxError:
        return False
    return isinstance(data, dict) and bool(data) and "source" not in data
