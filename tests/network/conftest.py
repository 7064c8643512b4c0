"""A local AWS behind a proxy that breaks calls."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from network.data_api_house import House
from network.fault_proxy import FaultProxy
from network.run_through import BUCKET, PREFIX, TOPIC_NAME
from support import airflow_home  # noqa: F401  one test takes the notifier from Airflow's hook
from support.loader_services import aws_client_arguments, make_tables

from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift


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


@pytest.fixture(scope="module")
def superuser(redshift: LocalRedshift, redshift_login: Callable[..., Any]) -> Iterator[Callable[[str], Any]]:
    """Runs statements in the Redshift that the Data API uses."""
    connection = redshift_login()
    connection.autocommit = True

    def run(text: str) -> Any:
        cursor = connection.cursor()
        cursor.execute(text)
        return cursor.fetchall() if cursor.description else ()

    yield run
    connection.close()


@pytest.fixture
def data_api_house(network_aws: LocalAws, proxy: FaultProxy, superuser: Callable[[str], Any]) -> House:
    return House(network_aws, proxy, superuser)
