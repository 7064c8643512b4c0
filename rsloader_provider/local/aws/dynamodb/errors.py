"""The errors that DynamoDB answers with.

DynamoDBError
├── ValidationError                   the request makes no sense; trying again is useless
├── ConditionFailedError              a condition was false; carries the item where the caller asked for it
├── TransactionCanceledError          one reason per operation, in their order
├── IdempotentParameterMismatchError  a known ClientRequestToken with other content
├── ResourceNotFoundError             no such table or index
└── ResourceInUseError                the table exists already
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rsloader_provider.local.aws.dynamodb.values import Item


class DynamoDBError(Exception):
    """An answer with status 400.

    Attributes:
        code: The name that AWS gives the error, without its namespace.
        message: The text for people.
    """

    code = "InternalServerError"
    namespace = "com.amazonaws.dynamodb.v20120810"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def body(self) -> dict[str, Any]:
        """Return the JSON that stands in the answer."""
        return {"__type": f"{self.namespace}#{self.code}", "message": self.message}


class ValidationError(DynamoDBError):
    """The request makes no sense."""

    code = "ValidationException"
    namespace = "com.amazon.coral.validate"


class ConditionFailedError(DynamoDBError):
    """A condition was false.

    Attributes:
        item: The item as it was; None when the caller did not ask for it or there was none.
    """

    code = "ConditionalCheckFailedException"

    def __init__(self, item: Item | None = None) -> None:
        super().__init__("The conditional request failed")
        self.item = item

    def body(self) -> dict[str, Any]:
        """Return the JSON that stands in the answer, with the item where it was asked for."""
        return super().body() | ({"Item": self.item} if self.item is not None else {})


class TransactionCanceledError(DynamoDBError):
    """A transaction was refused; nothing of it was applied.

    Attributes:
        reasons: One per operation, in their order; `{"Code": "None"}` for those that were not to blame.
    """

    code = "TransactionCanceledException"

    def __init__(self, reasons: list[dict[str, Any]]) -> None:
        codes = ", ".join(reason["Code"] for reason in reasons)
        super().__init__(
            f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        )
        self.reasons = reasons

    def body(self) -> dict[str, Any]:
        """Return the JSON that stands in the answer; AWS spells `Message` with a capital here."""
        return {
            "__type": f"{self.namespace}#{self.code}",
            "Message": self.message,
            "CancellationReasons": self.reasons,
        }


class IdempotentParameterMismatchError(DynamoDBError):
    """A ClientRequestToken came again with other content."""

    code = "IdempotentParameterMismatchException"


class ResourceNotFoundError(DynamoDBError):
    """No such table."""

    code = "ResourceNotFoundException"


class ResourceInUseError(DynamoDBError):
    """The table exists already."""

    code = "ResourceInUseException"
