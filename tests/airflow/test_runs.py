"""Whole runs of a load's DAG, with Airflow's task runner in this process."""

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from airflow.dag_processing.dagbag import DagBag

from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.hooks.rsloader import RsloaderHook

if TYPE_CHECKING:
    from conftest import Loads

pytestmark = pytest.mark.usefixtures("airflow_database")


def run(loads: "Loads", **settings: Any) -> tuple[str, dict[str, list[str]]]:
    """Run the load's DAG once; gives the run's state and the states of its task instances."""
    loads.write(**settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__RSLOADER__LOADS_FOLDER", str(loads.folder))
        return _run(DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[f"rsloader_{loads.load}"])


def _run(dag: Any) -> tuple[str, dict[str, list[str]]]:
    for task in dag.tasks:
        task.retries = 0
    dag_run = dag.test()
    states: dict[str, list[str]] = {}
    for instance in dag_run.get_task_instances():
        states.setdefault(instance.task_id, []).append(str(instance.state))
    return str(dag_run.state), states


def test_full_batches_are_loaded_and_the_rest_waits_for_its_age(loads: "Loads"):
    """Two runs: the first loads two batches of two, the second finds the waiting one due."""
    for number in range(5):
        loads.put(f"{number}.csv", content=f"{number}\n")
    state, states = run(loads)
    assert (state, states["load_batch"]) == ("success", ["success", "success"])
    assert loads.rows() == [0, 1, 2, 3]
    state, states = run(loads, batch={"max_files": 2, "max_age": "1s"})
    assert (state, states["load_batch"]) == ("success", ["success"])
    assert loads.rows() == [0, 1, 2, 3, 4]


def test_a_folder_that_looks_like_a_template_is_a_folder(loads: "Loads"):
    for number in (1, 2):
        loads.s3.put_object(Bucket=loads.bucket, Key=f"{{{{tenant}}}}/{number}.csv", Body=b"%d\n" % number)
    state, _ = run(loads, source=f"s3://{loads.bucket}/{{{{tenant}}}}/", manifests=f"s3://{loads.bucket}/{{{{ ds }}}}/")
    assert (state, loads.rows()) == ("success", [1, 2])
    (manifest,) = loads.s3.list_objects_v2(Bucket=loads.bucket, Prefix="{{ ds }}/")["Contents"]
    assert manifest["Key"].startswith(f"{{{{ ds }}}}/{loads.load}/")


def test_a_load_file_that_is_half_written_or_away_widens_no_other_load(loads: "Loads"):
    """What a load claims for a moment's sake is its own for good."""
    inner = loads.folder / "inner.yaml"
    loads.put("new/1.csv", "new/2.csv")
    inner.write_text("")
    assert run(loads)[1]["buffer_objects"] == ["skipped"], "nothing is known of what inner.yaml names"
    inner.write_text(
        f"load: inner\nsource: s3://{loads.bucket}/orders/new/\nschedule: 5m\ncopy: {{format: csv}}\n"
        f"manifests: s3://{loads.bucket}/manifests-of-inner/\ntargets: [{{table: {loads.table}}}]\n"
    )
    loads.put("1.csv", "2.csv")
    run(loads)
    assert len(loads.rows()) == 2
    half = inner.read_text()[:20]
    for break_it in (lambda: inner.write_text(half), lambda: inner.write_text(""), inner.unlink):
        break_it()
        assert run(loads)[1]["buffer_objects"] == ["skipped"]
    assert len(loads.rows()) == 2


def test_a_run_loads_over_the_data_api(loads: "Loads", monkeypatch: pytest.MonkeyPatch):
    """The connection has no address and no password."""
    extra = {"cluster_identifier": "acme"}
    connection = {"conn_type": "redshift", "schema": "dev", "login": "awsuser", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_BY_API", json.dumps(connection))
    loads.put("1.csv", "2.csv")
    target = {"conn_id": "redshift_by_api", "transport": "data_api", "table": loads.table}
    state, states = run(loads, targets=[target])
    assert (state, states["load_batch"]) == ("success", ["success"])
    assert loads.rows() == [1, 1]


def test_a_run_with_nothing_to_do_is_skipped_not_failed(loads: "Loads"):
    state, states = run(loads)
    assert state != "failed"
    assert states == {"detect_new_objects": ["skipped"], "buffer_objects": ["skipped"], "load_batch": ["skipped"]}


def test_hard_keys_young_empty_objects_and_folder_markers_are_taken_as_what_they_are(loads: "Loads"):
    """An empty object is left until it is an hour old: its writer may be about to fill it."""
    keys = ["a b.csv", "a+b.csv", "a%2Bb.csv", "q\"u'o.csv", "ünï.csv", "new\nline.csv", "x" * 1017]
    for number, key in enumerate(keys):
        loads.put(key, content=f"{number}\n")
    loads.put("", "folder/", "empty.csv", content="")
    state, _ = run(loads, batch={"max_files": 7, "max_age": "1h"})
    assert state == "success"
    assert loads.rows() == list(range(7))


def test_a_column_that_the_table_does_not_have_fails_and_names_it(loads: "Loads"):
    loads.put("1.csv", "2.csv")
    state, states = run(loads, targets=[{"table": loads.table, "columns": ["colour"]}])
    assert (state, states["load_batch"]) == ("failed", ["failed"])
    (batch,) = [each for each in RsloaderHook().get_conn().ledger.batches(loads.load) if each.targets]
    (progress,) = batch.targets.values()
    assert (batch.status, "colour" in str(progress.error)) == (BatchStatus.ERROR, True)
    assert loads.rows() == []


def test_a_table_that_is_missing_fails_clearly_and_is_loaded_once_it_is_there(
    loads: "Loads", caplog: pytest.LogCaptureFixture
):
    """Nothing is lost, and nobody unlocks anything."""
    loads.put("1.csv", "2.csv")
    loads.query(f"DROP TABLE {loads.table}")
    state, states = run(loads)
    assert (state, states["load_batch"]) == ("failed", ["failed"])
    loads.query(f"CREATE TABLE {loads.table} (id integer)")
    state, _ = run(loads)
    assert state == "success"
    assert loads.rows() == [1, 1]


@pytest.mark.parametrize(
    ("copy", "content"),
    [
        ({"format": "fixedwidth", "fixed_width": "id:3", "compression": "zstd"}, zstandard.compress(b"001\n002\n")),
        ({"format": "json", "jsonpaths": "auto ignorecase"}, b'{"ID": 1}{"Id": 2}'),
    ],
    ids=["fixedwidth", "json"],
)
def test_a_formats_own_settings_reach_copy(loads: "Loads", copy: dict[str, Any], content: bytes):
    loads.s3.put_object(Bucket=loads.bucket, Key="orders/1", Body=content)
    state, _ = run(loads, copy=copy, batch={"max_files": 1})
    assert (state, loads.rows()) == ("success", [1, 2])


def test_a_load_in_shadow_runs_green_loads_nothing_and_starts_afresh(loads: "Loads"):
    """Then the line is taken out: everything is loaded once, as if the shadow had never run."""
    loads.put("1.csv", content="1\n")
    loads.put("2.csv", content="2\n")
    assert run(loads, shadow=True) == (
        "success", {"detect_new_objects": ["success"], "buffer_objects": ["success"], "load_batch": ["success"]},
    )  # fmt: skip
    assert run(loads, shadow=True)[1]["load_batch"] == ["skipped"]
    assert loads.rows() == []
    keys = [each["Key"] for each in loads.s3.list_objects_v2(Bucket=loads.bucket)["Contents"]]
    assert keys == ["orders/1.csv", "orders/2.csv"]
    assert [*RsloaderHook().get_conn().ledger.batches(loads.load)] == []
    assert run(loads)[0] == "success"
    assert loads.rows() == [1, 2]
