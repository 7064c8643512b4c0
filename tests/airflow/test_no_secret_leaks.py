"""Secrets of connections stay in them: no log, XCom, rendered field, ledger item or notification holds one."""

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from airflow.dag_processing.dagbag import DagBag

from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

if TYPE_CHECKING:
    from conftest import Loads

PASSWORD, WRONG_PASSWORD, EXTRA = "planted-Passw0rd", "planted-wrong-Passw0rd", "planted-extra-Passw0rd"

Login = Callable[[str], None]


@pytest.fixture
def access_key(local_aws: LocalAws, aws_arguments: dict[str, Any]) -> Iterator[dict[str, str]]:
    iam = boto3.client("iam", **aws_arguments)
    iam.create_user(UserName="planted")
    key = iam.create_access_key(UserName="planted")["AccessKey"]
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


def airflows_database_and_logs() -> str:
    """All that Airflow keeps: XCom, rendered fields, DAGs, task instances, log files."""
    home = Path(os.environ["AIRFLOW_HOME"])
    dump = "\n".join(sqlite3.connect(home / "airflow.db").iterdump())
    return dump + "".join(each.read_text(errors="replace") for each in (home / "logs").rglob("*") if each.is_file())


def told_to_subscribers(aws_arguments: dict[str, Any], queue: str) -> str:
    sqs = boto3.client("sqs", **aws_arguments)
    messages: list[str] = []
    while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        messages += [each["Body"] for each in found]
        for each in found:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
    return "\n".join(messages)


@pytest.mark.usefixtures("airflow_database")
def test_runs_that_succeed_and_fail_tell_no_secret(
    loads: "Loads",
    log_in: Login,
    access_key: dict[str, str],
    aws_arguments: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
):
    sns, sqs = (boto3.client(name, **aws_arguments) for name in ("sns", "sqs"))
    topic = sns.create_topic(Name=f"planted-{loads.number}")["TopicArn"]
    queue = sqs.create_queue(QueueName=f"planted-{loads.number}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    loads.write(notify={"success": topic, "failure": topic})

    loads.put("1.csv", "2.csv")
    with caplog.at_level(logging.DEBUG, "rsloader_provider"):
        log_in(WRONG_PASSWORD)
        assert run(loads) == "failed"
        log_in(PASSWORD)
        loads.put("3.csv", "4.csv", content="no number\n")
        assert run(loads) == "failed"
    assert loads.rows() == [1, 1], "what the wrong password held up is loaded, and the bad data is not"

    ledger = repr(list(RsloaderHook().get_conn().ledger.batches(loads.load)))
    output = "".join(capfd.readouterr())
    places = {
        "log": caplog.text,
        "output": output,
        "airflow": airflows_database_and_logs(),
        "ledger": ledger,
        "subscribers": told_to_subscribers(aws_arguments, queue),
    }
    found = {
        "log": "record notified",
        "output": "BadDataError",
        "airflow": f'"{loads.load}"',
        "ledger": "no number",
        "subscribers": "no number",
    }
    assert [place for place, text in found.items() if text not in places[place]] == [], "the search finds what is there"
    secrets = (PASSWORD, WRONG_PASSWORD, access_key["SecretAccessKey"])
    assert [(place, secret) for place, text in places.items() for secret in secrets if secret in text] == []


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
