"""Moto's DynamoDB as the local AWS serves it: atomic, in order at any size, and with AWS's write units."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from werkzeug.serving import make_server

from rsloader_provider.local.aws.app import LocalAwsApp, RequestHandler
from rsloader_provider.local.aws.dynamodb.moto_dynamodb import DynamoDBService

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
NONE = {"Code": "None"}
ADD_ONE: dict[str, Any] = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}


@pytest.fixture(scope="module")
def service() -> DynamoDBService:
    return DynamoDBService()


@pytest.fixture(scope="module")
def dynamodb(service: DynamoDBService) -> Iterator[Any]:
    app = LocalAwsApp()
    app.dynamodb = service  # type: ignore[assignment]
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=RequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield boto3.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=20),
    )
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def table(dynamodb: Any) -> str:
    name = f"t-{uuid.uuid4()}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "load", "KeyType": "HASH"}, {"AttributeName": "object", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": each, "AttributeType": "S"} for each in ("load", "object", "attention")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "attention",
                "KeySchema": [
                    {"AttributeName": "load", "KeyType": "HASH"},
                    {"AttributeName": "attention", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def item(name: str, **attributes: Any) -> dict[str, Any]:
    return {"load": {"S": "l"}, "object": {"S": name}, **attributes}


def claim(table: str, name: str, **options: Any) -> dict[str, Any]:
    put = {"TableName": table, "Item": item(name), "ConditionExpression": "attribute_not_exists(#o)"}
    return {"Put": put | {"ExpressionAttributeNames": {"#o": "object"}} | options}


def add_one(table: str, name: str, **options: Any) -> dict[str, Any]:
    return {"Update": {"TableName": table, "Key": item(name), **ADD_ONE, **options}}


def get(dynamodb: Any, table: str, name: str) -> Any:
    return dynamodb.get_item(TableName=table, Key=item(name), ConsistentRead=True).get("Item")


def query(dynamodb: Any, table: str, and_: str = "", values: dict[str, str] | None = None, **options: Any) -> list[str]:
    """All names that a query finds, page after page."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="#l = :l" + and_,
        ExpressionAttributeNames={"#l": "load"} | ({"#o": "object"} if "#o" in and_ else {}),
        ExpressionAttributeValues={":l": {"S": "l"}} | {key: {"S": value} for key, value in (values or {}).items()},
        **options,
    )
    return [each["object"]["S"] for page in pages for each in page["Items"]]


def fill(dynamodb: Any, table: str, names: list[str], **attributes: Any) -> None:
    for start in range(0, len(names), 100):
        puts = [{"Put": {"TableName": table, "Item": item(name, **attributes)}} for name in names[start : start + 100]]
        dynamodb.transact_write_items(TransactItems=puts)


