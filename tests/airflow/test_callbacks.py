"""Airflow's callbacks and notifiers, given to the DAGs as anywhere else."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.dag_processing.dagbag import DagBag

if TYPE_CHECKING:
    from conftest import Loads

FILE = """
from pathlib import Path

from airflow.providers.common.compat.sdk import BaseNotifier

from rsloader_provider.dag_factory import load_dags

HEARD = Path({heard!r})


class Noting(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, text):
        super().__init__()
        self.text = text

    def notify(self, context):
        with HEARD.open("a") as file:
            print(self.text, file=file)


def note(context):
    with HEARD.open("a") as file:
        print("callback:", context["ti"].task_id, context["exception"], file=file)


telling = {{"on_failure_callback": [note, Noting("notifier: {{{{ dag.dag_id }}}}, batch {{{{ task.batch }}}}")]}}
globals().update(load_dags(Path({loads!r}), default_args={{"owner": "sales", "retries": 0, **telling}}, tags=["sales"]))
"""


@pytest.fixture
def dag_file(airflow_database: None) -> Iterator[Path]:
    """The DAG file of the sample, which a test may write anew."""
    file = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / "rsloader_dags.py"
    sample = file.read_text()
    yield file
    file.write_text(sample)


def test_a_failure_is_told_to_the_callback_and_the_notifier_of_the_dag_file(
    loads: "Loads", dag_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    heard = tmp_path / "heard.txt"
    dag_file.write_text(FILE.format(heard=str(heard), loads=str(loads.folder)))
    monkeypatch.setenv("AIRFLOW__RSLOADER__LOADS_FOLDER", str(loads.folder))
    loads.write()
    loads.put("1.csv", "2.csv", content="no number\n")
    dag: Any = DagBag(str(dag_file.parent)).dags[f"rsloader_{loads.load}"]
    assert set(dag.tags) == {"sales"}
    assert {(task.owner, task.retries) for task in dag.tasks} == {("sales", 0)}
    assert str(dag.test().state) == "failed"
    callback, *rest = heard.read_text().splitlines()
    assert callback.startswith("callback: load_batch BadDataError: batch ")
    assert rest[-1].startswith(f"notifier: rsloader_{loads.load}, batch 01")
