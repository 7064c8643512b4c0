"""The whole matrix of `make network-matrix`; `test_calls.py` runs the part in which most can go wrong."""

from typing import Any

import pytest
from network.cells import OUTLASTING, OUTLASTING_KINDS, Cell, every_cell
from network.data_api_house import CALLS, House
from network.fault_proxy import Fault, FaultProxy, Kind
from network.one_cell import expected, run_cell

from rsloader_provider.local.aws import LocalAws


@pytest.mark.parametrize("cell", every_cell(), ids=str)
def test_a_broken_call_neither_loses_nor_doubles_anything(
    network_aws: LocalAws, proxy: FaultProxy, s3: Any, topic: str, cell: Cell
):
    assert run_cell(cell, network_aws, proxy, s3, topic) in expected(cell)


_OUTLASTING = [Fault(kind, operation, nth, OUTLASTING) for operation, nth in CALLS for kind in OUTLASTING_KINDS]
_ONCE = [
    Fault(kind, operation, nth)
    for operation, nth in CALLS
    for kind in (Kind.DROPPED, Kind.ANSWER_LOST, Kind.THROTTLED, Kind.FAILED_AFTER, Kind.EXPIRED, Kind.GARBLED)
]


@pytest.mark.parametrize(
    "fault", [*_ONCE, *_OUTLASTING], ids=lambda each: f"{each.operation} {each.nth} {each.kind} {each.times} times"
)
def test_a_broken_call_of_the_data_api_leaves_each_row_once(data_api_house: House, proxy: FaultProxy, fault: Fault):
    proxy.order(fault)
    assert data_api_house.carry_through() in {1, 2}
