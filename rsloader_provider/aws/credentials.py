"""Credentials of Airflow's AWS connections, as botocore resolves them."""

from collections.abc import Callable
from typing import Any

from rsloader_provider.aws.errors import as_loader_errors
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.redshift.access_key import AccessKey


class SessionCredentials:
    """Credentials of boto3's sessions.

    Args:
        session: Makes a boto3 session by the name of an Airflow connection, or raises one of our errors.
    """

    def __init__(self, session: Callable[[str], Any]):
        self._session = session

    def of(self, conn_id: str) -> AccessKey:
        with as_loader_errors(f"Airflow connection {conn_id} (`copy.aws_conn_id`)", "Correct its role or its keys."):
            credentials = self._session(conn_id).get_credentials()
            if credentials is None:
                raise ConfigurationError(
                    f"Airflow connection {conn_id} (`copy.aws_conn_id`) has no credentials, and this machine has none "
                    "either. Give it a key or a role."
                )
            # Frozen ones belong together; botocore gets new ones first if these end within 15 minutes.
            frozen = credentials.get_frozen_credentials()
        return AccessKey(frozen.access_key, frozen.secret_key, frozen.token)
