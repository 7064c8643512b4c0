"""Airflow with its database, and the local AWS and Redshift behind its connections."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.client import BaseClient
from support import airflow_home, secret_search
from support.checkout import CHECKOUT

from rsloader_provider.aws.dynamodb.protection import protect_tables
from rsloader_provider.aws.dynamodb.tables import TableNames, create_tables
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

_numbers = count()


@pytest.fixture(scope="session", autouse=True)
def nothing_that_airflow_kept_holds_a_secret() -> Iterator[None]:
    """Searched when all tests of this process are over: logs, XCom, rendered fields, DAGs, everything."""
    yield
    assert secret_search.secrets_below(airflow_home.HOME, secret_search.USED) == []


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's database, and the DAG file of the sample in the DAGs folder."""
    folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    folder.mkdir()
    shutil.copy(CHECKOUT / "dags" / "rsloader_dags.py", folder)
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch, local_aws: LocalAws, redshift: LocalRedshift) -> None:
    """What a user sets up in Airflow: two connections."""
    aws = {
        "conn_type": "aws",
        "login": "local",
        "password": "local",
        "extra": {"endpoint_url": local_aws.endpoint_url, "region_name": "us-east-1"},
    }
    warehouse = {
        "conn_type": "redshift",
        "host": redshift.host,
        "port": redshift.port,
        "login": redshift.user,
        "password": redshift.password,
        "schema": redshift.database,
        "extra": {"ssl": False},
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(warehouse))


class Loads:
    """A folder of load files for one test, and what they load from and to."""

    def __init__(self, folder: Path, s3: BaseClient, query: Callable[[str], Any]):
        self.folder, self.s3, self.query = folder, s3, query
        self.number = next(_numbers)
        self.bucket, self.table = f"landing-{self.number}", f"public.orders_{self.number}"
        self.load = f"orders_{self.number}"

    def write(self, **settings: Any) -> dict[str, Any]:
        """Write a load file and give its content."""
        content = {
            "load": self.load,
            "source": f"s3://{self.bucket}/orders/",
            "schedule": "@hourly",
            "batch": {"max_files": 2, "max_age": "1h"},
            "copy": {"format": "csv"},
            "manifests": f"s3://{self.bucket}/manifests/",
            "targets": [{"table": self.table}],
            **settings,
        }
        (self.folder / f"{content['load']}.yaml").write_text(yaml.safe_dump(content))
        return content

    def put(self, *names: str, content: str = "1\n") -> None:
        for name in names:
            self.s3.put_object(Bucket=self.bucket, Key=f"orders/{name}", Body=content.encode())

    def rows(self) -> list[int]:
        return sorted(row[0] for row in self.query(f"SELECT id FROM {self.table}"))


@pytest.fixture
def loads(
    tmp_path: Path,
    connections: None,
    aws_arguments: dict[str, Any],
    redshift_login: Callable[..., Any],
) -> Iterator[Loads]:
    """A bucket, a table with its history, and an empty folder of load files."""
    connection = redshift_login()
    connection.autocommit = True

    def query(text: str) -> Any:
        cursor = connection.cursor()
        cursor.execute(text)
        return cursor.fetchall() if cursor.description else ()

    dynamodb = boto3.client("dynamodb", **aws_arguments)
    create_tables(dynamodb, TableNames(), created=lambda _: None)
    protect_tables(dynamodb, TableNames(), lambda *_: None, point_in_time_recovery=True, deletion_protection=True)
    made = Loads(tmp_path, boto3.client("s3", **aws_arguments), query)
    made.s3.create_bucket(Bucket=made.bucket)
    query(f"CREATE TABLE {made.table} (id integer)")
    query(render(sql.CreateHistorySchema()))
    query(render(sql.CreateHistory(TableName(*made.table.split(".")))))
    yield made
    connection.close()


@pytest.fixture(autouse=True)
def no_credentials_but_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever reaches AWS does so through Airflow's connection."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
