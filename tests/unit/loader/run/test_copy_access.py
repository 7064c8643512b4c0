"""How Redshift gets at the objects: one way at a time, fetched right before COPY, and told to nobody else."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError
from support.fakes.credentials import MemoryCredentials
from support.fakes.keys import MemoryKeys
from support.fakes.world import World
from support.objects import TARGET, a_config

from rsloader_provider.core.config import CopyOptions, LoadConfig
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.load_file.reading import LoadFileError, read_load_file
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.access_key import AccessKey
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.other_loads import FindOtherLoads
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.copy_access import CopyAccess
from rsloader_provider.loader.run.load_batch import Outcome, load_batch
from rsloader_provider.loader.run.load_secrets import encrypt_secret

KEY = "alias/loads"
ID, SECRET, TOKEN = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG", "FwoGZXIvYXdzE'\\token"
FIRST = Asker("dag/run-1/load_batch/0/1", "dag/run-1")
ORDERS = TableName("public", "orders")


@pytest.fixture
def keys() -> MemoryKeys:
    return MemoryKeys(KEY)


def keyed(keys: MemoryKeys, load: str = "orders") -> dict[str, Any]:
    text = encrypt_secret(keys, load=load, key=KEY, secret=SECRET)
    return {"format": "csv", "access_key_id": ID, "secret_access_key": text}


def by_connection(conn_id: str = "lake") -> dict[str, Any]:
    return {"format": "csv", "aws_conn_id": conn_id}


def access(keys: MemoryKeys, **connections: AccessKey) -> CopyAccess:
    return CopyAccess(lambda: keys, MemoryCredentials(**connections))


def test_a_role_needs_no_key_and_asks_nobody():
    def nobody() -> Any:
        raise AssertionError("KMS was asked")

    assert CopyAccess(nobody, MemoryCredentials())(a_config()) is None
    assert CopyAccess(nobody, MemoryCredentials(lake=AccessKey(ID, SECRET)))(a_config(copy=by_connection())) is not None


def test_an_encrypted_secret_is_decrypted_for_its_load_only(keys: MemoryKeys):
    assert access(keys)(a_config(copy=keyed(keys))) == AccessKey(ID, SECRET)
    with pytest.raises(ConfigurationError, match=r"^load orders, copy\.secret_access_key: ") as told:
        access(keys)(a_config(copy=keyed(keys, load="others")))
    assert SECRET not in str(told.value)


def test_every_secret_is_masked_before_anybody_has_it(keys: MemoryKeys):
    masked: list[str] = []
    credentials = MemoryCredentials(lake=AccessKey(ID, SECRET, TOKEN))
    give = CopyAccess(lambda: keys, credentials, masked.append)
    give(a_config())
    assert masked == []
    give(a_config(copy=keyed(keys)))
    give(a_config(copy=by_connection()))
    assert masked == [SECRET, SECRET, TOKEN]


def test_a_connection_gives_its_credentials_as_they_are_now(keys: MemoryKeys):
    credentials = MemoryCredentials(lake=AccessKey(ID, SECRET, TOKEN))
    give = CopyAccess(lambda: keys, credentials)
    config = a_config(copy=by_connection())
    assert give(config) == AccessKey(ID, SECRET, TOKEN)
    credentials.connections["lake"] = AccessKey("ASIANEW", "new", "new")
    assert give(config) == AccessKey("ASIANEW", "new", "new")
    with pytest.raises(ConfigurationError, match="nowhere"):
        give(a_config(copy=by_connection("nowhere")))


def test_copy_says_key_and_token_and_its_repr_does_not():
    options = CopyOptions.model_validate(by_connection())
    copy = sql.Copy(ORDERS, None, "s3://l/m", options, AccessKey(ID, SECRET, TOKEN))
    clauses = f"ACCESS_KEY_ID '{ID}' SECRET_ACCESS_KEY '{SECRET}' SESSION_TOKEN 'FwoGZXIvYXdzE''\\\\token' MANIFEST"
    assert clauses in render(copy)
    assert "SESSION_TOKEN" not in render(replace(copy, access_key=AccessKey(ID, SECRET)))
    assert SECRET not in repr(copy)
    assert "token" not in repr(copy)


def test_a_copy_cannot_forget_its_key():
    """It would read with the cluster's default role, which may see more or less than the load should."""
    with pytest.raises(ValueError, match="Airflow connection lake"):
        sql.Copy(ORDERS, None, "s3://l/m", CopyOptions.model_validate(by_connection()))
    with pytest.raises(ValueError, match="default role") as told:
        sql.Copy(ORDERS, None, "s3://l/m", CopyOptions(format="csv"), AccessKey(ID, SECRET))
    assert SECRET not in str(told.value)


SECRET_TEXT = "kms:aHVudGVyMg=="
ROLE = "arn:aws:iam::123456789012:role/x"


