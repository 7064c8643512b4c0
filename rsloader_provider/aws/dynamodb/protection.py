"""What keeps the tables from being lost: point-in-time recovery and deletion protection.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html
"""

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.aws.errors import as_loader_errors
from rsloader_provider.loader.ports.inventory import TableProtection

_NOT_YET = {"ContinuousBackupsUnavailableException", "ResourceInUseException"}
_MOST_SECONDS = 60
_REMEDY = "Run `rsloader setup` once to create it."


def protection_of(client: Any, names: TableNames) -> Iterator[TableProtection]:
    """Tell of each table what keeps it from being lost.

    Args:
        client: A DynamoDB client.
        names: Names of the tables.

    Raises:
        NotSetUpError, AccessDeniedError, TransientError: As their names say.
    """
    for name in (names.files, names.batches):
        yield TableProtection(
            name,
            point_in_time_recovery=_has_recovery(client, name),
            deletion_protection=_is_deletion_protected(client, name),
        )


def protect_tables(
    client: Any,
    names: TableNames,
    switched_on: Callable[[str, str], None],
    *,
    point_in_time_recovery: bool,
    deletion_protection: bool,
) -> None:
    """Switch on what is off. Nothing is ever switched off.

    Args:
        client: A DynamoDB client.
        names: Names of the tables, which are there.
        switched_on: Called with the table and what was switched on for it.
        point_in_time_recovery: Whether to switch on point-in-time recovery.
        deletion_protection: Whether to switch on deletion protection.

    Raises:
        NotSetUpError, AccessDeniedError, TransientError: As their names say.
    """
    for name in (names.files, names.batches):
        if point_in_time_recovery and not _has_recovery(client, name):
            specification = {"PointInTimeRecoveryEnabled": True}
            _patiently(name, client.update_continuous_backups, PointInTimeRecoverySpecification=specification)
            switched_on(name, "point-in-time recovery")
        if deletion_protection and not _is_deletion_protected(client, name):
            _patiently(name, client.update_table, DeletionProtectionEnabled=True)
            switched_on(name, "deletion protection")


def _has_recovery(client: Any, table: str) -> bool:
    with as_loader_errors(f"DynamoDB table {table}", _REMEDY):
        backups = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    return bool(recovery.get("PointInTimeRecoveryStatus") == "ENABLED")


def _is_deletion_protected(client: Any, table: str) -> bool:
    with as_loader_errors(f"DynamoDB table {table}", _REMEDY):
        return bool(client.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"))


def _patiently(table: str, change: Callable[..., Any], **settings: Any) -> None:
    """Change a table, and wait while it is still being created or changed."""
    attempts = Retrying(
        retry=retry_if_exception(_is_not_yet_possible),
        wait=wait_fixed(1),
        stop=stop_after_delay(_MOST_SECONDS),
        reraise=True,
    )
    with as_loader_errors(f"DynamoDB table {table}", _REMEDY):
        attempts(change, TableName=table, **settings)


def _is_not_yet_possible(error: BaseException) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in _NOT_YET
