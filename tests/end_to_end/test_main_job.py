"""Files under a prefix become rows, with Airflow's scheduler, triggerer, DAG processor and API server."""

from typing import Any

import psutil
import pytest
from support.killable_airflow import put_two, task_state, wait_until_loaded
from support.running_stack import Stack, wait_until

from rsloader_provider.core.ledger.batch import BatchStatus, TargetState

pytestmark = pytest.mark.timeout(400)


def test_the_scheduler_turns_files_into_rows_and_waits_for_nobody(stack: Stack):
    """Five files, two a batch: two batches at once, the third when its age is reached."""
    stack.create_table("scheduled")
    for number in range(5):
        stack.put("scheduled", f"{number}.csv", f"{number}\n")
    stack.api.wait_for_dag("rsloader_scheduled")
    stack.api.unpause("rsloader_scheduled")
    wait_until(lambda: stack.rows("scheduled") == [0, 1, 2, 3, 4], "all rows are there")
    wait_until(
        lambda: [b.status for b in stack.batches("scheduled")] == [BatchStatus.OPEN] + [BatchStatus.COMPLETE] * 3,
        "three batches are complete",
    )
    reasons = sorted(str(batch.reason) for batch in stack.batches("scheduled") if batch.reason)
    assert reasons == ["max_age", "max_files", "max_files"]
    summaries = [task["rendered_map_index"] for _, task in stack.load_tasks("scheduled")]
    for batch in stack.batches("scheduled")[1:]:
        files = "1 file" if batch.files == 1 else "2 files"
        assert any(batch.batch in summary and files in summary for summary in summaries), summaries
    wait_until(
        lambda: any(
            task["state"] == "skipped"
            for run in stack.api.runs("rsloader_scheduled")
            for task in stack.api.task_instances("rsloader_scheduled", run["dag_run_id"])
        ),
        "a run without anything to do is skipped",
    )
    assert not any(run["state"] == "failed" for run in stack.api.runs("rsloader_scheduled"))


def finished(stack: Stack, load: str, run_id: str) -> str:
    return stack.api.wait_for_run(f"rsloader_{load}", run_id)


def test_clearing_a_loaded_batch_loads_it_again_each_time_a_person_asks(stack: Stack):
    stack.create_table("cleared")
    for number in range(4):
        stack.put("cleared", f"{number}.csv", f"{number}\n")
    stack.run("cleared")
    wait_until(lambda: stack.rows("cleared") == [0, 1, 2, 3], "the rows are there")
    (run_id, first), _ = sorted(stack.load_tasks("cleared"), key=lambda each: each[1]["map_index"])
    finished(stack, "cleared", run_id)
    batch = next(b.batch for b in stack.batches("cleared") if b.batch in first["rendered_map_index"])
    for times in (2, 3):
        stack.api.clear("rsloader_cleared", run_id, "load_batch", map_index=0)
        wait_until(lambda n=times: len(stack.history("cleared")) == n + 1, f"loaded {times} times")
        assert finished(stack, "cleared", run_id) == "success"
        assert stack.rows("cleared") == sorted([0, 1] * times + [2, 3])
    assert [generation for name, generation, _ in stack.history("cleared") if name == batch] == [1, 2, 3]


def test_a_cleared_task_does_not_wait_for_the_run_that_waits_for_objects(stack: Stack):
    """A load that runs all the time has one run at a time, and the next one waits an hour for something to do."""
    load = "cleared_meanwhile"
    stack.create_table(load)
    put_two(stack, load)
    stack.run(load)
    wait_until_loaded(stack, load, [1, 2])
    wait_until(
        lambda: any(task_state(stack, load, run["dag_run_id"], "detect_new_objects") == "deferred"
                    for run in stack.api.runs(f"rsloader_{load}")),
        "the next run waits in the triggerer",
    )  # fmt: skip
    loaded_by = next(run for run, task in stack.load_tasks(load) if task["state"] == "success")
    stack.api.clear(f"rsloader_{load}", loaded_by, "load_batch", map_index=0)
    wait_until(lambda: stack.rows(load) == [1, 1, 2, 2], "the batch is loaded again", seconds=60)
    stack.api.unpause(f"rsloader_{load}", paused=True)


def test_bad_data_fails_at_once_says_where_and_is_loaded_once_when_repaired_and_cleared(stack: Stack):
    stack.create_table("bad")
    stack.put("bad", "1.csv", "1\n")
    stack.put("bad", "2.csv", "2\nthree\n")
    stack.run("bad")
    failed = wait_until(
        lambda: [each for each in stack.load_tasks("bad") if each[1]["state"] == "failed"], "the task has failed"
    )
    (run_id, task) = failed[0]
    assert (task["try_number"], stack.rows("bad")) == (1, [])
    finished(stack, "bad", run_id)
    log = stack.log_of("bad", run_id)
    assert "s3://landing/bad/2.csv:2, column id, value 'three'" in log
    assert stack.redshift.password not in log
    (batch,) = [each for each in stack.batches("bad") if each.status is BatchStatus.ERROR]
    stack.put("bad", "2.csv", "2\n3\n")
    stack.api.clear("rsloader_bad", run_id, "load_batch", map_index=0)
    wait_until(lambda: stack.rows("bad") == [1, 2, 3], "the repaired files are loaded")
    assert finished(stack, "bad", run_id) == "success"
    assert stack.history("bad") == [[batch.batch, 1, 3]]


def client_processes(port: int) -> list[psutil.Process]:
    """The processes of this machine that are connected to a port as clients."""
    return [
        psutil.Process(each.pid)
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_ESTABLISHED and each.raddr and each.raddr.port == port and each.pid
    ]


@pytest.mark.parametrize(
    ("load", "fault"),
    [("killed_in_copy", "sleep:60 BEFORE '^copy'"), ("killed_after_commit", "sleep:60 AFTER '^commit'")],
)
def test_a_retry_after_a_killed_worker_leaves_each_row_once(stack: Stack, load: str, fault: str):
    """Before the commit nothing is in the table; after it everything is, but nobody recorded it."""
    stack.create_table(load)
    stack.put(load, "1.csv", "1\n")
    stack.put(load, "2.csv", "2\n")
    stack.query(f"LOCAL FAULT {fault}")
    run_id = stack.run(load)
    wait_until(
        lambda: stack.batches(load) and any(p.session for b in stack.batches(load) for p in b.targets.values()),
        "a session is recorded",
    )
    if fault.endswith("'^commit'"):  # a transaction that is not over holds the history, and asking would wait for it
        wait_until(lambda: stack.history(load), "the load is committed")
    (worker,) = {process.pid: process for process in client_processes(stack.redshift.port)}.values()
    worker.kill()

    def progress() -> list[Any]:
        return [p for b in stack.batches(load) for p in b.targets.values()]

    wait_until(lambda: progress()[0].state is TargetState.LOADED, "the retry has settled it")
    assert finished(stack, load, run_id) == "success"
    assert stack.rows(load) == [1, 2]
    assert (progress()[0].generation, progress()[0].attempt) == (1, 2)
    assert [(generation, rows) for _, generation, rows in stack.history(load)] == [(1, 2)]
    stack.query("LOCAL FAULT CLEAR")
