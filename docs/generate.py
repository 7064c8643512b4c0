"""Writes docs/reference from the models of a load, the provider's information and the commands: `make docs`.

Nothing there is written by hand: what a setting or a command does stands in its docstring or its help.
"""

import enum
import inspect
import json
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import typer
import yaml
from typer.models import ArgumentInfo, OptionInfo
from typer.utils import get_params_from_function

from rsloader_provider.cli import app_of
from rsloader_provider.cli.commands import COMMANDS
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.load_file.catalog import Setting, settings
from rsloader_provider.get_provider_info import get_provider_info

REFERENCE = Path(__file__).parent / "reference"
ALL = app_of(COMMANDS)
BAR = r"\|"
_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "a mapping",
}


@dataclass(frozen=True)
class Parameter:
    """An argument or an option of a command.

    Attributes:
        name: What is written: `LOAD` or `--limit`.
        usage: How it stands in the line that shows the whole command.
        takes: Its value, in people's words.
        default: What holds without it.
        description: Its help.
    """

    name: str
    usage: str
    takes: str
    default: str
    description: str


@dataclass(frozen=True)
class Command:
    """A command: its whole name, its docstring, and what it takes."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]


def configuration_page() -> str:
    """Return docs/reference/configuration.md."""
    found = settings()
    mappings = {each.path: each for each in found.values() if each.model}
    lines = [
        _written_by("the models in rsloader_provider/core/config/"),
        "# Reference: settings",
        "",
        "Every key of a load file, by its path as `rsloader set` takes it: `batch.max_age`, `targets[0].mode`. "
        "[Configuring a load](../configuration.md) explains how they work together.",
    ]
    for section in ("", *mappings):
        title = f"`{section}`" if section else "The load"
        about = mappings[section].model if section else (LoadConfig.__doc__ or "")
        lines += ["", f"## {title}", "", about, "", "| setting | takes | default | meaning |", "|---|---|---|---|"]
        lines += [_setting_row(each) for each in found.values() if each.section == section]
    lines += ["", "## `airflow.cfg`", ""]
    for section, about in get_provider_info()["config"].items():
        lines += [about["description"], "", "| option | variable | default | meaning |", "|---|---|---|---|"]
        for name, option in about["options"].items():
            variable = f"`AIRFLOW__{section}__{name}`".upper()
            default = f"`{option['default']}`" if option["default"] else "none"
            example = f" For example `{option['example']}`." if option.get("example") else ""
            lines.append(_row(f"`[{section}] {name}`", variable, default, option["description"] + example))
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Return docs/reference/commands.md."""
    lines = [
        _written_by("the functions in rsloader_provider/cli"),
        "# Reference: commands",
        "",
        "`rsloader COMMAND --help` says the same. [Commands](../commands.md) is the overview.",
    ]
    for command in commands():
        usage = " ".join([command.name, *(each.usage for each in command.parameters)])
        lines += ["", f"## `{command.name}`", "", command.description, "", "```text", usage, "```"]
        if command.parameters:
            lines += ["", "| written | takes | default | meaning |", "|---|---|---|---|"]
        for each in command.parameters:
            lines.append(_row(f"`{each.name}`", each.takes, each.default, each.description))
    return "\n".join(lines) + "\n"


def commands(group: typer.Typer = ALL, name: str = "rsloader") -> Iterator[Command]:
    """Yield every command that people can call, those of a group behind the others."""
    for info in group.registered_commands:
        if info.callback and not info.hidden:
            own = info.name or info.callback.__name__.replace("_", "-")
            about = info.help or inspect.getdoc(info.callback) or ""
            yield Command(f"{name} {own}", about, tuple(_parameters(info.callback)))
    for below in group.registered_groups:
        if below.typer_instance:
            yield from commands(below.typer_instance, f"{name} {below.name}")


