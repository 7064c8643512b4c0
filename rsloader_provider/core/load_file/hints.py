"""What to write instead: turns pydantic's errors about a load into sentences for the author of its file."""

import difflib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args

import yaml
from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.mistakes import MISTAKE, shown

SettingPath = tuple[str | int, ...]
"""Keys and positions from the top of a load file: `("targets", 0, "table")`."""


def describe(error: ErrorDetails) -> tuple[SettingPath, str, str]:
    """Say where a load is wrong, what is wrong there, and what to write instead.

    Args:
        error: One of `ValidationError.errors()` of `LoadConfig`.

    Returns:
        Where it is, which for an unknown or missing key is where the key is or would be; the message; the hint.
    """
    place, context, given = error["loc"], error.get("ctx", {}), error["input"]
    name = next((part for part in reversed(place) if isinstance(part, str)), "")
    settings, field = _settings_at(place[:-1]), _field_at(place)
    kind = error["type"]
    if kind == MISTAKE:
        return (*place, *context["at"]), context["message"], context["hint"]
    if kind == "extra_forbidden":
        return place, f"unknown key {shown(name)}.", _unknown_key_hint(name, settings)
    if kind == "missing":
        return place, f"{name!r} is missing.", f"Add for example: {_example(name, field)}"
    if kind == "literal_error" and field is not None:
        return place, f"{name!r} cannot be {shown(str(given))}.", _choice_hint(given, list(_choices(field.annotation)))
    if kind in {"greater_than_equal", "less_than_equal"}:
        limit = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        return place, f"{name!r} is {given}.", f"Write {limit}."
    if kind == "too_short":
        return place, f"{name!r} is empty.", f"Write at least one entry: {_example(name, field)}"
    if given is None:
        return place, f"{name!r} is empty.", f"Write for example: {_example(name, field)}"
    if kind == "string_type" and isinstance(given, bool | int | float):
        return place, f"{name!r} is {given!r}, which is not text.", f"Put it in quotes: '{json.dumps(given)}'."
    if not name:
        return place, "a load file is a mapping of settings.", "Begin with the line 'load: <name>'."
    wanted = {
        "string_type": "text",
        "tuple_type": "text or a list" if _takes_one_text(field) else "a list",
        "model_type": "a mapping of settings",
        "int_type": "a whole number",
    }.get(kind)
    if wanted is None:
        return place, f"{name!r} is wrong: {error['msg']}.", f"Write for example: {_example(name, field)}"
    return place, f"{name!r} should be {wanted}.", f"Write for example: {_example(name, field)}"


def _models(model: type[BaseModel] = LoadConfig, prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    yield prefix, model
    for name, field in _fields(model).items():
        if nested := _model_in(field.annotation):
            yield from _models(nested, name)


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _settings_at(place: SettingPath) -> type[BaseModel] | None:
    name = next((part for part in reversed(place) if isinstance(part, str)), "")
    return dict(_models()).get(name)


def _field_at(place: SettingPath) -> FieldInfo | None:
    names = [part for part in place if isinstance(part, str)]
    model = _settings_at(tuple(names[:-1]))
    return _fields(model).get(names[-1]) if names and model else None


def _unknown_key_hint(name: str, settings: type[BaseModel] | None) -> str:
    here = list(_fields(settings)) if settings else []
    if close := difflib.get_close_matches(name, here, n=1):
        return f"Write {close[0]!r}."
    if homes := [above for above, model in _models() if name in _fields(model)]:
        where = " or ".join(f"under {above!r}" if above else "at the top level" for above in homes)
        return f"It belongs {where}."
    return f"Known here: {', '.join(here)}."


def _takes_one_text(field: FieldInfo | None) -> bool:
    return field is not None and any(isinstance(each, BeforeValidator) for each in field.metadata)


def _choices(annotation: Any) -> Iterator[str]:
    for each in get_args(annotation):
        if isinstance(each, str):
            yield each
        else:
            yield from _choices(each)


def _choice_hint(given: object, choices: list[str]) -> str:
    if close := difflib.get_close_matches(str(given).lower(), choices, n=1):
        return f"Write {close[0]!r}."
    return f"Write one of {', '.join(choices)}."


def _example(name: str, field: FieldInfo | None) -> str:
    if field is None:
        return f"{name}: …"
    examples = field.examples or _schema_examples(name)
    value = examples[0] if examples else field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if not isinstance(value, str | int | list | Mapping):
        value = str(value)
    return yaml.safe_dump({name: value}, default_flow_style=True, sort_keys=False, width=1000).strip()[1:-1]


@cache
def _schema_examples(name: str) -> tuple[Any, ...]:
    schema = LoadConfig.model_json_schema(by_alias=True)
    for each in (schema, *schema["$defs"].values()):
        if name in each["properties"]:
            return tuple(each["properties"][name].get("examples", ()))
    return ()
