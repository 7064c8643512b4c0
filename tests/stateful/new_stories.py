"""`make stateful`: stories that no run has told before, many more and longer ones."""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from stateful.test_machine import REPEATABLE, OnTheFake


def test_new_stories_on_the_fake_ledger():
    told = settings(REPEATABLE, derandomize=False, max_examples=10_000, stateful_step_count=60, print_blob=True)
    run_state_machine_as_test(OnTheFake, settings=told)
