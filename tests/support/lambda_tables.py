"""The Lambda loader's tables in a local DynamoDB, filled with items."""

from collections.abc import Iterable, Mapping
from typing import Any


class LambdaTablesInDynamo:
    """Creates the three tables.

    Args:
        client: The client of a boto3 DynamoDB resource.
        prefix: What stands before their names.
    """

    def __init__(self, client: Any, prefix: str = ""):
        self._client = client
        self._prefix = prefix
        self._create("LambdaRedshiftBatchLoadConfig", "s3Prefix")
        self._create("LambdaRedshiftBatches", "s3Prefix", "batchId")
        self._create("LambdaRedshiftProcessedFiles", "loadFile")

    def put(
        self,
        configs: Iterable[Mapping[str, Any]],
        batches: Iterable[Mapping[str, Any]],
        files: Iterable[Mapping[str, Any]],
    ) -> None:
        for table, items in (("BatchLoadConfig", configs), ("Batches", batches), ("ProcessedFiles", files)):
            self._put(f"{self._prefix}LambdaRedshift{table}", [*items])

    def _put(self, table: str, items: list[Mapping[str, Any]]) -> None:
        for start in range(0, len(items), 25):
            requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
            self._client.batch_write_item(RequestItems={table: requests})

    def _create(self, name: str, *keys: str) -> None:
        self._client.create_table(
            TableName=self._prefix + name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )
