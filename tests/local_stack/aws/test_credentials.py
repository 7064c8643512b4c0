"""The local AWS tells drivers where the local Redshift is, and gives them passwords that log in."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import psycopg
import pytest
import redshift_connector
from botocore.exceptions import ClientError
from support.aws_fixtures import client as aws_client
from support.aws_fixtures import running_aws
from support.redshift_fixtures import Client, new_table

from rsloader_provider.local.redshift import LocalRedshift

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rsloader_provider.local.aws import LocalAws

CLUSTER = {"ClusterIdentifier": "any-cluster", "DbName": "dev"}
WORKGROUP = {"workgroupName": "any-workgroup", "dbName": "dev"}


@pytest.fixture(scope="module")
def cluster(redshift_aws: LocalAws, snapshot_redshift: LocalRedshift) -> Any:
    return aws_client(redshift_aws, "redshift")


@pytest.fixture(scope="module")
def serverless(redshift_aws: LocalAws, snapshot_redshift: LocalRedshift) -> Any:
    return aws_client(redshift_aws, "redshift-serverless")


def who(redshift: LocalRedshift, user: str, password: str) -> str:
    """Log in; returns the database user."""
    with psycopg.connect(
        host=redshift.host, port=redshift.port, dbname="dev", user=user, password=password
    ) as connection:
        row = connection.execute("SELECT current_user").fetchone()
    assert row is not None
    return str(row[0])


def refusal(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


def as_user(aws: LocalAws, service: str, name: str) -> Any:
    """A client of an IAM user's own."""
    iam = aws_client(aws, "iam")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return boto3.client(
        service,
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )


def test_a_clusters_password_logs_in_as_an_existing_user(cluster: Any, snapshot_redshift: LocalRedshift) -> None:
    given = cluster.get_cluster_credentials(DbUser="loader", DurationSeconds=1800, **CLUSTER)
    assert given["DbUser"] == "IAM:loader"
    assert who(snapshot_redshift, given["DbUser"], given["DbPassword"]) == "loader"
    assert abs(given["Expiration"] - datetime.now(UTC) - timedelta(seconds=1800)) < timedelta(seconds=60)
    again = cluster.get_cluster_credentials(DbUser="loader", **CLUSTER)
    assert again["DbPassword"] != given["DbPassword"]
    for password in (given["DbPassword"], again["DbPassword"]):
        assert who(snapshot_redshift, "IAM:loader", password) == "loader"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        who(snapshot_redshift, "IAM:loader", "not that one")


def test_a_user_is_created_only_if_that_is_wanted(
    cluster: Any, snapshot_redshift: LocalRedshift, client: Client
) -> None:
    without = cluster.get_cluster_credentials(DbUser="newcomer", AutoCreate=False, **CLUSTER)
    with pytest.raises(psycopg.OperationalError, match="newcomer"):
        who(snapshot_redshift, without["DbUser"], without["DbPassword"])
    given = cluster.get_cluster_credentials(DbUser="newcomer", AutoCreate=True, **CLUSTER)
    assert given["DbUser"] == "IAMA:newcomer"
    assert who(snapshot_redshift, given["DbUser"], given["DbPassword"]) == "newcomer"
    table = new_table(client, "a int")
    with (
        redshift_connector.connect(
            host=snapshot_redshift.host,
            port=snapshot_redshift.port,
            database="dev",
            user=given["DbUser"],
            password=given["DbPassword"],
            ssl=False,
        ) as connection,
        pytest.raises(redshift_connector.ProgrammingError, match="permission denied"),
    ):
        connection.cursor().execute(f"SELECT * FROM {table}")


