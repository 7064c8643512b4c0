"""A new load file from answers to questions: which questions matter, whether an answer is right, and the file's text.

Only the models know which answers are right and which settings go together, so they are asked each time.
"""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.load_file.catalog import Setting, settings
from rsloader_provider.core.load_file.hints import describe
from rsloader_provider.core.load_file.variables import resolved

Answers = Mapping[str, Any]
"""Values by the paths of their settings, `targets[].table` for the only target. Settings without answer are missing."""

_HEAD = (
    "# Written by `rsloader new`. docs/reference/configuration.md has all settings; `rsloader validate` checks them.\n"
)
_WIDTH = 110


def complaints(answers: Answers) -> dict[str, str]:
    """Return what is wrong with a load of these answers, by the path of the setting: a message with its hint."""
    data = nested(answers)
    for setting in settings().values():
        if setting.model and setting.required:  # so that the report names what is missing in it, not the section itself
            data.setdefault(setting.key, [{}] if "array" in setting.kinds else {})
    known = resolved(data)
    found = {_path(place): " ".join(said) for place, said in known.problems}
    try:
        LoadConfig.model_validate(known.data)
    except ValidationError as error:
        for place, message, hint in map(describe, error.errors(include_url=False)):
            found.setdefault(_path(place), f"{message} {hint}")
    return found


def complaint(answers: Answers, path: str, value: Any) -> str | None:
    """Return what is wrong with one more answer; None when it is right.

    Args:
        answers: The other answers; some may still be missing, which is not reported here.
        path: The setting's path.
        value: The answer; None for leaving the setting out.
    """
    found = complaints({**answers, path: value} if value is not None else _without(answers, path))
    return next((said for place, said in found.items() if place == path or place.startswith(f"{path}[")), None)


def is_needed(answers: Answers, setting: Setting) -> bool:
    """Tell whether a load with these answers must have a setting."""
    return setting.required or complaint(answers, setting.path, None) is not None


def matters(answers: Answers, setting: Setting) -> bool:
    """Tell whether a load with these answers may have a setting: a delimiter means nothing to Parquet."""
    sample = setting.choices[:1] or setting.examples[:1] or ((1,) if "integer" in setting.kinds else ())
    return is_needed(answers, setting) or not sample or complaint(answers, setting.path, sample[0]) is None


def completed(answers: Answers) -> Answers:
    """Return the answers, with examples for required settings that have none: enough to check a folder with."""
    examples = {each.path: (*each.examples, *each.choices) for each in settings().values() if each.required}
    return {path: some[0] for path, some in examples.items() if some and not settings()[path].model} | dict(answers)


def nested(answers: Answers) -> dict[str, Any]:
    """Return the answers as the data of a load file, in the order of the models.

    >>> nested({"targets[].table": "orders", "batch.max_files": 2})
    {'batch': {'max_files': 2}, 'targets': [{'table': 'orders'}]}
    """
    data: dict[str, Any] = {}
    for setting in settings().values():
        if setting.path not in answers:
            continue
        section = setting.section.removesuffix("[]")
        if not section:
            data[setting.key] = answers[setting.path]
        elif section == setting.section:
            data.setdefault(section, {})[setting.key] = answers[setting.path]
        else:
            data.setdefault(section, [{}])[0][setting.key] = answers[setting.path]
    return data


def load_file_text(answers: Answers) -> str:
    """Return a load file with these answers, without those that are the default."""
    said = {path: value for path, value in answers.items() if value != settings()[path].default}
    blocks = [_HEAD]
    for key, value in nested(said).items():
        setting = settings().get(key) or settings()[f"{key}[]"]
        comment = textwrap.wrap(setting.summary, _WIDTH, initial_indent="# ", subsequent_indent="# ")
        blocks.append("\n".join([*comment, *_lines(key, value)]) + "\n")
    return "\n".join(blocks)


def _lines(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, list) and all(isinstance(each, dict) for each in value):
        yield f"{key}:"
        for each in value:
            for number, line in enumerate(_yaml(each)):
                yield f"  - {line}" if number == 0 else f"    {line}"
    elif isinstance(value, dict):
        yield f"{key}:"
        yield from (f"  {line}" for line in _yaml(value))
    else:
        yield from _yaml({key: value})


def _yaml(mapping: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, value in mapping.items():
        style = None if isinstance(value, list) else False  # lists of names read best in one line
        text = yaml.safe_dump({key: value}, default_flow_style=style, allow_unicode=True, width=float("inf"))
        lines += str(text).splitlines()
    return lines


def _path(place: tuple[str | int, ...]) -> str:
    return "".join("[]" if isinstance(step, int) else f".{step}" for step in place)[1:]


def _without(answers: Answers, path: str) -> Answers:
    return {each: value for each, value in answers.items() if each != path}
