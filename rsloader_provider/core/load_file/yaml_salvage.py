"""Reads what it can of a load file that is not YAML as a whole."""

import re
from collections.abc import Iterator

import yaml

from rsloader_provider.core.load_file.yaml_reader import StrictLoader, line_of


def top_level_text(text: str, key: str) -> tuple[str, int] | None:
    """Guess the text of a top-level key in a file that may be broken, and its line.

    What the parser reads before it stops counts first; then the first line that looks like `key: text`.

    Returns:
        None when there is no such key, or its value is not plain text.
    """
    found = next((event for name, event, is_item in _top_level(text) if name == key and not is_item), None)
    if found is not None:
        return found.value, line_of(found.start_mark)
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
    found = tuple(event.value for name, event, is_item in _top_level(text) if name == key and is_item)
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


def _top_level(text: str) -> Iterator[tuple[str, yaml.ScalarEvent, bool]]:
    """Yield key and text of each top-level value, and of each item of a top-level list, as long as the text parses.

    The flag tells an item of a list from a value.
    """
    depth, key, is_list = 0, None, False
    try:
        for event in yaml.parse(text, StrictLoader):
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
                key = None if depth == 1 else key
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                is_list = isinstance(event, yaml.SequenceStartEvent) if depth == 2 else is_list
                if depth == 1 and not isinstance(event, yaml.MappingStartEvent):
                    return
            elif depth == 1 and isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
                text_of_it = event if isinstance(event, yaml.ScalarEvent) else None
                if key is not None and text_of_it:
                    yield key, text_of_it, False
                key = text_of_it.value if key is None and text_of_it else None
            elif depth == 2 and is_list and key is not None and isinstance(event, yaml.ScalarEvent):
                yield key, event, True
    except (yaml.YAMLError, UnicodeEncodeError):
        return
