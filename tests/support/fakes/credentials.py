"""Airflow's AWS connections in memory."""

from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.redshift.access_key import AccessKey


class MemoryCredentials:
    def __init__(self, **connections: AccessKey):
        self.connections = connections

    def of(self, conn_id: str) -> AccessKey:
        if conn_id not in self.connections:
            raise ConfigurationError(f"There is no Airflow connection {conn_id}.")
        return self.connections[conn_id]
