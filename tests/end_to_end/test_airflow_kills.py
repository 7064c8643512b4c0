"""Airflow's scheduler killed in mid-run: afterwards each row is there once. `make airflow-kills` kills more."""

import pytest
from support.killable_airflow import kill_component, put_two, wait_for_session, wait_until_loaded
from support.running_stack import Stack

pytestmark = pytest.mark.timeout(400)


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
