"""Every documented way to Redshift, from an Airflow connection to an answer: docs/redshift-access.md."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
import redshift_connector
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook
from airflow.sdk._shared.secrets_masker import redact
from airflow.sdk.configuration import clear_secrets_backends_cache

from rsloader_provider.core.config.target import Transport
from rsloader_provider.core.errors import AccessDeniedError, ConfigurationError, TransientError
from rsloader_provider.core.redshift import sql
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

WHO = sql.UserStatement("SELECT current_user")
PASSWORD = "Loader-s3cret"


class Account:
    """An AWS account with a Redshift that speaks TLS; every cluster and workgroup is that one."""

    def __init__(self, aws: LocalAws, redshift: LocalRedshift, certificate: Path):
        self.aws, self.redshift, self.certificate = aws, redshift, certificate
        held = json.dumps({"username": "loader", "password": PASSWORD})
        self.secrets = self.client("secretsmanager")
        self.secret_arn = self.secrets.create_secret(Name="redshift", SecretString=held)["ARN"]

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.aws.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def connection(self, **fields: Any) -> str:
        return json.dumps({"conn_type": "redshift", "schema": self.redshift.database, **fields})

    @property
    def server(self) -> Mapping[str, Any]:
        return {"host": "localhost", "port": self.redshift.port}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"
    subject = ["-addext", "subjectAltName=DNS:localhost", "-out", certificate, "-keyout", key]
    subprocess.run([*command.split(), *subject], check=True, capture_output=True)
    with (
        LocalAws() as aws,
        LocalRedshift(s3_endpoint=aws.endpoint_url, tls=(certificate, key), users={"loader": PASSWORD}) as redshift,
    ):
        aws.use_redshift(
            host=redshift.host, port=redshift.port, database=redshift.database, user=redshift.user,
            password=redshift.password,
        )  # fmt: skip
        yield Account(aws, redshift, certificate)


@pytest.fixture(autouse=True)
def aws_default(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The AWS connection; and the machine trusts the certificate, as it trusts Amazon's."""
    extra = {"endpoint_url": account.aws.endpoint_url, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("SSL_CERT_FILE", str(account.certificate))


def asked(transport: Transport) -> str:
    with RsloaderHook().get_conn().warehouse.connect("warehouse", transport) as session:
        return str(session.execute(WHO)[0][0])


def test_user_and_password(account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    connection = account.connection(**account.server, login="loader", password=PASSWORD)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection)
    assert asked("driver") == "loader"
    assert caplog.messages == [], "TLS is on, and verified"


@pytest.mark.parametrize(
    ("extra", "user"),
    [
        ({"iam": True, "cluster_identifier": "acme"}, "loader"),
        ({"iam": True, "is_serverless": True, "serverless_work_group": "wg1"}, "awsuser"),
    ],
    ids=["cluster", "workgroup"],
)
def test_temporary_credentials_of_iam(
    account: Account, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], user: str
):
    """No password is kept anywhere, and the caller of AWS is the AWS connection: the machine has no credentials."""
    connection = account.connection(**account.server, login="loader", extra=extra)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection)
    assert asked("driver") == user


APPLICATION = sql.UserStatement("SELECT current_setting('application_name')")


@pytest.mark.parametrize("how", [{"password": PASSWORD}, {"extra": {"iam": True, "cluster_identifier": "acme"}}])
@pytest.mark.parametrize(("own", "shown"), [({}, "rsloader"), ({"application_name": "orders"}, "orders")])
def test_a_dba_sees_who_has_connected(
    account: Account, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], own: dict[str, str], shown: str
):
    """Unless the connection gives itself a name."""
    connection = {**how, "extra": how.get("extra", {}) | own}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", account.connection(**account.server, login="loader", **connection))
    with RsloaderHook().get_conn().warehouse.connect("warehouse", "driver") as session:
        assert session.execute(APPLICATION) == [[shown]]


