"""Requests to the ledger's two tables: reads, the actions of transactions, and carrying them out. Knows no batch."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from rsloader_provider.aws.dynamodb.items import Item
from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.aws.errors import as_loader_errors, cancellation_reasons, is_passing_conflict
from rsloader_provider.core.errors import TransientError
from rsloader_provider.core.ledger.objects import ledger_key
from rsloader_provider.loader.ports.ledger import LostRaceError

_CONDITION_FAILED = "ConditionalCheckFailed"
PAGE_ITEMS = 100
"""Items that DynamoDB gives in one request, and takes in one transaction."""
PAGE_SEGMENTS = 9
"""Segments that are written in one transaction: it takes 4 MB, and each of them has up to 400 KB."""


class LedgerRequests:
    """Requests to DynamoDB. In expressions each attribute is written `#attribute`.

    Args:
        client: The client of a boto3 DynamoDB *resource*, which takes and gives plain Python values.
        names: Names of the tables.
    """

    def __init__(self, client: Any, names: TableNames):
        self._client = client
        self.names = names

    def get(self, table: str, key: Item) -> Item | None:
        """Give one item as of now, or None."""
        with self._as_loader_errors(table):
            answer = self._client.get_item(TableName=table, Key=key, ConsistentRead=True)
        item: Item | None = answer.get("Item")
        return item

    def get_page(self, table: str, keys: list[Item]) -> list[Item]:
        """Give the items of at most PAGE_ITEMS keys, those that are there, in no order.

        Raises:
            TransientError: DynamoDB was throttled throughout.
        """
        items: list[Item] = []

        def left(request: Item) -> Item:
            answer = self._client.batch_get_item(RequestItems=request)
            items.extend(answer["Responses"].get(table, ()))
            request = answer.get("UnprocessedKeys") or {}
            waiting[:] = [request]
            return request

        waiting = [{table: {"Keys": keys, "ConsistentRead": True}}]
        attempts = Retrying(
            retry=retry_if_result(bool),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            stop=stop_after_attempt(10),
        )
        try:
            with self._as_loader_errors(table):
                attempts(lambda: left(waiting[0]))
        except RetryError as error:
            raise TransientError(f"DynamoDB table {table} is throttled: it did not return every item.") from error
        return items

    def query(
        self, table: str, condition: str, values: Item, *, projection: str | None = None, **options: Any
    ) -> Iterator[Item]:
        """Give the items of a load that a key condition meets, page by page as they are asked for."""
        request = {
            "TableName": table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": _names(condition + (projection or "")),
            "ExpressionAttributeValues": values,
            **options,
        }
        if projection:
            request["ProjectionExpression"] = projection
        with self._as_loader_errors(table):
            for page in self._client.get_paginator("query").paginate(**request):
                yield from page["Items"]

    def get_row(self, load: str, key: str) -> Item | None:
        """Give one item of the table of batches as of now, or None."""
        return self.get(self.names.batches, {"load": load, "batch": key})

    def query_rows(self, load: str, prefix: str, *, projection: str | None = None) -> Iterator[Item]:
        """Give the items of the table of batches whose key begins so, as of now."""
        return self.query(
            self.names.batches,
            "#load = :load AND begins_with(#batch, :prefix)",
            {":load": load, ":prefix": prefix},
            projection=projection,
            ConsistentRead=True,
        )

    def put(self, table: str, item: Item, condition: str, values: Item | None = None) -> Item:
        """Give the action that puts an item."""
        action: Item = {
            "TableName": table,
            "Item": item,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": _names(condition),
        }
        return {"Put": {**action, "ExpressionAttributeValues": values} if values else action}

    def delete(self, table: str, load: str, key: str, condition: str, values: Item) -> Item:
        """Give the action that deletes an item; of a claim the key is the object's name."""
        keys = {"object": ledger_key(key)} if table == self.names.files else {"batch": key}
        action: Item = {
            "TableName": table,
            "Key": {"load": load, **keys},
            "ConditionExpression": condition,
            "ExpressionAttributeNames": _names(condition),
        }
        return {"Delete": {**action, "ExpressionAttributeValues": values} if values else action}

    def update(
        self,
        load: str,
        item: str,
        change: str,
        condition: str,
        values: Item,
        *,
        table: str | None = None,
        key: str = "batch",
    ) -> Item:
        """Give the action that changes an item, by default a batch's."""
        return {
            "Update": {
                "TableName": table or self.names.batches,
                "Key": {"load": load, key: item},
                "UpdateExpression": change,
                "ConditionExpression": condition,
                "ExpressionAttributeNames": _names(change + condition),
                "ExpressionAttributeValues": values,
            }
        }

    def transact(self, actions: list[Item]) -> frozenset[int]:
        """Carry out all actions or none.

        Returns:
            The places of the actions whose condition failed; none when all were carried out.

        Raises:
            TransientError: Other transactions on the same items won every time, or the table was throttled throughout.
        """
        with self._as_loader_errors(f"{self.names.files} and {self.names.batches}"):
            try:
                _persistently(self._client.transact_write_items, TransactItems=actions)
            except self._client.exceptions.TransactionCanceledException as error:
                reasons = cancellation_reasons(error)
                if set(reasons) not in ({_CONDITION_FAILED}, {"None", _CONDITION_FAILED}):
                    raise
                return frozenset(place for place, reason in enumerate(reasons) if reason == _CONDITION_FAILED)
        return frozenset()

    def transact_or_lose(self, actions: list[Item]) -> None:
        """Carry out all actions or none.

        Raises:
            LostRaceError: The condition of one failed.
            TransientError: As for `transact`.
        """
        if self.transact(actions):
            raise LostRaceError

    def write_or_lose(self, update: Item) -> None:
        """Carry out a single update, which costs half of a transaction.

        Raises:
            LostRaceError: Its condition failed.
            TransientError: As for `transact`.
        """
        action = update["Update"]
        with self._as_loader_errors(action["TableName"]):
            try:
                _persistently(self._client.update_item, **action)
            except self._client.exceptions.ConditionalCheckFailedException as error:
                raise LostRaceError from error

    def _as_loader_errors(self, table: str) -> Any:
        return as_loader_errors(f"DynamoDB table {table}", "Run `rsloader setup` once to create it.")


def _persistently(write: Callable[..., Any], **request: Any) -> None:
    """Write, and try again while others work on the same items."""
    attempts = Retrying(
        retry=retry_if_exception(is_passing_conflict),
        wait=wait_random_exponential(multiplier=0.05, max=2),
        stop=stop_after_attempt(10),
        reraise=True,
    )
    attempts(write, **request)


def _names(expression: str) -> dict[str, str]:
    """Name each `#attribute` of an expression, because many good names are reserved words of DynamoDB."""
    return {f"#{name}": name for name in re.findall(r"#(\w+)", expression)}
