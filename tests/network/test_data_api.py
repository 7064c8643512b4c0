"""Calls of the Data API that a load makes, broken: each row once, whatever was carried out unheard."""

import pytest
from network.cells import OUTLASTING
from network.data_api_house import CALLS, STATEMENTS, House
from network.fault_proxy import Fault, FaultProxy, Kind

DECIDING = ("Copy", "RecordLoaded", "Commit")


def test_a_load_makes_these_calls_and_no_other(data_api_house: House, proxy: FaultProxy):
    """What is not in the list would not be tested by the whole matrix."""
    proxy.order()
    assert data_api_house.carry_through() == 1
    made = [each.operation for each in proxy.requests]
    assert sorted(made) == sorted(operation for operation, _ in CALLS)


@pytest.mark.parametrize("statement", DECIDING)
def test_an_answer_that_is_lost_for_good_leaves_each_row_once(data_api_house: House, proxy: FaultProxy, statement: str):
    """Botocore has given up: what was carried out is not known, and the history decides."""
    proxy.order(Fault(Kind.ANSWER_LOST, "ExecuteStatement", STATEMENTS.index(statement) + 1, OUTLASTING))
    assert data_api_house.carry_through() == 2


@pytest.mark.parametrize(
    ("kind", "statement", "attempts"),
    [
        (Kind.ANSWER_LOST, "Copy", 1),
        (Kind.ANSWER_LOST, "RecordLoaded", 1),
        (Kind.ANSWER_LOST, "Commit", 1),
        (Kind.GARBLED, "Commit", 2),
    ],
)
def test_a_statement_that_botocore_sends_again_runs_once(
    data_api_house: House, proxy: FaultProxy, kind: Kind, statement: str, attempts: int
):
    """Each has a token of its own: a COPY that ran twice would be in the table twice, and be found by nobody."""
    proxy.order(Fault(kind, "ExecuteStatement", STATEMENTS.index(statement) + 1))
    assert data_api_house.carry_through() == attempts
