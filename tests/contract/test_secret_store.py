"""What every store of secrets keeps to: it writes once."""

from typing import Any

import boto3
import pytest
from support.fakes.secret_store import MemorySecretStore

from rsloader_provider.aws.secrets_manager import SecretsManager
from rsloader_provider.loader.ports.secret_store import SecretStore, Stored


@pytest.fixture(params=["memory", "secretsmanager"])
def store(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemorySecretStore()
    return SecretsManager(boto3.client("secretsmanager", **request.getfixturevalue("aws_arguments")))


def test_a_secret_is_stored_once_and_never_written_over(store: SecretStore):
    name = "airflow/connections/contract"
    assert store.look(name, "one") is Stored.CREATED
    assert store.put(name, "one") is Stored.CREATED
    assert store.put(name, "one") is store.look(name, "one") is Stored.SAME
    assert store.put(name, "two") is store.look(name, "two") is Stored.OTHER
    assert store.look(name, "one") is Stored.SAME


def test_a_secret_that_has_no_value_yet_is_not_said_to_be_created(aws_arguments: dict[str, Any]):
    client = boto3.client("secretsmanager", **aws_arguments)
    client.create_secret(Name="empty")
    assert SecretsManager(client).put("empty", "one") is Stored.OTHER
