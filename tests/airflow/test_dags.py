"""From load files to DAGs."""

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.dag_processing.bundles.manager import _add_provider_example_dags_to_bundle
from airflow.providers_manager import ProvidersManager
from airflow.serialization.serialized_objects import DagSerialization
from support.objects import a_config
from support.secrets import MISTAKES, PLANTED

from rsloader_provider.airflow_compat import DAG
from rsloader_provider.dag_factory import load_dag, load_dags, load_task_group
from rsloader_provider.loader.load_files.folder import ConfigurationError
from rsloader_provider.operations_dag import OPERATIONS_DAG_ID
from rsloader_provider.operators.audit_load import AuditLoadOperator


def write(folder: Path, load: str, **settings: Any) -> None:
    content = a_config(load=load, source=f"s3://landing/{load}/", **settings)
    text = yaml.safe_dump(content.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    (folder / f"{load}.yaml").write_text(text)


def dags_in_a_worker_for(dag_id: str, folder: Path) -> dict[str, DAG]:
    """What a worker gets that parses for one DAG; Airflow tells it so by this variable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
        return load_dags(folder)


def test_each_load_file_is_a_dag_of_three_tasks(tmp_path: Path):
    write(tmp_path, "orders")
    write(tmp_path, "returns", schedule="*/5 * * * *")
    dags = load_dags(tmp_path)
    assert sorted(dags) == ["rsloader_operations", "rsloader_orders", "rsloader_returns"]
    assert [task.task_id for task in dags["rsloader_orders"].tasks] == [
        "detect_new_objects",
        "buffer_objects",
        "load_batch",
    ]
    assert dags["rsloader_orders"].catchup is False


def test_a_broken_file_breaks_only_its_own_dag_which_keeps_its_name(tmp_path: Path):
    """The name keeps the history; the tag, the documentation and the failing task show what is wrong."""
    write(tmp_path, "orders")
    (tmp_path / "returns.yaml").write_text("load: returns\nschedule: '@daily'\nsorce: s3://landing/returns/\n")
    (tmp_path / "unreadable.yaml").write_text("load: unreadable\n  source: [\n")
    dags = load_dags(tmp_path)
    assert sorted(dags) == ["rsloader_operations", "rsloader_orders", "rsloader_returns", "rsloader_unreadable"]
    broken = dags["rsloader_returns"]
    assert "invalid" in broken.tags
    assert "returns.yaml:3" in (broken.doc_md or "")
    assert "source" in (broken.doc_md or "")
    (task,) = broken.tasks
    with pytest.raises(Exception, match=r"returns\.yaml:3") as raised:
        task.execute({})
    assert type(raised.value).__name__ == "AirflowFailException"
    assert "unreadable.yaml" in (dags["rsloader_unreadable"].doc_md or "")


@pytest.mark.parametrize("settings", MISTAKES.values(), ids=MISTAKES)
def test_a_broken_files_secrets_stay_out_of_its_dag(tmp_path: Path, settings: dict[str, Any]):
    """Everybody who may look at the DAG reads its documentation, and the task's log and alarms go further still."""
    content = a_config().model_dump(mode="json", by_alias=True, exclude_defaults=True) | settings
    (tmp_path / "orders.yaml").write_text(yaml.safe_dump(content, width=1000))
    (dag,) = load_dags(tmp_path).values()
    (task,) = dag.tasks
    with pytest.raises(Exception, match=r"orders\.yaml:") as raised:
        task.execute({})
    for told in (
        dag.dag_id,
        dag.doc_md or "",
        str(raised.value),
        json.dumps(DagSerialization.to_dict(dag), default=str),
    ):
        assert [secret for secret in PLANTED if secret in told] == []


def test_a_worker_builds_the_one_dag_that_it_needs(tmp_path: Path):
    write(tmp_path, "orders")
    write(tmp_path, "returns")
    (tmp_path / "broken.yaml").write_text("load: broken\n")
    for dag_id in ("rsloader_returns", "rsloader_broken"):
        assert list(dags_in_a_worker_for(dag_id, tmp_path)) == [dag_id]
    assert dags_in_a_worker_for("somebody_elses_dag", tmp_path) == {}


def test_a_worker_knows_which_objects_belong_to_a_more_specific_load(tmp_path: Path):
    write(tmp_path, "orders")
    special = a_config(load="special", source="s3://landing/orders/special/")
    text = yaml.safe_dump(special.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    (tmp_path / "special.yaml").write_text(text)
    dag = dags_in_a_worker_for("rsloader_orders", tmp_path)["rsloader_orders"]
    assert dag.get_task("buffer_objects").load_config["exclude"] == ["s3://landing/orders/special/"]


def test_dags_are_serialised_and_the_same_at_every_parse(tmp_path: Path):
    """A DAG that changed from parse to parse would get a new version each time."""
    write(tmp_path, "orders", targets=[{"table": "public.orders", "mode": "replace", "pre_sql": "SELECT 1"}])
    (tmp_path / "broken.yaml").write_text("load: broken\n")
    once, again = ({name: DagSerialization.to_dict(dag) for name, dag in load_dags(tmp_path).items()} for _ in range(2))
    assert json.dumps(once, sort_keys=True, default=str) == json.dumps(again, sort_keys=True, default=str)


def test_parsing_asks_nothing_of_aws_or_of_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No network address answers here, and there is no connection."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT", raising=False)
    write(tmp_path, "orders", aws_conn_id="nowhere", targets=[{"conn_id": "nowhere", "table": "t"}])
    assert "rsloader_orders" in load_dags(tmp_path)


def test_a_folder_that_is_not_there_is_an_error_that_names_it(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="nowhere"):
        load_dags(tmp_path / "nowhere")


def test_airflow_cfg_may_name_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, "orders")
    monkeypatch.setenv("AIRFLOW__RSLOADER__LOADS_FOLDER", str(tmp_path))
    assert list(load_dags(tmp_path / "nowhere")) == ["rsloader_orders", "rsloader_operations"]