def test_a_transaction_whose_condition_fails_changes_nothing_and_says_why_in_order(dynamodb: Any, table: str) -> None:
    dynamodb.put_item(TableName=table, Item=item("taken", n={"N": "1"}, tags={"SS": ["a"]}))
    absent = {"TableName": table, "Key": item("absent"), "ConditionExpression": "attribute_exists(n)"}
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as refusal:
        dynamodb.transact_write_items(
            TransactItems=[
                claim(table, "free"),
                claim(table, "taken", ReturnValuesOnConditionCheckFailure="ALL_OLD"),
                add_one(table, "counter"),
                {"ConditionCheck": absent},
                {"Delete": absent | {"Key": item("other"), "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}},
            ]
        )
    shown = FAILED | {"Item": item("taken", n={"N": "1"}, tags={"SS": ["a"]})}
    assert refusal.value.response["CancellationReasons"] == [NONE, shown, NONE, FAILED, FAILED]
    assert "[None, ConditionalCheckFailed, None, ConditionalCheckFailed, ConditionalCheckFailed]" in str(refusal.value)
    assert query(dynamodb, table) == ["taken"]


def test_a_transaction_puts_updates_deletes_and_checks_at_once(dynamodb: Any, table: str) -> None:
    fill(dynamodb, table, ["counter", "gone", "kept"], n={"N": "1"})
    condition = {"ConditionExpression": "n = :one"}
    values = {"ExpressionAttributeValues": {":one": {"N": "1"}}}
    dynamodb.transact_write_items(
        TransactItems=[
            claim(table, "new"),
            add_one(table, "counter", **condition),
            {"Delete": {"TableName": table, "Key": item("gone"), **condition, **values}},
            {"ConditionCheck": {"TableName": table, "Key": item("kept"), **condition, **values}},
        ]
    )
    assert query(dynamodb, table) == ["counter", "kept", "new"]
    assert get(dynamodb, table, "counter")["n"] == {"N": "2"}


@pytest.mark.parametrize(
    "bad",
    [
        {"Put": {"Item": {"load": {"S": "l"}, "object": {"N": "1"}}}},
        {"Put": {"Item": {"load": {"S": "l"}}}},
        {"Put": {"Item": item("huge", body={"S": "x" * 410_000})}},
        {"Update": {"Key": item("text"), **ADD_ONE}},
        {"Update": {"Key": item("first"), **ADD_ONE}},
    ],
    ids=["key of the wrong type", "no key", "too large", "adds to a text", "an item twice"],
)
def test_an_action_without_sense_leaves_nothing_applied(dynamodb: Any, table: str, bad: dict[str, Any]) -> None:
    """Conditions are not the only thing that can fail after the first action was carried out."""
    dynamodb.put_item(TableName=table, Item=item("text", n={"S": "one"}))
    action = {kind: {"TableName": table, **request} for kind, request in bad.items()}
    with pytest.raises(ClientError) as refusal:
        dynamodb.transact_write_items(TransactItems=[claim(table, "first"), add_one(table, "second"), action])
    assert refusal.value.response["Error"]["Code"] == "ValidationException"
    assert query(dynamodb, table) == ["text"]


def test_a_transaction_has_at_most_100_actions(dynamodb: Any, table: str) -> None:
    dynamodb.transact_write_items(TransactItems=[claim(table, f"{number}") for number in range(100)])
    with pytest.raises(ClientError, match="100"):
        dynamodb.transact_write_items(TransactItems=[claim(table, f"x{number}") for number in range(101)])
    assert len(query(dynamodb, table)) == 100


def test_an_update_that_fails_halfway_changes_nothing(dynamodb: Any, table: str) -> None:
    dynamodb.put_item(TableName=table, Item=item("a", text={"S": "-"}))
    with pytest.raises(ClientError):
        dynamodb.update_item(
            TableName=table,
            Key=item("a"),
            UpdateExpression="SET fresh = :one ADD text :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
    assert get(dynamodb, table, "a") == item("a", text={"S": "-"})


def test_the_same_token_applies_a_transaction_once(dynamodb: Any, table: str) -> None:
    """A client whose answer was lost sends the transaction again; adding twice would spoil the count."""
    token = uuid.uuid4().hex
    for _ in range(3):
        dynamodb.transact_write_items(TransactItems=[add_one(table, "a")], ClientRequestToken=token)
    assert get(dynamodb, table, "a")["n"] == {"N": "1"}
    with pytest.raises(dynamodb.exceptions.IdempotentParameterMismatchException):
        dynamodb.transact_write_items(TransactItems=[claim(table, "b")], ClientRequestToken=token)


def test_a_cancelled_transaction_may_come_again_with_its_token(dynamodb: Any, table: str) -> None:
    dynamodb.put_item(TableName=table, Item=item("a"))
    token = uuid.uuid4().hex
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=[claim(table, "a")], ClientRequestToken=token)
    dynamodb.delete_item(TableName=table, Key=item("a"))
    dynamodb.transact_write_items(TransactItems=[claim(table, "a")], ClientRequestToken=token)
    assert query(dynamodb, table) == ["a"]


def test_16_threads_lose_no_conditional_increment(dynamodb: Any, table: str) -> None:
    """Moto alone lost 15 of 800 updates of 8 threads."""
    dynamodb.put_item(TableName=table, Item=item("counter", n={"N": "0"}))

    def count(_thread: int) -> None:
        for _ in range(50):
            dynamodb.update_item(
                TableName=table, Key=item("counter"), ConditionExpression="attribute_exists(n)", **ADD_ONE
            )

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(count, range(16)))
    assert get(dynamodb, table, "counter")["n"] == {"N": "800"}


def test_8_threads_are_granted_each_key_once(dynamodb: Any, table: str) -> None:
    """Moto alone granted 100 keys 107 times."""

    def claim_all(thread: int) -> list[str]:
        granted: list[str] = []
        for place in range(50):
            # Each thread begins elsewhere, so that they meet in the middle of each other's keys.
            start = (place * 10 + thread * 60) % 500
            names = [f"{number:03}" for number in range(start, start + 10)]
            try:
                dynamodb.transact_write_items(TransactItems=[claim(table, name) for name in names])
            except dynamodb.exceptions.TransactionCanceledException:
                continue
            granted += names
        return granted

    with ThreadPoolExecutor(8) as pool:
        granted = [name for names in pool.map(claim_all, range(8)) for name in names]
    assert sorted(granted) == [f"{number:03}" for number in range(500)] == query(dynamodb, table)


@pytest.mark.parametrize("forward", [True, False], ids=["forward", "backward"])
@pytest.mark.parametrize(
    ("and_", "values", "expected"),
    [
        ("", {}, ["a", "a/1", "a/2", "b", "é"]),
        (" AND begins_with(#o, :x)", {":x": "a/"}, ["a/1", "a/2"]),
        (" AND #o BETWEEN :x AND :y", {":x": "a/1", ":y": "b"}, ["a/1", "a/2", "b"]),
        (" AND #o > :x", {":x": "a/1"}, ["a/2", "b", "é"]),
        (" AND #o >= :x", {":x": "a/1"}, ["a/1", "a/2", "b", "é"]),
        (" AND #o < :x", {":x": "a/2"}, ["a", "a/1"]),
        (" AND #o <= :x", {":x": "a/1"}, ["a", "a/1"]),
        (" AND #o = :x", {":x": "a/1"}, ["a/1"]),
    ],
)
def test_a_query_pages_in_order_from_both_ends(
    dynamodb: Any, table: str, and_: str, values: dict[str, str], expected: list[str], forward: bool
) -> None:
    fill(dynamodb, table, ["b", "a/2", "é", "a", "a/1"])
    for size in (1, 2, 5):
        options = {"ScanIndexForward": forward, "ConsistentRead": True, "PaginationConfig": {"PageSize": size}}
        assert query(dynamodb, table, and_, values, **options) == (expected if forward else expected[::-1])


@pytest.mark.parametrize("forward", [True, False], ids=["forward", "backward"])
def test_5000_items_come_in_pages_of_one_megabyte(dynamodb: Any, table: str, forward: bool) -> None:
    names = [f"{number:04}" for number in range(5_000)]
    fill(dynamodb, table, names[::-1], body={"S": "x" * 500})
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="#l = :l",
        ExpressionAttributeNames={"#l": "load", "#o": "object"},
        ExpressionAttributeValues={":l": {"S": "l"}},
        ProjectionExpression="#o",
        ScanIndexForward=forward,
    )
    found = [[each["object"]["S"] for each in page["Items"]] for page in pages]
    assert len(found) == 3
    assert [name for page in found for name in page] == (names if forward else names[::-1])


