"""Pre-SQL and post-SQL as Airflow renders them, in whole runs."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from support import secret_search

from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.hooks.rsloader import RsloaderHook

if TYPE_CHECKING:
    from conftest import Loads

(PASSWORD,) = secret_search.use(a_password_in_a_template="planted-sql-Passw0rd")

pytestmark = pytest.mark.usefixtures("airflow_database")


def run(loads: "Loads", *targets: dict[str, Any]) -> Any:
    loads.write(targets=list(targets))
    loads.put("1.csv", "2.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__RSLOADER__LOADS_FOLDER", str(loads.folder))
        dag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[f"rsloader_{loads.load}"]
        for task in dag.tasks:
            task.retries = 0
        return dag.test()


def test_sql_knows_airflows_context_and_the_load_and_its_secrets_stay_in_redshift(
    loads: "Loads", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """What a template takes from a connection is in the table, and nowhere in what Airflow keeps."""
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "http", "host": "other", "password": PASSWORD}))
    monkeypatch.setenv("AIRFLOW_VAR_COLOUR", "red; it''s")
    audit = f"{loads.table}_audit"
    loads.query(f"CREATE TABLE {audit} (step varchar, rows int, run varchar, more varchar, password varchar)")
    dag_run = run(
        loads,
        {
            "table": loads.table,
            "pre_sql": f"INSERT INTO {audit} "
            "VALUES ('before; {{ batch.id }}', -1, '{{ dag_run.run_id }}', '', ''); /* ; */ SELECT 1;",
            "post_sql": f"INSERT INTO {audit} VALUES ('after {{{{ load }}}}', {{{{ rows }}}}, '{{{{ run }}}}', "
            "'{{ var.value.colour }}', '{{ conn.other.password }}')",
        },
    )
    assert str(dag_run.state) == "success"
    (batch,) = [each for each in RsloaderHook().get_conn().ledger.batches(loads.load) if each.targets]
    assert loads.query(f"SELECT step, rows, run, more, password FROM {audit} ORDER BY rows") == (
        [f"before; {batch.batch}", -1, dag_run.run_id, "", ""],
        [f"after {loads.load}", 2, f"rsloader_{loads.load}/{dag_run.run_id}", "red; it's", PASSWORD],
    )
    home = Path(os.environ["AIRFLOW_HOME"])
    assert secret_search.secrets_below(home, [batch.batch]), "Airflow's database, with the rendered fields, is searched"
    assert secret_search.secrets_below(home, [PASSWORD]) == []
    for place, text in {"log": caplog.text, "ledger": repr(batch)}.items():
        assert PASSWORD not in text, place


def test_what_fails_after_rendering_loads_nothing_and_repeats_no_secret(
    loads: "Loads", monkeypatch: pytest.MonkeyPatch
):
    """The check of the load file could see neither: TRUNCATE, and what Redshift refuses and tells again."""
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "http", "host": "other", "password": PASSWORD}))
    other = f"{loads.table}_b"
    loads.query(f"CREATE TABLE {other} (id integer)")
    loads.query(render(sql.CreateHistory(TableName(*other.split(".")))))
    state = run(
        loads,
        {"table": loads.table, "pre_sql": "SELECT 1; {{ 'TRUNC' ~ 'ATE' }} {{ target }}"},
        {"table": other, "post_sql": 'SELECT 1; SELECT "{{ conn.other.password }}" FROM {{ target }}'},
    ).state
    (batch,) = [each for each in RsloaderHook().get_conn().ledger.batches(loads.load) if each.targets]
    assert (str(state), batch.status, loads.rows()) == ("failed", BatchStatus.ERROR, [])
    assert loads.query(f"SELECT id FROM {other}") == ()
    errors = {name.rpartition("/")[2]: str(each.error) for name, each in batch.targets.items()}
    # Airflow masks the name of the connection where it is somebody's password, as the local Redshift's.
    assert f"batch {batch.batch} of load {loads.load} into " in errors[loads.table]
    assert "text 1 of pre_sql, statement 2 (TRUNCATE" in errors[loads.table]
    assert "text 1 of post_sql, statement 2 (SELECT" in errors[other]
    assert '"***" does not exist' in errors[other]
    assert PASSWORD not in repr(batch)