def test_an_iam_identity_has_a_user_of_its_own(
    redshift_aws: LocalAws, cluster: Any, serverless: Any, snapshot_redshift: LocalRedshift
) -> None:
    """The account's own key stands for the superuser, who may grant the others something."""
    given = cluster.get_cluster_credentials_with_iam(**CLUSTER)
    assert who(snapshot_redshift, given["DbUser"], given["DbPassword"]) == "awsuser"
    given = as_user(redshift_aws, "redshift", "carol").get_cluster_credentials_with_iam(**CLUSTER)
    assert given["DbUser"] == "IAM:carol"
    assert who(snapshot_redshift, given["DbUser"], given["DbPassword"]) == "carol"

    given = serverless.get_credentials(**WORKGROUP)
    assert who(snapshot_redshift, given["dbUser"], given["dbPassword"]) == "awsuser"
    given = as_user(redshift_aws, "redshift-serverless", "dave").get_credentials(durationSeconds=3600, **WORKGROUP)
    assert given["dbUser"] == "IAM:dave"
    assert who(snapshot_redshift, given["dbUser"], given["dbPassword"]) == "dave"
    assert abs(given["expiration"] - datetime.now(UTC) - timedelta(seconds=3600)) < timedelta(seconds=60)


def test_an_assumed_role_has_a_user_of_its_name(redshift_aws: LocalAws, snapshot_redshift: LocalRedshift) -> None:
    role = {"RoleArn": "arn:aws:iam::123456789012:role/reporting", "RoleSessionName": "test"}
    key = aws_client(redshift_aws, "sts").assume_role(**role)["Credentials"]
    serverless = boto3.client(
        "redshift-serverless",
        endpoint_url=redshift_aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key["SessionToken"],
    )
    given = serverless.get_credentials(**WORKGROUP)
    assert given["dbUser"] == "IAMR:reporting"
    assert who(snapshot_redshift, given["dbUser"], given["dbPassword"]) == "reporting"


@pytest.mark.parametrize("seconds", [899, 3601])
def test_a_password_lasts_fifteen_minutes_to_an_hour(cluster: Any, serverless: Any, seconds: int) -> None:
    asked = {"DbUser": "loader", "DurationSeconds": seconds, **CLUSTER}
    assert refusal(cluster.get_cluster_credentials, **asked) == "InvalidParameterValue"
    assert refusal(serverless.get_credentials, durationSeconds=seconds, **WORKGROUP) == "ValidationException"


def test_what_the_local_aws_does_not_have_is_refused(cluster: Any, serverless: Any) -> None:
    asked = {"DbUser": "loader", "DbGroups": ["writers"], **CLUSTER}
    assert refusal(cluster.get_cluster_credentials, **asked) == "UnsupportedOperation"
    domain = {"DbUser": "loader", "CustomDomainName": "redshift.example.com"}
    assert refusal(cluster.get_cluster_credentials, **domain) == "CustomDomainAssociationNotFoundFault"
    assert refusal(serverless.get_credentials, customDomainName="rs.example.com") == "ResourceNotFoundException"
    assert refusal(serverless.list_workgroups) == "UnknownOperationException"


def test_every_cluster_and_workgroup_is_the_local_redshift(
    cluster: Any, serverless: Any, snapshot_redshift: LocalRedshift
) -> None:
    (described,) = cluster.describe_clusters(ClusterIdentifier="described")["Clusters"]
    made = cluster.create_cluster(
        ClusterIdentifier="made", NodeType="ra3.large", MasterUsername="admin", MasterUserPassword="Secret12"
    )["Cluster"]
    for each in (described, made):
        assert each["Endpoint"] == {"Address": snapshot_redshift.host, "Port": snapshot_redshift.port}
    assert {"described", "made"} <= {each["ClusterIdentifier"] for each in cluster.describe_clusters()["Clusters"]}
    workgroup = serverless.get_workgroup(workgroupName="any-workgroup")["workgroup"]
    endpoint = workgroup["endpoint"]
    assert (endpoint["address"], endpoint["port"]) == (snapshot_redshift.host, snapshot_redshift.port)


