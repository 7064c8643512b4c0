"""Every call of a run, broken in every way: each row once, the ledger true, and nobody told twice."""

from typing import Any

import pytest
from network.cells import Cell, telling_cells
from network.fault_proxy import FaultProxy
from network.one_cell import expected, run_cell
from network.run_through import CALLS, LOOKING_AGAIN, SECOND_TARGET, TELLING, TELLING_OF_TWO, TOLD

from rsloader_provider.local.aws import LocalAws


@pytest.mark.parametrize(("targets", "calls"), [(1, CALLS + TELLING), (2, CALLS + SECOND_TARGET + TELLING_OF_TWO)])
def test_a_run_makes_these_calls_and_no_other(
    network_aws: LocalAws, proxy: FaultProxy, s3: Any, topic: str, targets: int, calls: tuple[tuple[str, int], ...]
):
    """What is not in the list would not be tested below."""
    assert run_cell(None, network_aws, proxy, s3, topic, targets) == TOLD
    made = [each.operation for each in proxy.requests]
    assert made[: len(calls) + len(LOOKING_AGAIN)] == [operation for operation, _ in calls] + list(LOOKING_AGAIN)


@pytest.mark.parametrize("cell", telling_cells(), ids=str)
def test_a_broken_call_neither_loses_nor_doubles_anything(
    network_aws: LocalAws, proxy: FaultProxy, s3: Any, topic: str, cell: Cell
):
    assert run_cell(cell, network_aws, proxy, s3, topic) in expected(cell)
    assert len(proxy.requests) > cell.fault.times, "the fault has happened"