@pytest.mark.parametrize(
    ("settings", "line", "said"),
    [
        ({"iam_role": "default", "aws_conn_id": "lake"}, 5, "iam_role and aws_conn_id are two ways"),
        ({"iam_role": ROLE, "aws_conn_id": "lake"}, 5, "iam_role and aws_conn_id are two ways"),
        ({"iam_role": ROLE, "access_key_id": ID, "secret_access_key": SECRET_TEXT}, 5, "iam_role and access_key_id"),
        ({"aws_conn_id": "lake", "access_key_id": ID, "secret_access_key": SECRET_TEXT}, 6, "are two ways"),
        ({"access_key_id": ID}, 4, "the secret of access_key_id is missing"),
        ({"secret_access_key": SECRET_TEXT}, 5, "there is a secret but no access_key_id"),
        ({"access_key_id": ID, "secret_access_key": SECRET}, 6, "the secret is not encrypted"),
        ({"access_key_id": f"{SECRET}+", "secret_access_key": SECRET_TEXT}, 5, "not the id of an access key"),
        ({"access_key_id": "ASIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET_TEXT}, 5, "temporary key"),
        ({"aws_conn_id": f"aws://{ID}:{SECRET}@"}, 5, "not the id of an Airflow connection"),
    ],
)  # fmt: skip
def test_one_way_at_a_time_and_every_mistake_has_its_line_and_a_hint(settings: dict[str, str], line: int, said: str):
    text = ["load: orders", "source: s3://landing/orders/", "copy:", "  format: csv"]
    text += [f"  {name}: {value!r}" for name, value in settings.items()]
    text += ["schedule: '@hourly'", "manifests: s3://loader/manifests/", "targets: [{table: orders}]"]
    with pytest.raises(LoadFileError) as told:
        read_load_file("\n".join(text), "orders.yaml")
    (mistake,) = told.value.mistakes
    assert (mistake.line, said in mistake.message, bool(mistake.hint)) == (line, True, True)
    assert SECRET not in str(told.value)


@pytest.mark.parametrize("access", [{"aws_conn_id": "lake"}, keyed(MemoryKeys(KEY))], ids=["connection", "key"])
def test_a_key_does_not_go_over_the_data_api_and_the_reason_is_told(access: dict[str, str]):
    targets = [{"table": "a"}, {"table": "b", "transport": "data_api"}]
    with pytest.raises(ValidationError) as told:
        a_config(copy={"format": "csv", **access}, targets=targets)
    (error,) = told.value.errors()
    assert error["loc"] == ("targets",)
    assert error["ctx"]["at"] == (1, "transport")
    assert "DescribeStatement" in error["msg"]
    assert "copy.iam_role" in error["msg"]
    assert a_config(targets=targets).targets[1].transport == "data_api", "with a role it does"


@pytest.mark.parametrize("settings", [{"iam_role": ROLE}, {"aws_conn_id": "lake"}, keyed(MemoryKeys(KEY))])
def test_each_way_goes_to_json_and_back(settings: dict[str, str]):
    config = a_config(copy={"format": "csv", **settings})
    assert LoadConfig.model_validate(config.model_dump(mode="json", by_alias=True, exclude_defaults=True)) == config


def locked(world: World, config: LoadConfig) -> Batch:
    world.put("orders/1.csv", "orders/2.csv")
    (work,) = buffer_objects(config, world.services, run="dag/run-1", is_active=lambda _: False, max_work=9)
    return work.batch


def test_the_key_is_asked_for_once_the_history_is_locked_and_only_for_a_copy(keys: MemoryKeys):
    world, config, asked_after = World(), a_config(copy=by_connection()), []

    def access_key(config: LoadConfig) -> AccessKey | None:
        asked_after.append(type(world.warehouse.log[-1]))
        return access(keys, lake=AccessKey(ID, SECRET, TOKEN))(config)

    batch = locked(world, config)
    services = replace(world.services, access_key=access_key)
    assert load_batch(config, services, batch.batch, TARGET, FIRST).outcome is Outcome.LOADED
    assert asked_after == [FindOtherLoads]
    (copy,) = (each for each in world.warehouse.log if isinstance(each, sql.Copy))
    assert copy.access_key == AccessKey(ID, SECRET, TOKEN)


def test_without_the_key_nothing_is_loaded_and_the_batch_is_loaded_once_it_is_there(keys: MemoryKeys):
    """KMS refuses, or a connection is gone: nobody has to clear anything once that is put right."""
    world = World()
    config = a_config(copy=keyed(keys))
    services = replace(world.services, access_key=access(keys))
    batch = locked(world, config)
    keys.disabled.add(KEY)
    with pytest.raises(ConfigurationError, match="is disabled"):
        load_batch(config, services, batch.batch, TARGET, FIRST)
    assert isinstance(world.warehouse.log[-1], sql.Rollback)
    assert world.ledger.get("orders", batch.batch).status is BatchStatus.LOCKED
    assert world.warehouse.tables["public.orders"] == []
    keys.disabled.clear()
    retry = Asker("dag/run-1/load_batch/0/2", "dag/run-1")
    assert load_batch(config, services, batch.batch, TARGET, retry).outcome is Outcome.LOADED


def test_services_that_can_ask_nobody_say_so(keys: MemoryKeys):
    world, config = World(), a_config(copy=keyed(keys))
    batch = locked(world, config)
    with pytest.raises(ConfigurationError, match=r"^batch \w+ of load orders into .*copy\.access_key_id.*RsloaderHook"):
        load_batch(config, world.services, batch.batch, TARGET, FIRST)


def test_a_load_built_by_hand_does_not_repeat_a_secret_either():
    with pytest.raises(ValidationError) as told:
        a_config(copy={"format": "csv", "access_key_id": ID, "secret_access_key": SECRET})
    assert SECRET not in str(told.value)
