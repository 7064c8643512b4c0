"""How far a long command is, on standard error, where it disturbs no JSON."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rsloader_provider.cli.console import Console, escape
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.move_in.choices import Stage


@contextmanager
def shown_progress() -> Iterator[Stage]:
    """Show a bar for each stage while the block runs."""
    # One line for each of thousands of writes would tear the bars.
    steps = logger_of("rsloader_provider.loader")
    level = steps.level
    steps.setLevel(logging.WARNING)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:

            def stage(name: str, total: int | None) -> Callable[[int], None]:
                task = progress.add_task(escape(name), total=total)
                return lambda count: progress.advance(task, count)

            yield stage
    finally:
        steps.setLevel(level)
