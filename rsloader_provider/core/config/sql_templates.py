"""Jinja in pre-SQL and post-SQL: checked when a load is read, rendered just before a statement runs."""

from collections import ChainMap
from collections.abc import Mapping
from functools import cache
from types import FunctionType
from typing import Any, Protocol

from jinja2 import Environment, StrictUndefined, TemplateSyntaxError, meta

from rsloader_provider.core.config.mistakes import holds_secret, mistake
from rsloader_provider.core.config.sql_sandbox import Offered, SqlEnvironment


class SqlRenderer(Protocol):
    """Renders templates, and knows the secrets that they can reach."""

    def render(self, text: str, values: Mapping[str, Any]) -> str:
        """Render a template.

        Args:
            text: The template.
            values: The load's own values by name.

        Raises:
            jinja2.TemplateError: The template is wrong, or uses an unknown name.
            Exception: Anything that the template calls may raise its own errors.
        """
        ...

    def redacted(self, text: str) -> str:
        """Remove from an error's text the secrets that templates can reach."""
        ...


_STANDS_IN = "_jinja_"
"""Stands for an expression while its value is unknown: a name, and in quotes a text."""

_BEGIN = {"variable_begin": _STANDS_IN, "block_begin": " ", "comment_begin": " ", "raw_begin": " ", "raw_end": " "}
_END = {"variable_end", "block_end", "comment_end", "raw_begin", "raw_end"}

ROWS_UNKNOWN = StrictUndefined(hint="'rows' is known after COPY only: use it in post_sql.")
"""What `rows` is in pre-SQL."""


@cache
def _environment() -> Environment:
    return SqlEnvironment({})


def check_template(text: str) -> None:
    """Check that a text is a Jinja template.

    Raises:
        ValueError: It is not a valid template; the mistake has the line.
    """
    try:
        _environment().parse(text)
    except TemplateSyntaxError as error:
        said = "" if holds_secret(text) else f": {(error.message or '').rstrip('.')}"
        raise mistake(
            f"this is not a valid Jinja template{said}.",
            "Close {{ }} and {% %}; where such signs are meant as SQL, write them between {% raw %} and {% endraw %}.",
            line=error.lineno,
        ) from None


def names_used(text: str) -> set[str]:
    """Return the names that a template takes from outside of it."""
    return meta.find_undeclared_variables(_environment().parse(text))


def readable_part(text: str) -> tuple[str, bool, bool]:
    r"""Return the part of a template that can be read before it is rendered, each line where it was.

    Returns:
        The text with a name instead of each expression, and without Jinja's blocks and comments; whether there was an
        expression; whether there was a block.

    >>> readable_part("DELETE FROM {{ target }} {# all #}\n{% if a %} WHERE b {% endif %}")[0]
    'DELETE FROM _jinja_  \n  WHERE b  '
    """
    written, inside, kinds = "", False, set()
    for line, kind, value in _environment().lex(text):
        kinds.add(kind)
        if kind in _BEGIN:
            written, inside = written + _BEGIN[kind], True
        if kind in _END:
            inside = False
        elif kind == "data" and not inside:
            # What Jinja takes may span lines.
            written += "\n" * (line - 1 - written.count("\n")) + value
    return written, "variable_begin" in kinds, "block_begin" in kinds


def render_in(environment: Environment, text: str, *names: Mapping[str, Any]) -> str:
    """Render a template to text, also in an environment that would give native types.

    Args:
        environment: Jinja's. One for native types would itself remove quotes from a text.
        text: The template.
        names: The values of the template's names; the first mapping that has a name counts.
    """
    template = environment.from_string(text)
    # Template.render copies its arguments, and so would compute each lazy value, used or not.
    known: Any = ChainMap(*names, template.globals)  # type: ignore[arg-type]
    context = environment.context_class(environment, known, template.name, template.blocks)
    return "".join(map(str, template.root_render_func(context)))


class PlainSqlRenderer:
    """Renders without Airflow: only the load's own values are known, and any other name is an error."""

    def render(self, text: str, values: Mapping[str, Any]) -> str:
        """Render a template in the sandbox. Functions among the values are for templates to call."""
        offered = {name: Offered(each) if isinstance(each, FunctionType) else each for name, each in values.items()}
        return render_in(_environment(), text, offered)

    def redacted(self, text: str) -> str:
        """Give the text as it is: the load's own values hold no secret."""
        return text
