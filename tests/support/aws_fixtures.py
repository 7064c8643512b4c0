"""Starts the local AWS for tests and makes clients for it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from rsloader_provider.local.aws import LocalAws

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def running_aws() -> Iterator[LocalAws]:
    """A local AWS on a free port, for as long as the block runs."""
    with LocalAws() as aws:
        yield aws


def client(aws: LocalAws, service: str, **options: Any) -> Any:
    """A boto3 client for the local AWS; it tries once, so that tests see the first answer."""
    env = aws.env()
    return boto3.client(
        service,
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_DEFAULT_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=20, **options),
    )
