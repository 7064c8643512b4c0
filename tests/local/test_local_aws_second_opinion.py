"""Our DynamoDB agrees with moto's on single items, where moto is sound: they share no code but the reserved words."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from local.aws_fixtures import client, running_aws
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = 120
CONDITIONS = (
    None,
    "attribute_exists(n)",
    "attribute_not_exists(pk)",
    "attribute_not_exists(n) OR n < :n",
    "n BETWEEN :zero AND :n AND begins_with(t, :a)",
    "contains(marks, :a) OR contains(t, :a)",
    "NOT (t = :a) AND n <> :zero",
    "n IN (:zero, :n)",
    # moto answers 500 when size() is asked of what is not there.
    "attribute_exists(t) AND size(t) >= :zero",
    "tree.leaf = :a OR attribute_type(tree, :m)",
)
UPDATES = (
    "SET n = :n, t = :a",
    "SET n = if_not_exists(n, :zero) + :n",
    "ADD n :n",
    "ADD marks :marks",
    "DELETE marks :marks",
    "REMOVE t, n",
    "SET things = list_append(if_not_exists(things, :empty), :more)",
    "SET tree = :tree",
    "SET tree.leaf = :a",
    "REMOVE tree.leaf SET t = :a",
)
VALUES: dict[str, Any] = {
    ":zero": {"N": "0"},
    ":a": {"S": "a"},
    ":m": {"S": "M"},
    ":marks": {"SS": ["a", "b"]},
    ":empty": {"L": []},
    ":more": {"L": [{"N": "1"}]},
    ":tree": {"M": {"leaf": {"S": "b"}}},
}


class QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def moto() -> Iterator[Any]:
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield boto3.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )
    server.shutdown()


def test_120_random_writes_leave_the_same_items_and_are_refused_alike(moto: Any) -> None:
    with running_aws() as aws:
        ours = client(aws, "dynamodb")
        for each in (ours, moto):
            each.create_table(
                TableName="twins",
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        chance = random.Random(7)
        for step in range(STEPS):
            operation, request = random_write(chance)
            outcomes = [outcome(each, operation, request) for each in (ours, moto)]
            assert outcomes[0] == outcomes[1], (step, operation, request)
            key = {"pk": (request.get("Key") or request["Item"])["pk"]}
            items = [each.get_item(TableName="twins", Key=key).get("Item") for each in (ours, moto)]
            assert normal(items[0]) == normal(items[1]), (step, operation, request)


def random_write(chance: random.Random) -> tuple[str, dict[str, Any]]:
    request: dict[str, Any] = {"TableName": "twins"}
    key = {"pk": {"S": chance.choice("xyz")}}
    operation = chance.choice(("put_item", "update_item", "update_item", "update_item", "delete_item"))
    if operation == "put_item":
        request["Item"] = key | {"n": {"N": str(chance.randint(0, 5))}, "t": {"S": chance.choice(("a", "ab", "b"))}}
    else:
        request["Key"] = key
    expressions = []
    if operation == "update_item":
        request["UpdateExpression"] = chance.choice(UPDATES)
        expressions.append(request["UpdateExpression"])
    if condition := chance.choice(CONDITIONS):
        request["ConditionExpression"] = condition
        expressions.append(condition)
    values = VALUES | {":n": {"N": str(chance.randint(0, 5))}}
    words = " ".join(expressions).replace("(", " ").replace(")", " ").replace(",", " ").split()
    if used := {name: value for name, value in values.items() if name in words}:
        request["ExpressionAttributeValues"] = used
    return operation, request


def outcome(dynamodb: Any, operation: str, request: dict[str, Any]) -> str:
    try:
        getattr(dynamodb, operation)(**request)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


def normal(item: dict[str, Any] | None) -> dict[str, Any] | None:
    """An item with its sets sorted."""
    if item is None:
        return None
    return {name: {"SS": sorted(value["SS"])} if "SS" in value else value for name, value in item.items()}
