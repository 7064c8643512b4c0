"""Every port with its fake and its real adapter: both pass the same tests."""

from collections.abc import Callable
from itertools import count
from typing import Any

import boto3
import pytest
from support.fakes.credentials import MemoryCredentials
from support.fakes.inventory import MemoryInventory
from support.fakes.keys import MemoryKeys
from support.fakes.ledger import MemoryLedger
from support.fakes.notifier import MemoryNotifier
from support.fakes.storage import MemoryStorage
from support.fakes.warehouse import MemoryWarehouse
from support.house import House
from support.objects import counting_randomness
from support.without_airflow import no_test_imports_airflow  # noqa: F401  a fixture, for all files here

from rsloader_provider.aws.client_settings import client_settings
from rsloader_provider.aws.credentials import SessionCredentials
from rsloader_provider.aws.dynamodb.inventory import DynamoInventory
from rsloader_provider.aws.dynamodb.ledger import DynamoLedger
from rsloader_provider.aws.dynamodb.tables import TableNames, create_tables
from rsloader_provider.aws.kms import KmsKeys
from rsloader_provider.aws.notifier import SnsNotifier
from rsloader_provider.aws.redshift.data_api import DataApiWarehouse
from rsloader_provider.aws.redshift.warehouse import RedshiftWarehouse
from rsloader_provider.aws.storage import S3Storage
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.access_key import AccessKey
from rsloader_provider.core.redshift.data_api_address import DataApiAddress
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render

_numbers = count()


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryLedger(counting_randomness())
    arguments = request.getfixturevalue("aws_arguments")
    client = boto3.resource("dynamodb", **arguments).meta.client
    names = TableNames(f"t{next(_numbers)}_")
    create_tables(client, names, created=lambda _: None)
    return DynamoLedger(client, names, counting_randomness())


@pytest.fixture(params=["memory", "dynamodb"])
def losing_ledger(request: pytest.FixtureRequest) -> tuple[Any, Callable[[str, str], object]]:
    """The port, and what deletes the claim of an object by hand."""
    if request.param == "memory":
        memory = MemoryLedger(counting_randomness())
        return memory, memory.edit_claim
    client = boto3.resource("dynamodb", **request.getfixturevalue("aws_arguments")).meta.client
    names = TableNames(f"t{next(_numbers)}_")
    create_tables(client, names, created=lambda _: None)

    def lose(load: str, name: str) -> object:
        return client.delete_item(TableName=names.files, Key={"load": load, "object": name})

    return DynamoLedger(client, names, counting_randomness()), lose


@pytest.fixture(params=["memory", "dynamodb"])
def ledger_and_inventory(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    if request.param == "memory":
        memory = MemoryLedger(counting_randomness())
        return memory, MemoryInventory(memory)
    client = boto3.resource("dynamodb", **request.getfixturevalue("aws_arguments")).meta.client
    names = TableNames(f"t{next(_numbers)}_")
    create_tables(client, names, created=lambda _: None)
    return DynamoLedger(client, names, counting_randomness()), DynamoInventory(client, names)


@pytest.fixture(params=["memory", "s3"])
def storage(request: pytest.FixtureRequest) -> Any:
    bucket = f"storage-{next(_numbers)}"
    if request.param == "memory":
        return bucket, MemoryStorage(bucket)
    client = boto3.client("s3", **request.getfixturevalue("aws_arguments"))
    client.create_bucket(Bucket=bucket)
    return bucket, S3Storage(client)


@pytest.fixture(params=["memory", "sns"])
def notifier(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return "arn:aws:sns:us-east-1:123456789012:loads", MemoryNotifier("arn:aws:sns:us-east-1:123456789012:loads")
    client = boto3.client("sns", **request.getfixturevalue("aws_arguments"))
    return client.create_topic(Name="loads")["TopicArn"], SnsNotifier(lambda: client)


@pytest.fixture(params=["memory", "boto3"])
def credentials(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes the port with the connections that are given."""
    if request.param == "memory":
        return MemoryCredentials

    def make(**connections: AccessKey) -> SessionCredentials:
        def session(conn_id: str) -> boto3.Session:
            if conn_id not in connections:
                raise ConfigurationError(f"There is no Airflow connection {conn_id}.")
            key = connections[conn_id]
            return boto3.Session(key.access_key_id, key.secret_access_key, key.session_token)

        return SessionCredentials(session)

    return make


@pytest.fixture(params=["memory", "kms"])
def keys(request: pytest.FixtureRequest) -> tuple[Any, str, Callable[[], object]]:
    """The port, a key, and what disables that key."""
    name = f"alias/loads-{next(_numbers)}"
    if request.param == "memory":
        memory = MemoryKeys(name)
        return memory, name, lambda: memory.disabled.add(name)
    client = boto3.client("kms", **request.getfixturevalue("aws_arguments"))
    key = client.create_key()["KeyMetadata"]["KeyId"]
    client.create_alias(AliasName=name, TargetKeyId=key)
    return KmsKeys(client), name, lambda: client.disable_key(KeyId=key)


@pytest.fixture(params=["memory", "redshift", "data_api"])
def house(request: pytest.FixtureRequest) -> House:
    bucket, table = f"house-{next(_numbers)}", TableName("public", f"t{next(_numbers)}")
    if request.param == "memory":
        storage = MemoryStorage(bucket)
        memory = MemoryWarehouse(storage)
        memory.create(str(table))

        def without_columns() -> None:
            memory.without_digests.add(str(table))
            memory.without_sources.add(str(table))

        return House(memory, storage, bucket, table, lambda: len(memory.tables[str(table)]), without_columns)
    client = boto3.client("s3", **request.getfixturevalue("aws_arguments"))
    client.create_bucket(Bucket=bucket)
    login = request.getfixturevalue("redshift_login")

    def connect(conn_id: str) -> Any:
        if conn_id != "redshift_default":
            raise ConfigurationError(f"There is no Airflow connection {conn_id}.")
        return login()

    def place(conn_id: str) -> DataApiAddress:
        if conn_id != "redshift_default":
            raise ConfigurationError(f"There is no Airflow connection {conn_id}.")
        return DataApiAddress("dev", cluster="any-cluster", user="awsuser")

    def data_api(region: str | None) -> Any:
        settings = client_settings("redshift-data")
        return boto3.client("redshift-data", **request.getfixturevalue("aws_arguments"), config=settings)

    warehouse = RedshiftWarehouse(connect) if request.param == "redshift" else DataApiWarehouse(data_api, place)
    with warehouse.connect("redshift_default") as session:
        session.execute(sql.UserStatement(f'CREATE TABLE public."{table.table}" (id integer)'))
        session.execute(sql.CreateHistorySchema())
        session.execute(sql.CreateHistory(table))

    def count_rows() -> int:
        with warehouse.connect("redshift_default") as session:
            return int(session.execute(sql.UserStatement(f'SELECT count(*) FROM public."{table.table}"'))[0][0])

    def make_history_old() -> None:
        with warehouse.connect("redshift_default") as session:
            history = render(sql.LockHistory(table)).removeprefix("LOCK ")
            for column in sql.ADDED_COLUMNS:
                session.execute(sql.UserStatement(f'ALTER TABLE {history} DROP COLUMN "{column}"'))

    return House(warehouse, S3Storage(client), bucket, table, count_rows, make_history_old)
