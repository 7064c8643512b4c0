"""The local AWS and the local Redshifts as cells use them: addresses, and what all cells of a process share."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import boto3
import redshift_connector
from boto3.dynamodb.conditions import Key
from support.loader_services import aws_client_arguments, loader_services, make_tables

from crash.cells import Isolation
from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.render import render
from rsloader_provider.loader.ports.steps import Steps
from rsloader_provider.loader.services import Services
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

TABLES = "crash_"
_NAMES = TableNames(TABLES)
_LEDGER_KEYS = {_NAMES.files: "object", _NAMES.batches: "batch"}
"""The tables of the ledger, each with the key beside the load."""
Backup = Mapping[str, Sequence[dict[str, Any]]]
"""Items by table."""
LANDING = "crash-landing"
LOADER = "crash-loader"
KEEP_ALIVE_SECONDS = 30
"""Sessions of killed processes idle for as long; they are as many as cells, and the local AWS keeps a hundred."""


@dataclass(frozen=True, slots=True)
class Redshift:
    """Where a local Redshift listens, and its superuser."""

    host: str
    port: int
    database: str
    user: str
    password: str

    @classmethod
    def of(cls, server: LocalRedshift) -> "Redshift":
        return cls(server.host, server.port, server.database, server.user, server.password)

    def connect(self) -> Any:
        return redshift_connector.connect(**asdict(self), application_name="crash", ssl=False)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything is: what one process hands to another."""

    aws: str
    redshifts: dict[Isolation, Redshift]

    @classmethod
    def of(cls, aws: LocalAws, redshifts: dict[Isolation, LocalRedshift]) -> "Addresses":
        return cls(aws.endpoint_url, {isolation: Redshift.of(server) for isolation, server in redshifts.items()})

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Addresses":
        read = json.loads(text)
        return cls(read["aws"], {isolation: Redshift(**where) for isolation, where in read["redshifts"].items()})


class Stage:
    """What a process needs to set up cells and to look at what is left of them.

    Making one creates the buckets, the tables of the ledger and the topics, so one process at a time may do it on one
    local AWS.
    """

    def __init__(self, addresses: Addresses):
        self.addresses = addresses
        arguments = aws_client_arguments(addresses.aws)
        self.s3 = boto3.client("s3", **arguments)
        for bucket in (LANDING, LOADER):
            self.s3.create_bucket(Bucket=bucket)
        make_tables(addresses.aws, TABLES)
        self._dynamodb = boto3.resource("dynamodb", **arguments)
        self._sqs = boto3.client("sqs", **arguments)
        sns = boto3.client("sns", **arguments)
        self.succeeded, self.failed = (sns.create_topic(Name=f"crash-{name}")["TopicArn"] for name in ("ok", "failed"))
        self._queue = self._sqs.create_queue(QueueName="crash-ok")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        sns.subscribe(TopicArn=self.succeeded, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
        self._messages: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._sessions = {isolation: _autocommit(each.connect()) for isolation, each in addresses.redshifts.items()}
        self.ledger = loader_services(addresses.aws, TABLES).ledger
        for isolation in self._sessions:
            self.query(isolation, render(sql.CreateHistorySchema()))

    def services(self, isolation: Isolation) -> Callable[[Steps | None], Services]:
        """Give what makes the loader's services for one of the Redshifts, of real adapters throughout."""
        redshift = self.addresses.redshifts[isolation]

        def made(steps: Steps | None) -> Services:
            services = loader_services(
                self.addresses.aws, TABLES, lambda _: redshift.connect(), keep_alive_seconds=KEEP_ALIVE_SECONDS
            )
            return replace(services, steps=steps) if steps else services

        return made

    def query(self, isolation: Isolation, text: str) -> list[list[Any]]:
        """Run a statement as the superuser, in autocommit; gives its rows."""
        cursor = self._sessions[isolation].cursor()
        cursor.execute(text)
        return [list(row) for row in cursor.fetchall()] if cursor.description else []

    def backup(self, load: str) -> Backup:
        """Give everything that the ledger has of a load."""
        of_load = Key("load").eq(load)
        return {
            name: self._dynamodb.Table(name).query(KeyConditionExpression=of_load)["Items"] for name in _LEDGER_KEYS
        }

    def restore(self, load: str, backup: Backup) -> None:
        """Put the ledger of a load back to what it was."""
        for name, items in self.backup(load).items():
            for item in items:
                key = _LEDGER_KEYS[name]
                self._dynamodb.Table(name).delete_item(Key={"load": load, key: item[key]})
        for name, items in backup.items():
            for item in items:
                self._dynamodb.Table(name).put_item(Item=item)

    def lose(self, load: str) -> None:
        """Delete everything that the ledger has of a load."""
        self.restore(load, {})

    def put(self, key: str, body: str) -> None:
        """Put an object under the landing bucket."""
        self.s3.put_object(Bucket=LANDING, Key=key, Body=body.encode())

    def loader_objects(self, prefix: str) -> dict[str, bytes]:
        """Give keys and contents under a prefix of the loader's own bucket."""
        listed = self.s3.list_objects_v2(Bucket=LOADER, Prefix=prefix).get("Contents", ())
        return {each["Key"]: self.s3.get_object(Bucket=LOADER, Key=each["Key"])["Body"].read() for each in listed}

    def successes(self, load: str) -> list[dict[str, Any]]:
        """Give the notifications of success that were ever sent for a load."""
        while answer := self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for each in answer:
                message = json.loads(json.loads(each["Body"])["Message"])
                self._messages[message["load"]].append(message)
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=each["ReceiptHandle"])
        return self._messages[load]


def _autocommit(connection: Any) -> Any:
    connection.autocommit = True
    return connection
