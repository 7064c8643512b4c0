"""Which reads of a ledger may lag, and that all others see every write, however much DynamoDB lags."""

from datetime import timedelta
from itertools import count
from typing import Any

import boto3
import pytest
from support.fakes.ledger import MemoryLedger
from support.lagging_dynamodb import LaggingClient
from support.objects import NOON, TARGET, an_object, counting_randomness

from rsloader_provider.aws.dynamodb.ledger import DynamoLedger
from rsloader_provider.aws.dynamodb.tables import TableNames, create_tables
from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.errors import DeletedBatchError
from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.claims import DeletedBatch, Place
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt
from rsloader_provider.loader.ports.ledger import Ledger

LIMITS = BatchLimits(max_files=1000, max_bytes=1000, max_age=timedelta(minutes=5))
NAME = "landing/orders/1.csv"
_numbers = count()


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request: pytest.FixtureRequest) -> Any:
    """One that lags wherever it may."""
    if request.param == "memory":
        return MemoryLedger(counting_randomness(), lags=True)
    client = boto3.resource("dynamodb", **request.getfixturevalue("aws_arguments")).meta.client
    number = next(_numbers)
    names, behind = TableNames(f"lag{number}_"), TableNames(f"behind{number}_")
    for each in (names, behind):
        create_tables(client, each, created=lambda _: None)
    return DynamoLedger(LaggingClient(client, names, behind), names, counting_randomness())


def claimed(ledger: Ledger) -> Batch:
    return ledger.claim(ledger.open_batch("orders", NOON), [an_object("orders/1.csv")], LIMITS, NOON)


def locked(ledger: Ledger) -> Batch:
    batch, _ = ledger.lock(claimed(ledger), reason="max_age", run="dag/run-1", targets={TARGET: {}}, now=NOON)
    return batch


def test_a_listing_of_claims_may_miss_the_last(ledger: Ledger):
    """A run that reads it offers the object once more, and its claim is refused."""
    claimed(ledger)
    assert list(ledger.claimed_keys("orders", "landing/")) == []
    assert list(ledger.claims("orders", "landing/")) == []


def test_what_a_renaming_hands_over_is_all_there_at_once(ledger: Ledger):
    """What it missed would be claimed and loaded once more under the new name."""
    claimed(ledger)
    assert [each.name for each in ledger.claims_of_now("orders")] == [NAME]


def test_an_object_asked_for_by_name_is_found_at_once(ledger: Ledger):
    batch = claimed(ledger)
    found = ledger.find_claim("orders", NAME)
    assert found is not None
    assert found.batch == batch.batch
    assert ledger.find_claims("orders", [NAME]) == {NAME: found}


def test_the_objects_of_a_batch_are_all_there_at_once(ledger: Ledger):
    """The manifest is written from them, right after the lock."""
    batch = claimed(ledger)
    assert [entry.name for entry in ledger.entries(batch)] == [NAME]
    assert ledger.open_batch("orders", NOON).files == 1


def test_the_index_of_unfinished_batches_may_miss_the_last_lock_and_the_last_end(ledger: Ledger):
    """A run loads what it has locked itself, and looks at each batch that the index names."""
    batch = locked(ledger)
    assert list(ledger.unfinished("orders")) == []
    begun = ledger.replace(batch, begin_attempt(batch, TARGET, Asker("try-1", "dag/run-1")))
    assert list(ledger.unfinished("orders")) == [batch.batch]
    failed = ledger.replace(begun, AttemptRecord.newest(begun, TARGET).ended(error="bad", final=True).batch)
    assert list(ledger.unfinished("orders")) == [batch.batch], "although it has failed"
    assert list(ledger.failed("orders")) == []
    assert ledger.get("orders", batch.batch) == failed


def test_a_batch_is_read_as_it_is(ledger: Ledger):
    """Whether it is loaded decides what an attempt does."""
    batch = locked(ledger)
    assert ledger.get("orders", batch.batch) == batch
    begun = ledger.replace(batch, begin_attempt(batch, TARGET, Asker("try-1", "dag/run-1")))
    assert ledger.get("orders", batch.batch) == begun
    opened = ledger.open_batch("orders", NOON)
    assert opened.batch != batch.batch
    assert list(ledger.batches("orders")) == [opened, begun]


def test_what_leaves_a_batch_is_gone_at_once(ledger: Ledger):
    batch = locked(ledger)
    (segment,) = ledger.segments(batch)
    ledger.forget("orders", [NAME], batch.batch, Place(batch, segment))
    assert ledger.entries(batch) == []
    assert ledger.find_claim("orders", NAME) is None


def test_a_deleted_batch_is_gone_at_once(ledger: Ledger):
    batch = locked(ledger)
    begun = ledger.replace(batch, begin_attempt(batch, TARGET, Asker("try-1", "dag/run-1")))
    done = ledger.replace(begun, AttemptRecord.newest(begun, TARGET).finished(rows=1, query_id=1).batch)
    ledger.delete(DeletedBatch(done, tuple(ledger.segments(done))), NOON)
    with pytest.raises(DeletedBatchError):
        ledger.get("orders", done.batch)
