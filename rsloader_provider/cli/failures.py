"""The loader's errors on the command line: one message, exit code 1, no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from rsloader_provider.cli.console import Console, escape_lines
from rsloader_provider.core.errors import RsloaderError


@contextmanager
def errors_to_exit_code() -> Iterator[None]:
    """Print an error of the loader and exit.

    Raises:
        typer.Exit: With code 1, after an error of the loader.
    """
    try:
        yield
    except RsloaderError as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]{type(error).__name__}[/]: {escape_lines(error)}")
        raise typer.Exit(1) from None
