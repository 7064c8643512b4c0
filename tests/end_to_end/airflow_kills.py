"""What `make airflow-kills` tries beside `test_airflow_kills.py`, and what takes Airflow too long for `make test`.

Airflow waits here for heartbeats that do not come, for load files that are gone, and is stopped and started again.
"""

import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from support.checkout import CHECKOUT
from support.killable_airflow import (
    NOTICE_ALL,
    kill_component,
    put_two,
    task_state,
    wait_for_session,
    wait_until_loaded,
    write_by_hand,
    write_load_file,
)
from support.running_stack import Stack, wait_until

from rsloader_provider.local.airflow import AirflowApiError
from rsloader_provider.local.stack import LocalStack

pytestmark = pytest.mark.timeout(600)

BY_HAND = [("hung", 3, "@yearly"), ("yesterday", 3, "@yearly")]


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dags")
    shutil.copy(CHECKOUT / "dags" / "rsloader_dags.py", folder)
    (folder / "loads").mkdir()
    write_load_file(folder, "removed")
    write_by_hand(folder, BY_HAND)
    return folder


@pytest.fixture(scope="module")
def fragile(dags: Path) -> Iterator[Stack]:
    with LocalStack(dags=dags, paused_at_creation=True, airflow_settings=NOTICE_ALL) as running:
        yield Stack(running)


def is_known(stack: Stack, load: str) -> bool:
    try:
        return not stack.api.call("GET", f"/dags/rsloader_{load}")["is_stale"]
    except AirflowApiError:
        return False


def clients(port: int) -> list[psutil.Process]:
    """The processes of this machine that are connected to a port as clients."""
    found = {
        each.pid
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_ESTABLISHED and each.raddr and each.raddr.port == port and each.pid
    }
    return [psutil.Process(pid) for pid in found]


def test_a_later_run_adopts_what_a_run_left_whose_retries_were_exhausted(stack: Stack):
    load = "given_up"
    stack.create_table(load)
    put_two(stack, load)
    stack.query("LOCAL FAULT drop AFTER '^copy'")
    # The schedule's own run comes first, because the DAG is switched on, and the one that is asked for after it.
    asked_for = stack.run(load)
    assert stack.api.wait_for_run(f"rsloader_{load}", asked_for) == "success"
    assert sorted(run["state"] for run in stack.api.runs(f"rsloader_{load}")) == ["failed", "success"]
    wait_until_loaded(stack, load, [1, 2])


def test_a_triggerer_that_is_killed_while_a_load_waits_misses_nothing(stack: Stack):
    load = "triggerer_killed"
    stack.create_table(load)
    stack.api.wait_for_dag(f"rsloader_{load}")
    stack.api.unpause(f"rsloader_{load}")
    run = wait_until(lambda: stack.api.runs(f"rsloader_{load}"), "a run begins")[0]["dag_run_id"]
    wait_until(lambda: task_state(stack, load, run, "detect_new_objects") == "deferred", "it waits")
    kill_component(stack, "triggerer")
    put_two(stack, load)
    stack.airflow.restart("triggerer")
    wait_until_loaded(stack, load, [1, 2])
    stack.api.unpause(f"rsloader_{load}", paused=True)


def test_a_task_that_hangs_and_comes_back_while_its_retry_is_done_loads_once(fragile: Stack):
    """The same task instance runs twice: Airflow took the first for dead, and it was not."""
    load = "hung"
    fragile.create_table(load)
    put_two(fragile, load)
    fragile.query("LOCAL FAULT sleep:3 BEFORE '^copy'")
    fragile.run(load)
    wait_for_session(fragile, load)
    (task,) = clients(fragile.redshift.port)
    watcher = task.parent()
    assert watcher is not None
    hung = [watcher, task]
    for process in hung:
        process.send_signal(signal.SIGSTOP)
    try:
        wait_until_loaded(fragile, load, [1, 2])
    finally:
        for process in hung:
            process.send_signal(signal.SIGCONT)
    wait_until(lambda: not task.is_running() or task.status() == psutil.STATUS_ZOMBIE, "the first try has ended")
    wait_until_loaded(fragile, load, [1, 2])
    ((_, first),) = fragile.load_tasks(load)[:1]
    assert first["try_number"] >= 2


def test_a_load_file_that_is_removed_and_put_back_goes_on_where_it_was(fragile: Stack, dags: Path):
    """A batch waits that nobody loaded; while the file is gone, files arrive."""
    load = "removed"
    put_two(fragile, load)  # and no table: the first run fails
    fragile.run(load)
    wait_until(
        lambda: any(p.error for batch in fragile.batches(load) for p in batch.targets.values()), "a run has failed"
    )
    (dags / "loads" / f"{load}.yaml").unlink()
    wait_until(lambda: not is_known(fragile, load), "Airflow has forgotten the load")
    put_two(fragile, load, first=3)
    fragile.create_table(load)
    write_load_file(dags, load)
    wait_until(lambda: is_known(fragile, load), "Airflow knows it again")
    fragile.run(load)
    wait_until(lambda: len(fragile.rows(load)) >= 4, "both batches are loaded")
    wait_until_loaded(fragile, load, [1, 2, 3, 4])


def test_airflows_database_restored_to_yesterday_loads_nothing_again(fragile: Stack):
    """Airflow does not know its latest runs any more, and makes runs of the same ids again."""
    load = "yesterday"
    fragile.create_table(load)
    put_two(fragile, load)
    fragile.run(load)
    wait_until_loaded(fragile, load, [1, 2])
    database = fragile.local.folder / "airflow" / "airflow.db"
    backup = database.with_suffix(".yesterday")
    with closing(sqlite3.connect(database)) as live, closing(sqlite3.connect(backup)) as copy:
        live.backup(copy)
    put_two(fragile, load, first=3)
    fragile.run(load)
    wait_until_loaded(fragile, load, [1, 2, 3, 4])
    fragile.airflow.stop()
    for left in ("-wal", "-shm"):
        database.with_name(database.name + left).unlink(missing_ok=True)
    backup.replace(database)
    fragile.airflow.start(fragile.local.environment())
    fragile.api = fragile.airflow.api  # the old one has a token of the Airflow that is gone
    put_two(fragile, load, first=5)
    run_id = fragile.run(load)
    assert fragile.api.wait_for_run(f"rsloader_{load}", run_id) == "success"
    wait_until_loaded(fragile, load, [1, 2, 3, 4, 5, 6])