def test_a_query_sees_what_came_and_went_between_its_pages(dynamodb: Any, table: str) -> None:
    fill(dynamodb, table, ["a", "b", "c"])
    pages = iter(
        dynamodb.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="#l = :l",
            ExpressionAttributeNames={"#l": "load"},
            ExpressionAttributeValues={":l": {"S": "l"}},
            PaginationConfig={"PageSize": 1},
        )
    )
    assert [each["object"]["S"] for each in next(pages)["Items"]] == ["a"]
    dynamodb.delete_item(TableName=table, Key=item("b"))
    dynamodb.put_item(TableName=table, Item=item("d"))
    assert [each["object"]["S"] for page in pages for each in page["Items"]] == ["c", "d"]


def test_a_filter_is_applied_to_the_page_and_keeps_binary_values(dynamodb: Any, table: str) -> None:
    fill(dynamodb, table, ["a", "b", "c"], bits={"B": b"\x00\xff"})
    answer = dynamodb.query(
        TableName=table,
        KeyConditionExpression="#l = :l",
        FilterExpression="bits = :bits AND attribute_not_exists(n)",
        ExpressionAttributeNames={"#l": "load"},
        ExpressionAttributeValues={":l": {"S": "l"}, ":bits": {"B": b"\x00\xff"}},
        Limit=2,
    )
    assert answer["Items"] == [item(name, bits={"B": b"\x00\xff"}) for name in "ab"]
    assert answer["LastEvaluatedKey"] == item("b")


def test_the_sparse_index_holds_only_what_has_its_key(dynamodb: Any, table: str) -> None:
    attributes: dict[str, Any] = {"attention": {"S": "open"}, "note": {"S": "n"}}
    dynamodb.put_item(TableName=table, Item=item("a", **attributes, other={"S": "o"}))
    dynamodb.put_item(TableName=table, Item=item("b"))

    def indexed() -> Any:
        return dynamodb.query(
            TableName=table,
            IndexName="attention",
            KeyConditionExpression="#l = :l AND begins_with(attention, :a)",
            ExpressionAttributeNames={"#l": "load"},
            ExpressionAttributeValues={":l": {"S": "l"}, ":a": {"S": "op"}},
        )["Items"]

    assert indexed() == [item("a", **attributes)]
    dynamodb.update_item(TableName=table, Key=item("a"), UpdateExpression="REMOVE attention")
    assert indexed() == []


