"""The Lambda loader's tables are read page by page, in memory as in DynamoDB."""

from typing import Any

import boto3
import pytest
from support.fakes.lambda_tables import MemoryLambdaTables
from support.lambda_items import a_batch, a_config_item, a_file, an_old_batch
from support.lambda_tables import LambdaTablesInDynamo

from rsloader_provider.aws.dynamodb.lambda_tables import DynamoLambdaTables
from rsloader_provider.core.errors import NotSetUpError
from rsloader_provider.core.lambda_loader.tables import LambdaBatch, LambdaFile, read_batch, read_config, read_file

CONFIGS = [a_config_item("eA==", prefix) for prefix in ("landing/orders", "landing/returns")]
BATCHES = [
    a_batch("a", "complete", "landing/orders/1"),
    an_old_batch("b", "open", "landing/orders/2", "landing/orders/3"),
    a_batch("c", "error", prefix="landing/returns"),
]
FILES = [a_file(f"landing/orders/{'x' * 900}{number}", "a") for number in range(1200)] + [a_file("landing/y")]


@pytest.fixture(params=["memory", "dynamodb"])
def tables(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryLambdaTables(CONFIGS, BATCHES, FILES)
    client = boto3.resource("dynamodb", **request.getfixturevalue("aws_arguments")).meta.client
    stored = LambdaTablesInDynamo(client, "contract-")
    stored.put(CONFIGS, BATCHES, FILES)
    return DynamoLambdaTables(client, "contract-")


def test_everything_is_read_and_means_the_same(tables: Any):
    """More than one page of files, sets and lists of entries, and numbers as DynamoDB gives them."""
    configs = [read_config(item)[0] for item in tables.configs()]
    assert sorted(each.prefix for each in configs if each) == ["landing/orders", "landing/returns"]
    batches = [read_batch(item) for item in tables.batches("landing/orders")]
    assert [findings for _, findings in batches] == [[], []]
    entries = {each.batch: dict(each.entries) for each, _ in batches if isinstance(each, LambdaBatch)}
    assert entries == {"a": {"landing/orders/1": 2}, "b": {"landing/orders/2": None, "landing/orders/3": None}}
    files = [read_file(item) for item in tables.files()]
    assert {each.name for each in files if isinstance(each, LambdaFile)} == {item["loadFile"] for item in FILES}
    assert LambdaFile("landing/y", None) in files


def test_tables_that_are_not_there_are_told_by_name(aws_arguments: dict[str, Any]):
    client = boto3.resource("dynamodb", **aws_arguments).meta.client
    with pytest.raises(NotSetUpError, match=r"(?s)none-LambdaRedshiftBatchLoadConfig.*--aws-conn-id"):
        [*DynamoLambdaTables(client, "none-").configs()]
