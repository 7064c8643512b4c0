"""The local AWS as a process: it offers every service, and never outlives who started it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from support.aws_fixtures import client, running_aws

from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.leash import Interrupted, ProcessFailedError

if TYPE_CHECKING:
    from pathlib import Path


def wait_until_gone(processes: list[psutil.Process]) -> list[psutil.Process]:
    """The processes that still run after ten seconds."""
    _, left = psutil.wait_procs(processes, timeout=10)
    return list(left)


def test_the_other_services_answer() -> None:
    with running_aws() as aws:
        sns, sqs, s3, kms = (client(aws, name) for name in ("sns", "sqs", "s3", "kms"))
        topic = sns.create_topic(Name="loads")["TopicArn"]
        queue = sqs.create_queue(QueueName="events")["QueueUrl"]
        queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
        s3.create_bucket(Bucket="landing")
        s3.put_bucket_notification_configuration(
            Bucket="landing",
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": queue_arn, "Events": ["s3:ObjectCreated:*"]}]
            },
        )
        s3.put_object(Bucket="landing", Key="in/a+b", Body=b"x")
        sns.publish(TopicArn=topic, Message="loaded")
        bodies: list[dict[str, Any]] = []
        while len(bodies) < 3:
            answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=5)
            bodies += [json.loads(each["Body"]) for each in answer["Messages"]]
            for each in answer["Messages"]:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
        assert any(body.get("Message") == "loaded" for body in bodies)
        assert any("Records" in body for body in bodies)
        key_id = kms.create_key()["KeyMetadata"]["KeyId"]
        sealed = kms.encrypt(KeyId=key_id, Plaintext=b"secret", EncryptionContext={"a": "b"})["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"a": "b"})["Plaintext"] == b"secret"
        assert client(aws, "sts").get_caller_identity()["Account"] == "123456789012"
        secrets = client(aws, "secretsmanager")
        secrets.create_secret(Name="s", SecretString="v")
        assert secrets.get_secret_value(SecretId="s")["SecretString"] == "v"
        document = json.dumps({"Version": "2012-10-17", "Statement": []})
        iam = client(aws, "iam")
        assert iam.create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]["Arn"].endswith("role/r")


def children() -> set[psutil.Process]:
    """The processes below this one; other tests have some that stay."""
    return set(psutil.Process().children(recursive=True))


def test_stopping_leaves_no_process() -> None:
    before = children()
    aws = LocalAws().start()
    started = children() - before
    assert started
    aws.stop()
    assert wait_until_gone([*started]) == []
    aws.stop()


def test_a_port_that_is_taken_is_a_clear_failure() -> None:
    with running_aws() as aws, pytest.raises(ProcessFailedError, match="local AWS ended"):
        LocalAws(port=aws.port).start()


def test_another_interpreter_may_be_the_one_that_has_what_it_needs(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ntouch {tmp_path}/used\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with LocalAws(python=str(python)) as aws:
        assert aws.requests()
    assert (tmp_path / "used").exists()


def test_starting_can_be_interrupted() -> None:
    before = children()
    with pytest.raises(Interrupted):
        LocalAws(stopping=lambda: True).start()
    assert wait_until_gone([*children() - before]) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_dies_with_the_process_that_started_it(number: signal.Signals) -> None:
    """Even a killed starter leaves nothing: its end closes the leash."""
    program = (
        "import sys, time\n"
        "from rsloader_provider.local.aws import LocalAws\n"
        "aws = LocalAws().start()\n"
        "print(aws.port, flush=True)\n"
        "time.sleep(600)\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    try:
        assert starter.stdout is not None
        assert int(starter.stdout.readline()) > 0
        below = psutil.Process(starter.pid).children(recursive=True)
        assert len(below) == 2
    finally:
        starter.send_signal(number)
        starter.wait()
        assert starter.stdout is not None
        starter.stdout.close()
    assert wait_until_gone(below) == []


def test_a_leash_kills_the_orphans_of_its_command() -> None:
    """A command that ends and leaves a child of its own in another session leaves nothing after all."""
    if not sys.platform.startswith("linux"):
        # Only Linux lets a process adopt its orphans; elsewhere the promise is smaller, and so is the test.
        return
    program = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
    )
    leash = subprocess.Popen(
        [sys.executable, "-m", "rsloader_provider.local.leash", sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with leash:
        assert leash.stdout is not None
        orphan = int(leash.stdout.readline())
        assert leash.wait(10) == 0
    assert not psutil.pid_exists(orphan)
