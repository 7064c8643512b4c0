"""The two DynamoDB tables: their names, their shape, and how they are created."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from rsloader_provider.aws.errors import as_loader_errors

DEFAULT_PREFIX = "rsloader_"
ATTENTION_INDEX = "attention"


@dataclass(frozen=True, slots=True)
class TableNames:
    """Names of the tables; several installations in one account differ in their prefix."""

    prefix: str = DEFAULT_PREFIX

    @property
    def files(self) -> str:
        """One item per object: hash `load`, range `object`."""
        return f"{self.prefix}files"

    @property
    def batches(self) -> str:
        """Batches, their segments and each load's open batch: hash `load`, range `batch`."""
        return f"{self.prefix}batches"


def create_tables(client: Any, names: TableNames, created: Callable[[str], None]) -> None:
    """Create the tables that are missing, paid per request, and wait until they can be used.

    Args:
        client: A DynamoDB client.
        names: Their names.
        created: Called with the name of each table that was missing.

    Raises:
        AccessDeniedError, TransientError: As their names say.
    """
    for name, definition in _definitions(names).items():
        with as_loader_errors(f"DynamoDB table {name}", "Try again."):
            try:
                client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **definition)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceInUseException":
                    raise
            else:
                created(name)
            client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})


def _definitions(names: TableNames) -> dict[str, dict[str, Any]]:
    return {
        names.files: {
            "AttributeDefinitions": _strings("load", "object"),
            "KeySchema": _key("load", "object"),
        },
        names.batches: {
            "AttributeDefinitions": _strings("load", "batch", "attention"),
            "KeySchema": _key("load", "batch"),
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": ATTENTION_INDEX,
                    "KeySchema": _key("load", "attention"),
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        },
    }


def _strings(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def _key(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
