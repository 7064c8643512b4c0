"""Creating load histories: over which way to Redshift."""

from contextlib import AbstractContextManager

import pytest
from support.objects import a_config

from rsloader_provider.core.config.target import Transport
from rsloader_provider.core.errors import TransientError
from rsloader_provider.loader.ports.warehouse import Session
from rsloader_provider.loader.setup import create_histories


class Unreachable:
    """A warehouse that remembers how it was to be reached."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Transport]] = []

    def connect(self, conn_id: str, transport: Transport = "driver") -> AbstractContextManager[Session]:
        self.asked.append((conn_id, transport))
        raise TransientError(f"{conn_id} cannot be reached.")


def test_a_history_is_created_over_the_way_that_its_own_target_takes():
    config = a_config(
        targets=[
            {"table": "public.orders", "transport": "data_api"},
            {"table": "public.raw", "history": "none"},
        ]
    )
    warehouse = Unreachable()
    with pytest.raises(TransientError):
        create_histories([config], warehouse, lambda *_: None, lambda *_: None)
    assert warehouse.asked == [("redshift_default", "data_api")]
