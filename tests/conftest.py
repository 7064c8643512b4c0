"""One local AWS and one local Redshift for all tests, and an Airflow home of their own."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Airflow reads its settings when it is first imported, which may be by any test module.
_HOME = tempfile.mkdtemp(prefix="rsloader-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = f"{_HOME}/dags"
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"

import pytest  # noqa: E402
import redshift_connector  # noqa: E402
from support import secret_search  # noqa: E402
from xdist.scheduler import LoadScopeScheduling  # noqa: E402

from rsloader_provider.local.aws import LocalAws  # noqa: E402
from rsloader_provider.local.redshift import LocalRedshift  # noqa: E402


class _ByFile(LoadScopeScheduling):
    """Keeps together what shares something slow to start: a file's servers, the end-to-end tests' Airflow."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "end_to_end" if "/end_to_end/" in file else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def nothing_that_airflow_kept_holds_a_secret() -> Iterator[None]:
    """Searched when all tests of this process are over: logs, XCom, rendered fields, DAGs, everything."""
    yield
    assert secret_search.secrets_below(Path(_HOME), secret_search.USED) == []


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


@pytest.fixture(scope="session")
def redshift(local_aws: LocalAws) -> Iterator[LocalRedshift]:
    with LocalRedshift(s3_endpoint=local_aws.endpoint_url) as server:
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
