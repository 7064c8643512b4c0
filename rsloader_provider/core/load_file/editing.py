"""Changes one setting in the text of a load file and leaves every other character as its author wrote it.

The parser says where each value begins and ends; the text between is replaced. The new text is then read again. If it
differs from the old one in more than this one setting, nothing is changed and a person has to edit the file.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import yaml

from rsloader_provider.core.config import Target
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.load_file.catalog import value_of
from rsloader_provider.core.load_file.yaml_reader import compose_yaml, read_yaml

SettingPath = tuple[str | int, ...]
"""Keys and positions from the top of a load file: `("targets", 0, "table")`."""

_STEP = re.compile(r"(?:\A|\.)(?P<key>[^.\[\]]+)|\[(?P<entry>.+?)\](?=\.|\[|\Z)")
_HOW_TO = "Write keys with '.' between them, and an entry of a list in brackets: batch.max_age, targets[0].mode."


class _Removed:
    """Stands for the value of a setting that is removed."""


_REMOVED = _Removed()


def set_value(text: str, path: str, written: str) -> str:
    """Return a load file's text with one setting changed or added.

    Args:
        text: The file's text, which must be YAML; it may have other mistakes.
        path: `batch.max_age`, `targets[0].mode`, `targets[redshift_archive/archive.orders].mode`. Missing mappings on
            the way are added; missing entries of lists are not.
        written: The value as somebody types it: see `catalog.value_of`.

    Raises:
        ConfigurationError: The path leads nowhere, or the file is written in a way that only a person can change.
    """
    place = _place(path, read_yaml(text))
    value = value_of("".join(f".{step}" if isinstance(step, str) else "[]" for step in place)[1:], written)
    return _verified(text, _with_value(text, place, value, path), place, value, path)


def unset(text: str, path: str) -> str:
    """Return a load file's text without one setting or entry of a list. A mapping that would be empty goes as well.

    Args:
        text: As for `set_value`.
        path: As for `set_value`.

    Raises:
        ConfigurationError: There is no such setting in the file, or only a person can change how it is written.
    """
    place = _place(path, read_yaml(text))
    if _at(compose_yaml(text), place) is None:
        raise ConfigurationError(f"{path!r} is not set, so there is nothing to remove.")
    while len(place) > 1 and len(_content(_at(compose_yaml(text), place[:-1]))) == 1:
        place = place[:-1]
    return _verified(text, _without(text, place), place, _REMOVED, path)


def _place(path: str, data: object) -> SettingPath:
    place: list[str | int] = []
    end = 0
    for step in _STEP.finditer(path):
        if step.start() != end:
            break
        end = step.end()
        if step["key"]:
            place.append(step["key"])
        else:
            place.append(_position(step["entry"], _value_at(data, tuple(place)), path))
    if end != len(path) or not place or isinstance(place[0], int):
        raise ConfigurationError(f"{path!r} is not the path of a setting. {_HOW_TO}")
    return tuple(place)


def _position(entry: str, entries: object, path: str) -> int:
    if not isinstance(entries, list):
        raise ConfigurationError(f"In {path!r} there is no list before '[{entry}]'. {_HOW_TO}")
    names = [_target_name(each) for each in entries]
    if entry in names:
        return names.index(entry)
    if entry.isascii() and entry.isdigit() and int(entry) < len(entries):
        return int(entry)
    known = ", ".join(f"[{position}]" + (f" {name}" if name else "") for position, name in enumerate(names)) or "none"
    raise ConfigurationError(f"In {path!r} there is no entry '[{entry}]'. The entries: {known}.")


def _target_name(entry: object) -> str | None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("table"), str):
        return None
    return Target.model_construct(**{key: entry[key] for key in ("conn_id", "table") if key in entry}).name


def _value_at(data: object, place: SettingPath) -> object:
    for step in place:
        if isinstance(step, int):
            data = data[step] if isinstance(data, list) and step < len(data) else None
        else:
            data = data.get(step) if isinstance(data, Mapping) else None
    return data


def _with_value(text: str, place: SettingPath, value: object, path: str) -> str:
    node = compose_yaml(text)
    for depth, step in enumerate(place):
        below = _child(node, step)
        if below is None:
            for missing in reversed(place[depth + 1 :]):
                value = {missing: value}
            if not isinstance(node, yaml.MappingNode) or not isinstance(step, str):
                raise ConfigurationError(f"In {path!r} the value before {step!r} cannot hold it. {_HOW_TO}")
            return _added(text, node, step, value)
        key, node = below
        if isinstance(node, yaml.ScalarNode) and not node.value and depth + 1 < len(place):
            for missing in reversed(place[depth + 1 :]):
                value = {missing: value}
            break
    return _replaced(text, key, node, value)


def _replaced(text: str, key: yaml.Node | None, node: yaml.Node | None, value: object) -> str:
    if node is None:
        raise ConfigurationError("The file is empty: write it first.")
    start, end = node.start_mark.index, _end(text, node)
    style = node.style if isinstance(node, yaml.ScalarNode) and isinstance(value, str) else None
    if key is not None and _is_block(node):
        start = text.index(":", key.end_mark.index) + 1
    blank = " " if text[start - 1 : start] == ":" else ""
    return text[:start] + blank + _flow(value, style) + text[end:]


def _added(text: str, mapping: yaml.MappingNode, key: str, value: object) -> str:
    entry = _flow({key: value})[1:-1]
    if not _is_block(mapping):
        end = _end(text, mapping.value[-1][1]) if mapping.value else mapping.start_mark.index + 1
        return text[:end] + (", " if mapping.value else "") + entry + text[end:]
    newline = "\r\n" if "\r\n" in text else "\n"
    indentation = " " * int(mapping.value[0][0].start_mark.column)
    end = _end_of_line(text, _end(text, mapping))
    return text[:end] + newline + indentation + entry + text[end:]


def _without(text: str, place: SettingPath) -> str:
    around = _at(compose_yaml(text), place[:-1])
    entries = [pair if isinstance(pair, tuple) else (pair, pair) for pair in _content(around)]
    found = _child(around, place[-1])
    index = next(index for index, entry in enumerate(entries) if found and entry[1] is found[1])
    first, last = entries[index]
    start, end = first.start_mark.index, max(_end(text, first), _end(text, last))
    following = entries[index + 1][0].start_mark.index if index + 1 < len(entries) else None
    line = text.rfind("\n", 0, start) + 1
    if around is not None and not _is_block(around):
        if following is not None:
            return text[:start] + text[following:]
        before = _end(text, entries[index - 1][1])
        return text[:before] + text[end:]
    if following is not None and isinstance(around, yaml.MappingNode) and text[line:start].strip():
        return text[:start] + text[following:]  # the '-' of a list stands before it
    return text[:line] + text[_end_of_line(text, end) :].removeprefix("\r").removeprefix("\n")


def _verified(before: str, after: str, place: SettingPath, value: object, path: str) -> str:
    wanted = deepcopy(read_yaml(before))
    around: Any = wanted
    for step in place[:-1]:
        if isinstance(step, str) and around.get(step) is None:
            around[step] = {}
        around = around[step]
    if value is _REMOVED:
        del around[place[-1]]
    else:
        around[place[-1]] = value
    try:
        done = read_yaml(after) == wanted
    except Exception:  # noqa: BLE001 (a parser's errors have many types, and all mean the same here)
        done = False
    if not done:
        raise ConfigurationError(
            f"{path!r} cannot be changed alone, for example because an anchor is used twice. Edit the file by hand."
        )
    return after


def _at(node: yaml.Node | None, place: SettingPath) -> yaml.Node | None:
    for step in place:
        below = _child(node, step)
        if below is None:
            return None
        node = below[1]
    return node


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step), None)
    return None


def _content(node: yaml.Node | None) -> list[Any]:
    return node.value if isinstance(node, yaml.CollectionNode) else []


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _end(text: str, node: yaml.Node) -> int:
    """Return the end of a value's last character; the parser's end comes after the blank lines and comments, too."""
    if _is_block(node):
        return max(
            _end(text, part) for entry in node.value for part in (entry if isinstance(entry, tuple) else [entry])
        )
    return node.start_mark.index + len(text[node.start_mark.index : node.end_mark.index].rstrip())


def _end_of_line(text: str, place: int) -> int:
    end = text.find("\n", place)
    if end < 0:
        return len(text)
    return end - 1 if text[end - 1] == "\r" else end


class _OneLine(yaml.SafeDumper):
    """Writes a text with newlines in double quotes: in any other form YAML needs several lines for it."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        node: yaml.ScalarNode = super().represent_str(data)
        if "\n" in data:
            node.style = '"'
        return node


_OneLine.add_representer(str, _OneLine.represent_str)


def _flow(value: object, style: str | None = None) -> str:
    """Write a value in one line, in the quotes that it had, if any."""
    quotes = style if style in {"'", '"'} and "\n" not in str(value) else None
    # In a list the emitter knows that ',' and ']' need quotes, and it writes no end of a document.
    text = yaml.dump(
        [value],
        Dumper=_OneLine,
        default_flow_style=True,
        default_style=quotes,
        allow_unicode=True,
        sort_keys=False,
        width=float("inf"),
    )
    return str(text).strip()[1:-1]
