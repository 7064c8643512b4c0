"""A check of the folders whose tests need no Airflow, which takes seconds to import and keeps state in a home."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def no_test_imports_airflow() -> Iterator[None]:
    """Tests that need it belong in tests/airflow. Where other folders run too, they may have imported it before."""
    imported_before = "airflow" in sys.modules
    yield
    assert imported_before or "airflow" not in sys.modules, "a test of this file imports Airflow"
