"""`make scale`: what test_scale.py does with fewer objects. Most of the time goes to the local DynamoDB."""

import pytest
from on_local_stack.test_scale import buffer_and_find


@pytest.mark.timeout(600)
def test_100_000_objects(monkeypatch: pytest.MonkeyPatch):
    buffer_and_find(100_000, monkeypatch)
