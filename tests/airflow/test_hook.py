"""Airflow's connections, and what is said when one is missing or wrong."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from rsloader_provider.airflow_compat import AirflowException, AirflowFailException
from rsloader_provider.core.errors import (
    AccessDeniedError,
    AttemptLostError,
    BadDataError,
    ConfigurationError,
    ConnectionLostError,
    NotSetUpError,
    RsloaderError,
    SerializationError,
    TransientError,
)
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.task_failures import as_task_failures


def test_a_connection_that_does_not_exist_is_named(connections: Any):
    with (
        pytest.raises(ConfigurationError, match="no Airflow connection nowhere"),
        RsloaderHook().get_conn().warehouse.connect("nowhere"),
    ):
        pass


def test_an_extra_that_the_driver_does_not_know_is_named(connections: Any, monkeypatch: pytest.MonkeyPatch):
    odd = {"conn_type": "redshift", "host": "localhost", "port": 1, "extra": {"colour": "red"}}
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps(odd))
    with pytest.raises(ConfigurationError, match="colour"), RsloaderHook().get_conn().warehouse.connect("odd"):
        pass


def test_an_aws_connection_that_does_not_exist_is_named_instead_of_taking_other_credentials(
    connections: Any, monkeypatch: pytest.MonkeyPatch
):
    """The amazon provider would go on with whatever credentials the machine has, perhaps another account's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "accounts")
    for use in (RsloaderHook("nowhere").get_conn, RsloaderHook("nowhere").dynamodb):
        with pytest.raises(ConfigurationError, match="no Airflow connection nowhere"):
            use()


def test_without_aws_default_boto3_looks_for_credentials_itself(monkeypatch: pytest.MonkeyPatch):
    """On MWAA and on instances with a role nobody makes that connection."""
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for aws_conn_id in (None, "aws_default"):
        assert RsloaderHook(aws_conn_id).dynamodb().meta.service_model.service_name == "dynamodb"


IAM = {"conn_type": "redshift", "login": "loader", "schema": "dev", "extra": {"iam": True}}
SERVERLESS = {**IAM, "extra": {"iam": True, "is_serverless": True}}
IN_CLUSTER = {**IAM, "host": "gone.abc.us-east-1.redshift.amazonaws.com"}


class RefusingAws(BaseHTTPRequestHandler):
    """Answers each request of Redshift's API as it is told; a small honest AWS, since moto grants everything."""

    answer = (403, "AccessDenied")

    def do_POST(self) -> None:
        status, code = self.answer
        body = f"<ErrorResponse><Error><Code>{code}</Code><Message>because</Message></Error></ErrorResponse>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def refusing_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[RefusingAws]]:
    """Stands behind `aws_default`."""

    class Told(RefusingAws):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Told) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        extra = {"endpoint_url": f"http://127.0.0.1:{server.server_port}", "region_name": "us-east-1"}
        connection = {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
        yield Told
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("connection", "answer", "error", "said"),
    [
        (IN_CLUSTER, (403, "AccessDenied"), AccessDeniedError, "GetClusterCredentials"),
        (IN_CLUSTER, (404, "ClusterNotFound"), NotSetUpError, "cluster_identifier"),
        (IN_CLUSTER, (400, "Throttling"), TransientError, "Throttling"),
        (IAM, (403, "AccessDenied"), ConfigurationError, "set cluster_identifier or host"),
        (SERVERLESS, (403, "AccessDenied"), ConfigurationError, "set serverless_work_group"),
    ],
)
def test_a_temporary_password_that_is_not_given_says_what_to_do(
    refusing_aws: type[RefusingAws],
    monkeypatch: pytest.MonkeyPatch,
    connection: dict[str, Any],
    answer: tuple[int, str],
    error: type[RsloaderError],
    said: str,
):
    """Errors of other types would end the task without a word in the ledger of what to do."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AIRFLOW_CONN_TEMPORARY", json.dumps(connection))
    refusing_aws.answer = answer
    with (
        pytest.raises(RsloaderError, match=f"(?s)connection temporary.*{said}") as raised,
        RsloaderHook().get_conn().warehouse.connect("temporary"),
    ):
        pass
    assert type(raised.value) is error


def test_a_role_that_may_not_be_assumed_says_so(refusing_aws: type[RefusingAws], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(
        "AWS_ENDPOINT_URL_STS", json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"])["extra"]["endpoint_url"]
    )
    role = {"role_arn": "arn:aws:iam::123456789012:role/loader", "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "a", "password": "b", "extra": role}
    monkeypatch.setenv("AIRFLOW_CONN_ROLE", json.dumps(connection))
    with pytest.raises(AccessDeniedError, match=r"Airflow connection role.*AssumeRole"):
        RsloaderHook("role").get_conn()


@pytest.mark.parametrize("error", [ConnectionLostError("x"), SerializationError("x")])
def test_what_may_help_itself_is_tried_again(error: Exception):
    with pytest.raises(AirflowException) as raised, as_task_failures():
        raise error
    assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.parametrize("error", [BadDataError("x"), AttemptLostError("x"), AccessDeniedError("x")])
def test_what_does_not_help_itself_fails_at_once(error: Exception):
    with pytest.raises(AirflowFailException, match=type(error).__name__), as_task_failures():
        raise error


def test_all_clients_share_one_session_and_so_a_role_is_assumed_once(
    connections: Any, local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch
):
    extra = {
        "role_arn": "arn:aws:iam::123456789012:role/loader",
        "endpoint_url": local_aws.endpoint_url,
        "service_config": {"sts": {"endpoint_url": local_aws.endpoint_url}},
        "region_name": "us-east-1",
    }
    aws = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
    before = roles_assumed(local_aws)
    hook = RsloaderHook()
    for each in (hook.get_conn, hook.get_inventory, hook.get_keys, hook.get_secrets):
        each()
    assert roles_assumed(local_aws) - before == 1


def roles_assumed(local_aws: LocalAws) -> int:
    return local_aws.requests()["operations"].get("sts", {}).get("AssumeRole", 0)
