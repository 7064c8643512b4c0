"""The permissions that a load needs, and no more: IAM policies as values, and one renderer for them.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.kms_secrets import encryption_context
from rsloader_provider.core.config.sources import S3Url
from rsloader_provider.core.ledger.shadow_name import as_recorded
from rsloader_provider.core.redshift.data_api_address import DataApiAddress

_WILDCARD = re.compile(r"[*?$]")


@dataclass(frozen=True, slots=True)
class Installation:
    """What one installation of the loader calls its things in AWS.

    Attributes:
        files_table: The DynamoDB table of claims.
        batches_table: The DynamoDB table of batches.
        attention_index: The index of the table of batches.
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


def worker_policy(
    config: LoadConfig, installation: Installation, places: Mapping[str, DataApiAddress] | None = None
) -> tuple[PolicyStatement, ...]:
    """Give what the role or user of the load's `aws_conn_id` needs to discover, buffer and load.

    It cannot read any object, and it cannot touch another load's claims, batches or manifests. `rsloader setup` needs
    more, once (see `setup_policy`); so do buckets and topics that are encrypted with a customer managed KMS key.

    Args:
        config: The load.
        installation: What things are called.
        places: The database of each connection that a target uses with the Data API; None if there is no such target.
    """
    table = f"arn:{installation.partition}:dynamodb:{installation.region}:{installation.account}:table/"
    # Each item's hash key is its load. Each of these actions has a hash key, so the condition always decides.
    own_items = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": (as_recorded(config).load,)}}
    statements = [
        *_listing(config, installation),
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
    statements += _data_api_statements(installation, [*(places or {}).values()])
    if config.copy_options.secret_access_key is not None:
        key = f"arn:{installation.partition}:kms:{installation.region}:{installation.account}:key/*"
        # Only KMS knows which key encrypted the secret; the condition says for which load it was encrypted.
        own_secrets = {
            f"kms:EncryptionContext:{name}": (value,) for name, value in encryption_context(config.load).items()
        }
        statements.append(PolicyStatement("DecryptSecrets", ("kms:Decrypt",), (key,), {"StringEquals": own_secrets}))
    return tuple(statements)


def operator_policy(config: LoadConfig, installation: Installation) -> tuple[PolicyStatement, ...]:
    """Give what people need, besides `worker_policy`, to take out objects, and to delete, restore and rebuild batches.

    No task of the load's DAG needs it; the DAG `rsloader_operations` does.
    """
    table = f"arn:{installation.partition}:dynamodb:{installation.region}:{installation.account}:table/"
    own_items = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": (config.load,)}}
    return (
        PolicyStatement(
            "TakeOutObjects",
            ("dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:UpdateItem"),
            (table + installation.files_table,),
            own_items,
        ),
        PolicyStatement("DeleteBatches", ("dynamodb:DeleteItem",), (table + installation.batches_table,), own_items),
        PolicyStatement(
            "ListManifests",
            ("s3:ListBucket",),
            (_arn(installation, config.manifests.bucket),),
            {"StringLike": {"s3:prefix": (f"{_literally(config.manifests.key)}{config.load}/*",)}},
        ),
        PolicyStatement("ReadManifests", ("s3:GetObject",), (_manifest_arn(installation, config, config.manifests),)),
    )


def setup_policy(installation: Installation) -> tuple[PolicyStatement, ...]:
    """Give what `rsloader setup` needs in DynamoDB, and `rsloader audit` to tell how the tables are protected.

    `ProtectTables` is for the two things that an option of `rsloader setup` leaves out.
    """
    table = f"arn:{installation.partition}:dynamodb:{installation.region}:{installation.account}:table/"
    tables = (table + installation.files_table, table + installation.batches_table)
    return (
        PolicyStatement("CreateTables", ("dynamodb:CreateTable", "dynamodb:DescribeTable"), tables),
        PolicyStatement("SeeProtection", ("dynamodb:DescribeContinuousBackups",), tables),
        PolicyStatement("ProtectTables", ("dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable"), tables),
    )


def _data_api_statements(installation: Installation, places: Sequence[DataApiAddress]) -> Iterator[PolicyStatement]:
    """Allow SQL on the clusters and workgroups, without access to statements that somebody else runs."""
    needed: dict[tuple[str, str], dict[str, None]] = {}
    for place in places:
        for sid, action, arns in _data_api_needs(installation, place):
            needed.setdefault((sid, action), {}).update(dict.fromkeys(arns))
    for (sid, action), resources in needed.items():
        yield PolicyStatement(sid, (action,), tuple(resources))
    if needed:
        yield PolicyStatement(
            "FollowOwnSql",
            tuple(f"redshift-data:{name}" for name in ("CancelStatement", "DescribeStatement", "GetStatementResult")),
            ("*",),
            {"StringEquals": {"redshift-data:statement-owner-iam-userid": ("${aws:userid}",)}},
        )


def _data_api_needs(installation: Installation, place: DataApiAddress) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Give a name, an action and its resources for each right that one database needs."""

    def arn(service: str, resource: str) -> str:
        region = place.region or installation.region
        return f"arn:{installation.partition}:{service}:{region}:{installation.account}:{resource}"

    # The ARN of a workgroup holds an id, not its name.
    workgroup = arn("redshift-serverless", "workgroup/*")
    cluster = place.cluster
    yield "RunSql", "redshift-data:ExecuteStatement", (
        workgroup if cluster is None else arn("redshift", f"cluster:{cluster}"),
    )  # fmt: skip
    if secret := place.secret_arn:
        # Secrets Manager adds six characters after a name.
        is_name = not secret.startswith("arn:")
        secret = arn("secretsmanager", f"secret:{secret}-??????") if is_name else secret
        yield "LogInWithSecret", "secretsmanager:GetSecretValue", (secret,)
    elif cluster is None:
        yield "LogInToWorkgroup", "redshift-serverless:GetCredentials", (workgroup,)
    else:
        names = (f"dbuser:{cluster}/{place.user}", f"dbname:{cluster}/{place.database}")
        yield "LogInToCluster", "redshift:GetClusterCredentials", tuple(arn("redshift", name) for name in names)


def reader_policies(config: LoadConfig, installation: Installation) -> dict[str, tuple[PolicyStatement, ...]]:
    """Give what Redshift needs to read the load's objects, by who reads.

    That is a role of `copy.iam_role`, where `default` is the cluster's or workgroup's own; otherwise the setting that
    names the connection or the key.

    In a chain of roles the last one reads, and each role before it may only assume the next. Listing has no condition
    here: without the right to list the whole bucket, S3 answers that a missing object is forbidden, not that it is
    missing.
    """
    sources, manifests, jsonpaths = config.sources, config.manifests, config.copy_options.jsonpaths_url
    reading = (
        PolicyStatement(
            "ReadObjects",
            ("s3:GetObject",),
            tuple(_arn(installation, each.bucket, _as_wildcards(each.pattern) + "*") for each in sources),
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
            tuple(_arn(installation, bucket) for bucket in _buckets(config)),
        ),
    )
    options = config.copy_options
    if options.aws_conn_id is not None:
        return {f"copy.aws_conn_id {options.aws_conn_id}": reading}
    if options.access_key_id is not None:
        return {"copy.access_key_id": reading}
    roles = options.iam_role.split(",")
    assuming = {
        role: (PolicyStatement("AssumeNextRole", ("sts:AssumeRole",), (following,)),)
        for role, following in pairwise(roles)
    }
    return assuming | {roles[-1]: reading}


def _listing(config: LoadConfig, installation: Installation) -> Iterator[PolicyStatement]:
    """Allow listing under the sources: one permission for each bucket, because its condition holds for all buckets."""
    prefixes: dict[str, list[str]] = {}
    for each in config.listed_prefixes:
        prefixes.setdefault(each.bucket, []).append(each.key)
    for number, (bucket, keys) in enumerate(prefixes.items(), start=1):
        below = tuple(f"{_literally(key)}*" for key in keys)
        yield PolicyStatement(
            "ListSource" if number == 1 else f"ListSource{number}",
            ("s3:ListBucket",),
            (_arn(installation, bucket),),
            {} if below == ("*",) else {"StringLike": {"s3:prefix": below}},
        )


def _buckets(config: LoadConfig) -> Iterator[str]:
    jsonpaths = config.copy_options.jsonpaths_url
    buckets = [*(each.bucket for each in config.sources), config.manifests.bucket]
    yield from dict.fromkeys([*buckets, *([jsonpaths.bucket] if jsonpaths else [])])


def _arn(installation: Installation, bucket: str, key: str | None = None) -> str:
    return f"arn:{installation.partition}:s3:::{bucket}" + ("" if key is None else f"/{key}")


def _manifest_arn(installation: Installation, config: LoadConfig, prefix: S3Url) -> str:
    return _arn(installation, prefix.bucket, f"{_literally(prefix.key)}{config.load}/*")


def _literally(text: str) -> str:
    """Escape the characters that have a meaning in policies.

    >>> _literally("100$/what?/")
    '100${$}/what${?}/'
    """
    return _WILDCARD.sub(lambda found: f"${{{found[0]}}}", text)


def _as_wildcards(pattern: str) -> str:
    return "*".join(map(_literally, pattern.split("*")))
