"""Fixtures that the tests of this folder share, by name."""

from support.without_airflow import no_test_imports_airflow  # noqa: F401
