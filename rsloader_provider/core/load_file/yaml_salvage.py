"""Reads what it can of a load file that is not YAML as a whole."""

import re
from collections.abc import Iterator

import yaml

from rsloader_provider.core.load_file.yaml_reader import _line_of, _Loader


def top_level_text(text: str, key: str) -> tuple[str, int] | None:
    """Guess the text of a top-level key in a file that may be broken, and its line.

    What the parser reads before it stops counts first; then the first line that looks like `key: text`.

    Returns:
        None when there is no such key, or its value is not plain text.
    """
    found = next((value for name, value in _top_level_scalars(text) if name == key), None)
    if found is not None:
        return found
    match = re.search(
        rf"""^{re.escape(key)}[ ]*:[ ]+(?:"([^"\n\\]*)"|'([^'\n]*)'|([^\s"'#&*!|>%@`][^\n#]*))""", text, re.M
    )
    if match is None:
        return None
    return (match[1] or match[2] or match[3] or "").strip(), text.count("\n", 0, match.start()) + 1


def top_level_texts(text: str, key: str) -> tuple[str, ...]:
    """Guess the text of a top-level key in a file that may be broken, or all texts of its list.

    Returns:
        Empty when there is no such key, or nothing under it is plain text.
    """
    found = tuple(value for name, value in _top_level_list_items(text) if name == key)
    if not found and (one := top_level_text(text, key)) and not one[0].startswith("["):
        return (one[0],)
    if match := re.search(rf"^{re.escape(key)}[ ]*:[ ]*(?:#.*)?((?:\n[ ]*-[ ].*|\n[ ]*#.*|\n[ ]*$)+)", text, re.M):
        written = re.findall(r"^[ ]*-[ ]+(.+)$", match[1], re.M)
    elif match := re.search(rf"^{re.escape(key)}[ ]*:[ ]*\[([^\]]*)", text, re.M):
        written = match[1].split(",")
    else:
        written = []
    guessed = tuple(filter(None, map(_plain_guess, written)))
    # The parser may have stopped after a part of the list.
    return found if len(found) >= len(guessed) else guessed


def _plain_guess(written: str) -> str:
    match = re.match(r"""\s*(?:"([^"\n\\]*)"|'([^'\n]*)'|([^\s"'#&*!|>%@`][^\n#]*))""", written)
    return (match[1] or match[2] or match[3] or "").strip() if match else ""


def _top_level_list_items(text: str) -> Iterator[tuple[str, str]]:
    """Yield key and text of each item of a top-level key's list, as long as the text can be parsed."""
    depth, key, is_list = 0, None, False
    try:
        for event in yaml.parse(text, _Loader):
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
                key = None if depth == 1 else key
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                is_list = isinstance(event, yaml.SequenceStartEvent) if depth == 2 else is_list
                if depth == 1 and not isinstance(event, yaml.MappingStartEvent):
                    return
            elif depth == 1 and isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
                key = event.value if key is None and isinstance(event, yaml.ScalarEvent) else None
            elif depth == 2 and is_list and key is not None and isinstance(event, yaml.ScalarEvent):
                yield key, event.value
    except (yaml.YAMLError, UnicodeEncodeError):
        return


def _top_level_scalars(text: str) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield key, value and line as long as the text can be parsed."""
    depth, key = 0, None
    try:
        for event in yaml.parse(text, _Loader):
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
                key = None if depth == 1 else key
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth == 1 and not isinstance(event, yaml.MappingStartEvent):
                    return
            elif depth == 1 and isinstance(event, yaml.ScalarEvent) and key is None:
                key = event.value
            elif depth == 1 and isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
                if isinstance(event, yaml.ScalarEvent) and key is not None:
                    yield key, (event.value, _line_of(event.start_mark))
                key = None
    except (yaml.YAMLError, UnicodeEncodeError):
        return
