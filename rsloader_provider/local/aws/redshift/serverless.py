"""Redshift Serverless, as far as drivers ask it: where a workgroup is, and a password for it.

Every workgroup exists, at the local Redshift's address.
Source: https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_GetCredentials.html
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import psycopg

from rsloader_provider.local.aws.json_service import JsonService, ServiceError
from rsloader_provider.local.aws.redshift.clusters import LONGEST_SECONDS, SHORTEST_SECONDS
from rsloader_provider.local.aws.redshift.database import NoRedshiftError, RedshiftAddress, RedshiftDatabase

if TYPE_CHECKING:
    from rsloader_provider.local.aws.iam.access_keys import AccessKeys

_ACCOUNT = "123456789012"


class Workgroups:
    """Answers for workgroups.

    Args:
        database: The local Redshift.
        keys: The issued access keys and their holders.
        region: Stands in the workgroups' names.
    """

    def __init__(self, database: RedshiftDatabase, keys: AccessKeys, region: str) -> None:
        self._database = database
        self._keys = keys
        self._region = region

    def get_credentials(self, key_id: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer GetCredentials: the caller's own database user, created if it does not exist."""
        if not request.get("workgroupName"):
            raise ServiceError("ResourceNotFoundException", "The local AWS has no custom domain names.")
        seconds = request.get("durationSeconds", SHORTEST_SECONDS)
        if not isinstance(seconds, int) or not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
            message = f"durationSeconds must be between {SHORTEST_SECONDS} and {LONGEST_SECONDS} seconds"
            raise ServiceError("ValidationException", message)
        self._address()
        key = self._keys.find(key_id)
        user = self._database.user_of(key)
        try:
            password = self._database.let_in(user, seconds=seconds, create=True)
        except psycopg.Error as error:
            raise ServiceError("InternalServerException", str(error), status=500) from error
        prefix = key.holder.partition(":")[0] if key and key.holder else "IAM"
        return {"dbUser": f"{prefix}:{user}", "dbPassword": password, "expiration": time.time() + seconds}

    def get_workgroup(self, _key_id: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer GetWorkgroup."""
        name, address = str(request.get("workgroupName", "")), self._address()
        if not name:
            raise ServiceError("ValidationException", "workgroupName must be provided")
        workgroup_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        workgroup = {
            "workgroupName": name,
            "workgroupId": workgroup_id,
            "workgroupArn": f"arn:aws:redshift-serverless:{self._region}:{_ACCOUNT}:workgroup/{workgroup_id}",
            "namespaceName": name,
            "status": "AVAILABLE",
            "port": address.port,
            "endpoint": {"address": address.host, "port": address.port, "vpcEndpoints": []},
        }
        return {"workgroup": workgroup}

    def _address(self) -> RedshiftAddress:
        try:
            return self._database.address
        except NoRedshiftError as error:
            raise ServiceError("ResourceNotFoundException", str(error)) from error


def redshift_serverless_service(database: RedshiftDatabase, keys: AccessKeys, region: str) -> JsonService:
    """Return Redshift Serverless as a WSGI application."""
    workgroups = Workgroups(database, keys, region)
    operations = {"GetCredentials": workgroups.get_credentials, "GetWorkgroup": workgroups.get_workgroup}
    return JsonService("redshift-serverless", operations)
