"""The real loader on a local AWS, in this process or in another."""

from typing import Any

import boto3

from rsloader_provider.aws.client_settings import client_settings
from rsloader_provider.aws.tables import TableNames, create_tables
from rsloader_provider.aws.wiring import wire
from rsloader_provider.loader.services import Services


def aws_client_arguments(endpoint_url: str) -> dict[str, Any]:
    return {
        "endpoint_url": endpoint_url,
        "region_name": "us-east-1",
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
    }


def loader_services(endpoint_url: str, prefix: str, connect: Any = None, sent: list[str] | None = None) -> Services:
    """Wire the loader to a local AWS.

    Args:
        endpoint_url: Where it answers.
        prefix: What the names of the tables begin with.
        connect: Opens a connection to Redshift.
        sent: Gets the operation of each call that leaves.
    """
    arguments = aws_client_arguments(endpoint_url)
    clients = {name: boto3.client(name, **arguments, config=client_settings(name)) for name in ("s3", "sns")}
    clients["dynamodb"] = boto3.resource("dynamodb", **arguments, config=client_settings("dynamodb")).meta.client
    if sent is not None:
        for client in clients.values():
            client.meta.events.register(
                "before-call", lambda model, **_: sent.append(model.name), unique_id="name-operations"
            )
    return wire(**clients, connect=connect, names=TableNames(prefix))


def make_tables(endpoint_url: str, prefix: str) -> None:
    client = boto3.client("dynamodb", **aws_client_arguments(endpoint_url))
    create_tables(client, TableNames(prefix), created=lambda _: None)
