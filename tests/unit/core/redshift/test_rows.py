"""Rows of Redshift's answers, from the values that the driver and the Data API give."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from rsloader_provider.core.errors import RowError
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import LoadKey, TableName, TemporaryTable
from rsloader_provider.core.redshift.other_loads import FindOtherLoads
from rsloader_provider.core.redshift.rows import (
    AmbiguousKey,
    Committed,
    Copied,
    CopiedFile,
    HistoryAnswer,
    HistoryRow,
    OtherLoad,
    SkippedRow,
)

ORDERS = TableName("public", "orders")
BATCH, NEWER = "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW"
FIND_LOADED = sql.FindLoaded(LoadKey(ORDERS, "orders", BATCH, 1))
FIND_END = sql.FindTransactionEnd("s3://loader/m", 7, 8)
REFUSED = ["s3://landing/1.csv", 2, "id", "x", "Invalid digit", 1207, 8]


@pytest.mark.parametrize(
    ("statement", "values", "row"),
    [
        (sql.BackendPid(), [7], 7),
        (sql.CountSessions(7), [1], 1),
        (sql.FindHistories(), ["public__orders"], "public__orders"),
        (sql.LastCopy(), [3, 8], Copied(3, 8)),
        (FIND_END, ["committed"], True),
        (FIND_END, ["rolledback"], False),
        (FIND_END, ["of a kind that is not known yet"], None),
        (FIND_LOADED, [0, None, None, None, None, None, 0, None, 0], HistoryAnswer(None, None)),
        (FIND_LOADED, [0, None, None, None, f"{NEWER}  ", None, 0, f"{BATCH}abc", 0], HistoryAnswer(None, NEWER)),
        (
            FIND_LOADED,
            [0, None, None, None, NEWER, None, 0, f"{NEWER}abc", 0],
            HistoryAnswer(None, NEWER, newest_digest="abc"),
        ),
        (
            FIND_LOADED,
            [1, Decimal(3), Decimal(8), 2, None, "abc", 0, None, 0],
            HistoryAnswer(Committed(3, 8, 2, "abc"), None),
        ),
        (FIND_LOADED, [1, 0, None, 2, NEWER, None, 0, None, 0], HistoryAnswer(Committed(0, None, 2), NEWER)),
        (
            FIND_LOADED,
            [1, 0, None, 2, NEWER, "no such column", 1, f"{NEWER}no such column", 1],
            HistoryAnswer(Committed(0, None, 2), NEWER, keeps_digests=False, keeps_sources=False),
        ),
        (
            FIND_LOADED,
            [0, None, None, None, None, None, 0, None, 1],
            HistoryAnswer(None, None, keeps_sources=False),
        ),
        (FindOtherLoads(ORDERS, "orders", "s3://landing/"), ["sales", 3, f"{NEWER} "], OtherLoad("sales", 3, NEWER)),
        (
            sql.FindAmbiguousKeys(TemporaryTable("staging"), ("id", "day"), 9),
            ["a", None, 2],
            AmbiguousKey(("a", None), 2),
        ),
        (sql.ReadLoadedFiles((8,)), [8, "s3://landing/1.csv".ljust(256)], CopiedFile(8, "s3://landing/1.csv")),
        (
            sql.ReadHistory(ORDERS, "orders", "", 9),
            [f"{BATCH}  ", 1, 2, 3, 4, 8, "dag/run", datetime(2026, 1, 2, 3), "abc"],
            HistoryRow(BATCH, 1, 2, 3, 4, 8, "dag/run", datetime(2026, 1, 2, 3, tzinfo=UTC), "abc"),
        ),
        (
            sql.ReadBatchHistory(ORDERS, "orders", BATCH),
            [BATCH, 1, 2, 0, 4, None, None, None, None],
            HistoryRow(BATCH, 1, 2, 0, 4, None, "", None),
        ),
        (sql.FindSkippedRows(8, 9), [None, 0, *[None] * 3, "", *[None] * 3], SkippedRow(None, 0, None)),
        (
            sql.FindSkippedRows(8, 9),
            [3, 2, "s3://landing/1.csv", 2, "id", "", "Invalid digit", 1207, 8],
            SkippedRow(3, 2, RowError("s3://landing/1.csv", 2, "id", "", "Invalid digit", 1207, 8)),
        ),
        (sql.FindRowErrors(7, 9), REFUSED, RowError("s3://landing/1.csv", 2, "id", "x", "Invalid digit", 1207, 8)),
        (
            sql.FindRowErrorsWithoutValues(7, 9),
            ["s3://landing/1.csv", 0, None, "", "Extra column(s)", 1202, 8],
            RowError("s3://landing/1.csv", 0, "", "", "Extra column(s)", 1202, 8),
        ),
        (sql.UserStatement("SELECT 1"), [Decimal("1.5"), "a  "], [Decimal("1.5"), "a  "]),
    ],
)
def test_a_query_reads_its_rows(statement: sql.Query[Any], values: list[Any], row: object):
    """Padding, NULLs, and a time without a zone go no further than here."""
    assert statement.read(values) == row
