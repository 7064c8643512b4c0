"""Credentials of Airflow's AWS connections."""

from typing import Protocol

from rsloader_provider.core.redshift.access_key import AccessKey


class Credentials(Protocol):
    """What an Airflow AWS connection logs in with."""

    def of(self, conn_id: str) -> AccessKey:
        """Give the credentials of a connection as they are now.

        A role's credentials are temporary, with a session token, and are renewed if they would end soon. A connection
        that holds a long-lived key gives that key.

        Raises:
            ConfigurationError: There is no such connection, or it has no credentials.
            AccessDeniedError, TransientError: Its role could not be assumed.
        """
        ...
