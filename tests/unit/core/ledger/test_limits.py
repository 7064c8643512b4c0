"""When a batch is due, and how many objects fit."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.objects import NOON, an_object

from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.limits import count_fitting, due_reason

LIMITS = BatchLimits(max_files=3, max_bytes=100, max_age=timedelta(minutes=5))
OPEN = Batch("orders", "01ARZ3NDEKTSV4RRFFQ69G5FAV", files=1, size_bytes=10, opened_at=NOON)


@pytest.mark.parametrize(
    ("changes", "minutes", "reason"),
    [
        ({}, 0, None),
        ({"files": 3}, 0, "max_files"),
        ({"size_bytes": 99}, 0, None),
        ({"size_bytes": 100}, 0, "max_bytes"),
        ({}, 4.99, None),
        ({}, 5, "max_age"),
        ({}, -4.99, None),
        ({}, -5, "max_age"),
        ({"files": 0, "size_bytes": 0, "opened_at": None}, 500, None),
    ],
)
def test_the_first_limit_reached_decides(changes: dict, minutes: float, reason: str | None):
    assert due_reason(replace(OPEN, **changes), LIMITS, NOON + timedelta(minutes=minutes)) == reason


def test_an_object_larger_than_the_limit_still_goes_into_an_empty_batch():
    empty = Batch("orders", OPEN.batch)
    assert count_fitting([an_object("1", 10**9), an_object("2", 1)], empty, LIMITS) == 1


@given(st.lists(st.integers(min_value=0, max_value=60), max_size=8), st.integers(0, 3), st.integers(0, 120))
def test_objects_fit_until_the_batch_is_due_and_no_longer(sizes: list[int], files: int, size_bytes: int):
    batch = replace(OPEN, files=files, size_bytes=size_bytes)
    taken = 0
    for size in sizes:
        if due_reason(batch, LIMITS, NOON):
            break
        batch = replace(batch, files=batch.files + 1, size_bytes=batch.size_bytes + size)
        taken += 1
    objects = [an_object(str(number), size) for number, size in enumerate(sizes)]
    assert count_fitting(objects, replace(OPEN, files=files, size_bytes=size_bytes), LIMITS) == taken
