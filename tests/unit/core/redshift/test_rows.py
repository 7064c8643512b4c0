"""Rows of Redshift's answers, from the values that the driver and the Data API give."""

from decimal import Decimal
from typing import Any

import pytest

from rsloader_provider.core.redshift import sql

FIND_END = sql.FindTransactionEnd("s3://loader/m", 7, 8)


@pytest.mark.parametrize(
    ("statement", "values", "row"),
    [
        (sql.BackendPid(), [7], 7),
        (sql.CountSessions(7), [1], 1),
        (sql.FindHistories(), ["public__orders"], "public__orders"),
        (FIND_END, ["committed"], True),
        (FIND_END, ["rolledback"], False),
        (FIND_END, ["of a kind that is not known yet"], None),
        (sql.UserStatement("SELECT 1"), [Decimal("1.5"), "a  "], [Decimal("1.5"), "a  "]),
    ],
)
def test_a_query_reads_its_rows(statement: sql.Query[Any], values: list[Any], row: object):
    assert statement.read(values) == row
