"""Pre-SQL and post-SQL as Airflow renders them: not with the other templated settings, but when they run."""

from collections.abc import Mapping
from typing import Any

import jinja2

from rsloader_provider.airflow_compat import Context, redact
from rsloader_provider.core.sql_templates import render_in

_SQL = ("pre_sql", "post_sql")


class SqlLeftUnrendered:
    """For operators whose `load_config` is templated: leaves the targets' SQL as it is written.

    Before its turn nobody knows the rows that it may ask for, and what it takes from connections and variables must
    not stand in rendered fields.
    """

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render as Airflow does, all but the SQL of targets."""
        render = super().render_template  # type: ignore[misc]
        if not isinstance(content, dict):
            return render(content, context, jinja_env, seen_oids)
        written = {key: content[key] for key in _SQL if key in content}
        rest = {key: value for key, value in content.items() if key not in written}
        return {**render(rest, context, jinja_env, seen_oids), **written}


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
