"""Secrets of connections stay in them: no log, XCom, rendered field, ledger item or notification holds one."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from airflow.dag_processing.dagbag import DagBag
from support import secret_search

from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.aws.kms import KmsKeys
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.load_secrets import encrypt_secret
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

if TYPE_CHECKING:
    from conftest import Loads

PASSWORD, WRONG_PASSWORD, EXTRA = "planted-Passw0rd", "planted-wrong-Passw0rd", "planted-extra-Passw0rd"

Login = Callable[[str], None]


@pytest.fixture
def access_key(aws_arguments: dict[str, Any]) -> Iterator[dict[str, str]]:
    iam = boto3.client("iam", **aws_arguments)
    iam.create_user(UserName="planted")
    key = iam.create_access_key(UserName="planted")["AccessKey"]
    secret_search.use(the_secret_of_the_workers_key=key["SecretAccessKey"])
    yield key
    iam.delete_access_key(UserName="planted", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="planted")


@pytest.fixture
def log_in(
    loads: "Loads",
    monkeypatch: pytest.MonkeyPatch,
    local_aws: LocalAws,
    redshift: LocalRedshift,
    access_key: dict[str, str],
) -> Login:
    """Makes the connections, with secrets that are easily searched for."""
    user = f"planted_{loads.number}"
    schema, table = loads.table.split(".")
    loads.query(f"CREATE USER {user} PASSWORD '{PASSWORD}'")
    loads.query(f"GRANT USAGE ON SCHEMA rsloader TO {user}")
    loads.query(f"GRANT INSERT ON {loads.table} TO {user}")
    loads.query(f'ALTER TABLE rsloader."{schema}__{table}" OWNER TO {user}')

    def make(password: str) -> None:
        secret_search.use(a_password_of_Redshift=password)
        aws = {
            "conn_type": "aws",
            "login": access_key["AccessKeyId"],
            "password": access_key["SecretAccessKey"],
            "extra": {"endpoint_url": local_aws.endpoint_url, "region_name": "us-east-1"},
        }
        warehouse = {
            "conn_type": "redshift",
            "host": redshift.host,
            "port": redshift.port,
            "login": user,
            "password": password,
            "schema": redshift.database,
            "extra": {"ssl": False},
        }
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
        monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(warehouse))

    return make


def run(loads: "Loads") -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__RSLOADER__LOADS_FOLDER", str(loads.folder))
        dag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).dags[f"rsloader_{loads.load}"]
        for task in dag.tasks:
            task.retries = 0
        return str(dag.test().state)


class Places:
    """Everything outside of Redshift in which a run may leave a word."""

    def __init__(self, loads: "Loads", aws_arguments: dict[str, Any]):
        self._loads = loads
        self._dynamodb, self._sqs, self._sns = (
            boto3.client(name, **aws_arguments) for name in ("dynamodb", "sqs", "sns")
        )
        name = f"planted-{loads.number}"
        self.topic = self._sns.create_topic(Name=name)["TopicArn"]
        self._queue = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        asked = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        self._sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=asked["Attributes"]["QueueArn"])

    def texts(self) -> dict[str, str]:
        return {
            "the notifications": "\n".join(self._told()),
            "DynamoDB": "\n".join(self._items()),
            "the manifests": "\n".join(self._manifests()),
            "the load file": "".join(each.read_text() for each in self._loads.folder.iterdir()),
        }

    def _told(self) -> Iterator[str]:
        while found := self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for each in found:
                yield each["Body"]
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=each["ReceiptHandle"])

    def _items(self) -> Iterator[str]:
        for table in (TableNames().files, TableNames().batches):
            for page in self._dynamodb.get_paginator("scan").paginate(TableName=table):
                yield from (json.dumps(each, default=repr) for each in page["Items"])

    def _manifests(self) -> Iterator[str]:
        bucket = self._loads.bucket
        for prefix in ("manifests/", "failed/"):
            for each in self._loads.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ()):
                body = self._loads.s3.get_object(Bucket=bucket, Key=each["Key"])["Body"]
                yield each["Key"] + body.read().decode()


@pytest.fixture
def places(loads: "Loads", aws_arguments: dict[str, Any]) -> Places:
    return Places(loads, aws_arguments)


def searched(
    places: Places, log: pytest.LogCaptureFixture, output: pytest.CaptureFixture[str], finds: dict[str, str]
) -> None:
    """Search all places for all secrets, once they hold what they must hold anyway."""
    texts = {"the log": log.text, "the output": "".join(output.readouterr()), **places.texts()}
    for place, word in finds.items():
        assert word in texts[place], f"the search finds what is in {place}"
    home = Path(os.environ["AIRFLOW_HOME"])
    assert secret_search.secrets_below(home, ["rsloader_orders_"]) != [], "the search finds what Airflow keeps"
    assert secret_search.secrets_in_texts(texts, secret_search.USED) == []
    assert secret_search.secrets_below(home, secret_search.USED) == []


@pytest.mark.usefixtures("airflow_database")
def test_runs_that_succeed_and_fail_tell_no_secret(
    loads: "Loads",
    log_in: Login,
    places: Places,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
):
    loads.write(notify={"success": places.topic, "failure": places.topic})
    loads.put("1.csv", "2.csv")
    with caplog.at_level(logging.DEBUG, "rsloader_provider"):
        log_in(WRONG_PASSWORD)
        assert run(loads) == "failed"
        log_in(PASSWORD)
        loads.put("3.csv", "4.csv", content="no number\n")
        assert run(loads) == "failed"
    assert loads.rows() == [1, 1], "what the wrong password held up is loaded, and the bad data is not"
    finds = {
        "the log": "record notified",
        "the output": "BadDataError",
        "DynamoDB": "no number",
        "the notifications": "no number",
        "the manifests": "3.csv",
    }
    searched(places, caplog, capfd, finds)


@pytest.fixture
def ways_to_read(
    loads: "Loads", aws_arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> dict[str, dict[str, str]]:
    """Settings of `copy` by which Redshift reads with a temporary key, and with one whose secret KMS encrypts."""
    key = boto3.client("sts", **aws_arguments).get_session_token()["Credentials"]
    secret_search.use(the_secret_of_a_temporary_key=key["SecretAccessKey"], its_token=key["SessionToken"])
    extra = {"region_name": "us-east-1", "aws_session_token": key["SessionToken"]}
    lake = {"conn_type": "aws", "login": key["AccessKeyId"], "password": key["SecretAccessKey"], "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(lake))
    iam, kms = boto3.client("iam", **aws_arguments), boto3.client("kms", **aws_arguments)
    iam.create_user(UserName="planted_reader")
    user = iam.create_access_key(UserName="planted_reader")["AccessKey"]
    (secret,) = secret_search.use(the_secret_of_an_encrypted_key=user["SecretAccessKey"])
    encrypted = encrypt_secret(
        KmsKeys(kms), load=loads.load, key=kms.create_key()["KeyMetadata"]["KeyId"], secret=secret
    )
    return {
        "connection": {"aws_conn_id": "lake"},
        "key": {"access_key_id": user["AccessKeyId"], "secret_access_key": encrypted},
    }


@pytest.mark.usefixtures("airflow_database")
def test_the_key_that_copy_carries_is_told_nowhere_not_even_where_redshift_quotes_the_statement(
    loads: "Loads",
    log_in: Login,
    places: Places,
    ways_to_read: dict[str, dict[str, str]],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
):
    log_in(PASSWORD)
    notify = {"success": places.topic, "failure": places.topic}
    with caplog.at_level(logging.DEBUG, "rsloader_provider"):
        for number, (way, settings) in enumerate(ways_to_read.items()):
            loads.write(
                notify=notify, failed_manifests=f"s3://{loads.bucket}/failed/", copy={"format": "csv"} | settings
            )
            loads.query("LOCAL FAULT echo BEFORE '^copy'")
            loads.put(f"{number}1.csv", f"{number}2.csv")
            assert run(loads) == "failed", way
        loads.put("3.csv", "4.csv")
        assert run(loads) == "success"
    assert loads.rows() == [1, 1]
    echoed = "SECRET_ACCESS_KEY '***'"
    finds = {
        "the log": "Airflow connection lake",
        "the output": echoed,
        "DynamoDB": echoed,
        "the notifications": echoed,
        "the manifests": "failed/",
        "the load file": "kms:",
    }
    searched(places, caplog, capfd, finds)


@pytest.mark.usefixtures("airflow_database")
def test_the_secret_with_which_the_data_api_logs_in_is_told_nowhere(
    loads: "Loads",
    log_in: Login,
    places: Places,
    aws_arguments: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
):
    log_in(PASSWORD)
    manager = boto3.client("secretsmanager", **aws_arguments)
    held = {"username": f"planted_{loads.number}", "password": WRONG_PASSWORD}
    secret = manager.create_secret(Name=f"planted-{loads.number}", SecretString=json.dumps(held))["ARN"]
    extra = {"cluster_identifier": "acme", "secret_arn": secret, "region": "us-east-1"}
    warehouse = {"conn_type": "redshift", "schema": "dev", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(warehouse))
    target = {"table": loads.table, "transport": "data_api"}
    loads.write(targets=[target], notify={"success": places.topic, "failure": places.topic})
    loads.put("1.csv", "2.csv")
    with caplog.at_level(logging.DEBUG, "rsloader_provider"):
        assert run(loads) == "failed"
        manager.put_secret_value(SecretId=secret, SecretString=json.dumps(held | {"password": PASSWORD}))
        loads.put("3.csv", "4.csv", content="no number\n")
        assert run(loads) == "failed"
    assert loads.rows() == [1, 1], "what the wrong password held up is loaded, and the bad data is not"
    finds = {
        "the log": "record notified",
        "the output": "password authentication failed",
        "DynamoDB": "loaded",
        "the notifications": '\\"status\\": \\"ok\\"',
        "the manifests": "3.csv",
    }
    searched(places, caplog, capfd, finds)


def a_connection(**extra: str) -> str:
    return json.dumps({"conn_type": "redshift", "host": "127.0.0.1", "password": PASSWORD, "extra": extra})


def test_an_extra_that_the_driver_does_not_take_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", a_connection(planted_secret=EXTRA))
    aws = {"conn_type": "aws", "extra": {"region_name": "us-east-1"}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
    with (
        pytest.raises(ConfigurationError, match="planted_secret") as told,
        RsloaderHook().get_conn().warehouse.connect("redshift_default"),
    ):
        pass
    assert EXTRA not in str(told.value)


def test_no_error_may_repeat_the_password_and_what_the_extra_calls_a_secret(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", a_connection(access_token=EXTRA, cluster_identifier="public"))
    assert RsloaderHook()._secrets("redshift_default") == (PASSWORD, EXTRA)
    assert RsloaderHook()._secrets("nowhere") == ()
