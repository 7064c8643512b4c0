"""The local AWS decides over KMS keys as AWS does: by key, action and encryption context."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from support.loader_services import aws_client_arguments

from rsloader_provider.aws.kms import KmsKeys
from rsloader_provider.core.errors import AccessDeniedError, ConfigurationError
from rsloader_provider.loader.run.load_secrets import decrypt_secret, encrypt_secret
from rsloader_provider.local.aws import LocalAws

ALIAS = "alias/loads"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws(enforce_iam=True) as running:
        yield running


def client(aws: LocalAws, service: str, **key: str) -> Any:
    return boto3.client(service, **aws_client_arguments(aws.endpoint_url) | key)


@pytest.fixture(scope="module")
def key_arn(aws: LocalAws) -> str:
    kms = client(aws, "kms")
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName=ALIAS, TargetKeyId=key["KeyId"])
    return str(key["Arn"])


def user(aws: LocalAws, name: str, **statement: Any) -> KmsKeys:
    """KMS as an IAM user has it who may do what one statement says."""
    iam = client(aws, "iam")
    iam.create_user(UserName=name)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
    iam.put_user_policy(UserName=name, PolicyName="kms", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    secrets = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    return KmsKeys(client(aws, "kms", **secrets))


def test_a_worker_decrypts_the_secrets_of_its_own_load_only(aws: LocalAws, key_arn: str):
    everybody = KmsKeys(client(aws, "kms"))
    mine, other = (encrypt_secret(everybody, load=load, key=ALIAS, secret="hunter2") for load in ("mine", "other"))
    worker = user(
        aws,
        "worker",
        Action="kms:Decrypt",
        Resource="arn:aws:kms:*:*:key/*",
        Condition={"StringEquals": {"kms:EncryptionContext:rsloader:load": "mine"}},
    )
    assert decrypt_secret(worker, load="mine", setting="x", text=mine) == "hunter2"
    with pytest.raises(AccessDeniedError, match=rf"^load other, x: .*kms:Decrypt on resource: {key_arn} .*Allow"):
        decrypt_secret(worker, load="other", setting="x", text=other)
    with pytest.raises(AccessDeniedError, match=rf"^a secret of load mine: KMS key {ALIAS}: .*kms:Encrypt"):
        encrypt_secret(worker, load="mine", key=ALIAS, secret="hunter2")


def test_a_key_may_be_allowed_by_its_arn_and_used_by_its_alias(aws: LocalAws, key_arn: str):
    person = user(aws, "person", Action="kms:Encrypt", Resource=key_arn)
    assert encrypt_secret(person, load="mine", key=ALIAS, secret="hunter2").startswith("kms:")


def test_a_key_that_is_switched_off_does_nothing_and_its_state_is_told(aws: LocalAws):
    kms = client(aws, "kms")
    key = kms.create_key()["KeyMetadata"]
    text = encrypt_secret(KmsKeys(kms), load="mine", key=key["Arn"], secret="hunter2")
    for switch_off, said in ((kms.disable_key, "is disabled"), (kms.schedule_key_deletion, "pending deletion")):
        switch_off(KeyId=key["KeyId"])
        with pytest.raises(ConfigurationError, match=rf"^load mine, x: .*{key['Arn']}.*{said}"):
            decrypt_secret(KmsKeys(kms), load="mine", setting="x", text=text)
    kms.cancel_key_deletion(KeyId=key["KeyId"])
    kms.enable_key(KeyId=key["KeyId"])
    assert decrypt_secret(KmsKeys(kms), load="mine", setting="x", text=text) == "hunter2"


def test_a_ciphertext_that_names_no_key_is_refused_by_kms_itself(aws: LocalAws):
    with pytest.raises(ClientError, match="InvalidCiphertextException"):
        client(aws, "kms").decrypt(CiphertextBlob=b"\xff" * 10)
