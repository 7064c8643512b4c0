"""A loader on fakes."""

import pytest
from support.fakes.world import World


@pytest.fixture
def world() -> World:
    return World()