def _parameters(callback: Callable[..., Any]) -> Iterator[Parameter]:
    for each in get_params_from_function(callback).values():
        info = each.default if isinstance(each.default, ArgumentInfo | OptionInfo) else OptionInfo(default=each.default)
        takes = _takes(each.annotation, info)
        if isinstance(info, ArgumentInfo):
            name = (info.metavar or each.name.upper()).strip("[]")
            usage = name if _is_required(info) else f"[{name}]"
        else:
            name = info.param_decls[0] if info.param_decls else f"--{each.name.replace('_', '-')}"
            usage = f"{name} {info.metavar or each.name.upper()}" if takes else name
            usage = usage if _is_required(info) else f"[{usage}]"
        many = "…" if _is_list(each.annotation) else ""
        yield Parameter(name, usage + many, takes or "nothing", _default(info) if takes else "off", info.help or "")


def _takes(kind: Any, info: ArgumentInfo | OptionInfo) -> str:
    if kind is bool:
        return ""
    inner = next((each for each in get_args(kind) if each is not type(None)), kind)
    if _is_list(kind):
        return f"{_takes(get_args(inner)[0] if get_args(inner) else inner, info)}; may be repeated"
    if get_origin(kind) in {Union, types.UnionType}:
        return _takes(inner, info)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _one_of([str(each.value) for each in kind])
    if get_args(kind):
        return _one_of([str(each) for each in get_args(kind)])
    words = {int: "a whole number", float: "a number", Path: "a path"}.get(kind, "text")
    return words + _limits(info.min, info.max)


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list or any(get_origin(each) is list for each in get_args(kind))


def _is_required(info: ArgumentInfo | OptionInfo) -> bool:
    return info.default in (..., inspect.Parameter.empty)


def _default(info: ArgumentInfo | OptionInfo) -> str:
    if _is_required(info):
        return "required"
    value = info.default
    return "none" if value in (None, "") else f"`{value.value if isinstance(value, enum.Enum) else value}`"


def _setting_row(setting: Setting) -> str:
    if setting.required:
        default = "required"
    elif setting.model:
        default = "see below"
    elif setting.default in (None, "", [], ()):
        default = "none"
    else:
        default = _code(setting.default)
    return _row(f"`{setting.path}`", _setting_takes(setting), default, setting.description)


def _setting_takes(setting: Setting) -> str:
    if setting.model:
        many = "a list of settings" if "array" in setting.kinds else "settings"
        return f"{many}: see `{setting.path}` below"
    if setting.choices:
        words = _one_of(setting.choices)
    else:
        words = " or ".join(word for kind, word in _KINDS.items() if kind in setting.kinds)
    words += _limits(setting.least, setting.most)
    examples = [] if setting.choices else [_code(each) for each in setting.examples]
    return words + (f", such as {', '.join(examples)}" if examples else "")


def _one_of(choices: Sequence[str]) -> str:
    *some, last = [f"`{each}`" for each in choices]
    return f"{', '.join(some)} or {last}" if some else last


def _limits(least: float | None, most: float | None) -> str:
    if least is None and most is None:
        return ""
    if most is None:
        return f" from {least:,} up"
    return f" up to {most:,}" if least is None else f" from {least:,} to {most:,}"


def _code(value: object) -> str:
    if isinstance(value, str):
        return f"`{value}`"
    if isinstance(value, bool):
        return f"`{json.dumps(value)}`"
    text: str = yaml.safe_dump([value], default_flow_style=True, sort_keys=False, width=1000)
    return f"`{text.strip()[1:-1]}`"


def _row(*cells: str) -> str:
    return f"| {' | '.join(_one_line(cell).replace('|', BAR) for cell in cells)} |"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _written_by(source: str) -> str:
    return f"<!-- Written by `make docs` from {source}: change it there. -->\n"


def main() -> None:
    """Write both pages."""
    REFERENCE.mkdir(exist_ok=True)
    (REFERENCE / "configuration.md").write_text(configuration_page(), encoding="utf-8")
    (REFERENCE / "commands.md").write_text(commands_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
