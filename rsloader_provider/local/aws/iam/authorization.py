"""Refuses what IAM's policies do not allow, for keys of IAM users and of assumed roles.

The account's own keys may do everything. S3, DynamoDB, SNS, KMS and the Redshift Data API are decided by action,
resource and the condition keys `s3:prefix`, `dynamodb:LeadingKeys`, `kms:EncryptionContext:…` and
`redshift-data:statement-owner-iam-userid`; any other service by action, on the resource `*`.
Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.iam.access_control import IAMPolicy, create_access_key

from rsloader_provider.local.aws.iam.policies import Need, UnknownPolicyElementError, allows
from rsloader_provider.local.aws.json_service import key_id_of
from rsloader_provider.local.aws.kms_keys import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

    from rsloader_provider.local.aws.iam.access_keys import AccessKeys

_S3_ACTIONS = {
    "ListObjectsV2": "ListBucket",
    "ListObjects": "ListBucket",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    "ListBuckets": "ListAllMyBuckets",
}
_READS = {"GetObject", "HeadObject"}
_IN_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
_EQUALS = re.compile(r"(#?[\w.-]+)\s*=\s*(:\w+)")


class NotAuthorizedError(Exception):
    """The policies do not allow it; says so in AWS's words."""


class Authorization:
    """Tells whether the signer of a request is allowed to make it.

    Args:
        keys: The keys that the local AWS has issued.
        region: The region of its resources.
    """

    def __init__(self, keys: AccessKeys, region: str) -> None:
        self._keys = keys
        self._region = region

    def check(self, service: str, operation: str, environ: WSGIEnvironment) -> None:
        """Do nothing if the request is allowed.

        Raises:
            NotAuthorizedError: It is not.
        """
        key_id = key_id_of(environ)
        if key_id and self._keys.find(key_id) is None:
            raise NotAuthorizedError("The security token included in the request is invalid.")
        for need in self._needs(service, operation, environ):
            self._require(environ, need)

    def may_know_what_is_missing(self, operation: str, environ: WSGIEnvironment) -> bool:
        """Tell whether S3 answers a read of a missing object with 404; those who may not list get 403 for it."""
        bucket = str(environ.get("PATH_INFO", "/")).lstrip("/").partition("/")[0]
        return operation not in _READS or self._allows(environ, Need("s3:ListBucket", f"arn:aws:s3:::{bucket}", {}))

    def _require(self, environ: WSGIEnvironment, need: Need) -> None:
        try:
            allowed = self._allows(environ, need)
        except UnknownPolicyElementError as error:
            raise NotAuthorizedError(str(error)) from error
        if not allowed:
            raise NotAuthorizedError(
                f"User: {self._identity(environ).arn} is not authorized to perform: {need.action} on resource: "
                f"{need.resource} because no identity-based policy allows the {need.action} action"
            )

    def _allows(self, environ: WSGIEnvironment, need: Need) -> bool:
        key = self._keys.find(key_id_of(environ))
        if key is None or key.holder is None:
            return True  # the account itself
        policies = self._identity(environ).collect_policies()
        return allows([IAMPolicy(policy)._policy_json for policy in policies], need)

    @staticmethod
    def _identity(environ: WSGIEnvironment) -> Any:
        token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN")
        headers = {"X-Amz-Security-Token": token} if token else {}
        return create_access_key(DEFAULT_ACCOUNT_ID, "aws", key_id_of(environ), headers)

    def _needs(self, service: str, operation: str, environ: WSGIEnvironment) -> Iterator[Need]:
        if service == "s3":
            yield _s3_need(operation, environ)
        elif service == "dynamodb":
            yield from self._dynamodb_needs(operation, json.loads(_body(environ) or b"{}"))
        elif service == "sns":
            asked = parse_qs(_body(environ).decode("utf-8", "replace"))
            yield Need(f"SNS:{operation}", asked.get("TopicArn", ["*"])[0], {})
        elif service == "redshift-data":
            yield from self._data_api_needs(operation, json.loads(_body(environ) or b"{}"))
        elif service == "kms":
            yield _kms_need(operation, json.loads(_body(environ) or b"{}"), self._region)
        elif (service, operation) != ("sts", "GetCallerIdentity"):
            yield Need(f"{service}:{operation}", "*", {})

    def _data_api_needs(self, operation: str, request: Mapping[str, Any]) -> Iterator[Need]:
        """Say what a call needs. Every statement belongs to its caller; a session is checked only when it begins."""
        if operation not in {"ExecuteStatement", "BatchExecuteStatement"}:
            owner = {"redshift-data:statement-owner-iam-userid": ("${aws:userid}",)}
            yield Need(f"redshift-data:{operation}", "*", owner)
            return
        account = f"{self._region}:{DEFAULT_ACCOUNT_ID}"
        cluster, database = request.get("ClusterIdentifier"), request.get("Database")
        workgroup = f"arn:aws:redshift-serverless:{account}:workgroup/{uuid.uuid5(uuid.NAMESPACE_DNS, 'any')}"
        if not request.get("SessionId"):
            resource = f"arn:aws:redshift:{account}:cluster:{cluster}" if cluster else workgroup
            yield Need(f"redshift-data:{operation}", resource, {})
            if secret := request.get("SecretArn"):
                yield Need("secretsmanager:GetSecretValue", str(secret), {})
            elif not cluster:
                yield Need("redshift-serverless:GetCredentials", workgroup, {})
            else:
                for kind, name in (("dbuser", request.get("DbUser")), ("dbname", database)):
                    resource = f"arn:aws:redshift:{account}:{kind}:{cluster}/{name}"
                    yield Need("redshift:GetClusterCredentials", resource, {})

    def _dynamodb_needs(self, operation: str, request: dict[str, Any]) -> Iterator[Need]:
        for item in request.get("TransactItems", ()):
            ((kind, action),) = item.items()
            yield self._item_need(_IN_TRANSACTION[kind], action)
        for table, asked in (request.get("RequestItems") or {}).items():
            for key in asked["Keys"] if "Keys" in asked else [next(iter(each.values())) for each in asked]:
                yield self._item_need(operation, {"TableName": table, **({"Key": key} if "Keys" in asked else key)})
        if "TransactItems" not in request and "RequestItems" not in request:
            yield self._item_need(operation, request)

    def _item_need(self, operation: str, request: Mapping[str, Any]) -> Need:
        table = request.get("TableName")
        resource = f"arn:aws:dynamodb:{self._region}:{DEFAULT_ACCOUNT_ID}:table/{table or '*'}"
        if "IndexName" in request:
            resource += f"/index/{request['IndexName']}"
        leading = self._leading_key(str(table), request)
        return Need(f"dynamodb:{operation}", resource, {"dynamodb:LeadingKeys": leading} if leading else {})

    def _leading_key(self, name: str, request: Mapping[str, Any]) -> tuple[str, ...]:
        table = dynamodb_backends[DEFAULT_ACCOUNT_ID][self._region].tables.get(name)
        if table is None:
            return ()
        attribute = str(table.hash_key_attr)
        if "IndexName" in request:
            schema = next(each.schema for each in table.global_indexes if each.name == request["IndexName"])
            attribute = next(part["AttributeName"] for part in schema if part["KeyType"] == "HASH")
        named = request.get("Key") or request.get("Item") or {}
        values = [named[attribute]] if attribute in named else []
        names = request.get("ExpressionAttributeNames") or {}
        for left, right in _EQUALS.findall(request.get("KeyConditionExpression") or ""):
            if names.get(left, left) == attribute:
                values.append(request["ExpressionAttributeValues"][right])
        return tuple(str(next(iter(value.values()))) for value in values)


