"""Redshift's control plane, as far as drivers ask it: where a cluster is, and a password for it.

Clusters are moto's, with three differences: every cluster exists, all have the local Redshift's address, and the
passwords of GetClusterCredentials log in.
Source: https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import moto.redshift.urls
import psycopg
from moto.core.responses import ActionResult
from moto.redshift.exceptions import RedshiftClientError
from moto.redshift.models import Cluster
from moto.redshift.responses import RedshiftResponse

from rsloader_provider.local.aws.redshift.database import NoRedshiftError, RedshiftDatabase

if TYPE_CHECKING:
    from rsloader_provider.local.aws.iam.access_keys import AccessKeys

SHORTEST_SECONDS = 900
LONGEST_SECONDS = 3600


def answer_for(database: RedshiftDatabase, keys: AccessKeys) -> None:
    """Make moto's Redshift answer for the local one; to be called before moto's first request."""

    class Answers(RedshiftResponse):
        def describe_clusters(self) -> ActionResult:
            self._let_cluster_exist()
            return super().describe_clusters()

        def get_cluster_credentials(self) -> ActionResult:
            self._check_cluster()
            if self._get_param("DbGroups"):
                raise RedshiftClientError("UnsupportedOperation", "DbGroups is not supported by the local AWS.")
            create = self._get_bool_param("AutoCreate", False)
            return self._let_in(self._get_param("DbUser"), prefix="IAMA" if create else "IAM", create=create)

        def get_cluster_credentials_with_iam(self) -> ActionResult:
            self._check_cluster()
            key = keys.find(self._key_id())
            prefix = key.holder.partition(":")[0] if key and key.holder else "IAM"
            return self._let_in(_reached(lambda: database.user_of(key)), prefix=prefix, create=True)

        def describe_custom_domain_associations(self) -> ActionResult:
            raise _no_custom_domain()

        def _check_cluster(self) -> None:
            if not self._get_param("ClusterIdentifier"):
                raise _no_custom_domain()
            self._let_cluster_exist()

        def _let_cluster_exist(self) -> None:
            name = self._get_param("ClusterIdentifier")
            if name and name not in self.redshift_backend.clusters:
                address = _reached(lambda: database.address)
                self.redshift_backend.create_cluster(**_settings(name, address.user, address.database, self.region))

        def _key_id(self) -> str:
            return str(self.headers.get("Authorization", "")).partition("Credential=")[2].partition("/")[0]

        def _let_in(self, user: str, *, prefix: str, create: bool) -> ActionResult:
            seconds = self._get_int_param("DurationSeconds", SHORTEST_SECONDS)
            if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
                message = f"Token duration must be between {SHORTEST_SECONDS} and {LONGEST_SECONDS} seconds"
                raise RedshiftClientError("InvalidParameterValue", message)
            password = _reached(lambda: database.let_in(user, seconds=seconds, create=create))
            expires = datetime.now(UTC) + timedelta(seconds=seconds)
            return ActionResult({"DbUser": f"{prefix}:{user}", "DbPassword": password, "Expiration": expires})

    def endpoint(_cluster: Cluster) -> dict[str, Any]:
        address = _reached(lambda: database.address)
        return {"Address": address.host, "Port": address.port}

    Cluster.endpoint = property(endpoint)  # type: ignore[method-assign,assignment]
    moto.redshift.urls.url_paths["{0}/$"] = Answers.dispatch


def _reached(ask: Any) -> Any:
    try:
        return ask()
    except NoRedshiftError as error:
        raise RedshiftClientError("ClusterNotFound", str(error)) from error
    except psycopg.Error as error:
        raise RedshiftClientError("InvalidClusterState", str(error)) from error


def _no_custom_domain() -> RedshiftClientError:
    return RedshiftClientError("CustomDomainAssociationNotFoundFault", "The local AWS has no custom domain names.")


def _settings(name: str, user: str, database: str, region: str) -> dict[str, Any]:
    unset = (
        "master_user_password cluster_subnet_group_name availability_zone preferred_maintenance_window "
        "cluster_parameter_group_name port cluster_version automated_snapshot_retention_period number_of_nodes"
    )
    return dict.fromkeys(unset.split()) | {
        "cluster_identifier": name,
        "node_type": "ra3.large",
        "master_username": user,
        "db_name": database,
        "cluster_type": "single-node",
        "allow_version_upgrade": True,
        "publicly_accessible": False,
        "encrypted": False,
        "cluster_security_groups": [],
        "vpc_security_group_ids": [],
        "region_name": region,
    }