def test_people_who_write_dags_themselves_use_the_same_parts():
    dag = load_dag(a_config(), tags=["mine"], default_args={"retries": 7})
    assert (dag.tags, dag.get_task("load_batch").retries) == ({"mine"}, 7)
    with DAG("by_hand", schedule=None) as by_hand:
        load_task_group(a_config())
        load_task_group(a_config(load="returns"), group_id="returns")
    assert "load_orders.load_batch" in by_hand.task_ids
    assert "returns.load_batch" in by_hand.task_ids


@pytest.mark.parametrize("made_by", ["load file", "load_dag", "load_task_group"])
def test_no_setting_of_a_load_is_rendered_with_the_tasks_fields(tmp_path: Path, made_by: str):
    """Macros of Airflow reach Python's modules: a load file is not to run code by the name of a folder."""
    config = a_config(
        source="s3://landing/{{tenant}}/",
        manifests="s3://loader/{{ macros.uuid.os.getpid() }}/",
        file_filter="{% if ds %}",
        targets=[{"table": "public.orders", "pre_sql": "DELETE FROM {{ target }}"}],
    )
    plain = config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    if made_by == "load file":
        (tmp_path / "orders.yaml").write_text(yaml.safe_dump(plain))
        dag = load_dags(tmp_path)["rsloader_orders"]
    elif made_by == "load_dag":
        dag = load_dag(config)
    else:
        with DAG("by_hand", schedule=None) as dag:
            load_task_group(config)
            AuditLoadOperator(task_id="audit", load_config=plain)
    for task in dag.tasks:
        made: Any = task.unmap({"batch": "01A", "target": "{{ 1 + 1 }}"}) if task.is_mapped else task
        made.render_template_fields({})
        assert made.load_config == plain, task.task_id
        assert getattr(made, "target", "2") == "2", "what a person hands to the operator is rendered"


def test_only_a_load_that_runs_all_the_time_waits_for_objects():
    assert load_dag(a_config()).get_task("detect_new_objects").timeout == 0
    assert load_dag(a_config(schedule="@continuous")).get_task("detect_new_objects").timeout == 3600


def test_a_load_in_which_order_matters_loads_one_batch_after_the_other():
    replacing = a_config(targets=[{"table": "public.orders", "mode": "replace"}])
    assert load_dag(replacing).get_task("load_batch").max_active_tis_per_dag == 1
    assert load_dag(a_config()).get_task("load_batch").max_active_tis_per_dag is None


def test_each_target_in_which_order_matters_takes_turns_of_its_own_beside_others():
    """Otherwise a batch that is slow in one of them keeps the others waiting."""
    tables = [{"table": "a"}, {"table": "b c", "mode": "replace"}, {"table": "b/c", "mode": "replace"}, {"table": "d"}]
    dag = load_dag(a_config(targets=tables))
    at_once = {task.task_id: task.max_active_tis_per_dag for task in dag.tasks if "load_batch" in task.task_id}
    b_c = "load_batch_redshift_default_public_b_c"
    assert at_once == {"load_batch": None, b_c: 1, f"{b_c}_": 1}
    assert dag.get_task(b_c).upstream_task_ids == {"in_order_redshift_default_public_b_c"}
    assert dag.get_task("load_batch").upstream_task_ids == {"buffer_objects"}


def test_a_run_that_waits_for_one_of_several_targets_does_not_hold_up_the_next_run():
    two = a_config(targets=[{"table": "a"}, {"table": "b"}])
    assert (load_dag(a_config()).max_active_runs, load_dag(two).max_active_runs) == (1, 16)
    continuous = two.model_copy(update={"schedule": "@continuous"})
    assert load_dag(continuous).max_active_runs == 1, "Airflow allows no more"


def test_airflow_finds_the_provider_under_its_own_name():
    """A name that differs from the distribution's makes Airflow refuse the provider."""
    found = ProvidersManager().providers["airflow-provider-rsloader"]
    assert found.version == importlib.metadata.version("airflow-provider-rsloader")
    assert "loads_folder" in found.data["config"]["rsloader"]["options"]


def test_airflow_looks_for_our_examples_without_a_traceback(caplog: pytest.LogCaptureFixture):
    """With `load_examples`, it makes a module's name of the distribution's."""
    _add_provider_example_dags_to_bundle([])
    assert [text for text in caplog.messages if "rsloader" in text] == []


def test_default_args_of_the_dag_file_are_added_to_the_loaders_own(tmp_path: Path):
    """Also for a broken load file: who is told of failures is told of that one."""

    def tell(context: Any) -> None:
        raise AssertionError(context)

    write(tmp_path, "orders")
    (tmp_path / "returns.yaml").write_text("load: returns\n")
    dags = load_dags(tmp_path, default_args={"on_failure_callback": tell, "retries": 7})
    tasks = {task.task_id: task for name, dag in dags.items() if name != OPERATIONS_DAG_ID for task in dag.tasks}
    assert {name: task.retries for name, task in tasks.items()} == {
        "detect_new_objects": 7,
        "buffer_objects": 7,
        "load_batch": 7,
        "load_file_is_invalid": 0,
    }
    assert {task.owner for task in tasks.values()} == {"rsloader"}
    assert all(
        tell in (each if isinstance(each := task.on_failure_callback, list) else [each]) for task in tasks.values()
    )
    assert load_dag(a_config()).default_args["retries"] == 3
