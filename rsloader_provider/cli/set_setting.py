"""`rsloader set`: one setting of a load file changed, everything else left as it is."""

import difflib
from pathlib import Path
from typing import Annotated

import typer

from rsloader_provider.cli.console import Console, escape
from rsloader_provider.cli.failures import errors_to_exit_code
from rsloader_provider.core.load_file.editing import set_value, unset
from rsloader_provider.core.load_file.reading import LoadFileError
from rsloader_provider.core.load_file.yaml_reader import read_yaml
from rsloader_provider.loader.load_files.drafts import effect_of_draft, write_load_file
from rsloader_provider.loader.load_files.folder import file_of_load, read_file_alone


def set_setting(
    load: Annotated[str, typer.Argument(metavar="LOAD", help="Name of the load.")],
    key: Annotated[
        str,
        typer.Argument(metavar="KEY", help="The setting: batch.max_age, 'targets[0].mode', 'targets[TARGET].mode'."),
    ],
    value: Annotated[
        str | None, typer.Argument(metavar="[VALUE]", help="The new value; lists and mappings as YAML: '[id, amount]'.")
    ] = None,
    unset_it: Annotated[bool, typer.Option("--unset", help="Remove the setting, so that its default applies.")] = False,
    loads: Annotated[Path, typer.Option(help="Folder of the load files.")] = Path("loads"),
) -> None:
    """Change one setting in the file of a load, and keep its comments, its order and its quotes.

    Checks the result together with all other load files first. If there is a mistake, it changes nothing, and the exit
    code is 1. Prints the lines that changed.
    """
    if (value is None) is not unset_it:
        raise typer.BadParameter("give a VALUE, or --unset.", param_hint="VALUE")
    with errors_to_exit_code():
        file = file_of_load(loads, load)
        path = loads / file
        content = _yaml_in(path)
        changed = unset(content, key) if value is None else set_value(content, key, value)
        effect = effect_of_draft(loads, file, changed)
        if effect.mistakes:
            raise LoadFileError(effect.mistakes)
        if changed != content:
            write_load_file(path, changed)
    console = Console(soft_wrap=True, highlight=False)
    if changed == content:
        console.print(f"{escape(file)}: nothing to change.")
    for line in difflib.unified_diff(content.splitlines(), changed.splitlines(), file, file, n=0, lineterm=""):
        console.print(escape(line), style={"+": "green", "-": "red"}.get(line[0]))
    if key == "load" and changed != content:
        console.print(
            f"Claims and history keep the old name: load {escape(str(value))} loads everything again.",
            style="yellow",
        )
    for sentence in effect.handovers:
        console.print(escape(sentence), style="yellow")


def _yaml_in(path: Path) -> str:
    """Return a file's text if it is YAML; the change may correct other mistakes."""
    try:
        # As bytes: Python's text mode would change the line ends of Windows.
        text = path.read_bytes().decode("utf-8-sig")
        read_yaml(text)
    except Exception:  # noqa: BLE001 (a parser's errors have many types; each is explained as validation does)
        raise LoadFileError(read_file_alone(path).mistakes) from None
    return text
