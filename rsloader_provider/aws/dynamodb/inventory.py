"""The inventory in DynamoDB: three strongly consistent queries over a load's items."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from rsloader_provider.aws.dynamodb.items import (
    CURRENT,
    DELETED,
    FIRST_BATCH,
    SEGMENTS,
    Item,
    attention,
    batch_from,
    claim_from,
    segment_batch,
    segment_from,
)
from rsloader_provider.aws.dynamodb.protection import protection_of
from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.aws.errors import as_loader_errors
from rsloader_provider.core.errors import CorruptLedgerError
from rsloader_provider.core.ledger.claims import Claim, Segment
from rsloader_provider.loader.ports.inventory import StoredBatch, TableProtection, Unreadable

_Read = TypeVar("_Read")


class DynamoInventory:
    """Everything that the two tables hold of a load.

    Args:
        client: The client of a boto3 DynamoDB *resource*, which gives plain Python values.
        names: Names of the tables.
    """

    def __init__(self, client: Any, names: TableNames):
        self._client = client
        self._names = names

    def claims(self, load: str) -> Iterator[Claim | Unreadable]:
        for item in self._items(self._names.files, "#load = :load", load):
            yield _read(claim_from, item, item["object"])

    def batches(self, load: str) -> Iterator[StoredBatch | Unreadable]:
        for item in self._items(self._names.batches, "#load = :load AND #key >= :from", load, FIRST_BATCH):
            yield _read(_stored, item, item["batch"])

    def segments(self, load: str) -> Iterator[Segment | Unreadable]:
        for item in self._items(self._names.batches, "#load = :load AND begins_with(#key, :from)", load, SEGMENTS):
            yield _read(segment_from, item, segment_batch(item))

    def deleted(self, load: str) -> Iterator[str]:
        for item in self._items(self._names.batches, "#load = :load AND begins_with(#key, :from)", load, DELETED):
            yield str(item["batch"]).removeprefix(DELETED)

    def current(self, load: str) -> str | None:
        with self._as_loader_errors(self._names.batches):
            answer = self._client.get_item(
                TableName=self._names.batches, Key={"load": load, "batch": CURRENT}, ConsistentRead=True
            )
        return None if "Item" not in answer else str(answer["Item"].get("open_batch"))

    def protection(self) -> Iterator[TableProtection]:
        return protection_of(self._client, self._names)

    def _items(self, table: str, condition: str, load: str, begin: str | None = None) -> Iterator[Item]:
        names, values = {"#load": "load"}, {":load": load}
        if begin is not None:
            names["#key"] = "batch"
            values[":from"] = begin
        with self._as_loader_errors(table):
            for page in self._client.get_paginator("query").paginate(
                TableName=table,
                KeyConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ConsistentRead=True,
            ):
                yield from page["Items"]

    def _as_loader_errors(self, table: str) -> Any:
        return as_loader_errors(f"DynamoDB table {table}", "Run `rsloader setup` once to create it.")


def _stored(item: Mapping[str, Any]) -> StoredBatch:
    batch = batch_from(item)
    return StoredBatch(batch, item.get("attention") == attention(batch))


def _read(read: Callable[[Mapping[str, Any]], _Read], item: Item, key: str) -> _Read | Unreadable:
    try:
        return read(item)
    except CorruptLedgerError as error:
        return Unreadable(key, str(error))
