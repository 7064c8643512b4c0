"""`rsloader new`: questions, and the load file that their answers make."""

import inspect
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from rsloader_provider.cli.console import Console, escape, escape_lines
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.load_file.answers import (
    complaint,
    complaints,
    completed,
    is_needed,
    load_file_text,
    matters,
)
from rsloader_provider.core.load_file.catalog import Setting, settings, value_of
from rsloader_provider.core.load_file.reading import LoadFileError, read_load_file
from rsloader_provider.core.visible import visible
from rsloader_provider.loader.load_files.drafts import effect_of_draft, write_load_file

ASKED = frozenset(
    {
        "source", "file_filter", "schedule", "batch.max_files", "batch.max_bytes", "batch.max_age", "copy.format",
        "copy.delimiter", "copy.ignore_header", "copy.compression", "copy.iam_role", "manifests", "failed_manifests",
        "targets[].conn_id", "targets[].table", "targets[].mode", "notify.success", "notify.failure",
    }
)  # fmt: skip
"""The settings that questions are about where they matter, besides those that a load must have. All others can be
given as options."""

_ANSWERS = tuple(each for each in settings().values() if not each.model)
_TIMES = Counter(each.key for each in _ANSWERS)


def new(
    loads: Annotated[Path, typer.Option(help="Folder of the load files.")] = Path("loads"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over the load's file if there is one.")] = False,
    no_questions: Annotated[
        bool, typer.Option("--no-questions", help="Ask nothing: a setting without an option keeps its default.")
    ] = False,
    **options: str | None,
) -> None:
    """Ask what a load needs and write its file, LOAD.yaml.

    Checks each answer as `rsloader validate` does, and asks again if it is wrong. Does not ask for what an option says.
    Checks the file together with all others of the folder before it writes anything.
    """
    given = {setting.path: text for setting in _ANSWERS if (text := options[_parameter(setting)]) is not None}
    with errors_to_exit_code():
        interview = _Interview(loads, {path: value_of(path, text) for path, text in given.items()}, overwrite)
        if no_questions:
            interview.check_options()
        else:
            interview.ask()
        file, text = interview.file, load_file_text(interview.answers)
        effect = effect_of_draft(loads, file, text)
        if effect.mistakes:
            raise LoadFileError(effect.mistakes)
        console = Console(soft_wrap=True, highlight=False)
        if not no_questions:
            console.print(f"\n{escape_lines(text)}")
        for sentence in effect.handovers:
            console.print(escape(sentence), style="yellow")
        if not no_questions:
            typer.confirm(visible(f"Write {loads / file}?"), default=True, abort=True)
        write_load_file(loads / file, text)
    console.print(escape(f"wrote {loads / file}"))


class _Interview:
    """The answers so far, from options first and then from a person."""

    def __init__(self, loads: Path, given: Mapping[str, Any], overwrite: bool):
        self.answers = dict(given)
        self._loads = loads
        self._overwrite = overwrite
        self._console = Console(soft_wrap=True, highlight=False)

    @property
    def file(self) -> str:
        return f"{self.answers['load']}.yaml"

    def check_options(self) -> None:
        """Find everything that is wrong with the options, and with what they leave out."""
        found = complaints(self.answers)
        if found:
            raise ConfigurationError(*(f"{_written(path)}: {said}" for path, said in found.items()))
        if said := self._taken("load"):
            raise ConfigurationError(said)

    def ask(self) -> None:
        for setting in _ANSWERS:
            path = setting.path
            if path in self.answers:
                value = self.answers[path]
                wrong = complaint(self.answers, path, value) or self._taken(path)
                if not wrong:
                    continue
                del self.answers[path]
                self._console.print(escape_lines(f"{_written(path)}: {wrong}"), style="red")
            elif not (path in ASKED or is_needed(self.answers, setting)) or not matters(self.answers, setting):
                continue
            self._ask_about(setting)

    def _ask_about(self, setting: Setting) -> None:
        self._console.print(f"\n[bold]{escape(setting.path)}[/]: {escape(setting.description)}")
        needed = is_needed(self.answers, setting)
        hint = f" ({', '.join(setting.choices)})" if setting.choices else ""
        if not needed and setting.default in (None, "", []):
            hint += " [nothing]"
        while True:
            default = "" if needed or setting.default is None else str(setting.default)
            text = typer.prompt(f"{setting.key}{hint}", default=default, show_default=bool(default)).strip()
            if text in {"", default}:
                self.answers.pop(setting.path, None)
                wrong = complaint(self.answers, setting.path, None) if needed else None
            else:
                value = value_of(setting.path, text)
                wrong = complaint(self.answers, setting.path, value)
                self.answers[setting.path] = value
                wrong = wrong or self._taken(setting.path)
            if not wrong:
                return
            self.answers.pop(setting.path, None)
            self._console.print(escape_lines(wrong), style="red")

    def _taken(self, path: str) -> str | None:
        """Tell whether another load of the folder stands in the way of the name or the source."""
        if path == "load" and (self._loads / self.file).exists() and not self._overwrite:
            return (
                f"{str(self._loads / self.file)!r} exists. Choose another name, write over the file with --overwrite, "
                "or change it with `rsloader set`."
            )
        if path not in {"load", "source"}:
            return None
        text = load_file_text(completed(self.answers))
        found = set(effect_of_draft(self._loads, self.file, text).mistakes) - _mistakes_alone(text, self.file)
        return "\n".join(str(mistake) for mistake in sorted(found)) or None


def _mistakes_alone(text: str, file: str) -> set[Any]:
    try:
        read_load_file(text, file)
    except LoadFileError as error:
        return set(error.mistakes)
    return set()


def _parameter(setting: Setting) -> str:
    """Return the option's name in Python: the key, after its section's if other sections have the same key."""
    section = setting.section.removesuffix("[]")
    return f"{section}_{setting.key}" if section and _TIMES[setting.key] > 1 else setting.key


def _written(path: str) -> str:
    setting = settings().get(path) or settings().get(path.removesuffix("[]"))
    if setting is None or setting.model:
        return path
    return "LOAD" if path == "load" else f"--{_parameter(setting).replace('_', '-')}"


def _help(setting: Setting) -> str:
    return setting.summary + (f" One of {', '.join(setting.choices)}." if setting.choices else "")


def _signature() -> inspect.Signature:
    """Return the signature with an option for each setting; the models tell which there are."""
    kind = inspect.Parameter.KEYWORD_ONLY
    answers = [
        inspect.Parameter(
            _parameter(setting),
            kind,
            default=None,
            annotation=Annotated[
                str | None,
                typer.Argument(metavar="LOAD", help=_help(setting))
                if setting.path == "load"
                else typer.Option(help=_help(setting)),
            ],
        )
        for setting in _ANSWERS
    ]
    own = [
        each.replace(kind=kind)
        for each in inspect.signature(new).parameters.values()
        if each.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    return inspect.Signature([*answers, *own])


new.__signature__ = _signature()  # type: ignore[attr-defined]
