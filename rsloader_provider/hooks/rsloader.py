"""The loader's services, reached through Airflow's connections."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

from rsloader_provider.airflow_compat import AirflowException, AirflowNotFoundException, BaseHook, conf, mask_secret
from rsloader_provider.aws.client_settings import client_settings
from rsloader_provider.aws.dynamodb.tables import DEFAULT_PREFIX, TableNames
from rsloader_provider.aws.errors import as_loader_errors
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.hooks.redshift_connection import connect_driver, data_api_address_of
from rsloader_provider.loader.ports.inventory import Inventory
from rsloader_provider.loader.ports.keys import Keys
from rsloader_provider.loader.ports.secret_store import SecretStore
from rsloader_provider.loader.services import Services
from rsloader_provider.wiring import Wiring

_USUAL_CONNECTION = "aws_default"
_SECRET_NAME = re.compile("(?!.*_arn$).*(?:pass|secret|token|key|credential)", re.IGNORECASE)
"""The keys of a connection's extra whose values are secret; an ARN only says where a secret is kept."""


class RsloaderHook(BaseHook):
    """Gives the loader's services.

    Args:
        aws_conn_id: The Airflow connection for S3, DynamoDB and SNS. None means boto3's own search for credentials;
            so does `aws_default` if there is no such connection.
    """

    def __init__(self, aws_conn_id: str | None = _USUAL_CONNECTION):
        super().__init__()
        self.aws_conn_id = aws_conn_id

    def get_conn(self) -> Services:
        """Give the services. Until one of them is used, AWS is asked only for a role's credentials.

        Raises:
            ConfigurationError: There is no such connection, or it cannot be used.
            AccessDeniedError, TransientError: The role of the connection could not be assumed.
        """
        return self._wiring().services()

    def get_inventory(self) -> Inventory:
        """Give what the tables hold, item by item, for audits.

        Raises:
            ConfigurationError, AccessDeniedError, TransientError: As `get_conn` raises them.
        """
        return self._wiring().inventory()

    def get_keys(self) -> Keys:
        """Give the KMS that decrypts the secrets in load files.

        Raises:
            ConfigurationError, AccessDeniedError, TransientError: As `get_conn` raises them.
        """
        return self._wiring().keys()

    def dynamodb(self) -> Any:
        """Give a DynamoDB client that takes and gives plain Python values."""
        return self._client("dynamodb")

    def get_secrets(self) -> SecretStore:
        """Give Secrets Manager, for a secrets backend of Airflow's to read from.

        Raises:
            ConfigurationError, AccessDeniedError, TransientError: As `get_conn` raises them.
        """
        return self._wiring().secret_store()

    def _wiring(self) -> Wiring:
        return Wiring(
            client=self._client,
            connect=self._connect,
            names=table_names(),
            secrets=self._secrets,
            data_api_address=data_api_address_of,
            session=self._session,
            mask=mask_secret,
        )

    def _client(self, service: str, region: str | None = None) -> Any:
        connection, session = self._connection_and_session
        with _as_loader_errors(f"Airflow connection {self.aws_conn_id}", "Correct its role or its keys."):
            arguments = {
                "region_name": region,
                "endpoint_url": connection.conn_config.get_service_endpoint_url(service),
                "config": client_settings(service),
                "verify": connection.verify,
            }
            if service == "dynamodb":
                return session.resource(service, **arguments).meta.client
            return session.client(service, **arguments)

    @cached_property
    def _connection_and_session(self) -> tuple[AwsGenericHook[Any], Any]:
        """The AWS connection, and one session for all clients: each session reads botocore's data again."""
        # If a connection is missing, the amazon provider goes on with the credentials of the machine.
        if self.aws_conn_id not in {None, _USUAL_CONNECTION}:
            self._require(self.aws_conn_id, "aws_conn_id")
        with _as_loader_errors(f"Airflow connection {self.aws_conn_id}", "Correct its role or its keys."):
            connection: AwsGenericHook[Any] = AwsGenericHook(self.aws_conn_id, client_type="s3")
            return connection, connection.get_session(region_name=connection.region_name)

    def _session(self, conn_id: str) -> Any:
        if conn_id != _USUAL_CONNECTION:
            self._require(conn_id, "copy.aws_conn_id")
        with _as_loader_errors(f"Airflow connection {conn_id} (`copy.aws_conn_id`)", "Correct its role or its keys."):
            return AwsGenericHook(conn_id, client_type="sts").get_session()

    def _require(self, conn_id: str, setting: str) -> None:
        try:
            self.get_connection(conn_id)
        except AirflowNotFoundException as error:
            raise ConfigurationError(
                f"There is no Airflow connection {conn_id}. Create it with type aws, or correct `{setting}` in the "
                "load file."
            ) from error

    def _secrets(self, conn_id: str) -> tuple[str, ...]:
        try:
            connection = self.get_connection(conn_id)
        except AirflowNotFoundException:
            return ()  # connecting reports it
        extra = connection.extra_dejson
        named = (str(value) for name, value in extra.items() if isinstance(value, str) and _SECRET_NAME.match(name))
        return (*filter(None, [connection.password]), *named)

    def _connect(self, conn_id: str) -> Any:
        with _as_loader_errors(
            f"Airflow connection {conn_id}",
            "Correct `cluster_identifier` or `serverless_work_group` in its extra, its host or its region.",
        ):
            return connect_driver(conn_id, self.aws_conn_id)


@contextmanager
def _as_loader_errors(subject: str, remedy: str) -> Iterator[None]:
    """Turn what Airflow's amazon provider and botocore raise while they connect into the loader's errors."""
    with as_loader_errors(subject, remedy):
        try:
            yield
        except AirflowException as error:
            raise ConfigurationError(f"{subject} cannot be used: {error}. {remedy}") from error


def table_names() -> TableNames:
    """Name the DynamoDB tables as `[rsloader] dynamodb_table_prefix` in airflow.cfg says."""
    return TableNames(conf.get("rsloader", "dynamodb_table_prefix", fallback=DEFAULT_PREFIX))
