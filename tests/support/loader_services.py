"""The real loader on a local AWS, in this process or in another."""

from collections.abc import Callable
from typing import Any

import boto3

from rsloader_provider.aws.client_settings import client_settings
from rsloader_provider.aws.dynamodb.tables import TableNames, create_tables
from rsloader_provider.aws.redshift.data_api import KEEP_ALIVE_SECONDS
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.redshift.data_api_address import DataApiAddress
from rsloader_provider.loader.services import Services
from rsloader_provider.wiring import Wiring


def aws_client_arguments(endpoint_url: str) -> dict[str, Any]:
    return {
        "endpoint_url": endpoint_url,
        "region_name": "us-east-1",
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
    }


def loader_services(
    endpoint_url: str,
    prefix: str,
    connect: Callable[[str], Any] | None = None,
    sent: list[str] | None = None,
    keep_alive_seconds: int = KEEP_ALIVE_SECONDS,
) -> Services:
    """Wire the loader to a local AWS; the Data API connects as the superuser of the local Redshift.

    Args:
        endpoint_url: Where it answers.
        prefix: What the names of the tables begin with.
        connect: Opens a connection to Redshift; without it there is no such Airflow connection.
        sent: Receives the operation of each call that is sent.
        keep_alive_seconds: How long a session of the Data API may idle.
    """
    arguments = aws_client_arguments(endpoint_url)

    def noted(client: Any) -> Any:
        if sent is not None:
            client.meta.events.register(
                "before-call", lambda model, **_: sent.append(model.name), unique_id="name-operations"
            )
        return client

    def made(service: str, _region: str | None = None) -> Any:
        settings = client_settings(service)
        if service == "dynamodb":
            return noted(boto3.resource(service, **arguments, config=settings).meta.client)
        return noted(boto3.client(service, **arguments, config=settings))

    return Wiring(
        client=made,
        connect=connect or _no_connection,
        names=TableNames(prefix),
        data_api_address=lambda _: DataApiAddress("dev", cluster="any-cluster", user="awsuser"),
        keep_alive_seconds=keep_alive_seconds,
    ).services()


def _no_connection(conn_id: str) -> Any:
    raise ConfigurationError(f"There is no Airflow connection {conn_id}.")


def make_tables(endpoint_url: str, prefix: str) -> None:
    client = boto3.client("dynamodb", **aws_client_arguments(endpoint_url))
    create_tables(client, TableNames(prefix), created=lambda _: None)
