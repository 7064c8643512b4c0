"""A loader on fakes."""

import pytest
from hypothesis import settings
from support.fakes.world import World
from support.without_airflow import no_test_imports_airflow  # noqa: F401  a fixture, for all files here

# How long an example takes says more of the machine than of the code; pytest's own limit ends what never ends.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture
def world() -> World:
    return World()
