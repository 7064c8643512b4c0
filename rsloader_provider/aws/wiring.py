"""Puts the real things behind the ports."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from rsloader_provider.aws.dynamodb.ledger import DynamoLedger
from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.aws.notifier import SnsNotifier
from rsloader_provider.aws.redshift.data_api import DataApiWarehouse
from rsloader_provider.aws.redshift.transports import WarehouseByTransport
from rsloader_provider.aws.redshift.warehouse import RedshiftWarehouse
from rsloader_provider.aws.storage import S3Storage
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.redshift.access_key import AccessKey
from rsloader_provider.loader.services import Services, roles_only


def wire(
    *,
    s3: Any,
    dynamodb: Any,
    sns: Any,
    connect: Callable[[str], Any],
    names: TableNames,
    secrets: Callable[[str], Collection[str]] = lambda _: (),
    data_api: DataApiWarehouse | None = None,
    access_key: Callable[[LoadConfig], AccessKey | None] = roles_only,
) -> Services:
    """Make the services that work on AWS.

    Args:
        s3: A boto3 S3 client.
        dynamodb: The client of a boto3 DynamoDB resource.
        sns: A boto3 SNS client.
        connect: Opens a connection of redshift_connector by the name of an Airflow connection.
        names: Names of the DynamoDB tables.
        secrets: Gives what no error of an Airflow connection may repeat.
        data_api: Opens sessions of the Redshift Data API; None where no target has `transport: data_api`.
        access_key: Gives the key that Redshift reads a load's objects with; None for a role of its own.
    """
    return Services(
        ledger=DynamoLedger(dynamodb, names),
        storage=S3Storage(s3),
        warehouse=WarehouseByTransport(RedshiftWarehouse(connect, secrets), data_api),
        notifier=SnsNotifier(sns),
        now=lambda: datetime.now(UTC),
        access_key=access_key,
    )
