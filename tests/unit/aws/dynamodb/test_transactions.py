"""What becomes of a transaction that DynamoDB cancels."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.objects import NOON, an_object, counting_randomness

from rsloader_provider.aws.dynamodb.ledger import DynamoLedger
from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.errors import CorruptLedgerError, RsloaderError, TransientError
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.loader.ports.ledger import AlreadyClaimedError, LostRaceError

LIMITS = BatchLimits(max_files=10, max_bytes=1000, max_age=timedelta(minutes=5))
BATCH = Batch("orders", "01ARZ3NDEKTSV4RRFFQ69G5FAV")


class CanceledError(ClientError):
    """As boto3 makes it."""


class CancelingClient:
    """A client that cancels its first transactions, each for the reasons that are given, and carries out the next.

    Args:
        cancellations: For each transaction the reasons of its actions.
    """

    class exceptions:  # noqa: N801 (boto3's name)
        TransactionCanceledException = CanceledError

    def __init__(self, *cancellations: list[str]):
        self.cancellations = list(cancellations)
        self.asked = 0

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> None:  # noqa: N803 (boto3's name)
        self.asked += 1
        if self.cancellations:
            reasons = [{"Code": code} for code in self.cancellations.pop(0)]
            answer = {"Error": {"Code": "TransactionCanceledException", "Message": "canceled"}}
            raise CanceledError(
                {**answer, "CancellationReasons": reasons},  # type: ignore[typeddict-unknown-key]
                "TransactWriteItems",
            )

    def get_item(self, **_: object) -> dict[str, Any]:
        return {}


def claim(client: CancelingClient) -> Batch:
    ledger = DynamoLedger(client, TableNames(), counting_randomness())
    return ledger.claim(BATCH, [an_object("orders/1.csv")], LIMITS, NOON)


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_what_passes_by_itself_is_tried_again(reason: str):
    """A new on-demand table throttles a burst of transactions; botocore does not retry these by itself."""
    client = CancelingClient(["None", reason, "None"], [reason, "None", "None"])
    assert claim(client).files == 1
    assert client.asked == 3


@pytest.mark.parametrize(
    "reasons", [["None", "ValidationError", "None"], ["ThrottlingError", "ValidationError"], ["None", "None"], []]
)
def test_what_would_be_refused_again_is_not_tried_again(reasons: list[str]):
    client = CancelingClient(reasons)
    with pytest.raises(RsloaderError, match="canceled") as raised:
        claim(client)
    assert not isinstance(raised.value, TransientError)
    assert client.asked == 1


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        (["ConditionalCheckFailed", "None", "None"], AlreadyClaimedError),
        (["None", "None", "ConditionalCheckFailed"], LostRaceError),
        (["None", "ConditionalCheckFailed", "ConditionalCheckFailed"], LostRaceError),
        (["None", "ConditionalCheckFailed", "None"], CorruptLedgerError),
    ],
)
def test_a_condition_that_failed_is_told_to_the_caller(reasons: list[str], told: type[Exception]):
    with pytest.raises(told):
        claim(CancelingClient(reasons))


def test_a_condition_that_failed_while_another_action_was_throttled_is_asked_again():
    """Which conditions fail is known only when DynamoDB has looked at all of them."""
    client = CancelingClient(["ConditionalCheckFailed", "ThrottlingError", "None"], ["ConditionalCheckFailed"] * 3)
    with pytest.raises(AlreadyClaimedError):
        claim(client)
    assert client.asked == 2
