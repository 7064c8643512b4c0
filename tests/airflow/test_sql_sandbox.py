"""What SQL templates know of Airflow, and that no way leads out of them."""

import os
import uuid
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import jinja2
import pendulum
import pytest
from airflow import macros

from rsloader_provider.loader.run.user_sql import BatchValues, TargetValues
from rsloader_provider.sql_rendering import AirflowSqlRenderer

NOON = pendulum.datetime(2026, 1, 2, 12)
VALUES: dict[str, Any] = {
    "batch": BatchValues("01J", 2, 8, NOON, None, "max_files", "s3://loader/m"),
    "load": "orders",
    "target": TargetValues("wh/public.orders", "wh", "public", "orders", "append"),
    "rows": 2,
    "run": "dag/run",
}


class Accessor:
    """As Airflow's: every attribute is looked up."""

    def __init__(self, found: dict[str, Any]):
        self._found = found

    def __getattr__(self, name: str) -> Any:
        return self._found[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self._found.get(name, default)


class Connection:
    conn_id, conn_type, host, login, password, port, schema = "wh", "redshift", "acme", "etl", "s3cret", 5439, "dev"
    description = extra = None
    extra_dejson: ClassVar = {"region": "eu-west-1", "nested": {"a": [1]}}

    def get_hook(self) -> Any:
        return os


class Models:
    """Stands for a task instance, an operator, a DAG or a run: leads to modules."""

    dag_id, run_id, task_id, try_number, conf = "rsloader_orders", "manual", "load_batch", 2, {"full": True}
    os = os
    user_defined_macros: ClassVar[dict[str, Any]] = {"double": lambda number: number * 2, "own": {"a": 1}, "module": os}
    user_defined_filters: ClassVar[dict[str, Any]] = {"shout": str.upper}

    def xcom_pull(self) -> Any:
        return os


def renderer() -> AirflowSqlRenderer:
    models = Models()
    context: Any = {
        "ds": "2026-01-02",
        "ts_nodash": "20260102T120000",
        "run_id": "manual",
        "logical_date": NOON,
        "data_interval_start": NOON,
        "params": {"region": "eu", "list": [1, 2]},
        "var": {"value": Accessor({"colour": "red", "a-b": "x"}), "json": Accessor({"limits": {"rows": 9}})},
        "conn": Accessor({"wh": Connection()}),
        "macros": macros,
        **dict.fromkeys(("ti", "task_instance", "task", "dag", "dag_run"), models),
        "conf": SimpleNamespace(get=os.getenv),
        "inlets": [os],
    }
    return AirflowSqlRenderer(context)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{{ batch }} {{ batch.files }} {{ batch.opened_at | ds }} {{ target }}", '01J 2 2026-01-02 "public"."orders"'),
        (
            "{{ ds }} {{ ts_nodash }} {{ run_id }} {{ load }} {{ rows + 1 }}",
            "2026-01-02 20260102T120000 manual orders 3",
        ),
        ("{{ data_interval_start.add(days=1).strftime('%d') }} {{ logical_date.year }}", "03 2026"),
        ("{{ (logical_date - macros.timedelta(days=2)).isoformat()[:10] }}", "2025-12-31"),
        ("{{ macros.ds_add(ds, 3) }} {{ macros.ds_format(ds, '%Y-%m-%d', '%d.%m.') }}", "2026-01-05 02.01."),
        ("{{ macros.datetime(2026, 1, 1).year }} {{ macros.datetime.strptime('9', '%d').day }}", "2026 9"),
        ("{{ macros.uuid.uuid4() | length }} {{ macros.json.loads('[7]')[0] }}", "36 7"),
        ("{{ params.region }} {{ params['list'][1] }} {{ params.get('x', 'none') }}", "eu 2 none"),
        ("{{ var.value.colour }} {{ var.value.get('a-b') }} {{ var.value.get('c', 'd') }}", "red x d"),
        ("{{ var.json.limits.rows }}", "9"),
        ("{{ conn.wh.login }} {{ conn.get('wh').password }} {{ conn.wh.extra_dejson.nested.a[0] }}", "etl s3cret 1"),
        (
            "{{ dag_run.run_id }} {{ dag_run.conf.full }} {{ ti.try_number }} {{ dag.dag_id }}",
            "manual True 2 rsloader_orders",
        ),
        ("{{ double(4) }} {{ own.a }} {{ 'a' | shout }}", "8 1 A"),
        ("{% for each in [3, 4] %}{{ loop.index }}{{ each }}{{ loop.cycle('a', 'b') }}{% endfor %}", "13a24b"),
        ("{% set ns = namespace(n=1) %}{% set ns.n = 2 %}{{ ns.n }}{{ range(3) | list }}", "2[0, 1, 2]"),
        ("{% macro twice(a) %}{{ a }}{{ a }}{% endmacro %}{{ twice('x') }}", "xx"),
        ("{{ 'a,b'.split(',') | join('-') }} {{ '%s!' % load }} {{ '%s' | format(rows) }}", "a-b orders! 2"),
        ("{{ [{'a': 2}, {'a': 1}] | sort(attribute='a') | map(attribute='a') | list }}", "[1, 2]"),
    ],
)
def test_what_sql_needs_of_airflow_is_there(text: str, rendered: str):
    assert renderer().render(text, VALUES) == rendered


