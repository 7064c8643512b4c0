"""What a load may do at the least: IAM policies as values, one renderer for them.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.sources import S3Url

_WILDCARD = re.compile(r"[*?$]")


@dataclass(frozen=True, slots=True)
class Installation:
    """What one installation of the loader calls its things in AWS.

    Attributes:
        files_table: The DynamoDB table of claims.
        batches_table: The DynamoDB table of batches.
        attention_index: The index of the latter.
        region: The tables' region; `*` for any.
        account: The tables' account, twelve digits; `*` for any.
    """

    files_table: str
    batches_table: str
    attention_index: str
    region: str = "*"
    account: str = "*"

    @property
    def partition(self) -> str:
        """The part of AWS that the region is in, as ARNs name it."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"


@dataclass(frozen=True, slots=True)
class PolicyStatement:
    """One permission.

    Attributes:
        sid: What it is for, in letters.
        actions: AWS's names of what is allowed.
        resources: ARNs of what it is allowed on.
        conditions: Values by condition key, by operator.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)


def render_policy(statements: tuple[PolicyStatement, ...]) -> dict[str, Any]:
    """Write a policy as IAM's document."""
    rendered: list[dict[str, Any]] = []
    for each in statements:
        document: dict[str, Any] = {
            "Sid": each.sid,
            "Effect": "Allow",
            "Action": list(each.actions),
            "Resource": list(each.resources),
        }
        if each.conditions:
            document["Condition"] = {
                operator: {key: list(values) for key, values in keys.items()}
                for operator, keys in each.conditions.items()
            }
        rendered.append(document)
    return {"Version": "2012-10-17", "Statement": rendered}


def worker_policy(config: LoadConfig, installation: Installation) -> tuple[PolicyStatement, ...]:
    """Give what the role or user of the load's `aws_conn_id` needs to discover, buffer and load.

    It cannot read a single object, nor touch another load's claims, batches or manifests. `rsloader setup` needs more,
    once; so do buckets and topics that are encrypted with a KMS key of one's own.
    """
    table = f"arn:{installation.partition}:dynamodb:{installation.region}:{installation.account}:table/"
    # Each item's hash key is its load. None of these actions comes without one, so that the condition always decides.
    own_items = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": (config.load,)}}
    prefix = _literally(config.source.literal_prefix)
    statements = [
        PolicyStatement(
            "ListSource",
            ("s3:ListBucket",),
            (_arn(installation, config.source.bucket),),
            {"StringLike": {"s3:prefix": (f"{prefix}*",)}} if prefix else {},
        ),
        *(
            PolicyStatement(sid, ("s3:PutObject",), (_manifest_arn(installation, config, url),))
            for sid, url in zip(("WriteManifests", "KeepFailedManifests"), config.manifest_prefixes, strict=False)
        ),
        PolicyStatement(
            "ClaimObjects",
            ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"),
            (table + installation.files_table,),
            own_items,
        ),
        PolicyStatement(
            "KeepBatches",
            ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
            (table + installation.batches_table,),
            own_items,
        ),
        PolicyStatement(
            "FindBatches",
            ("dynamodb:Query",),
            (f"{table}{installation.batches_table}/index/{installation.attention_index}",),
            own_items,
        ),
    ]
    topics = tuple(dict.fromkeys(filter(None, (config.notify.success, config.notify.failure))))
    if topics:
        statements.append(PolicyStatement("Notify", ("sns:Publish",), topics))
    return tuple(statements)


def reader_policies(config: LoadConfig, installation: Installation) -> dict[str, tuple[PolicyStatement, ...]]:
    """Give what the roles of the load's `copy.iam_role` need, by role; `default` is the cluster's or workgroup's own.

    Of a chain the last role reads, and each before it may only take on the next. Listing has no condition here: to
    those who may not list a whole bucket S3 answers that a missing object is forbidden, not that it is missing.
    """
    source, manifests, jsonpaths = config.source, config.manifests, config.copy_options.jsonpaths_url
    buckets = (source.bucket, manifests.bucket, *([jsonpaths.bucket] if jsonpaths else []))
    reading = (
        PolicyStatement(
            "ReadObjects", ("s3:GetObject",), (_arn(installation, source.bucket, _as_wildcards(source.pattern) + "*"),)
        ),
        PolicyStatement("ReadManifests", ("s3:GetObject",), (_manifest_arn(installation, config, manifests),)),
        *(
            PolicyStatement(
                "ReadJsonPaths", ("s3:GetObject",), (_arn(installation, each.bucket, _literally(each.key)),)
            )
            for each in filter(None, [jsonpaths])
        ),
        PolicyStatement(
            "TellMissingFromForbidden",
            ("s3:ListBucket",),
            tuple(_arn(installation, bucket) for bucket in dict.fromkeys(buckets)),
        ),
    )
    roles = config.copy_options.iam_role.split(",")
    assuming = {
        role: (PolicyStatement("AssumeNextRole", ("sts:AssumeRole",), (following,)),)
        for role, following in pairwise(roles)
    }
    return assuming | {roles[-1]: reading}


def _arn(installation: Installation, bucket: str, key: str | None = None) -> str:
    return f"arn:{installation.partition}:s3:::{bucket}" + ("" if key is None else f"/{key}")


def _manifest_arn(installation: Installation, config: LoadConfig, prefix: S3Url) -> str:
    return _arn(installation, prefix.bucket, f"{_literally(prefix.key)}{config.load}/*")


def _literally(text: str) -> str:
    """Write what has a meaning in policies so that it stands for itself.

    >>> _literally("100$/what?/")
    '100${$}/what${?}/'
    """
    return _WILDCARD.sub(lambda found: f"${{{found[0]}}}", text)


def _as_wildcards(pattern: str) -> str:
    return "*".join(map(_literally, pattern.split("*")))
