"""Airflow's own processes killed in mid-run: afterwards each row is there once. `make airflow-kills` kills more."""

import pytest
from killable_airflow import (
    kill_component,
    put_two,
    task_state,
    wait_for_session,
    wait_until_loaded,
)
from running_stack import Stack, wait_until

pytestmark = pytest.mark.timeout(400)


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


def test_a_scheduler_that_is_killed_with_its_tasks_in_the_middle_of_a_load_loads_once(stack: Stack):
    load = "scheduler_killed"
    stack.create_table(load)
    put_two(stack, load)
    stack.query("LOCAL FAULT sleep:60 BEFORE '^copy'")
    stack.run(load)
    wait_for_session(stack, load)
    kill_component(stack, "scheduler")
    stack.airflow.restart("scheduler")
    wait_until_loaded(stack, load, [1, 2])