WAYS_OUT = [
    "macros.uuid.os.popen('touch {0}').read()",
    "macros.time.sleep.__self__",
    "macros.datetime.mro()",
    "macros.datetime._function",
    "macros.ds_add._function.__globals__",
    "macros.dateutil.os",
    "macros.yaml",
    "cycler.__init__.__globals__.os.popen('touch {0}').read()",
    "lipsum.__globals__['os'].popen('touch {0}').read()",
    "joiner.__init__.__globals__.os",
    "namespace.__init__.__globals__",
    "dict.__base__.__subclasses__()",
    "range.__globals__",
    "self.__init__.__globals__",
    "self._TemplateReference__context",
    "''.__class__.__mro__[1].__subclasses__()",
    "''['__class__']",
    "''|attr('__class__')",
    "''|attr('\\x5f\\x5fclass\\x5f\\x5f')",
    "['']|map(attribute='__class__')|list|first|string|length // 0",
    "'{{0.__class__}}'.format('')",
    "'{{a.os}}'.format_map({{'a': ti}})",
    "('{{0.__class__}}'|attr('format'))('')",
    "['{{0.__class__}}']|map('attr', 'format')|list",
    "ti.os.popen('touch {0}').read()",
    "ti.xcom_pull()",
    "task.os",
    "dag.os",
    "dag_run.os",
    "dag.user_defined_macros",
    "module.popen('touch {0}').read()",
    "conn.wh.get_hook()",
    "conn.wh.__class__",
    "conn._found",
    "conn.__getattr__",
    "var.value.get._function",
    "var.value._look_up.__globals__",
    "conf.get('PATH')",
    "inlets[0]",
    "batch.__class__.__init__.__globals__",
    "target.__str__.__globals__",
    "logical_date.__class__",
    "logical_date.tzinfo.from_file",
    "logical_date.timezone.__init__",
    "double._function.__globals__",
    "double.__call__.__func__.__globals__",
    "params.update({{'a': 1}})",
    "(1).__class__",
    "loop.__init__",
    "undefined_thing.__class__",
    "caller.__globals__",
    "url_for",
    "get_flashed_messages.__globals__",
    "request",
    "config",
]


@pytest.mark.parametrize("way", WAYS_OUT)
def test_no_known_way_leads_out(way: str, tmp_path: Path):
    """Whoever writes a load file may run SQL, and no code on a worker."""
    proof = tmp_path / uuid.uuid4().hex
    expression = way.format(proof)
    for text in (
        f"{{{{ {expression} }}}}",
        f"{{% set x = {expression} %}}{{{{ x }}}}",
        f"{{% do {expression} %}}{{{{ {expression} }}}}",
    ):
        rendered: str | None
        try:
            rendered = renderer().render(text, VALUES)
        except (jinja2.TemplateError, AttributeError, TypeError, ZeroDivisionError, KeyError):
            rendered = None
        # A module that a DAG's author gave is text here.
        assert rendered is None or (way.startswith("module") and "popen" not in rendered), rendered
    assert not proof.exists()


def test_nothing_in_the_names_leads_further_than_to_plain_values():
    """However the list grows: from each name, attribute after attribute, only values, offered functions and methods."""
    plain = (str, int, float, list, dict, tuple, timedelta, type(NOON), type(None))
    rendered = renderer()
    environment = rendered._environment
    names = {**{name: rendered._names[name] for name in rendered._names}, **VALUES, **environment.globals}
    waiting = [*names.items()]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, plain) or path in {"range", "dict", "namespace"}:
            continue
        for attribute in dir(value):
            try:
                found = environment.getattr(value, attribute)
            except (KeyError, AttributeError):
                continue
            if not isinstance(found, jinja2.Undefined):
                assert not attribute.startswith("_"), f"{path}.{attribute}"
                waiting.append((f"{path}.{attribute}", found))
    module: Any = environment.getattr(os, "popen")
    assert isinstance(module, jinja2.Undefined)
