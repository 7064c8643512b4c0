"""The warehouse as each target reaches it."""

from contextlib import AbstractContextManager
from typing import Protocol

from rsloader_provider.core.config.target import Transport
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.loader.ports.warehouse import Session


class Connecting(Protocol):
    """One way to Redshift."""

    def connect(self, conn_id: str) -> AbstractContextManager[Session]: ...


class WarehouseByTransport:
    """Opens each session the way that is asked for.

    Args:
        driver: Opens sessions of the driver.
        data_api: Opens sessions of the Redshift Data API; None where nothing asks for them.
    """

    def __init__(self, driver: Connecting, data_api: Connecting | None):
        self._ways = {"driver": driver, "data_api": data_api}

    def connect(self, conn_id: str, transport: Transport = "driver") -> AbstractContextManager[Session]:
        way = self._ways[transport]
        if way is None:
            raise ConfigurationError(f"Connection {conn_id}: nothing is wired for `transport: {transport}`.")
        return way.connect(conn_id)
