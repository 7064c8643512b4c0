"""Pre-SQL and post-SQL as a task renders them, when they run. Nothing else of a load is a template.

Templates see of Airflow's context what this module names, as plain values: no module, no operator, no model.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from rsloader_provider.airflow_compat import Context, redact
from rsloader_provider.core.config.sql_sandbox import LookedUp, Names, Offered, Shown, SqlEnvironment, plain
from rsloader_provider.core.config.sql_templates import render_in

_PLAIN = (
    *("ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz", "run_id", "params", "task_instance_key_str"),
    *("logical_date", "execution_date", "start_date", "data_interval_start", "data_interval_end"),
    *("prev_data_interval_start_success", "prev_data_interval_end_success"),
    *("prev_start_date_success", "prev_end_date_success"),
)
"""The names that are values already."""

_ATTRIBUTES = {
    "dag": "dag_id",
    "dag_run": "dag_id run_id run_type logical_date data_interval_start data_interval_end start_date run_after conf",
    "task": "task_id dag_id",
    "ti": "dag_id task_id run_id map_index try_number max_tries start_date",
    "task_instance": "dag_id task_id run_id map_index try_number max_tries start_date",
}
"""What is shown of Airflow's objects."""

_CONNECTION = "conn_id conn_type description host schema login password port extra extra_dejson"
_FILTERS: dict[str, Callable[[Any], Any]] = {
    "ds": lambda moment: moment and moment.strftime("%Y-%m-%d"),
    "ds_nodash": lambda moment: moment and moment.strftime("%Y%m%d"),
    "ts": lambda moment: moment and moment.isoformat(),
    "ts_nodash": lambda moment: moment and moment.strftime("%Y%m%dT%H%M%S"),
    "ts_nodash_with_tz": lambda moment: moment and moment.isoformat().replace("-", "").replace(":", ""),
}
"""The filters that Airflow adds to Jinja's."""


class AirflowSqlRenderer:
    """Renders in a sandbox, with a part of the task's context.

    Args:
        context: The task's context.
    """

    def __init__(self, context: Context):
        dag = context.get("dag")
        filters = getattr(dag, "user_defined_filters", None) or {}
        self._environment = SqlEnvironment({**_FILTERS, **filters})
        self._names = _AllowedNames(context, getattr(dag, "user_defined_macros", None) or {})

    def render(self, text: str, values: Mapping[str, Any]) -> str:
        """Render a text. The load's own values come before Airflow's of the same name."""
        return render_in(self._environment, text, values, self._names)

    def redacted(self, text: str) -> str:
        """Write `***` for each secret that Airflow has given to this task."""
        return str(redact(text))


class _AllowedNames(Mapping[str, Any]):
    """The names that templates know of Airflow, each made when it is used."""

    def __init__(self, context: Mapping[str, Any], macros: Mapping[str, Any]):
        self._context = context
        self._own = macros
        self._made: dict[str, Callable[[], Any]] = {
            "var": self._var,
            "conn": self._conn,
            "macros": self._macros,
            **{name: partial(self._shown, name) for name in _ATTRIBUTES},
            **{name: partial(self._value, name) for name in _PLAIN},
        }

    def __getitem__(self, name: str) -> Any:
        if name in self._own:
            # Whoever writes the DAG file gives these to templates.
            given = self._own[name]
            return Offered(given) if callable(given) else plain(given)
        if name in self._made and name in self._context:
            return self._made[name]()
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys([*self._own, *(name for name in self._made if name in self._context)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _value(self, name: str) -> Any:
        return plain(self._context[name])

    def _shown(self, name: str) -> Shown:
        of = self._context[name]
        return Names(**{each: plain(getattr(of, each, None)) for each in _ATTRIBUTES[name].split()})

    def _var(self) -> Shown:
        accessors = self._context["var"]
        return Names(value=_looked_up(accessors["value"], plain), json=_looked_up(accessors["json"], plain))

    def _conn(self) -> Shown:
        return _looked_up(self._context["conn"], _connection)

    def _macros(self) -> Shown:
        airflows = self._context["macros"]
        return Names(
            ds_add=Offered(airflows.ds_add),
            ds_format=Offered(airflows.ds_format),
            datetime_diff_for_humans=Offered(airflows.datetime_diff_for_humans),
            random=Offered(airflows.random),
            timedelta=Offered(timedelta),
            datetime=Offered(
                datetime,
                now=Offered(datetime.now),
                today=Offered(datetime.today),
                strptime=Offered(datetime.strptime),
                fromisoformat=Offered(datetime.fromisoformat),
                fromtimestamp=Offered(datetime.fromtimestamp),
            ),
            date=Offered(date, today=Offered(date.today), fromisoformat=Offered(date.fromisoformat)),
            time=Names(time=Offered(time.time)),
            uuid=Names(uuid4=Offered(lambda: str(uuid.uuid4()))),
            json=Names(dumps=Offered(json.dumps), loads=Offered(json.loads)),
        )


def _looked_up(accessor: Any, as_shown: Callable[[Any], Any]) -> Shown:
    def look_up(name: str) -> Any:
        return as_shown(getattr(accessor, name))

    def get(*arguments: Any) -> Any:
        return as_shown(accessor.get(*arguments))

    return LookedUp(look_up, get)


def _connection(found: Any) -> Any:
    if found is None or isinstance(found, str):
        return found
    return Names(**{each: plain(getattr(found, each, None)) for each in _CONNECTION.split()})
