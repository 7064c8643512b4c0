"""Pre-SQL and post-SQL as Airflow renders them, when they run. Nothing else of a load is a template."""

from collections.abc import Mapping
from typing import Any

import jinja2

from rsloader_provider.airflow_compat import Context, redact
from rsloader_provider.core.config.sql_templates import render_in


class AirflowSqlRenderer:
    """Renders with the task's own context, macros and filters.

    Args:
        environment: The operator's `get_template_env()`.
        context: The task's context.
    """

    def __init__(self, environment: jinja2.Environment, context: Context):
        self._environment = environment
        self._context = context

    def render(self, text: str, values: Mapping[str, Any]) -> str:
        """Render a text. The load's own values come before Airflow's of the same name."""
        return render_in(self._environment, text, values, self._context)

    def redacted(self, text: str) -> str:
        """Write `***` for each secret that Airflow has given to this task."""
        return str(redact(text))
