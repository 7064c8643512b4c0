"""The DAG with which people operate loads where they have no command line."""

import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from support.objects import a_config

from rsloader_provider.airflow_compat import AirflowFailException
from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.dag_factory import load_dags
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.operate.requests import Action
from rsloader_provider.operations_dag import OPERATIONS_DAG_ID
from rsloader_provider.operators.operate import OperateOperator

if TYPE_CHECKING:
    from conftest import Loads


def write(folder: Path, load: str, file: str | None = None) -> None:
    config = a_config(source=f"s3://landing/{load}/").model_dump(mode="json", by_alias=True, exclude_defaults=True)
    (folder / f"{file or load}.yaml").write_text(yaml.safe_dump({**config, "load": load}))


def test_the_form_offers_the_loads_of_the_folder_and_every_action(tmp_path: Path):
    write(tmp_path, "returns")
    write(tmp_path, "orders")
    (tmp_path / "broken.yaml").write_text("load: broken\n")
    dag = load_dags(tmp_path)[OPERATIONS_DAG_ID]
    load, action = (dag.params.get_param(name) for name in ("load", "action"))
    assert load.schema["enum"] == ["orders", "returns"]
    assert action.schema["enum"] == [str(each) for each in Action]
    assert set(action.schema["values_display"]) == set(action.schema["enum"])
    assert dag.params["action"] == "batches", "what is chosen at first only looks"
    assert (dag.schedule, dag.get_task("operate").retries) == (None, 0)
    assert all(dag.params.get_param(name).schema.get("title") for name in dag.params)


def test_a_worker_gets_it_alone_and_it_is_the_same_at_every_parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, "orders")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", OPERATIONS_DAG_ID)
    once, again = (load_dags(tmp_path) for _ in range(2))
    assert list(once) == [OPERATIONS_DAG_ID]
    assert DagSerialization.to_dict(once[OPERATIONS_DAG_ID]) == DagSerialization.to_dict(again[OPERATIONS_DAG_ID])


def test_it_may_be_switched_off_and_is_not_made_without_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert load_dags(tmp_path) == {}
    write(tmp_path, "orders")
    monkeypatch.setenv("AIRFLOW__RSLOADER__OPERATIONS_DAG", "False")
    assert list(load_dags(tmp_path)) == ["rsloader_orders"]
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", OPERATIONS_DAG_ID)
    assert load_dags(tmp_path) == {}


@pytest.mark.parametrize("name", ["operations", "Operations"])
@pytest.mark.parametrize("file", ["operations", "orders"])
def test_no_load_takes_its_name(tmp_path: Path, name: str, file: str):
    """Not even one whose file is broken."""
    write(tmp_path, name, file)
    write(tmp_path, "good")
    dags = load_dags(tmp_path)
    assert set(dags) == {
        "rsloader_good",
        OPERATIONS_DAG_ID,
        f"rsloader_{'load_operations' if file != 'orders' else file}",
    }
    assert dags[OPERATIONS_DAG_ID].tags == {"rsloader", "operations"}
    (broken,) = [dag for dag in dags.values() if "invalid" in dag.tags]
    assert f"'{name}' is not a valid load name" in (broken.doc_md or "")


def test_each_line_of_the_answer_is_logged_and_a_wrong_confirmation_refused(
    loads: "Loads", caplog: pytest.LogCaptureFixture
):
    loads.write()
    operator = OperateOperator(task_id="operate", loads_folder=str(loads.folder))
    nothing = {
        "batch": None,
        "targets": [],
        "objects": [" "],
        "prefix": "",
        "out_of_order": False,
        "status": "any",
        "since": None,
        "until": None,
        "other": None,
    }

    def send(try_number: int = 1, **filled_in: Any) -> dict[str, Any]:
        params = {**nothing, "deleted": None, "load": loads.load, "confirm": None, **filled_in}
        run = {"dag_id": OPERATIONS_DAG_ID, "run_id": "manual"}
        context: Any = {
            "params": params,
            "ti": SimpleNamespace(**run, try_number=try_number),
            "dag_run": SimpleNamespace(triggering_user_name="ann"),
        }
        with caplog.at_level(logging.INFO):
            return operator.execute(context)

    assert send(action="close-now")["done"] is False
    assert f"close-now of load {loads.load}, asked for by ann in run {OPERATIONS_DAG_ID}/manual" in caplog.messages
    assert "Nothing was changed: the request was not confirmed." in caplog.messages
    written = {"since": "2026-01-01T00:00:00", "until": "2026-01-02T00:00:00Z"}
    found = send(action="backfill", confirm=f" {loads.load} ", **written)
    assert found == {"action": "backfill", "load": loads.load, "done": True, "claimed": 0, "locked_batches": []}
    with pytest.raises(
        AirflowFailException, match=f"'confirm' is 'another', but the load is '{loads.load}'.*Nothing was changed"
    ):
        send(action="close-now", confirm="another")
    with pytest.raises(AirflowFailException, match=r"UnknownBatchError: .* has no batch nowhere"):
        send(action="reprocess", batch="nowhere", confirm=loads.load)
    with pytest.raises(AirflowFailException, match="There is no load 'gone'"):
        send(action="batches", load="gone")
    with pytest.raises(AirflowFailException, match=f"try 2 of run {OPERATIONS_DAG_ID}/manual.*trigger the DAG again"):
        send(2, action="reprocess-objects", prefix="s3://landing/", confirm=loads.load)
    with pytest.raises(AirflowFailException, match="still has a load file"):
        send(action="rename-load", other=loads.load, confirm=loads.load)
    assert send(action="accept", other=" another ")["done"] is False
    assert "there is nothing to accept" in caplog.text
    assert send(2, action="close-now")["done"] is False
    assert send(2, action="batches", confirm=loads.load)["done"] is False


@pytest.mark.usefixtures("airflow_database")
def test_a_batch_is_reprocessed_from_the_form(loads: "Loads", monkeypatch: pytest.MonkeyPatch):
    loads.put("1.csv", content="1\n")
    loads.put("2.csv", content="2\n")
    loads.write()
    monkeypatch.setenv("AIRFLOW__RSLOADER__LOADS_FOLDER", str(loads.folder))
    dags = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags
    assert str(dags[f"rsloader_{loads.load}"].test().state) == "success"
    ledger = RsloaderHook().get_conn().ledger
    (batch,) = [each for each in ledger.batches(loads.load) if each.status is BatchStatus.COMPLETE]
    filled_in = {"load": loads.load, "action": "reprocess", "batch": batch.batch, "confirm": loads.load}
    run = dags[OPERATIONS_DAG_ID].test(run_conf=filled_in)
    (instance,) = run.get_task_instances()
    assert (str(run.state), instance.xcom_pull(task_ids="operate")["done"]) == ("success", True)
    asked = ledger.get(loads.load, batch.batch)
    (progress,) = asked.targets.values()
    assert (asked.status, progress.generation) == (BatchStatus.LOCKED, 2), "the load's next run loads it"
