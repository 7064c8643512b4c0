"""What one load file of a folder declares, good or broken: its name, its schedule and its prefixes."""

from dataclasses import dataclass
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
from rsloader_provider.core.load_file.yaml_reader import explore_yaml
from rsloader_provider.core.load_file.yaml_salvage import top_level_text


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
        is_unread: Whether it may have sources that cannot be read: it is empty, cut off, or one of them is wrong.
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


def read_one_file(file: str, content: bytes) -> ReadFile:
    """Read a load file's bytes; never raises."""
    try:
        text = content.decode("utf-8-sig")
        config = read_load_file(text, file)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        mistake = LoadFileMistake(file, line, "this is not UTF-8.", "Save the file as UTF-8.")
        return _broken(file, content.decode(errors="replace"), (mistake,))
    except LoadFileError as error:
        return _broken(file, text, error.mistakes)
    written = tuple(SourcePattern(url.bucket, url.key) for url in config.manifest_prefixes)
    return ReadFile(file, text, config, (), config.load, config.load, config.schedule, config.sources, written)


def unreadable(file: str, error: OSError) -> ReadFile:
    """Return what is known of a file that cannot be opened."""
    mistake = LoadFileMistake(file, 1, f"this cannot be read: {error.strerror}.", "Check the file and who may read it.")
    return _broken(file, "", (mistake,))


def _broken(file: str, text: str, mistakes: tuple[LoadFileMistake, ...]) -> ReadFile:
    declared = declared_name(text)
    prefixes = prefixes_in(text)
    sources = prefixes.pop("source", ())
    written = tuple(chain.from_iterable(prefixes.values()))
    name = load_name_in(text, file)
    schedule, unread = schedule_in(text), sources_named(text) is None
    return ReadFile(file, text, None, mistakes, declared and declared[0], name, schedule, sources, written, unread)
