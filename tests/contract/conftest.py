"""Every port with its fake and its real adapter: both pass the same tests."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import boto3
import pytest
from fakes.ledger import MemoryLedger
from fakes.notifier import MemoryNotifier
from fakes.storage import MemoryStorage
from objects_for_tests import counting_randomness

from rsloader_provider.aws.ledger import DynamoLedger
from rsloader_provider.aws.notifier import SnsNotifier
from rsloader_provider.aws.storage import S3Storage
from rsloader_provider.aws.tables import TableNames, create_tables
from rsloader_provider.local.aws import LocalAws

_numbers = count()


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAws]:
    with LocalAws() as aws:
        yield aws


@pytest.fixture(scope="session")
def aws_arguments(local_aws: LocalAws) -> dict[str, Any]:
    """What makes a boto3 client talk to the local AWS."""
    return {
        "endpoint_url": local_aws.endpoint_url,
        "region_name": "us-east-1",
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
    }


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryLedger(counting_randomness())
    arguments = request.getfixturevalue("aws_arguments")
    client = boto3.resource("dynamodb", **arguments).meta.client
    names = TableNames(f"t{next(_numbers)}_")
    create_tables(client, names, created=lambda _: None)
    return DynamoLedger(client, names, counting_randomness())


@pytest.fixture(params=["memory", "s3"])
def storage(request: pytest.FixtureRequest) -> Any:
    bucket = f"landing-{next(_numbers)}"
    if request.param == "memory":
        return bucket, MemoryStorage(bucket)
    client = boto3.client("s3", **request.getfixturevalue("aws_arguments"))
    client.create_bucket(Bucket=bucket)
    return bucket, S3Storage(client)


@pytest.fixture(params=["memory", "sns"])
def notifier(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return "arn:aws:sns:us-east-1:123456789012:loads", MemoryNotifier("arn:aws:sns:us-east-1:123456789012:loads")
    client = boto3.client("sns", **request.getfixturevalue("aws_arguments"))
    return client.create_topic(Name="loads")["TopicArn"], SnsNotifier(client)