def test_a_temporary_password_is_masked_in_logs(account: Account, monkeypatch: pytest.MonkeyPatch):
    given: list[str] = []

    def connect(**arguments: Any) -> None:
        given.append(arguments["password"])
        raise redshift_connector.InterfaceError("no way")

    monkeypatch.setattr(redshift_connector, "connect", connect)
    extra = {"iam": True, "cluster_identifier": "acme"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", account.connection(**account.server, login="loader", extra=extra))
    with pytest.raises(TransientError, match="no way"):
        asked("driver")
    assert redact(f"the password is {given[0]}") == "the password is ***"


@pytest.fixture
def secrets_manager(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Airflow asks Secrets Manager for its connections first, as the machine and not as an Airflow connection."""
    settings = {"connections_prefix": "airflow/connections", "region_name": "us-east-1"}
    backend = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", backend)
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND_KWARGS", json.dumps(settings))
    for name, value in account.aws.env().items():
        monkeypatch.setenv(name, value)
    yield
    clear_secrets_backends_cache()


@pytest.mark.usefixtures("secrets_manager")
def test_a_connection_that_airflows_secrets_backend_keeps(account: Account):
    connection = account.connection(**account.server, login="loader", password=PASSWORD)
    account.secrets.create_secret(Name="airflow/connections/warehouse", SecretString=connection)
    assert asked("driver") == "loader"


@pytest.mark.parametrize(
    ("fields", "user"),
    [
        ({"login": "loader", "extra": {"cluster_identifier": "acme", "region": "us-east-1"}}, "loader"),
        ({"extra": {"is_serverless": True, "serverless_work_group": "wg1"}}, "awsuser"),
        ({"extra": {"cluster_identifier": "acme", "secret_arn": "redshift"}}, "loader"),
    ],
    ids=["cluster", "workgroup", "secret"],
)
def test_the_data_api(account: Account, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], user: str):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", account.connection(**fields))
    assert asked("data_api") == user


def test_the_data_api_tells_of_a_wrong_password(account: Account, monkeypatch: pytest.MonkeyPatch):
    held = json.dumps({"username": "loader", "password": "hunter2"})
    wrong = account.secrets.create_secret(Name="wrong", SecretString=held)["ARN"]
    extra = {"cluster_identifier": "acme", "secret_arn": wrong}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", account.connection(extra=extra))
    with pytest.raises(AccessDeniedError, match="Connection warehouse: password authentication failed") as told:
        asked("data_api")
    assert "hunter2" not in str(told.value)


def test_where_a_secret_is_kept_is_no_secret(account: Account, monkeypatch: pytest.MonkeyPatch):
    """An error about a right that is missing names the secret's ARN."""
    extra = {"secret_arn": account.secret_arn, "access_token": "a token"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", account.connection(extra=extra))
    assert RsloaderHook()._secrets("warehouse") == ("a token",)


@pytest.mark.parametrize("transport", ["driver", "data_api"])
def test_a_connection_that_nobody_made_is_named(transport: Transport):
    with pytest.raises(ConfigurationError, match="no Airflow connection warehouse"):
        asked(transport)


def test_a_connection_that_lacks_something_is_named_with_the_key(account: Account, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", account.connection(login="loader"))
    with pytest.raises(ConfigurationError, match=r"connection warehouse .*`cluster_identifier`"):
        asked("data_api")


def test_a_certificate_that_nobody_trusts_is_refused(account: Account, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr(RedshiftSQLHook.get_conn.retry, "sleep", lambda _: None)  # type: ignore[attr-defined]
    connection = account.connection(**account.server, login="loader", password=PASSWORD)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection)
    with pytest.raises(TransientError, match="certificate verify failed"):
        asked("driver")


def test_a_connection_without_tls_is_warned_of(
    account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    connection = account.connection(**account.server, login="loader", password=PASSWORD, extra={"ssl": False})
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection)
    assert asked("driver") == "loader"
    assert [message for message in caplog.messages if "warehouse switches TLS off" in message]


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        ("redshift://loader:x@localhost/dev?ssl=true", "`ssl` in its extra is not a boolean"),
        ('{"conn_type": "redshift", "host": "h", "extra": {"iam": true, "ssl": false}}', "`iam` .* switch TLS off"),
        ("redshift://loader:x@localhost/dev?sslmode=require", "`sslmode` .*verify-full or verify-ca"),
    ],
)
def test_what_the_driver_would_take_for_no_tls_is_refused(monkeypatch: pytest.MonkeyPatch, connection: str, said: str):
    """The driver uses TLS for True and nothing else, and passes over a mode that it does not know."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection)
    with pytest.raises(ConfigurationError, match=said):
        asked("driver")
