"""`rsloader validate`: every mistake in a folder of load files, or a table of its loads."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from rsloader_provider.cli.console import Console, escape, escape_lines, print_json
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.load_file.reading import LoadFileMistake
from rsloader_provider.core.visible import visible
from rsloader_provider.loader.load_files.folder import LoadFolder, read_file_alone, read_load_folder


def validate(
    place: Annotated[Path, typer.Argument(metavar="FOLDER_OR_FILE", help="Folder of load files, or one file.")] = Path(
        "loads"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Check load files and print every mistake with its file, its line and what to write instead.

    Asks AWS and Redshift nothing. Exit code 1 if there is a mistake. A single file is not compared with others. A
    note names a setting that looks like a template: only SQL is one.
    """
    try:
        folder = read_load_folder(place) if place.is_dir() or not place.suffix else read_file_alone(place)
    except ConfigurationError as error:
        if as_json:
            print_json({"error": str(error)})
        Console(stderr=True, soft_wrap=True).print(escape_lines(error))
        raise typer.Exit(1) from None
    if as_json:
        print_json(_as_data(folder))
    elif folder.mistakes:
        _print_mistakes(folder)
    else:
        Console().print(_table(folder))
    if not as_json:
        _print_notes(folder)
    raise typer.Exit(1 if folder.mistakes else 0)


def _as_data(folder: LoadFolder) -> dict[str, object]:
    return {
        "loads": [
            config.model_dump(mode="json", by_alias=True, exclude_defaults=True) for config in folder.loads.values()
        ],
        "mistakes": [
            {"load": broken.name, "file": each.file, "line": each.line, "message": each.message, "hint": each.hint}
            for broken in folder.broken.values()
            for each in broken.mistakes
        ],
        **({"notes": [_note(each) for each in folder.notes]} if folder.notes else {}),
    }


def _note(note: LoadFileMistake) -> dict[str, object]:
    return {"file": note.file, "line": note.line, "message": note.message, "hint": note.hint}


def _print_notes(folder: LoadFolder) -> None:
    console = Console(soft_wrap=True, highlight=False, stderr=True)
    for note in folder.notes:
        console.print(f"[yellow]Note[/]: {escape(note)}")
    if folder.variables:
        console.print(f"[yellow]Note[/]: these variables were read as they are here: {', '.join(folder.variables)}.")


def _print_mistakes(folder: LoadFolder) -> None:
    # Wrapped lines could be neither clicked nor searched.
    console = Console(soft_wrap=True, highlight=False)
    for mistake in folder.mistakes:
        where, _, said = escape(mistake).partition(": ")
        console.print(f"[bold]{where}[/]: {said}")
    files = len({mistake.file for mistake in folder.mistakes})
    console.print(f"{_count(len(folder.mistakes), 'mistake')} in {_count(files, 'file')}.")


def _table(folder: LoadFolder) -> Table:
    table = Table("load", "source", "schedule", "batch", "format", "targets", title=_count(len(folder.loads), "load"))
    for config in folder.loads.values():
        table.add_row(*map(escape_lines, _row(config)))
    return table


def _row(config: LoadConfig) -> tuple[str, ...]:
    limits = config.batch.model_dump(mode="json")
    source = "\n".join([*map(visible, config.sources), *(visible(f"  without {each}") for each in config.exclude)])
    targets = "\n".join(f"{target.name} ({target.mode})" for target in config.targets)
    batch = f"{limits['max_files']} files, {limits['max_bytes']:,} bytes, {limits['max_age']}"
    return config.load, source, config.schedule, batch, config.copy_options.format, targets


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
