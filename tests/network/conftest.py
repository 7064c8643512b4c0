"""A local AWS behind a proxy that breaks calls."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from local.loader_services import aws_client_arguments, make_tables
from network.fault_proxy import FaultProxy
from network.run_through import BUCKET, TOPIC_NAME

from rsloader_provider.local.aws import LocalAws

PREFIX = "network_"


@pytest.fixture(scope="session")
def network_aws(local_aws: LocalAws) -> LocalAws:
    """The local AWS with the bucket, the tables and the topic of this folder's tests."""
    boto3.client("s3", **aws_client_arguments(local_aws.endpoint_url)).create_bucket(Bucket=BUCKET)
    make_tables(local_aws.endpoint_url, PREFIX)
    return local_aws


@pytest.fixture(scope="session")
def topic(network_aws: LocalAws) -> str:
    sns = boto3.client("sns", **aws_client_arguments(network_aws.endpoint_url))
    return str(sns.create_topic(Name=TOPIC_NAME)["TopicArn"])


@pytest.fixture(scope="session")
def proxy(network_aws: LocalAws) -> Iterator[FaultProxy]:
    with FaultProxy(network_aws.port) as running:
        yield running


@pytest.fixture(scope="session")
def s3(network_aws: LocalAws) -> Any:
    """A client of S3 past the proxy."""
    return boto3.client("s3", **aws_client_arguments(network_aws.endpoint_url))
