"""Policies as `rsloader permissions` prints them; that they suffice and are needed is tested on the local AWS."""

import json
from typing import Any

import pytest
from support.objects import a_config

from rsloader_provider.core.permissions import Installation, reader_policies, render_policy, worker_policy
from rsloader_provider.core.redshift.data_api_address import DataApiAddress
from rsloader_provider.local.aws.iam.policies import Need, UnknownPolicyElementError, allows

KEY = {"format": "csv", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "kms:aHVudGVyMg=="}
TABLES = Installation("rsloader_files", "rsloader_batches", "attention")


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


def test_targets_of_the_data_api_need_their_cluster_workgroup_and_log_in_and_no_more():
    places = {
        "a": DataApiAddress("dev", cluster="acme", user="loader", region="eu-west-1"),
        "b": DataApiAddress("dev", workgroup="wg1"),
        "c": DataApiAddress("dev", cluster="other", secret_arn="redshift/loader"),
        "d": DataApiAddress("dev", cluster="other", secret_arn="arn:aws:secretsmanager:eu-west-1:1:secret:x-123456"),
    }
    installation = Installation("f", "b", "i", "us-east-1", "123456789012")
    policy = {each.sid: each for each in worker_policy(a_config(), installation, places)}
    workgroups = "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/*"
    assert {sid: each.resources for sid, each in policy.items() if sid.startswith(("RunSql", "LogIn"))} == {
        "RunSql": (
            "arn:aws:redshift:eu-west-1:123456789012:cluster:acme",
            workgroups,
            "arn:aws:redshift:us-east-1:123456789012:cluster:other",
        ),
        "LogInToCluster": (
            "arn:aws:redshift:eu-west-1:123456789012:dbuser:acme/loader",
            "arn:aws:redshift:eu-west-1:123456789012:dbname:acme/dev",
        ),
        "LogInToWorkgroup": (workgroups,),
        "LogInWithSecret": (
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:redshift/loader-??????",
            "arn:aws:secretsmanager:eu-west-1:1:secret:x-123456",
        ),
    }
    assert policy["FollowOwnSql"].conditions == {
        "StringEquals": {"redshift-data:statement-owner-iam-userid": ("${aws:userid}",)}
    }


def test_a_connection_or_a_key_reads_instead_of_a_role():
    by_role = reader_policies(a_config(), TABLES)["default"]
    connection = {"format": "csv", "aws_conn_id": "lake"}
    assert reader_policies(a_config(copy=connection), TABLES) == {"copy.aws_conn_id lake": by_role}
    assert reader_policies(a_config(copy=KEY), TABLES) == {"copy.access_key_id": by_role}


def test_a_worker_decrypts_the_secrets_of_its_load_where_it_has_some():
    installation = Installation("f", "b", "i", "eu-west-1", "123456789012")
    (decrypting,) = (each for each in worker_policy(a_config(copy=KEY), installation) if "kms:Decrypt" in each.actions)
    assert decrypting.resources == ("arn:aws:kms:eu-west-1:123456789012:key/*",)
    assert decrypting.conditions == {"StringEquals": {"kms:EncryptionContext:rsloader:load": ("orders",)}}
    assert "kms" not in json.dumps(render_policy(worker_policy(a_config(), installation)))


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


def test_each_source_is_listed_and_read_and_nothing_beside_it():
    sources = ["s3://landing/eu/", "s3://landing/us/x=*/", "s3://archive/orders/", "s3://whole"]
    policy = [render_policy(worker_policy(a_config(source=sources), TABLES))]
    reading = [render_policy(reader_policies(a_config(source=sources), TABLES)["default"])]
    assert len({each["Sid"] for each in policy[0]["Statement"]}) == len(policy[0]["Statement"])

    def may_list(bucket: str, prefix: str) -> bool:
        return allows(policy, Need("s3:ListBucket", f"arn:aws:s3:::{bucket}", {"s3:prefix": (prefix,)}))

    def may_read(name: str) -> bool:
        return allows(reading, Need("s3:GetObject", f"arn:aws:s3:::{name}", {}))

    for bucket, prefix in (("landing", "eu/"), ("landing", "us/x="), ("archive", "orders/"), ("whole", "")):
        assert may_list(bucket, prefix)
    for bucket, prefix in (("landing", "orders/"), ("archive", "eu/"), ("landing", ""), ("archive", "")):
        assert not may_list(bucket, prefix)
    assert all(map(may_read, ("landing/eu/1", "landing/us/x=1/1", "archive/orders/1", "whole/1")))
    assert not any(map(may_read, ("landing/orders/1", "landing/us/1", "archive/eu/1", "other/1")))


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
