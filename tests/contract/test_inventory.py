"""What every inventory keeps to, in memory as in DynamoDB; and what only DynamoDB can hold: items that say nothing."""

from datetime import timedelta
from typing import Any

import boto3
import pytest
from support.objects import NOON, TARGET, an_object, counting_randomness

from rsloader_provider.aws.dynamodb.inventory import DynamoInventory
from rsloader_provider.aws.dynamodb.ledger import DynamoLedger
from rsloader_provider.aws.dynamodb.protection import protect_tables
from rsloader_provider.aws.dynamodb.tables import TableNames, create_tables
from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.errors import CorruptLedgerError
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.objects import ledger_key
from rsloader_provider.loader.ports.inventory import Segment, Unreadable

LIMITS = BatchLimits(max_files=1000, max_bytes=1000, max_age=timedelta(minutes=5))
LONG = "orders/" + "x" * 1017


def two_batches(ledger: Any) -> tuple[Any, Any]:
    """A locked batch of three objects, claimed in two steps, and an open one of one."""
    batch = ledger.claim(ledger.open_batch("orders", NOON), [an_object("orders/2"), an_object(LONG)], LIMITS, NOON)
    batch = ledger.claim(batch, [an_object("orders/1")], LIMITS, NOON)
    locked, opened = ledger.lock(batch, reason="max_age", run="dag/run", targets={TARGET: {}}, now=NOON)
    return locked, ledger.claim(opened, [an_object("orders/3")], LIMITS, NOON)


def test_everything_of_a_load_is_there_in_the_order_of_its_keys(ledger_and_inventory: tuple[Any, Any]):
    ledger, inventory = ledger_and_inventory
    locked, opened = two_batches(ledger)
    ledger.claim(ledger.open_batch("returns", NOON), [an_object("orders/1")], LIMITS, NOON)
    names = [each.name for each in inventory.claims("orders")]
    assert names == sorted(names, key=ledger_key)
    assert {*names} == {"landing/orders/1", "landing/orders/2", "landing/orders/3", f"landing/{LONG}"}
    assert [each.batch for each in inventory.batches("orders")] == [locked, opened]
    assert all(each.is_indexed_right for each in inventory.batches("orders"))
    segments = list(inventory.segments("orders"))
    assert [each.batch for each in segments] == sorted(each.batch for each in segments)
    entries = sorted((each.batch, entry) for each in segments for entry in each.entries)
    assert entries == sorted(
        [(locked.batch, Entry(f"landing/{key}", 10)) for key in ("orders/1", "orders/2", LONG)]
        + [(opened.batch, Entry("landing/orders/3", 10))]
    )
    assert inventory.current("orders") == opened.batch


def test_a_load_that_never_ran_has_nothing(ledger_and_inventory: tuple[Any, Any]):
    _, inventory = ledger_and_inventory
    assert [*inventory.claims("orders"), *inventory.batches("orders"), *inventory.segments("orders")] == []
    assert inventory.current("orders") is None


class Edited:
    """A load in DynamoDB, and a person with a console."""

    def __init__(self, arguments: dict[str, Any], prefix: str):
        self.client = boto3.resource("dynamodb", **arguments).meta.client
        self.names = TableNames(prefix)
        create_tables(self.client, self.names, created=lambda _: None)
        self.ledger = DynamoLedger(self.client, self.names, counting_randomness())
        self.inventory = DynamoInventory(self.client, self.names)
        self.locked, self.opened = two_batches(self.ledger)

    def edit(self, batch: str, **changes: Any) -> None:
        item = self.client.get_item(TableName=self.names.batches, Key={"load": "orders", "batch": batch})["Item"]
        item = {name: value for name, value in {**item, **changes}.items() if value is not None}
        self.client.put_item(TableName=self.names.batches, Item=item)

    def edit_claim(self, name: str, **changes: Any) -> None:
        item = self.client.get_item(TableName=self.names.files, Key={"load": "orders", "object": name})["Item"]
        item = {name: value for name, value in {**item, **changes}.items() if value is not None}
        self.client.put_item(TableName=self.names.files, Item=item)


@pytest.fixture(scope="module")
def prefixes() -> Any:
    return iter(f"edited{number}_" for number in range(100))


@pytest.fixture
def edited(aws_arguments: dict[str, Any], prefixes: Any) -> Edited:
    return Edited(aws_arguments, next(prefixes))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": None}, {"status": "done"}, {"files": "many"}, {"version": None}, {"targets": ["a"]},
        {"targets": {TARGET: {"state": "loaded"}}}, {"locked_at": "yesterday"}, {"locked_at": "2026-01-02T12:00:00"},
        {"run": 7}, {"notification": "perhaps"},
    ],
)  # fmt: skip
def test_a_batch_that_was_edited_is_refused_and_named(edited: Edited, changes: dict[str, Any]):
    """Half of an item is worse than none: whoever went on with it would load the wrong thing."""
    edited.edit(edited.locked.batch, **changes)
    with pytest.raises(CorruptLedgerError, match=f"(?s){edited.locked.batch}.*'orders'.*backup"):
        edited.ledger.get("orders", edited.locked.batch)
    unreadable, opened = edited.inventory.batches("orders")
    assert isinstance(unreadable, Unreadable)
    assert unreadable.key == edited.locked.batch
    assert opened.batch == edited.opened


