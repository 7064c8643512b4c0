"""The local AWS counts requests and DynamoDB write units by AWS's rules, so that tests can hold cost to a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from local.aws_fixtures import client, running_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rsloader_provider.local.aws import LocalAws

TABLE = "units"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with running_aws() as aws:
        yield aws


@pytest.fixture(scope="module")
def tables(aws: LocalAws) -> Any:
    dynamodb = client(aws, "dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "k", "AttributeType": "S"},
            {"AttributeName": "g", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["p"]},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return dynamodb


@pytest.fixture
def dynamodb(aws: LocalAws, tables: Any) -> Any:
    for each in tables.scan(TableName=TABLE)["Items"]:
        tables.delete_item(TableName=TABLE, Key={"k": each["k"]})
    aws.reset_requests()
    return tables


def spent(aws: LocalAws) -> tuple[int, int]:
    """Units of the table and of its index since the last reset."""
    counted = aws.requests()["write_units"]["tables"].get(TABLE, {"table": 0, "indexes": {}})
    aws.reset_requests()
    return counted["table"], counted["indexes"].get("by_g", 0)


def put(dynamodb: Any, **attributes: Any) -> None:
    dynamodb.put_item(TableName=TABLE, Item={"k": {"S": "a"}, **attributes})


def update(dynamodb: Any, expression: str, **values: str) -> None:
    options = {"ExpressionAttributeValues": {f":{name}": {"S": value} for name, value in values.items()}}
    dynamodb.update_item(
        TableName=TABLE, Key={"k": {"S": "a"}}, UpdateExpression=expression, **(options if values else {})
    )


def test_a_write_costs_its_larger_image_rounded_up(aws: LocalAws, dynamodb: Any) -> None:
    put(dynamodb, body={"S": "x" * (1024 - 6)})
    assert spent(aws) == (1, 0)
    put(dynamodb, body={"S": "x" * (1024 - 5)})
    assert spent(aws) == (2, 0)
    update(dynamodb, "REMOVE body")
    assert spent(aws) == (2, 0)
    dynamodb.delete_item(TableName=TABLE, Key={"k": {"S": "a"}})
    assert spent(aws) == (1, 0)
    dynamodb.delete_item(TableName=TABLE, Key={"k": {"S": "a"}})
    assert spent(aws) == (1, 0)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "é"}, 2),
        ({"N": "0"}, 1),
        ({"N": "12345"}, 4),
        ({"N": "-12"}, 3),
        ({"N": "100000"}, 2),
        ({"B": b"12345"}, 5),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"N": "1"}]}, 3 + 2 + 2 + 2),
        ({"M": {"ab": {"S": "cde"}}}, 3 + 1 + 2 + 3),
        ({"SS": ["a", "bc"]}, 3),
    ],
)
def test_the_size_of_each_type_is_that_of_awss_documentation(
    aws: LocalAws, dynamodb: Any, value: dict[str, Any], size: int
) -> None:
    # "k" + "a" + "v" + value + "f" + filler
    filler = 1024 - 4 - size
    put(dynamodb, v=value, f={"S": "x" * filler})
    assert spent(aws) == (1, 0)
    put(dynamodb, v=value, f={"S": "x" * (filler + 1)})
    assert spent(aws) == (2, 0)


def test_an_index_costs_only_what_changes_in_it(aws: LocalAws, dynamodb: Any) -> None:
    put(dynamodb, other={"S": "1"})
    assert spent(aws) == (1, 0)
    update(dynamodb, "SET g = :g", g="one")
    assert spent(aws) == (1, 1)
    update(dynamodb, "SET g = :g", g="two")
    assert spent(aws) == (1, 2)
    update(dynamodb, "SET other2 = :o", o="x")
    assert spent(aws) == (1, 0)
    update(dynamodb, "SET p = :p", p="x" * 1500)
    assert spent(aws) == (2, 2)
    update(dynamodb, "REMOVE g")
    assert spent(aws) == (2, 2)


def test_a_transaction_costs_twice_with_its_indexes(aws: LocalAws, dynamodb: Any) -> None:
    operations = [
        {"Put": {"TableName": TABLE, "Item": {"k": {"S": "a"}, "g": {"S": "1"}}}},
        {"Put": {"TableName": TABLE, "Item": {"k": {"S": "b"}}}},
        {
            "ConditionCheck": {
                "TableName": TABLE,
                "Key": {"k": {"S": "c"}},
                "ConditionExpression": "attribute_not_exists(k)",
            }
        },
    ]
    answer = dynamodb.transact_write_items(TransactItems=operations, ReturnConsumedCapacity="INDEXES")
    capacity = answer["ConsumedCapacity"][0]
    assert capacity["CapacityUnits"] == 8
    assert capacity["GlobalSecondaryIndexes"]["by_g"]["CapacityUnits"] == 2
    assert spent(aws) == (6, 2)


def test_a_failed_condition_costs_too(aws: LocalAws, dynamodb: Any) -> None:
    put(dynamodb, body={"S": "x" * 1500})
    aws.reset_requests()
    condition = {"ConditionExpression": "attribute_not_exists(k)"}
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(TableName=TABLE, Item={"k": {"S": "a"}}, **condition)
    assert spent(aws) == (2, 0)
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": TABLE, "Item": {"k": {"S": "a"}}, **condition}},
                {"Put": {"TableName": TABLE, "Item": {"k": {"S": "b"}}, **condition}},
            ]
        )
    assert spent(aws) == (6, 0)


def test_requests_are_counted_by_their_operation(aws: LocalAws, dynamodb: Any) -> None:
    s3, sns = client(aws, "s3"), client(aws, "sns")
    put(dynamodb)
    put(dynamodb)
    s3.create_bucket(Bucket="counted")
    s3.put_object(Bucket="counted", Key="a b/c", Body=b"x")
    s3.get_object(Bucket="counted", Key="a b/c")["Body"].read()
    s3.head_object(Bucket="counted", Key="a b/c")
    s3.list_objects_v2(Bucket="counted")
    s3.delete_object(Bucket="counted", Key="a b/c")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.publish(TopicArn=topic, Message="m")
    counted = aws.requests()
    assert counted["operations"] == {
        "dynamodb": {"PutItem": 2},
        "s3": {
            "CreateBucket": 1,
            "DeleteObject": 1,
            "GetObject": 1,
            "HeadObject": 1,
            "ListObjectsV2": 1,
            "PutObject": 1,
        },
        "sns": {"CreateTopic": 1, "Publish": 1},
    }
    assert counted["total"] == 10
    aws.reset_requests()
    assert aws.requests()["total"] == 0