def refuse(service: str, error: NotAuthorizedError, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request that is not allowed, in the form of its service; S3 has its own form."""
    if service in {"sns", "sts", "iam", "redshift"}:
        code = "AuthorizationError" if service == "sns" else "AccessDenied"
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(str(error))}</Message>"
            f"</Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
        ).encode()
        status, kind = "403 Forbidden", "text/xml"
    else:
        answer = {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": str(error)}
        body = json.dumps(answer).encode()
        status, kind = "400 Bad Request", "application/x-amz-json-1.0"
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def _kms_need(operation: str, request: Mapping[str, Any], region: str) -> Need:
    key = key_of(request, region)
    given = (request.get("EncryptionContext") or {}).items()
    context = {f"kms:EncryptionContext:{name}": (str(value),) for name, value in given}
    return Need(f"kms:{operation}", "*" if key is None else str(key.arn), context)


def _s3_need(operation: str, environ: WSGIEnvironment) -> Need:
    # WSGI gives each byte of the path as one character.
    path = str(environ.get("PATH_INFO", "/")).encode("latin-1").decode("utf-8", "replace")
    bucket, _, key = path.lstrip("/").partition("/")
    action = "s3:" + _S3_ACTIONS.get(operation, operation)
    asked = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    context = {"s3:prefix": tuple(asked["prefix"])} if action == "s3:ListBucket" and "prefix" in asked else {}
    return Need(action, f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else ""), context)


def _body(environ: WSGIEnvironment) -> bytes:
    body: bytes = environ["wsgi.input"].read()
    environ["wsgi.input"].seek(0)
    return body