def test_before_it_is_told_of_a_redshift_there_is_none() -> None:
    with running_aws() as aws:
        cluster, serverless = aws_client(aws, "redshift"), aws_client(aws, "redshift-serverless")
        assert refusal(cluster.get_cluster_credentials, DbUser="loader", **CLUSTER) == "ClusterNotFound"
        assert refusal(cluster.describe_clusters, ClusterIdentifier="c") == "ClusterNotFound"
        assert refusal(serverless.get_credentials, **WORKGROUP) == "ResourceNotFoundException"
        assert refusal(serverless.get_workgroup, workgroupName="any") == "ResourceNotFoundException"


# -- drivers, which take no password of AWS over a connection in the clear


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", certificate, "-keyout", key]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def encrypted(certificate: tuple[Path, Path]) -> Iterator[tuple[LocalAws, LocalRedshift]]:
    """An AWS and a Redshift that offers encryption."""
    with (
        running_aws() as aws,
        LocalRedshift(tls=certificate, authentication="md5", users={"loader": "Secret12"}) as redshift,
    ):
        aws.use_redshift(
            host=redshift.host,
            port=redshift.port,
            database=redshift.database,
            user=redshift.user,
            password=redshift.password,
        )
        yield aws, redshift


@pytest.mark.parametrize(
    ("options", "user"),
    [
        ({"cluster_identifier": "any-cluster", "db_user": "loader"}, "loader"),
        ({"cluster_identifier": "any-cluster", "db_user": "driven", "auto_create": True}, "driven"),
        ({"cluster_identifier": "any-cluster", "group_federation": True}, "awsuser"),
        ({"is_serverless": True, "serverless_work_group": "any-workgroup"}, "awsuser"),
    ],
)
@pytest.mark.parametrize("has_host", [False, True])
def test_the_driver_asks_aws_for_address_and_password(
    encrypted: tuple[LocalAws, LocalRedshift],
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    user: str,
    has_host: bool,
) -> None:
    aws, redshift = encrypted
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))  # the driver trusts what OpenSSL trusts
    where = {"host": redshift.host, "port": redshift.port} if has_host else {"host": "", "port": ""}
    with redshift_connector.connect(
        iam=True,
        database="dev",
        region="us-east-1",
        endpoint_url=aws.endpoint_url,
        access_key_id="local",
        secret_access_key="local",
        iam_disable_cache=True,
        **where,
        **options,
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == [user]


@pytest.mark.parametrize(
    ("login", "extra", "user"),
    [
        ("loader", {"cluster_identifier": "any-cluster", "db_user": "loader"}, "loader"),
        (None, {"is_serverless": True, "serverless_work_group": "any-workgroup"}, "awsuser"),
    ],
)
def test_airflows_sql_hook_asks_aws_for_a_password(
    encrypted: tuple[LocalAws, LocalRedshift],
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    login: str | None,
    extra: dict[str, Any],
    user: str,
) -> None:
    from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook  # noqa: PLC0415

    local_aws, local_redshift = encrypted
    aws = {
        "conn_type": "aws",
        "login": "local",
        "password": "local",
        "extra": {"endpoint_url": local_aws.endpoint_url, "region_name": "us-east-1"},
    }
    redshift = {
        "conn_type": "redshift",
        "host": local_redshift.host,
        "port": local_redshift.port,
        "schema": "dev",
        "login": login,
        "extra": {"iam": True, "region": "us-east-1", **extra},
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_OF_SQL_HOOK", json.dumps(aws))
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_BY_IAM", json.dumps(redshift))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    # The hook hands iam on to the driver, which then asks AWS once more, by itself.
    for name, given in local_aws.env().items():
        monkeypatch.setenv(name, given)
    hook = RedshiftSQLHook(redshift_conn_id="redshift_by_iam", aws_conn_id="aws_of_sql_hook")
    assert hook.get_first("SELECT current_user")[0] == user
