"""One local AWS and one local Redshift for all tests of a process; neither starts before a test asks for it.

This is a plugin: if the conftests of several folders imported it, each folder would have fixtures of its own.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift
from support import secret_search

PYTHON = os.environ.get("RSLOADER_TESTS_LOCAL_PYTHON")
"""Where the extra `local` is installed, if not here: the pins of some versions of Airflow do not allow it."""


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAws]:
    with LocalAws(python=PYTHON) as aws:
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


@pytest.fixture(scope="session")
def redshift(local_aws: LocalAws) -> Iterator[LocalRedshift]:
    with LocalRedshift(s3_endpoint=local_aws.endpoint_url, python=PYTHON) as server:
        local_aws.use_redshift(
            host=server.host,
            port=server.port,
            database=server.database,
            user=server.user,
            password=server.password,
        )
        secret_search.use(the_password_of_Redshift=server.password)
        yield server


@pytest.fixture(scope="session")
def redshift_login(redshift: LocalRedshift) -> Callable[..., Any]:
    """Opens a connection of redshift_connector to the local Redshift."""
    # Takes a second to import, which most test files should not.
    import redshift_connector  # noqa: PLC0415

    def login(**changed: str) -> Any:
        arguments = {
            "host": redshift.host,
            "port": redshift.port,
            "database": redshift.database,
            "user": redshift.user,
            "password": redshift.password,
            **changed,
        }
        return redshift_connector.connect(ssl=False, **arguments)

    return login
