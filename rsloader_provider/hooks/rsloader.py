"""The loader's services, reached through Airflow's connections."""

from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook
from botocore.config import Config

from rsloader_provider.airflow_compat import AirflowNotFoundException, BaseHook, conf
from rsloader_provider.aws.tables import DEFAULT_PREFIX, TableNames
from rsloader_provider.aws.wiring import wire
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.loader.services import Services

_RETRIES = Config(retries={"mode": "standard", "max_attempts": 8})


class RsloaderHook(BaseHook):
    """Gives the loader's services.

    Args:
        aws_conn_id: The Airflow connection for S3, DynamoDB and SNS. As everywhere in Airflow's amazon
            provider, boto3's own search for credentials is used when there is no such connection.
    """

    def __init__(self, aws_conn_id: str | None = "aws_default"):
        super().__init__()
        self.aws_conn_id = aws_conn_id

    def get_conn(self) -> Services:
        """Give the services; nothing is called before one of them is used."""
        return wire(
            s3=self._client("s3"),
            dynamodb=self.dynamodb(),
            sns=self._client("sns"),
            connect=self._connect,
            names=table_names(),
        )

    def dynamodb(self) -> Any:
        """Give a DynamoDB client that takes and gives plain Python values."""
        return AwsGenericHook(self.aws_conn_id, resource_type="dynamodb", config=_RETRIES).conn.meta.client

    def _client(self, service: str) -> Any:
        return AwsGenericHook(self.aws_conn_id, client_type=service, config=_RETRIES).conn

    def _connect(self, conn_id: str) -> Any:
        hook = RedshiftSQLHook(redshift_conn_id=conn_id, aws_conn_id=self.aws_conn_id)
        try:
            return hook.get_conn()
        except AirflowNotFoundException as error:
            raise ConfigurationError(
                f"There is no Airflow connection {conn_id}. Create it with type redshift, or correct `conn_id` in the "
                "load file."
            ) from error
        except TypeError as error:
            raise ConfigurationError(
                f"The Airflow connection {conn_id} cannot be used: {error}. Its extra may hold only what "
                "redshift_connector.connect takes."
            ) from error


def table_names() -> TableNames:
    """Name the DynamoDB tables as `[rsloader] dynamodb_table_prefix` in airflow.cfg says."""
    return TableNames(conf.get("rsloader", "dynamodb_table_prefix", fallback=DEFAULT_PREFIX))
