"""TransactWriteItems: every condition is checked against the items as they are, then everything is applied or nothing.

Only the items of the transaction are touched, so its cost does not grow with the tables.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from rsloader_provider.local.aws.dynamodb.errors import (
    ConditionFailedError,
    IdempotentParameterMismatchError,
    TransactionCanceledError,
    ValidationError,
)
from rsloader_provider.local.aws.dynamodb.writes import Write, prepare, target

if TYPE_CHECKING:
    from collections.abc import Callable

    from rsloader_provider.local.aws.dynamodb.tables import Table

MAX_OPERATIONS = 100
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
TOKEN_SECONDS = 600.0
_KINDS = ("Put", "Update", "Delete", "ConditionCheck")


class Tokens:
    """The ClientRequestTokens of the transactions that were applied in the last ten minutes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[float, bytes]] = {}

    def is_known(self, token: str, content: bytes) -> bool:
        """Tell whether a transaction was applied before under this token.

        Raises:
            IdempotentParameterMismatchError: It was, with other content.
        """
        now = self._clock()
        while self._seen:
            # In the order of their times, so the oldest come first.
            oldest, (applied_at, _) = next(iter(self._seen.items()))
            if now - applied_at < TOKEN_SECONDS:
                break
            del self._seen[oldest]
        if token not in self._seen:
            return False
        if self._seen[token][1] != content:
            raise IdempotentParameterMismatchError(
                "The request uses the same client token as a previous, but non-identical request."
            )
        return True

    def keep(self, token: str, content: bytes) -> None:
        """Keep the token of a transaction that was applied."""
        self._seen[token] = (self._clock(), content)


def fingerprint(request: dict[str, Any]) -> bytes:
    """Return what tells one transaction's content from another's, the token itself left out."""
    content = {name: value for name, value in request.items() if name != "ClientRequestToken"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()


def prepare_all(find_table: Callable[[str], Table], operations: list[dict[str, Any]]) -> list[Write]:
    """Check every operation of a transaction and return its writes, none of them applied yet.

    Raises:
        ValidationError: Too many operations, one item twice, or an operation that makes no sense by itself.
        TransactionCanceledError: A condition is false; the reasons stand in the operations' order.
    """
    if not 1 <= len(operations) <= MAX_OPERATIONS:
        raise ValidationError(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have "
            f"length less than or equal to {MAX_OPERATIONS}"
        )
    requests = [_operation(operation) for operation in operations]
    tables = [find_table(request["TableName"]) for _, request in requests]
    keys = {(table.name, target(table, kind, request)) for table, (kind, request) in zip(tables, requests, strict=True)}
    if len(keys) < len(requests):
        raise ValidationError("Transaction request cannot include multiple operations on one item")
    writes: list[Write] = []
    reasons: list[dict[str, Any]] = []
    for table, (kind, request) in zip(tables, requests, strict=True):
        try:
            writes.append(prepare(table, kind, request))
            reasons.append({"Code": "None"})
        except ConditionFailedError as failure:
            reason = {"Code": "ConditionalCheckFailed", "Message": failure.message}
            reasons.append(reason | ({"Item": failure.item} if failure.item is not None else {}))
    if len(writes) < len(requests):
        raise TransactionCanceledError(reasons)
    if sum(write.after.size for write in writes if write.after) > MAX_TRANSACTION_BYTES:
        raise ValidationError("Collection size limit exceeded: a transaction cannot be larger than 4 MB")
    return writes


def _operation(operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if len(operation) != 1 or next(iter(operation)) not in _KINDS:
        raise ValidationError(
            "TransactItems can only contain one of Check, Put, Update or Delete",
        )
    kind, request = next(iter(operation.items()))
    if kind == "ConditionCheck" and "ConditionExpression" not in request:
        raise ValidationError("The expression can not be empty; ConditionExpression is required for ConditionCheck")
    return kind, request
