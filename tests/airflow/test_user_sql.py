"""Pre-SQL and post-SQL as Airflow renders them, in whole runs."""

import json
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from rsloader_provider.core.batch import BatchStatus
from rsloader_provider.hooks.rsloader import RsloaderHook

if TYPE_CHECKING:
    from conftest import Loads

PASSWORD = "planted-sql-Passw0rd"

pytestmark = pytest.mark.usefixtures("airflow_database")


def run(loads: "Loads", **target: Any) -> Any:
    loads.write(targets=[{"table": loads.table, **target}])
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
        pre_sql=f"INSERT INTO {audit} VALUES ('before; {{{{ batch.id }}}}', -1, '{{{{ dag_run.run_id }}}}', '', ''); "
        "/* ; */ SELECT 1;",
        post_sql=f"INSERT INTO {audit} VALUES ('after {{{{ load }}}}', {{{{ rows }}}}, '{{{{ run }}}}', "
        "'{{ var.value.colour }}', '{{ conn.other.password }}')",
    )
    assert str(dag_run.state) == "success"
    (batch,) = [each for each in RsloaderHook().get_conn().ledger.batches(loads.load) if each.targets]
    assert loads.query(f"SELECT step, rows, run, more, password FROM {audit} ORDER BY rows") == (
        [f"before; {batch.batch}", -1, dag_run.run_id, "", ""],
        [f"after {loads.load}", 2, f"rsloader_{loads.load}/{dag_run.run_id}", "red; it's", PASSWORD],
    )
    home = Path(os.environ["AIRFLOW_HOME"])
    dump = "\n".join(sqlite3.connect(home / "airflow.db").iterdump())
    dump += "".join(each.read_text(errors="replace") for each in (home / "logs").rglob("*") if each.is_file())
    assert "{{ conn.other.password }}" in dump, "rendered fields show what the author wrote"
    for place, text in {"airflow": dump, "log": caplog.text, "ledger": repr(batch)}.items():
        assert PASSWORD not in text, place


def test_an_error_of_redshift_does_not_repeat_a_secret_of_the_statement(
    loads: "Loads", monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "http", "host": "other", "password": PASSWORD}))
    dag_run = run(loads, post_sql='SELECT 1; SELECT "{{ conn.other.password }}" FROM ' + loads.table)
    (batch,) = [each for each in RsloaderHook().get_conn().ledger.batches(loads.load) if each.targets]
    (progress,) = batch.targets.values()
    assert (str(dag_run.state), batch.status, loads.rows()) == ("failed", BatchStatus.ERROR, [])
    assert "text 1 of post_sql, statement 2 (SELECT" in str(progress.error)
    assert '"***" does not exist' in str(progress.error)
    assert PASSWORD not in repr(batch)


def test_a_statement_that_commits_once_rendered_is_refused_and_nothing_is_loaded(loads: "Loads"):
    """The check of the load file could not see it."""
    dag_run = run(loads, pre_sql="SELECT 1; {{ 'TRUNC' ~ 'ATE' }} " + loads.table)
    (batch,) = [each for each in RsloaderHook().get_conn().ledger.batches(loads.load) if each.targets]
    (progress,) = batch.targets.values()
    assert (str(dag_run.state), batch.status, loads.rows()) == ("failed", BatchStatus.ERROR, [])
    assert f"batch {batch.batch} of load {loads.load} into redshift_default/{loads.table}" in str(progress.error)
    assert "text 1 of pre_sql, statement 2 (TRUNCATE" in str(progress.error)
