"""What the commands print: sentences in which each character is seen, and JSON for programs."""

from collections.abc import Iterable
from typing import Any

import rich.console
import typer
from rich.console import ConsoleOptions, RenderableType
from rich.markup import escape as without_markup
from rich.segment import Segment

from rsloader_provider.core.visible import visible, visible_json


class Console(rich.console.Console):
    """Rich's console; what is printed on it drives the terminal only as Rich itself does.

    `escape` keeps the lines of a text together. What was not put through it may at worst end a line too early.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render, and show what is not printable."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(_visible_lines(segment.text), segment.style)


def escape(text: object) -> str:
    """Give a text as one line to be printed among Rich's markup."""
    return without_markup(visible(text))


def escape_lines(text: object) -> str:
    """Give a text of several lines, each visible, to be printed among Rich's markup: an error, or a load file."""
    return without_markup(_visible_lines(str(text)))


def say(sentences: Iterable[str], *, quiet: bool = False, aside: bool = False) -> None:
    """Print sentences for people, each on a line of its own.

    Args:
        sentences: The sentences.
        quiet: Whether to print nothing.
        aside: Whether they go to standard error, because standard output is for programs.
    """
    console = Console(soft_wrap=True, quiet=quiet, stderr=aside)
    for sentence in sentences:
        console.print(escape(sentence), highlight=False)


def print_json(report: Any) -> None:
    """Print an answer for programs."""
    typer.echo(visible_json(report, indent=2))


def _visible_lines(text: str) -> str:
    return "\n".join(map(visible, text.split("\n")))
