"""The ways in which Redshift reads S3, from Airflow's connections to rows, against a local S3 that checks keys."""

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from airflow.sdk._shared.secrets_masker import redact
from botocore.config import Config
from support import secret_search
from support.objects import a_config

from rsloader_provider.aws.kms import KmsKeys
from rsloader_provider.core.errors import AccessDeniedError, ConfigurationError, RsloaderError, TransientError
from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.loader.run.load_secrets import encrypt_secret
from rsloader_provider.loader.services import Services
from rsloader_provider.local.aws import LocalAws

if TYPE_CHECKING:
    from conftest import Loads

AccessKey = dict[str, Any]
Connection = Callable[..., None]


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch, local_aws: LocalAws) -> Connection:
    """Makes the Airflow connection `lake`."""

    def make(login: str, password: str, **extra: Any) -> None:
        for service in ("", "_STS"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL{service}", local_aws.endpoint_url)
        given = {"region_name": "us-east-1", **extra}
        content = {"conn_type": "aws", "login": login, "password": password, "extra": given}
        monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(content))

    return make


@pytest.fixture
def user_key(loads: "Loads", aws_arguments: dict[str, Any]) -> AccessKey:
    iam = boto3.client("iam", **aws_arguments)
    iam.create_user(UserName=f"reader-{loads.number}")
    key = dict(iam.create_access_key(UserName=f"reader-{loads.number}")["AccessKey"])
    secret_search.use(the_secret_of_an_access_key=key["SecretAccessKey"])
    return key


@cache
def services() -> Services:
    """The loader with the connections of these tests, which asks them anew for each key."""
    return RsloaderHook().get_conn()


class Locked:
    """A load with a batch of two files that waits to be loaded."""

    def __init__(self, loads: "Loads", **copy: str):
        self.config = a_config(**loads.write(copy={"format": "csv", **copy}))
        loads.put("1.csv", "2.csv")
        self.services = services()
        (work,) = buffer_objects(self.config, self.services, run="dag/run", is_active=lambda _: False, max_work=9)
        self.batch, self.target = work.batch.batch, work.target

    def load(self) -> None:
        load_batch(self.config, self.services, self.batch, self.target, Asker("try-1", "dag/run-1"))

    def refused(self, kind: type[RsloaderError]) -> str:
        """Load, which must fail and leave the batch where the next run tries it again; gives the message."""
        with pytest.raises(RsloaderError) as told:
            self.load()
        assert type(told.value) is kind
        assert self.services.ledger.get(self.config.load, self.batch).status is BatchStatus.LOCKED
        return str(told.value)


def encrypted(loads: "Loads", aws_arguments: dict[str, Any], secret: str) -> str:
    kms = boto3.client("kms", **aws_arguments)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    return encrypt_secret(KmsKeys(kms), load=loads.load, key=key, secret=secret)


def test_an_encrypted_key_reads(loads: "Loads", user_key: AccessKey, aws_arguments: dict[str, Any]):
    secret = encrypted(loads, aws_arguments, user_key["SecretAccessKey"])
    locked = Locked(loads, access_key_id=user_key["AccessKeyId"], secret_access_key=secret)
    locked.load()
    assert loads.rows() == [1, 1]


def test_a_wrong_secret_says_where_it_comes_from_and_not_what_it_is(
    loads: "Loads", user_key: AccessKey, aws_arguments: dict[str, Any]
):
    secret = encrypted(loads, aws_arguments, "planted/wrong/secret")
    locked = Locked(loads, access_key_id=user_key["AccessKeyId"], secret_access_key=secret)
    said = locked.refused(AccessDeniedError)
    assert "SignatureDoesNotMatch" in said
    assert "copy.access_key_id" in said
    assert "`rsloader encrypt`" in said
    assert "planted" not in said


def test_a_connections_long_lived_key_reads_without_a_token(
    loads: "Loads", user_key: AccessKey, connection: Connection
):
    connection(user_key["AccessKeyId"], user_key["SecretAccessKey"])
    locked = Locked(loads, aws_conn_id="lake")
    locked.load()
    assert loads.rows() == [1, 1]


def test_a_connections_role_reads_with_its_token(loads: "Loads", connection: Connection, local_aws: LocalAws):
    connection("local", "local", role_arn="arn:aws:iam::123456789012:role/lake-reader")
    locked = Locked(loads, aws_conn_id="lake")
    locked.load()
    assert loads.rows() == [1, 1]


def test_a_token_that_ended_is_asked_for_anew(loads: "Loads", connection: Connection, aws_arguments: dict[str, Any]):
    """One that a person wrote into the connection cannot be: the message says so."""
    sts = boto3.client("sts", **aws_arguments, config=Config(parameter_validation=False))
    ended = sts.get_session_token(DurationSeconds=-60)["Credentials"]
    connection(ended["AccessKeyId"], ended["SecretAccessKey"], aws_session_token=ended["SessionToken"])
    locked = Locked(loads, aws_conn_id="lake")
    said = locked.refused(TransientError)
    assert "ExpiredToken" in said
    assert "Airflow connection lake" in said
    assert "replaced" in said
    assert ended["SessionToken"] not in said
    secret_search.use(a_session_token=ended["SessionToken"], its_secret=ended["SecretAccessKey"])
    fresh = sts.get_session_token(DurationSeconds=3600)["Credentials"]
    connection(fresh["AccessKeyId"], fresh["SecretAccessKey"], aws_session_token=fresh["SessionToken"])
    locked.load()
    assert loads.rows() == [1, 1]


def test_a_connection_that_is_missing_is_named_instead_of_taking_the_workers_own(loads: "Loads"):
    locked = Locked(loads, aws_conn_id="nowhere")
    said = locked.refused(ConfigurationError)
    assert "no Airflow connection nowhere" in said
    assert "copy.aws_conn_id" in said


def test_airflow_is_told_to_mask_the_key_whoever_else_would_log_it(
    loads: "Loads", user_key: AccessKey, connection: Connection
):
    """The driver, for one, writes the server's words into the log when it is asked for all that it does."""
    connection(user_key["AccessKeyId"], user_key["SecretAccessKey"])
    assert services().access_key(a_config(**loads.write(copy={"format": "csv", "aws_conn_id": "lake"})))
    assert redact(f"the key is {user_key['SecretAccessKey']}") == "the key is ***"
