"""Every setting of a load file as the models describe it: to ask for one, to change one, or to list them all."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.load_file.yaml_reader import read_yaml

_WHOLE_NUMBER = re.compile(r"-?\d{1,18}")
_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?")


@dataclass(frozen=True)
class Setting:
    """One key of a load file.

    Attributes:
        path: Where it stands, without positions in lists: `batch.max_age`, `targets[].table`.
        description: What it means, as its model says.
        required: Whether a load file must have it, if the mapping around it is there.
        default: The value without it, as a load file would write it; None where there is no default.
        kinds: What may be written, as JSON Schema names it: string, integer, number, boolean, array, object.
        choices: The only texts that it takes; empty where it takes others.
        examples: Some values.
        least: The smallest number that it takes; None where there is none, or it is not a number.
        most: The largest.
        model: Description of the mapping that it is; empty for any other setting.
    """

    path: str
    description: str
    required: bool
    default: Any
    kinds: frozenset[str]
    choices: tuple[str, ...]
    examples: tuple[Any, ...]
    least: int | None
    most: int | None
    model: str

    @property
    def section(self) -> str:
        """The path of the mapping around it; empty at the top."""
        return self.path.rpartition(".")[0]

    @property
    def key(self) -> str:
        """Its last key, without `[]`."""
        return self.path.rpartition(".")[2].removesuffix("[]")

    @property
    def summary(self) -> str:
        """The first sentence of its description."""
        return first_sentence(self.description)


def first_sentence(text: str) -> str:
    """Return the first sentence, with its full stop.

    >>> first_sentence("`schema.table`, or `table`. Names are quoted.")
    '`schema.table`, or `table`.'
    """
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]


@cache
def settings() -> Mapping[str, Setting]:
    """Return all settings by their paths, in the order of the models."""
    schema = LoadConfig.model_json_schema(by_alias=True)
    return {each.path: each for each in _below(schema, schema["$defs"], "")}


def value_of(path: str, text: str) -> Any:
    """Return the value that a person means by typing `text` for a setting, at a prompt or in a shell.

    It is text, unless the setting takes something else that `text` looks like: a number, true or false, or a list
    or mapping as YAML writes them. Where only a list of texts is valid, texts between `,` make one as well. Nothing is
    refused here; validation says what is wrong.

    >>> value_of("batch.max_files", "100"), value_of("file_filter", "[0-9]"), value_of("targets[].columns", "[a, b]")
    (100, '[0-9]', ['a', 'b'])
    """
    setting = settings().get(path) or settings().get(f"{path}[]")
    kinds = setting.kinds if setting else frozenset()
    if "boolean" in kinds and text in {"true", "false"}:
        return text == "true"
    if kinds & {"integer", "number"} and _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    if "number" in kinds and _NUMBER.fullmatch(text):
        return float(text)
    if kinds & {"array", "object"} and text[:1] in {"[", "{"}:
        try:
            return read_yaml(text)
        except Exception:  # noqa: BLE001 (a parser's errors have many types; the text itself may be the answer)
            return text
    if setting and kinds == {"array"} and not setting.model:
        return [part.strip() for part in text.split(",")]
    return text


def _below(model: Mapping[str, Any], models: Mapping[str, Any], prefix: str) -> Iterator[Setting]:
    for name, schema in model["properties"].items():
        parts = list(_parts(schema))
        nested, many = _nested(schema, models)
        path = f"{prefix}{name}{'[]' if nested and many else ''}"
        yield Setting(
            path=path,
            description=" ".join(schema.get("description", "").split()),
            required=name in model.get("required", ()),
            default=None if nested else schema.get("default"),
            kinds=frozenset(_kinds(parts)),
            choices=tuple(choice for part in parts for choice in part.get("enum", ())),
            examples=tuple(example for part in parts for example in part.get("examples", ())),
            least=next((part["minimum"] for part in parts if "minimum" in part), None),
            most=next((part["maximum"] for part in parts if "maximum" in part), None),
            model=" ".join(nested.get("description", "").split()) if nested else "",
        )
        if nested:
            yield from _below(nested, models, f"{path}.")


def _parts(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and its alternatives."""
    yield schema
    for each in schema.get("anyOf", ()):
        yield from _parts(each)


def _kinds(parts: list[Mapping[str, Any]]) -> Iterator[str]:
    for part in parts:
        named = part.get("type", ())
        yield from (each for each in ([named] if isinstance(named, str) else named) if each != "null")
        if "$ref" in part:
            yield "object"


def _nested(schema: Mapping[str, Any], models: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, bool]:
    """Return the model that a setting is, or is a list of; and whether it is a list."""
    for part in _parts(schema):
        if "$ref" in part:
            return models[part["$ref"].rpartition("/")[2]], False
        if "$ref" in part.get("items", {}):
            return models[part["items"]["$ref"].rpartition("/")[2]], True
    return None, False
