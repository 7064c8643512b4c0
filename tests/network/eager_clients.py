"""boto3's clients as the hook makes them, through a proxy, but without the pauses between botocore's own tries."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.retries.standard import register_retry_handler
from support.loader_services import aws_client_arguments

from rsloader_provider.aws.client_settings import client_settings

PATIENCE_SECONDS = 20.0


@cache
def shared_client(service: str, endpoint_url: str) -> Any:
    """Give a client that tests share; one that is left without an answer too often tries nothing again any more."""
    return eager_client(service, endpoint_url)


def eager_client(service: str, endpoint_url: str, patience_seconds: float = PATIENCE_SECONDS) -> Any:
    """Make a client.

    Args:
        service: boto3's name of the service.
        endpoint_url: Where the proxy listens.
        patience_seconds: How long the client waits for an answer.
    """
    settings = client_settings(service).merge(Config(read_timeout=patience_seconds))
    arguments = {**aws_client_arguments(endpoint_url), "config": settings}
    client = (
        boto3.resource(service, **arguments).meta.client
        if service == "dynamodb"
        else boto3.client(service, **arguments)
    )
    _without_pauses(client)
    return client


def _without_pauses(client: Any) -> None:
    """Let botocore decide as ever whether to try again, and then try at once."""
    name = client.meta.service_model.service_id.hyphenize()
    event, handler_id = f"needs-retry.{name}", f"retry-config-{name}"
    client.meta.events.unregister(event, unique_id=handler_id)
    handler = register_retry_handler(client, max_attempts=client.meta.config.retries["total_max_attempts"])
    client.meta.events.unregister(event, unique_id=handler_id)
    client.meta.events.register(event, lambda **call: None if handler.needs_retry(**call) is None else 0)
