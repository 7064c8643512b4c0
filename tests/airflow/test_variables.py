"""Environment variables in load files: DAG and commands mean the same load, or the command says that it does not."""

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from typer.testing import CliRunner, Result

from rsloader_provider.airflow_compat import AirflowFailException
from rsloader_provider.cli import app
from rsloader_provider.operators.operate import OperateOperator

if TYPE_CHECKING:
    from conftest import Loads


def rsloader(*arguments: object) -> Result:
    return CliRunner().invoke(
        app, [*map(str, arguments)], input="n\n", env={"COLUMNS": "250", "TERM": "dumb"}, catch_exceptions=False
    )


@pytest.fixture
def deployed(loads: "Loads", monkeypatch: pytest.MonkeyPatch, airflow_database: None) -> "Loads":
    """A load with a variable in its source and in its manifests, run once."""
    monkeypatch.setenv("STAGE", "prod")
    loads.write(
        source=f"s3://{loads.bucket}/orders/${{env:STAGE}}/",
        manifests=f"s3://{loads.bucket}/manifests/${{env:STAGE}}/",
        batch={"max_files": 1},
    )
    loads.put("prod/1.csv", "dev/1.csv")
    monkeypatch.setenv("AIRFLOW__RSLOADER__LOADS_FOLDER", str(loads.folder))
    dag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[f"rsloader_{loads.load}"]
    assert f"s3://{loads.bucket}/orders/prod/" in (dag.doc_md or "")
    assert str(dag.test().state) == "success"
    assert loads.rows() == [1]
    return loads


def test_dag_and_commands_mean_the_same_load(deployed: "Loads"):
    """The case of a load file with a template in it, of which each command took the text as it stood."""
    deployed.put("prod/2.csv")
    at = ("--loads", deployed.folder)
    url = f"s3://{deployed.bucket}/orders/prod/1.csv"
    audit = json.loads(rsloader("audit", deployed.load, *at, "--json").stdout)
    assert (audit["states"]["loaded"]["objects"], audit["states"]["not seen"]["objects"]) == (1, 1)
    assert json.loads(rsloader("backfill", deployed.load, *at, "--dry-run", "--json").stdout)["plan"]["objects"] == 1
    told = rsloader("explain", url, *at)
    assert (told.exit_code, f"lies below s3://{deployed.bucket}/orders/prod/" in told.stdout) == (0, True)
    policy = rsloader("permissions", deployed.folder)
    assert f"{deployed.bucket}/orders/prod/*" in policy.stdout
    assert "${env" not in policy.stdout
    assert "read as they are here: STAGE" in policy.stderr


def test_a_machine_that_resolves_otherwise_says_so_and_does_nothing(deployed: "Loads", monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STAGE", "dev")
    load, at = deployed.load, ("--loads", deployed.folder)
    url = f"s3://{deployed.bucket}/orders/prod/1.csv"
    for command in (
        ("audit", load, *at),
        ("explain", url, *at),
        ("backfill", load, *at, "--yes"),
        ("close-now", load, *at, "--yes"),
        ("forget", load, url, *at, "--yes"),
        ("reprocess-objects", load, url, *at, "--yes"),
        ("reprocess", load, "01ARZ3NDEKTSV4RRFFQ69G5FAV", *at, "--yes"),
        ("shadow-report", load, *at),
        ("rename-load", "earlier", load, *at, "--yes"),
        ("accept", load, "another", *at, "--yes"),
        ("setup", *at),
    ):
        refused = rsloader(*command)
        assert refused.exit_code == 1, command
        assert "STAGE had another value in the load's last run than it has here" in refused.output, command
    params: dict[str, Any] = dict.fromkeys(
        ("batch", "targets", "objects", "prefix", "since", "until", "deleted", "other")
    )
    context: Any = {
        "params": {
            **params,
            "load": load,
            "action": "close-now",
            "status": "any",
            "confirm": load,
            "out_of_order": False,
        },
        "ti": type("Ti", (), {"dag_id": "rsloader_operations", "run_id": "manual", "try_number": 1}),
        "dag_run": None,
    }
    with pytest.raises(AirflowFailException, match="STAGE had another value"):
        OperateOperator(task_id="operate", loads_folder=str(deployed.folder)).execute(context)
    assert rsloader("batches", load).exit_code == 0, "what needs no load file goes on"
    monkeypatch.delenv("STAGE")
    missing = rsloader("audit", load, *at)
    assert (missing.exit_code, "STAGE is not set where this file was read" in missing.output) == (1, True)