@pytest.fixture
def flat(dynamodb: Any) -> Iterator[str]:
    """A table without a range key."""
    dynamodb.create_table(
        TableName="flat",
        KeySchema=[{"AttributeName": "load", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "load", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield "flat"
    dynamodb.delete_table(TableName="flat")


def put_flat(dynamodb: Any, flat: str, names: list[str], **attributes: dict[str, str]) -> None:
    for start in range(0, len(names), 25):
        puts = [{"PutRequest": {"Item": {"load": {"S": name}, **attributes}}} for name in names[start : start + 25]]
        dynamodb.batch_write_item(RequestItems={flat: puts})


def scanned(dynamodb: Any, flat: str, **options: Any) -> list[list[str]]:
    """The names on each page of a scan."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=flat, ConsistentRead=True, **options)
    return [[each["load"]["S"] for each in page["Items"]] for page in pages]


def test_a_scan_gives_every_item_once_in_pages_of_one_megabyte_or_of_a_limit(dynamodb: Any, flat: str) -> None:
    names = [f"{number:03}" for number in range(250)]
    put_flat(dynamodb, flat, names[::-1], text={"S": "x" * 10_000})
    by_size = scanned(dynamodb, flat)
    # An item has the 10,000 characters, its name and the names of its attributes.
    assert [len(page) for page in by_size] == [99, 99, 52]
    assert [name for page in by_size for name in page] == names
    by_number = scanned(dynamodb, flat, PaginationConfig={"PageSize": 120})
    assert [name for page in by_number for name in page] == names
    values = {":l": {"S": "005"}}
    few = {"FilterExpression": "#load < :l", "ExpressionAttributeNames": {"#load": "load"}}
    filtered = scanned(dynamodb, flat, ExpressionAttributeValues=values, ProjectionExpression="#load", **few)
    assert filtered == [names[:5], [], []]


def test_a_scan_sees_what_came_and_went_between_its_pages(dynamodb: Any, flat: str) -> None:
    put_flat(dynamodb, flat, ["a", "b", "c", "d"])
    first = dynamodb.scan(TableName=flat, Limit=2)
    assert [each["load"]["S"] for each in first["Items"]] == ["a", "b"]
    for gone in ("b", "c"):
        dynamodb.delete_item(TableName=flat, Key={"load": {"S": gone}})
    put_flat(dynamodb, flat, ["aa", "e"])
    rest = dynamodb.scan(TableName=flat, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert [each["load"]["S"] for each in rest["Items"]] == ["d", "e"]


def test_a_service_starts_empty_and_keeps_tables_without_a_range_key_too(dynamodb: Any, flat: str) -> None:
    put = {"TableName": flat, "Item": {"load": {"S": "l"}}, "ConditionExpression": "attribute_not_exists(#l)"}
    once = {"Put": put | {"ExpressionAttributeNames": {"#l": "load"}}}
    dynamodb.transact_write_items(TransactItems=[once])
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=[once])
    assert dynamodb.scan(TableName=flat)["Items"] == [{"load": {"S": "l"}}]
    dynamodb.delete_item(TableName=flat, Key={"load": {"S": "l"}})
    assert dynamodb.scan(TableName=flat)["Items"] == []


class Units:
    """What requests cost since the last look, as (table, index)."""

    def __init__(self, service: DynamoDBService, table: str) -> None:
        self._service = service
        self._table = table
        service.spent.reset()

    def spent(self) -> tuple[int, int]:
        report = self._service.spent.report()
        self._service.spent.reset()
        share = report["tables"][self._table]
        assert report["total"] == share["table"] + share["indexes"].get("attention", 0)
        return share["table"], share["indexes"].get("attention", 0)


def test_an_item_is_as_large_as_its_names_and_values(service: DynamoDBService, dynamodb: Any, table: str) -> None:
    """1,024 bytes cost one unit and 1,025 two, for every type of value."""
    values: dict[str, Any] = {
        "n": {"N": "-123.40"},  # 4 digits: 2 bytes, one more, one for the sign: 4
        "zeros": {"N": "12000"},  # 2 digits: 1 + 1
        "flag": {"BOOL": True},
        "nothing": {"NULL": True},
        "raw": {"B": b"\x00\xff\x00"},
        "tags": {"SS": ["ab", "é"]},  # 2 + 2
        "list": {"L": [{"S": "a"}, {"N": "1"}]},  # 3 + (1 + 1) + (1 + 2)
        "map": {"M": {"k": {"S": "vv"}}},  # 3 + 1 + 1 + 2
    }
    names = sum(map(len, values)) + len("load") + len("object") + len("body")
    used = names + len("l") + len("a") + (4 + 2 + 1 + 1 + 3 + 4 + 8 + 7)
    units = Units(service, table)
    for body_bytes, expected in ((1024 - used, 1), (1025 - used, 2)):
        dynamodb.put_item(TableName=table, Item=item("a", **values, body={"S": "x" * body_bytes}))
        assert units.spent() == (expected, 0)
        dynamodb.delete_item(TableName=table, Key=item("a"))
        assert units.spent() == (expected, 0)


def test_a_write_costs_the_larger_of_the_item_before_and_after(
    service: DynamoDBService, dynamodb: Any, table: str
) -> None:
    large = {"body": {"S": "x" * 2_500}}
    units = Units(service, table)
    dynamodb.put_item(TableName=table, Item=item("a", **large))
    assert units.spent() == (3, 0)
    dynamodb.update_item(TableName=table, Key=item("a"), **ADD_ONE)
    assert units.spent() == (3, 0)
    dynamodb.put_item(TableName=table, Item=item("a"))
    assert units.spent() == (3, 0)
    dynamodb.delete_item(TableName=table, Key=item("a"))
    assert units.spent() == (1, 0)
    dynamodb.delete_item(TableName=table, Key=item("a"))
    assert units.spent() == (1, 0)
    dynamodb.batch_write_item(
        RequestItems={table: [{"PutRequest": {"Item": item(name, **large)}} for name in ("a", "b")]}
    )
    assert units.spent() == (6, 0)


def test_an_index_costs_when_what_it_holds_changes(service: DynamoDBService, dynamodb: Any, table: str) -> None:
    units = Units(service, table)

    def update(expression: str, **values: str) -> tuple[int, int]:
        given = {"ExpressionAttributeValues": {f":{name}": {"S": value} for name, value in values.items()}}
        dynamodb.update_item(TableName=table, Key=item("a"), UpdateExpression=expression, **(given if values else {}))
        return units.spent()

    dynamodb.put_item(TableName=table, Item=item("a", extra={"S": "x" * 2_000}))
    assert units.spent() == (2, 0)  # the index does not hold it
    assert update("SET attention = :a", a="open") == (2, 1)  # put
    assert update("SET extra = :o", o="y" * 2_000) == (2, 0)  # not projected
    assert update("SET note = :n", n="y" * 1_500) == (4, 2)  # changed in place, larger than 1 KB
    assert update("SET attention = :a", a="error") == (4, 4)  # its key changed: deleted, and put again
    assert update("SET attention = :a", a="error") == (4, 0)  # nothing changed
    assert update("REMOVE attention") == (4, 2)  # deleted


def test_a_transaction_costs_twice(service: DynamoDBService, dynamodb: Any, table: str) -> None:
    dynamodb.put_item(TableName=table, Item=item("a", body={"S": "x" * 1_500}))
    units = Units(service, table)
    check = {"TableName": table, "Key": item("b"), "ConditionExpression": "attribute_not_exists(n)"}
    actions = [
        add_one(table, "a"),  # 2 KB
        {"Put": {"TableName": table, "Item": item("c", attention={"S": "open"})}},  # 1 and 1 of the index
        {"ConditionCheck": check},  # 1
    ]
    token = uuid.uuid4().hex
    dynamodb.transact_write_items(TransactItems=actions, ClientRequestToken=token)
    assert units.spent() == (2 * (2 + 1 + 1), 2 * 1)
    dynamodb.transact_write_items(TransactItems=actions, ClientRequestToken=token)
    assert service.spent.report() == {"total": 0, "tables": {}}


def test_a_failed_condition_costs_what_is_there(service: DynamoDBService, dynamodb: Any, table: str) -> None:
    dynamodb.put_item(TableName=table, Item=item("a", body={"S": "x" * 2_500}))
    units = Units(service, table)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(TableName=table, Item=item("a"), ConditionExpression="attribute_not_exists(body)")
    assert units.spent() == (3, 0)
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=[claim(table, "a"), claim(table, "b")])
    assert units.spent() == (2 * (3 + 1), 0)
