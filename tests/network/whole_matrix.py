"""The whole matrix of `make network-matrix`; `test_calls.py` runs the part in which most can go wrong."""

from typing import Any

import pytest
from network.cells import Cell, every_cell
from network.fault_proxy import FaultProxy
from network.one_cell import expected, run_cell

from rsloader_provider.local.aws import LocalAws


@pytest.mark.parametrize("cell", every_cell(), ids=str)
def test_a_broken_call_neither_loses_nor_doubles_anything(
    network_aws: LocalAws, proxy: FaultProxy, s3: Any, topic: str, cell: Cell
):
    assert run_cell(cell, network_aws, proxy, s3, topic) in expected(cell)