@pytest.mark.parametrize(
    "changes", [{"batch": None}, {"etag": 5}, {"size_bytes": "x"}, {"claimed_at": "2026-01-02T12:00:00"}]
)
def test_a_claim_that_was_edited_is_refused_and_named(edited: Edited, changes: dict[str, Any]):
    edited.edit_claim("landing/orders/1", **changes)
    with pytest.raises(CorruptLedgerError, match=r"(?s)landing/orders/1.*'orders'.*backup"):
        edited.ledger.find_claim("orders", "landing/orders/1")
    assert [each.key for each in edited.inventory.claims("orders") if isinstance(each, Unreadable)] == [
        "landing/orders/1"
    ]


def test_objects_that_lost_their_claims_are_named_with_the_item_and_the_repair(edited: Edited):
    edited.client.delete_item(TableName=edited.names.files, Key={"load": "orders", "object": "landing/orders/3"})
    with pytest.raises(CorruptLedgerError) as raised:
        edited.ledger.claim(edited.opened, [an_object("orders/3"), an_object("orders/4")], LIMITS, NOON)
    said = str(raised.value)
    assert f"#segment#{edited.opened.batch}#" in said
    assert "lists s3://landing/orders/3, and" in said
    assert f"put an item for each of these objects into table {edited.names.files}" in said
    back = {"object": "landing/orders/3", "size_bytes": 10, "etag": "e", "last_modified": NOON.isoformat()}
    back |= {"load": "orders", "batch": edited.opened.batch, "claimed_at": NOON.isoformat()}
    edited.client.put_item(TableName=edited.names.files, Item=back)
    assert edited.ledger.claim(edited.opened, [an_object("orders/4")], LIMITS, NOON).files == 2


@pytest.mark.parametrize("entries", [None, b"no zip", "text"])
def test_a_segment_that_was_edited_is_refused_and_named(edited: Edited, entries: Any):
    answer = edited.client.query(
        TableName=edited.names.batches,
        KeyConditionExpression="#load = :load AND begins_with(#batch, :segments)",
        ExpressionAttributeNames={"#load": "load", "#batch": "batch"},
        ExpressionAttributeValues={":load": "orders", ":segments": f"#segment#{edited.locked.batch}"},
    )
    edited.edit(answer["Items"][0]["batch"], entries=entries)
    with pytest.raises(CorruptLedgerError, match=f"(?s){edited.locked.batch}.*'orders'.*backup"):
        edited.ledger.entries(edited.locked)
    found = [*edited.inventory.segments("orders")]
    assert sum(isinstance(each, Segment) for each in found) == 2
    assert [each.key for each in found if isinstance(each, Unreadable)] == [edited.locked.batch]


@pytest.mark.parametrize("open_batch", [None, 7, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "#current"])
def test_an_open_batch_that_is_named_wrong_is_refused(edited: Edited, open_batch: Any):
    edited.edit("#current", open_batch=open_batch)
    with pytest.raises(CorruptLedgerError, match=r"(?s)orders.*open batch.*backup"):
        edited.ledger.open_batch("orders", NOON)


def test_a_batch_that_the_index_does_not_show_is_told(edited: Edited):
    """No run would ever look for it."""
    edited.edit(edited.locked.batch, attention=None)
    assert [each.is_indexed_right for each in edited.inventory.batches("orders")] == [False, True]


def test_a_batch_id_of_the_future_is_followed_by_later_ones(edited: Edited):
    """A clock was wrong for a moment; all that came after would otherwise sort before it."""
    future = "6ZZZZZZZZZZZZZZZZZZZZZZZZZ"
    item = edited.client.get_item(TableName=edited.names.batches, Key={"load": "orders", "batch": edited.opened.batch})[
        "Item"
    ]
    edited.client.put_item(TableName=edited.names.batches, Item={**item, "batch": future})
    edited.edit("#current", open_batch=future)
    batch = edited.ledger.open_batch("orders", NOON)
    _, following = edited.ledger.lock(batch, reason="max_age", run="dag/run", targets={TARGET: {}}, now=NOON)
    assert following.batch > future


def test_a_batch_id_that_none_can_follow_is_refused(edited: Edited):
    last = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
    item = edited.client.get_item(TableName=edited.names.batches, Key={"load": "orders", "batch": edited.opened.batch})[
        "Item"
    ]
    edited.client.put_item(TableName=edited.names.batches, Item={**item, "batch": last})
    edited.edit("#current", open_batch=last)
    with pytest.raises(CorruptLedgerError, match=last):
        edited.ledger.open_batch("orders", NOON)


def test_what_is_switched_on_for_the_tables_is_told_and_stays(edited: Edited):
    """Each alone, for those who must not have the other; and never off again."""
    names = (edited.names.files, edited.names.batches)

    def protect(*, recovery: bool, deletion: bool) -> list[tuple[str, str]]:
        told: list[tuple[str, str]] = []
        protect_tables(
            edited.client, edited.names, lambda *each: told.append(each),
            point_in_time_recovery=recovery, deletion_protection=deletion,
        )  # fmt: skip
        return told

    def protection() -> list[tuple[str, bool, bool]]:
        found = edited.inventory.protection()
        return [(each.name, each.point_in_time_recovery, each.deletion_protection) for each in found]

    assert protect(recovery=False, deletion=False) == []
    assert protection() == [(name, False, False) for name in names]
    assert protect(recovery=True, deletion=False) == [(name, "point-in-time recovery") for name in names]
    assert protection() == [(name, True, False) for name in names]
    assert protect(recovery=True, deletion=True) == [(name, "deletion protection") for name in names]
    assert protect(recovery=False, deletion=False) == []
    assert protection() == [(name, True, True) for name in names]
