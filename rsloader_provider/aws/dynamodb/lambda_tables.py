"""The Lambda loader's tables in DynamoDB."""

from collections.abc import Iterator
from typing import Any

from rsloader_provider.aws.errors import as_loader_errors
from rsloader_provider.core.lambda_loader.tables import BATCH_TABLE, CONFIG_TABLE, FILES_TABLE, Item


class DynamoLambdaTables:
    """The three tables, read with strong consistency.

    Args:
        client: The client of a boto3 DynamoDB *resource*, which gives plain Python values.
        prefix: What stands before their names in an installation that renamed them; usually empty.
    """

    def __init__(self, client: Any, prefix: str = ""):
        self._client = client
        self._prefix = prefix

    def configs(self) -> Iterator[Item]:
        return self._pages("scan", CONFIG_TABLE)

    def batches(self, prefix: str) -> Iterator[Item]:
        return self._pages(
            "query",
            BATCH_TABLE,
            KeyConditionExpression="s3Prefix = :prefix",
            ExpressionAttributeValues={":prefix": prefix},
        )

    def files(self) -> Iterator[Item]:
        return self._pages("scan", FILES_TABLE, ProjectionExpression="loadFile, batchId")

    def _pages(self, operation: str, table: str, **request: Any) -> Iterator[Item]:
        name = self._prefix + table
        remedy = "The Lambda loader's tables are in the region and account of --aws-conn-id, if it was ever set up."
        with as_loader_errors(f"DynamoDB table {name}", remedy):
            for page in self._client.get_paginator(operation).paginate(TableName=name, ConsistentRead=True, **request):
                yield from page["Items"]
