"""Reads one load file: YAML text becomes a `LoadConfig`, or a list of all mistakes with line and what to write."""

import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePath

from pydantic import ValidationError

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.schedules import schedule_text
from rsloader_provider.core.config.setting_types import is_load_name
from rsloader_provider.core.config.sources import SourcePattern
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.load_file.hints import describe
from rsloader_provider.core.load_file.variables import resolved, resolved_text
from rsloader_provider.core.load_file.yaml_reader import YamlSyntaxError, explore_yaml, read_yaml
from rsloader_provider.core.load_file.yaml_salvage import top_level_text, top_level_texts
from rsloader_provider.core.visible import visible


@dataclass(frozen=True, order=True)
class LoadFileMistake:
    """One thing to correct in a load file.

    Attributes:
        file: The file's path below its folder, or as it was given.
        line: Line in the file; 1 is the first.
        message: What is wrong.
        hint: What to write instead.
    """

    file: str
    line: int
    message: str
    hint: str

    def __str__(self) -> str:
        return visible(f"{self.file}:{self.line}: {self.message} {self.hint}")


class LoadFileError(ConfigurationError):
    """A load file, or a folder of them, has mistakes.

    Attributes:
        mistakes: All of them, sorted by file and line.
    """

    def __init__(self, mistakes: tuple[LoadFileMistake, ...]):
        super().__init__(*mistakes)
        self.mistakes = mistakes


_SOURCE = re.compile("source[ ]*:")
_BELONGING = frozenset(["", " ", "\t", "-", "#"])
"""How lines begin that belong to the setting before them: an empty line has no beginning."""


def read_load_file(text: str, file: str) -> LoadConfig:
    """Read a load file.

    Args:
        text: What is in it.
        file: The name that mistakes give it.

    Raises:
        LoadFileError: It has mistakes; the error has all of them. Only broken YAML hides what comes after it.
    """
    try:
        found = resolved(read_yaml(text))
        # A text with a problem stands there as it is written, and may still be a valid setting.
        config = None if found.problems else LoadConfig.model_validate(found.data, by_alias=True, by_name=False)
    except Exception as error:  # noqa: BLE001 (a parser's errors have many types; each becomes a mistake below)
        # The fast reader refused the file; the slow one, which finds the mistakes, could disagree.
        unexplained = (LoadFileMistake(file, 1, f"{error}.", "See docs/configuration.md."),)
        raise LoadFileError(_mistakes_in(text, file) or unexplained) from None
    if config is None:
        raise LoadFileError(_mistakes_in(text, file))
    return config.resolved_with(found.variables) if found.variables else config


def _mistakes_in(text: str, file: str) -> tuple[LoadFileMistake, ...]:
    try:
        document = explore_yaml(text)
    except YamlSyntaxError as error:
        return (LoadFileMistake(file, error.line, f"this is not YAML: {error.problem}.", error.hint),)
    mistakes = [LoadFileMistake(file, line, *_said(problem)) for line, problem in document.mistakes]
    if document.data is None and not mistakes:
        return (LoadFileMistake(file, 1, "the file is empty.", "Begin with the line 'load: <name>'."),)
    found = resolved(document.data)
    mistakes += [LoadFileMistake(file, document.line_of(place), *said) for place, said in found.problems]
    wrong_lines = {mistake.line for mistake in mistakes}
    try:
        LoadConfig.model_validate(found.data, by_alias=True, by_name=False)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            if details["type"] == "too_short" and details["input"]:
                continue  # pydantic counts good entries only, and the bad ones are reported one by one
            place, message, hint = describe(details)
            within = details.get("ctx", {}).get("line")
            line = document.line_of(place, key=details["type"] == "extra_forbidden", within=within)
            if line not in wrong_lines:
                mistakes.append(LoadFileMistake(file, line, message, hint))
    return tuple(sorted(mistakes))


def _said(problem: ValueError) -> tuple[str, str]:
    context = problem.context  # type: ignore[attr-defined]
    return context["message"], context["hint"]


def declared_name(text: str) -> tuple[str, int] | None:
    """Return the name under `load` in a file that may be broken, and its line; None when there is no valid one."""
    found = top_level_text(text, "load")
    return found if found and is_load_name(found[0]) else None


def load_name_in(text: str, file: str) -> str:
    """Return the best guess for the name of the load in a broken file, so that its DAG keeps its name.

    Returns:
        The value of `load`, if it can be read and is a valid name; otherwise the file's name without its ending, with
        '_' for characters that a name may not hold.
    """
    declared = declared_name(text)
    if declared:
        return declared[0]
    stem = re.sub(r"[^A-Za-z0-9_.-]|\.(?=\.)", "_", PurePath(file).stem)[:150]
    return stem if is_load_name(stem) else f"load_{stem}"


def schedule_in(text: str) -> str | None:
    """Return the schedule of a broken file, or None when it cannot be read or is wrong itself."""
    found = top_level_text(text, "schedule")
    try:
        return schedule_text(found[0]) if found else None
    except ValueError:
        return None


def prefixes_in(text: str) -> dict[str, tuple[SourcePattern, ...]]:
    """Return the S3 prefixes of a broken file as far as they can be read, so that no other load takes their objects.

    A '/' that is missing at the end of a source is added: that may be the mistake itself.

    Returns:
        The patterns by key: of `source`, which may have several, `manifests` and `failed_manifests`.
    """
    found = {key: top_level_texts(text, key) for key in ("source", "manifests", "failed_manifests")}
    patterns = {key: tuple(filter(None, map(_pattern_in, texts))) for key, texts in found.items()}
    patterns["source"] = sources_named(text) or patterns["source"]
    return {key: each for key, each in patterns.items() if each}


def sources_named(text: str) -> tuple[SourcePattern, ...] | None:
    """Return the sources of a file that may be broken, if it is certain that these are all.

    Returns:
        None when there is no `source`, when one of them cannot be read, or when no other setting follows: then the file
        may have been cut off.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    starts = [number for number, line in enumerate(lines) if _SOURCE.match(line)]
    if len(starts) != 1:
        return None
    rest = lines[starts[0] + 1 :]
    belonging = [*takewhile(lambda line: line[:1] in _BELONGING, rest)]
    block = "\n".join([lines[starts[0]], *belonging])
    if len(belonging) == len(rest) or "\ufffd" in block:
        return None
    try:
        explored = explore_yaml(block)
    except YamlSyntaxError:
        return None
    value = explored.data.get("source") if isinstance(explored.data, dict) and not explored.mistakes else None
    texts = value if isinstance(value, list) else [value]
    patterns = [_pattern_in(each) for each in texts if isinstance(each, str)]
    found = tuple(filter(None, patterns))
    return found if found and len(found) == len(texts) else None


def _pattern_in(text: str) -> SourcePattern | None:
    known = resolved_text(text)
    for written in () if known is None else (known, f"{known}/"):
        try:
            return SourcePattern.parse(written)
        except ValueError:
            continue
    return None
