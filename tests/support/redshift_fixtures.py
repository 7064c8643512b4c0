"""A local Redshift of either isolation level and an S3 to load from, one of each for all tests of this folder."""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import psycopg
import pytest
import redshift_connector
from botocore.config import Config

from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

BUCKET = "acme-landing"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def redshift_aws() -> Iterator[LocalAws]:
    """The AWS that the local Redshifts load from, and whose clusters stand for the one with snapshots."""
    with LocalAws() as aws:  # and not moto alone, whose S3 does not take a key with a newline
        yield aws


@pytest.fixture(scope="session")
def s3_endpoint(redshift_aws: LocalAws) -> str:
    return redshift_aws.endpoint_url


@pytest.fixture(scope="session")
def s3(s3_endpoint: str) -> Any:
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(scope="session")
def snapshot_redshift(redshift_aws: LocalAws) -> Iterator[LocalRedshift]:
    with LocalRedshift(s3_endpoint=redshift_aws.endpoint_url, users={"loader": "loader's secret"}) as redshift:
        redshift_aws.use_redshift(
            host=redshift.host,
            port=redshift.port,
            database=redshift.database,
            user=redshift.user,
            password=redshift.password,
        )
        yield redshift


@pytest.fixture(scope="session")
def serializable_redshift(s3_endpoint: str) -> Iterator[LocalRedshift]:
    with LocalRedshift(s3_endpoint=s3_endpoint, isolation="serializable") as redshift:
        yield redshift


@dataclass
class Landing:
    """A prefix of one test's own, to put objects and manifests under."""

    s3: Any
    prefix: str = field(default_factory=lambda: f"{uuid.uuid4().hex}/")

    def put(self, key: str, content: str | bytes) -> str:
        """Put an object; returns its URL."""
        body = content if isinstance(content, bytes) else content.encode()
        self.s3.put_object(Bucket=BUCKET, Key=self.prefix + key, Body=body)
        return self.url(key)

    def url(self, key: str) -> str:
        return f"s3://{BUCKET}/{self.prefix}{key}"

    def manifest(self, *entries: str | dict[str, Any]) -> str:
        """Put a manifest, in which a bare URL is mandatory; returns its URL."""
        listed = [{"url": entry, "mandatory": True} if isinstance(entry, str) else entry for entry in entries]
        return self.put(f"manifest-{next(_numbers)}", json.dumps({"entries": listed}))


@pytest.fixture
def landing(s3: Any) -> Landing:
    return Landing(s3)


class Client:
    """redshift_connector as our hook uses it: DB-API, no autocommit unless asked for."""

    def __init__(
        self,
        redshift: LocalRedshift,
        *,
        user: str | None = None,
        password: str | None = None,
        database: str | None = None,
    ):
        self.connection = redshift_connector.connect(
            host=redshift.host,
            port=redshift.port,
            database=database or redshift.database,
            user=user or redshift.user,
            password=password or redshift.password,
            ssl=False,
        )
        self.cursor = self.connection.cursor()

    def run(self, sql: str, *parameters: Any) -> list[Any]:
        """Run one statement; returns its rows as lists."""
        self.cursor.execute(sql, parameters or None)
        return [list(row) for row in self.cursor.fetchall()] if self.cursor.description else []

    def value(self, sql: str, *parameters: Any) -> Any:
        return self.run(sql, *parameters)[0][0]

    def copy(self, table: str, source: str, options: str = "CSV", *, role: str = "IAM_ROLE default") -> None:
        self.run(copy_sql(table, source, options, role=role))

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()

    def close(self) -> None:
        self.connection.close()


def copy_sql(table: str, source: str, options: str = "CSV", *, role: str = "IAM_ROLE default") -> str:
    quoted = source.replace("\\", "\\\\").replace("'", "''")
    return f"COPY {table} FROM '{quoted}' {role} {options}"


def server_error(error: BaseException) -> dict[str, str]:
    """What the server answered: C the SQLSTATE, M the message, D the detail. Fails if there was no answer."""
    fields = error.args[0]
    assert isinstance(fields, dict), f"no answer of the server, but {error!r}"
    return fields


@pytest.fixture
def connect(snapshot_redshift: LocalRedshift) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def open_client(**login: str) -> Client:
        clients.append(Client(snapshot_redshift, **login))
        return clients[-1]

    yield open_client
    close_all(clients)


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect()


@pytest.fixture
def simple(snapshot_redshift: LocalRedshift) -> Iterator["psycopg.Connection[Any]"]:
    """psycopg, which speaks the simple protocol as long as a statement has no parameters."""
    with connect_psycopg(snapshot_redshift) as connection:
        yield connection


def connect_psycopg(redshift: LocalRedshift, *, database: str | None = None) -> "psycopg.Connection[Any]":
    return psycopg.connect(
        host=redshift.host,
        port=redshift.port,
        dbname=database or redshift.database,
        user=redshift.user,
        password=redshift.password,
        sslmode="disable",
        autocommit=True,
    )


def close_all(clients: list[Client]) -> None:
    for each in clients:
        try:
            each.close()
        except (redshift_connector.Error, OSError):
            continue  # a fault has broken it already


def new_table(client: Client, columns: str) -> str:
    """Create a table of a name not used before; commits."""
    table = f"t{next(_numbers)}"
    client.run(f"CREATE TABLE {table} ({columns})")
    client.commit()
    return table
