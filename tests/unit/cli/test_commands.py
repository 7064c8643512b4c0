"""The commands' help, which is known before a command is imported."""

import inspect

import typer

from rsloader_provider.cli import app_of
from rsloader_provider.cli.commands import COMMANDS


def test_the_help_of_all_commands_begins_each_commands_own_help():
    """It is written in two places, so that `rsloader --help` is quick."""
    app = app_of(COMMANDS)
    own = {info.name: inspect.getdoc(info.callback) for info in app.registered_commands if info.callback}
    own |= {info.name: group_help(info.typer_instance) for info in app.registered_groups if info.typer_instance}
    assert {name: " ".join((text or "").split("\n\n")[0].split()) for name, text in own.items()} == {
        name: listed.help for name, listed in COMMANDS.items()
    }


def group_help(group: typer.Typer) -> str:
    return str(group.info.help)
