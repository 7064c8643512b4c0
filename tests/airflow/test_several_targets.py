"""Loads with several targets: what one of them suffers is no business of the others."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.airflow_versions import dag_of
from support.load_task import LoadTask
from support.servers import PYTHON

from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetState
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName, history_table
from rsloader_provider.core.redshift.render import render
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

if TYPE_CHECKING:
    from conftest import Loads

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.fixture
def other_cluster(
    loads: "Loads", local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Any]]:
    """A second cluster with the load's table, behind the connection `other_cluster`; gives what queries it."""
    import redshift_connector  # noqa: PLC0415

    with LocalRedshift(s3_endpoint=local_aws.endpoint_url, python=PYTHON) as server:
        login = {"host": server.host, "port": server.port, "password": server.password}
        connection = {"conn_type": "redshift", "login": server.user, "schema": server.database, "extra": {"ssl": False}}
        monkeypatch.setenv("AIRFLOW_CONN_OTHER_CLUSTER", json.dumps(connection | login))
        opened = redshift_connector.connect(ssl=False, user=server.user, database=server.database, **login)
        opened.autocommit = True

        def query(text: str) -> Any:
            cursor = opened.cursor()
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else ()

        query(f"CREATE TABLE {loads.table} (id integer)")
        query(render(sql.CreateHistorySchema()))
        query(render(sql.CreateHistory(TableName(*loads.table.split(".")))))
        yield query
        opened.close()


def run(loads: "Loads", retries: int = 0, **settings: Any) -> tuple[Any, dict[tuple[str, int], str]]:
    """Run the load's DAG once; gives the run and the states of the tasks that load."""
    loads.write(**settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__RSLOADER__LOADS_FOLDER", str(loads.folder))
        dag = dag_of(f"rsloader_{loads.load}")
        for task in dag.tasks:
            task.retries, task.retry_delay = retries, timedelta(0)
        found = dag.test()
    states = {
        (each.task_id, each.map_index): str(each.state)
        for each in found.get_task_instances()
        if each.task_id.startswith("load_batch")
    }
    return (dag, found.run_id), states


def locked_batches(loads: "Loads") -> list[Batch]:
    return [each for each in RsloaderHook().get_conn().ledger.batches(loads.load) if each.targets]


def table_as_it_is(query: Callable[[str], Any], table: str) -> Any:
    """The rows, and the history of the loads that wrote them."""
    history = history_table(TableName(*table.split(".")))
    return tuple(sorted(map(tuple, query(f"SELECT * FROM {each}"))) for each in (table, history))


def test_clearing_the_task_of_a_target_that_refused_connections_loads_it_alone(
    loads: "Loads", other_cluster: Callable[[str], Any]
):
    targets = [{"table": loads.table}, {"conn_id": "other_cluster", "table": loads.table}]
    loads.put("1.csv", content="1\n")
    loads.put("2.csv", content="2\n")
    other_cluster("LOCAL FAULT refuse:1000 CONNECTION")
    (dag, run_id), states = run(loads, targets=targets)
    # Sorted by name: `other_cluster/…` is first.
    assert states == {("load_batch", 0): "failed", ("load_batch", 1): "success"}
    assert (loads.rows(), other_cluster(f"SELECT id FROM {loads.table}")) == ([1, 2], ())
    (batch,) = locked_batches(loads)
    assert batch.status is BatchStatus.LOCKED, "it waits for the other target"
    healthy, refusing = f"redshift_default/{loads.table}", f"other_cluster/{loads.table}"
    assert (batch.targets[healthy].state, batch.targets[refusing].state) == (TargetState.LOADED, TargetState.WAITING)
    before = table_as_it_is(loads.query, loads.table)

    other_cluster("LOCAL FAULT CLEAR")
    failed, loaded = LoadTask(dag, run_id, map_index=0), LoadTask(dag, run_id, map_index=1)
    failed.clear()
    assert failed.try_again() == "success"
    assert sorted(row[0] for row in other_cluster(f"SELECT id FROM {loads.table}")) == [1, 2]
    assert (table_as_it_is(loads.query, loads.table), loaded.state) == (before, "success")
    (after,) = locked_batches(loads)
    assert (after.status, after.targets[healthy]) == (BatchStatus.COMPLETE, batch.targets[healthy])


def test_a_target_in_which_order_matters_and_one_that_appends_each_load_all_batches(loads: "Loads"):
    """The first by tasks of its own, the second side by side."""
    replaced = f"{loads.table}_replaced"
    loads.query(f"CREATE TABLE {replaced} (id integer)")
    loads.query(render(sql.CreateHistory(TableName(*replaced.split(".")))))
    for number in range(4):
        loads.put(f"{number}.csv", content=f"{number}\n")
    # Without a scheduler the tasks may come in any order, and one that comes too early is tried again.
    _, states = run(loads, retries=1, targets=[{"table": loads.table}, {"table": replaced, "mode": "replace"}])
    in_order = f"load_batch_redshift_default_{replaced.replace('.', '_')}"
    assert states == {(task_id, index): "success" for task_id in ("load_batch", in_order) for index in (0, 1)}
    assert loads.rows() == [0, 1, 2, 3]
    assert sorted(row[0] for row in loads.query(f"SELECT id FROM {replaced}")) == [2, 3], "the newest batch"
