"""The YAML of load files: text, numbers, lists and mappings, each key once, and nothing that runs code.

Only `true`, `false`, `null` and decimal numbers are not text. What YAML 1.1 reads in `on`, `no`, `12:30` or
`2024-01-01` surprises people, and no setting takes it.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from rsloader_provider.core.config.mistakes import mistake

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML was built without libyaml: the same, slower
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]


_TAG = "tag:yaml.org,2002:"
_SCALARS = {_TAG + kind for kind in ("str", "int", "float", "bool", "null")}
_DEEPEST = 50
"""Libyaml's composer recurses in C: some ten thousand levels end the process instead of raising an error. The search
for mistakes recurses in Python."""

_LARGEST = 1_000_000
"""Characters of a load file, also with each alias written out: a few lines of aliases of aliases can stand for more
text than fits into memory."""


class StrictLoader(_SafeLoader):
    """Refuses everything that the module's docstring does not name."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (yaml's own name and type)
    yaml_constructors = {  # noqa: RUF012 (likewise)
        tag: construct
        for tag, construct in _SafeLoader.yaml_constructors.items()
        if tag is None or tag in _SCALARS | {_TAG + "seq", _TAG + "map"}
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that appears twice."""
        mapping = super().construct_mapping(node, deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key appears twice", node.start_mark)
        return mapping


for _kind, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    StrictLoader.add_implicit_resolver(_TAG + _kind, re.compile(rf"(?:{_pattern})\Z"), list(_first))


def read_yaml(text: str) -> object:
    """Read one YAML document, as fast as libyaml does; None for an empty one.

    Raises:
        Exception: Of any type; `explore_yaml` then says what is wrong and where.
    """
    if _may_be_large(text):
        explore_yaml(text)
    return yaml.load(text, StrictLoader)  # noqa: S506 (a SafeLoader with less)


def compose_yaml(text: str) -> yaml.Node | None:
    """Return the nodes of one YAML document that `read_yaml` has read, each with its position in the text."""
    node: yaml.Node | None = yaml.compose(text, StrictLoader)
    return node


class Explored:
    """A YAML document with the line of everything in it.

    Attributes:
        data: The document's value, without the parts that are mistakes by themselves.
        mistakes: Those parts, each with its line and the error that says what is wrong.
    """

    def __init__(self, root: yaml.Node | None, lines: int):
        self.mistakes: list[tuple[int, ValueError]] = []
        self._root = root
        self._lines = lines
        self._seen: set[int] = set()
        if root is not None:
            self._weed(root)
        self.data: object = None if root is None else StrictLoader("").construct_document(root)

    def line_of(self, place: tuple[str | int, ...], *, key: bool = False, within: int | None = None) -> int:
        """Return the line of a value; if it is missing, of the innermost part around it.

        Args:
            place: Keys and positions from the top.
            key: Whether to return the line of the value's key.
            within: Line of the value's text; None for the line where the value begins. Only a text after `|` keeps its
                lines; for any other the line where it begins is returned.
        """
        node, line = self._root, self._line(self._root)
        for part in place:
            step = _child(node, part)
            if step is None:
                break
            key_node, node = step
            line = self._line(key_node if key and key_node is not None else node)
        if within is not None and isinstance(node, yaml.ScalarNode) and node.style == "|":
            return min(line + within, self._lines)
        return line

    def _line(self, node: yaml.Node | None) -> int:
        return 1 if node is None else min(line_of(node.start_mark), self._lines)

    def _weed(self, node: yaml.Node) -> None:
        """Note and remove what cannot be constructed. Aliases make the tree a graph, so each node is visited once."""
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        if problem := _problem(node):
            self.mistakes.append((self._line(node), problem))
            node.tag = _plain_tag(node)
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._weed(item)
        if isinstance(node, yaml.MappingNode):
            node.value = list(self._weeded_pairs(node))

    def _weeded_pairs(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        first_lines: dict[str, int] = {}
        for key, value in node.value:
            self._weed(value)
            if problem := _key_problem(key):
                self.mistakes.append((self._line(key), problem))
            elif key.value in first_lines:
                message = f"the key {key.value!r} appears twice; first in line {first_lines[key.value]}."
                self.mistakes.append((self._line(key), mistake(message, "Keep one of them.")))
            else:
                first_lines[key.value] = self._line(key)
                yield key, value


def explore_yaml(text: str) -> Explored:
    """Read one YAML document slowly, and keep the line of everything.

    Raises:
        YamlSyntaxError: It is not YAML, or too large. A parser stops at the first such mistake, so there is only one.
    """
    lines = max(1, text.count("\n") + (not text.endswith("\n")))
    try:
        if _may_be_large(text):
            _check_shape(text)
        return Explored(yaml.compose(text, StrictLoader), lines)
    except yaml.MarkedYAMLError as error:
        line = line_of(error.problem_mark or error.context_mark)
        raise YamlSyntaxError(min(line, lines), str(error.problem or error.context), _syntax_hint(error)) from error
    except yaml.reader.ReaderError as error:
        # libyaml counts bytes.
        before = text.encode()[: error.position]
        hint = "Remove the control character."
        raise YamlSyntaxError(min(before.count(b"\n") + 1, lines), f"{error.reason}", hint) from error
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise YamlSyntaxError(line, "a character that is not Unicode", "Remove it.") from error


class YamlSyntaxError(Exception):
    """The text is not YAML.

    Attributes:
        line: Where; 1 is the first.
        problem: What, in libyaml's words.
        hint: What to write instead.
    """

    def __init__(self, line: int, problem: str, hint: str):
        super().__init__(line, problem, hint)
        self.line, self.problem, self.hint = line, problem, hint


def _plain_tag(node: yaml.Node) -> str:
    return _TAG + (
        "map" if isinstance(node, yaml.MappingNode) else "seq" if isinstance(node, yaml.SequenceNode) else "str"
    )


def _problem(node: yaml.Node) -> ValueError | None:
    plain = _plain_tag(node)
    if node.tag != plain and not (plain in _SCALARS and node.tag in _SCALARS):
        shown = node.tag.replace(_TAG, "!!")
        return mistake(f"the tag {shown!r} is not allowed.", "Leave the tag out; load files hold plain values.")
    if isinstance(node, yaml.ScalarNode):
        try:
            StrictLoader("").construct_object(node)
        except (ValueError, LookupError, OverflowError):
            shown = node.tag.replace(_TAG, "")
            return mistake(f"{node.value[:40]!r} is not a valid {shown}.", "Write a plain value.")
    return None


def _key_problem(key: yaml.Node) -> ValueError | None:
    if not isinstance(key, yaml.ScalarNode):
        return mistake("a list or mapping cannot be a key.", "A key is the name of a setting.")
    if key.tag != _TAG + "str":
        return _problem(key) or mistake(f"{key.value!r} cannot be a key.", "A key is the name of a setting.")
    return None


def _child(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None


def _may_be_large(text: str) -> bool:
    return len(text) > _LARGEST or sum(map(text.count, "[{-?:")) > 150 or ("&" in text and "*" in text)


def _check_shape(text: str) -> None:
    """Walk through the document without building it, and refuse it if it is nested too deeply or too large."""
    if len(text) > _LARGEST:
        raise YamlSyntaxError(1, f"over {_LARGEST:,} characters", "A load file has some dozens of lines.")
    sizes: dict[str, int] = {}
    size = 0
    open_anchors: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, StrictLoader):
        before = size
        if isinstance(event, yaml.ScalarEvent):
            size += 1 + len(event.value)
            if event.anchor:
                sizes[event.anchor] = size - before
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_anchors):
                raise YamlSyntaxError(line_of(event.start_mark), "an alias inside its own anchor", "Write it out.")
            size += sizes.get(str(event.anchor), 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            size += 1
            open_anchors.append((event.anchor, before))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, start = open_anchors.pop()
            if anchor:
                sizes[anchor] = size - start
        if len(open_anchors) > _DEEPEST:
            hint = "A load file has three levels."
            raise YamlSyntaxError(line_of(event.start_mark), "lists or mappings are nested too deeply", hint)
        if size > _LARGEST:
            problem = f"its aliases stand for over {_LARGEST:,} characters"
            raise YamlSyntaxError(line_of(event.start_mark), problem, "Write it with fewer aliases.")


def line_of(mark: Any) -> int:
    """Return the line of a mark of PyYAML or of libyaml, which have nothing but their attributes in common."""
    return 1 if mark is None else int(mark.line) + 1


_SYNTAX_HINTS = {
    "tab character": "Indent with blanks, not tabs.",
    "cannot start any token": "Indent with blanks, not tabs, and put text that begins with @, %, ` or a tab in quotes.",
    "alphabetic or numeric character": 'Put text that begins with * or & in quotes: schedule: "*/5 * * * *".',
    "undefined alias": 'Put text that begins with * in quotes: schedule: "*/5 * * * *".',
    "mapping values are not allowed": "Put text that holds ': ' in quotes, and check the indentation.",
    "unknown escape character": r"In double quotes '\' begins an escape: write '\.csv$' in single quotes.",
    "another document": "Write one load in each file, and take out the '---' line.",
    "unexpected end of stream": "Close the quote.",
}


def _syntax_hint(error: yaml.MarkedYAMLError) -> str:
    said = f"{error.context} {error.problem}"
    hints = (hint for words, hint in _SYNTAX_HINTS.items() if words in said)
    return next(hints, "Check indentation, brackets and quotes here and in the line before.")
