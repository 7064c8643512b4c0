"""Policies as `rsloader permissions` prints them; that they suffice and are needed is tested on the local AWS."""

import json
from pathlib import Path
from typing import Any

import pytest
from objects_for_tests import a_config
from typer.testing import CliRunner

from rsloader_provider.cli import app
from rsloader_provider.core.permissions import Installation, reader_policies, render_policy, worker_policy
from rsloader_provider.local.aws.iam_policies import Need, UnknownPolicyElementError, allows

SAMPLE = Path(__file__).parents[2] / "dags" / "loads"
TABLES = Installation("rsloader_files", "rsloader_batches", "attention")


def permissions(*arguments: str | Path) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["permissions", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.output))


def test_each_load_gets_its_policies_and_each_connection_its_grants():
    found = permissions(SAMPLE, "--user", "etl", "--region", "eu-west-1", "--account", "123456789012")
    orders = found["loads"]["orders"]
    text = json.dumps(orders["worker_policy"])
    assert "arn:aws:dynamodb:eu-west-1:123456789012:table/rsloader_batches/index/attention" in text
    assert list(orders["redshift_role_policies"]) == ["default"]
    assert 'GRANT INSERT ON "public"."orders" TO "etl"' in found["redshift_grants"]["redshift_default"]


def test_people_get_json_and_sql_to_copy():
    output = CliRunner().invoke(app, ["permissions", str(SAMPLE), "--load", "orders"]).output
    assert '"s3:prefix": [' in output
    assert 'ALTER TABLE "rsloader"."public__orders" OWNER TO "rsloader";' in output


def test_a_load_that_is_not_there_is_named():
    result = CliRunner().invoke(app, ["permissions", str(SAMPLE), "--load", "nowhere"])
    assert result.exit_code == 1
    assert "no load 'nowhere'" in result.output


def test_mistakes_in_load_files_are_told_and_a_good_load_is_not_held_up_by_them(tmp_path: Path):
    (tmp_path / "orders.yaml").write_text((SAMPLE / "orders.yaml").read_text())
    (tmp_path / "broken.yaml").write_text("load: broken\n")
    result = CliRunner().invoke(app, ["permissions", str(tmp_path)])
    assert result.exit_code == 1
    assert "broken.yaml:1" in result.output
    assert list(permissions(tmp_path, "--load", "orders")["loads"]) == ["orders"]


@pytest.mark.parametrize(
    ("region", "partition"),
    [("*", "aws"), ("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_arns_are_in_the_regions_part_of_aws(region: str, partition: str):
    text = json.dumps(render_policy(worker_policy(a_config(), Installation("f", "b", "i", region))))
    assert f'"arn:{partition}:s3:::landing"' in text
    assert f'"arn:{partition}:dynamodb:{region}:*:table/f"' in text


def test_of_a_chain_of_roles_only_the_last_reads():
    roles = [f"arn:aws:iam::123456789012:role/{name}" for name in ("first", "second", "third")]
    found = reader_policies(a_config(copy={"format": "csv", "iam_role": ",".join(roles)}), TABLES)
    assert [[each.actions for each in found[role]] for role in roles[:2]] == [[("sts:AssumeRole",)]] * 2
    assert found[roles[0]][0].resources == (roles[1],)
    assert {each.actions for each in found[roles[2]]} == {("s3:GetObject",), ("s3:ListBucket",)}


def test_redshift_may_read_the_jsonpaths_file_and_tell_that_it_is_missing():
    config = a_config(copy={"format": "json", "jsonpaths": "s3://acme-paths/orders?.json"})
    text = json.dumps(render_policy(reader_policies(config, TABLES)["default"]))
    assert '"s3:GetObject"], "Resource": ["arn:aws:s3:::acme-paths/orders${?}.json"]' in text
    assert '"arn:aws:s3:::loader", "arn:aws:s3:::acme-paths"]' in text
    assert "ReadJsonPaths" not in json.dumps(render_policy(reader_policies(a_config(), TABLES)["default"]))


def test_what_is_a_wildcard_for_iam_only_stands_for_itself():
    """A prefix with a '?' or a '$' would otherwise give away its neighbours."""
    source = "s3://landing/a?b/${aws:username}/x=*/"
    policy = [render_policy(worker_policy(a_config(source=source), TABLES))]
    reading = [render_policy(reader_policies(a_config(source=source), TABLES)["default"])]

    def may_list(prefix: str) -> bool:
        return allows(policy, Need("s3:ListBucket", "arn:aws:s3:::landing", {"s3:prefix": (prefix,)}))

    def may_read(key: str) -> bool:
        return allows(reading, Need("s3:GetObject", f"arn:aws:s3:::landing/{key}", {}))

    assert may_list("a?b/${aws:username}/x=")
    assert not may_list("acb/${aws:username}/x=")
    assert may_read("a?b/${aws:username}/x=1/1.csv")
    assert not may_read("acb/${aws:username}/x=1/1.csv")
    assert not may_read("a?b/${aws:username}/y=1/1.csv")


def test_the_whole_bucket_is_listed_without_a_condition():
    assert worker_policy(a_config(source="s3://landing"), TABLES)[0].conditions == {}


ALLOW = {"Effect": "Allow", "Action": "s3:Get*", "Resource": ["arn:aws:s3:::a/*", "arn:aws:s3:::b/?"]}
READ = Need("s3:GetObject", "arn:aws:s3:::a/x/y", {"s3:prefix": ("in/",)})


@pytest.mark.parametrize(
    ("statements", "need", "allowed"),
    [
        ([ALLOW], READ, True),
        ([], READ, False),
        ([ALLOW], READ._replace(action="s3:PutObject"), False),
        ([ALLOW], READ._replace(action="S3:getobject"), True),
        ([ALLOW], READ._replace(resource="arn:aws:s3:::b/xy"), False),
        ([ALLOW, ALLOW | {"Effect": "Deny", "Resource": "arn:aws:s3:::a/x/*"}], READ, False),
        ([ALLOW | {"Condition": {"StringEquals": {"s3:prefix": "in/"}}}], READ, True),
        ([ALLOW | {"Condition": {"StringLike": {"s3:prefix": "out/*"}}}], READ, False),
        ([ALLOW | {"Condition": {"StringLike": {"s3:prefix": "*"}}}], READ._replace(context={}), False),
        ([ALLOW | {"Condition": {"ForAllValues:StringLike": {"k": "*"}}}], READ, True),
        ([ALLOW | {"Condition": {"ForAllValues:StringEquals": {"s3:prefix": ["in/", "a"]}}}], READ, True),
        ([ALLOW | {"Condition": {"ForAllValues:StringEquals": {"s3:prefix": ["a"]}}}], READ, False),
    ],
)  # fmt: skip
def test_the_local_aws_decides_by_policies_as_aws_documents(statements: list[Any], need: Need, allowed: bool):
    """The tests of permissions are worth no more than this."""
    assert allows([{"Statement": statements}], need) is allowed


@pytest.mark.parametrize("more", [{"NotAction": "s3:*"}, {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}])
def test_what_it_cannot_decide_is_refused(more: dict[str, Any]):
    with pytest.raises(UnknownPolicyElementError):
        allows([{"Statement": [ALLOW | more]}], READ)
