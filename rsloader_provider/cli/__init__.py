"""The command `rsloader`: a command's module is imported when it is called, and not before."""

from collections.abc import Iterable
from pkgutil import resolve_name
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from rsloader_provider.cli.commands import COMMANDS


def app_of(names: Iterable[str]) -> typer.Typer:
    """Import commands, and give an app that has them."""
    imported = typer.Typer()
    for name in names:
        command = resolve_name(f"{__name__}.{COMMANDS[name].name}")
        if isinstance(command, typer.Typer):
            imported.add_typer(command, name=name)
        else:
            imported.command(name)(command)
    return imported


class _Commands(TyperGroup):
    """Knows of each command what the help says, until it is called."""

    def __init__(self, **settings: Any) -> None:
        known = {name: TyperCommand(name, help=listed.help) for name, listed in COMMANDS.items()}
        super().__init__(**{**settings, "commands": known})

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that is called, and import it."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, name and get_group(app_of([name])).commands[name], rest


app = typer.Typer(cls=_Commands, no_args_is_help=True, pretty_exceptions_show_locals=False)


@app.callback()
def rsloader() -> None:
    """Loads files from S3 into Amazon Redshift on Apache Airflow, every object exactly once."""
