"""Where the Redshift Data API finds a database, and its user: read from a connection as the driver's hook reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rsloader_provider.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class DataApiAddress:
    """A database of a cluster or of a workgroup, and how to log in.

    Attributes:
        database: The database.
        cluster: The cluster; None for a workgroup.
        workgroup: The workgroup of Redshift Serverless; None for a cluster.
        user: The cluster's database user; None where the secret or the workgroup has it.
        secret_arn: Name or ARN of a secret in Secrets Manager with user and password; None for temporary credentials.
        region: The region of all this; None for the region of the AWS credentials.
    """

    database: str
    cluster: str | None = None
    workgroup: str | None = None
    user: str | None = None
    secret_arn: str | None = None
    region: str | None = None


def data_api_address(
    conn_id: str, *, database: str | None, login: str | None, host: str | None, extra: Mapping[str, Any]
) -> DataApiAddress:
    """Read the fields of an Airflow connection of type redshift.

    The keys are those of the amazon provider's hooks: with `is_serverless` the workgroup is `serverless_work_group`,
    else the cluster is `cluster_identifier` or the host's first part. The password is not used.

    Raises:
        ConfigurationError: Something is missing; the message names the connection and the key.
    """

    def missing(key: str, what: str) -> ConfigurationError:
        return ConfigurationError(
            f"The Airflow connection {conn_id} cannot be used with `transport: data_api`: it has no {key}. Set {what}."
        )

    if not database:
        raise missing("`schema`", "it to the database")
    secret_arn, region = extra.get("secret_arn") or None, extra.get("region") or None
    if extra.get("is_serverless"):
        workgroup = extra.get("serverless_work_group")
        if not workgroup:
            raise missing("`serverless_work_group`", "it in the extra to the workgroup's name")
        return DataApiAddress(database, workgroup=workgroup, secret_arn=secret_arn, region=region)
    cluster = extra.get("cluster_identifier") or (host or "").partition(".")[0]
    if not cluster:
        raise missing(
            "`cluster_identifier`",
            "it in the extra to the cluster's name, or `is_serverless` and `serverless_work_group` for a workgroup",
        )
    if not login and not secret_arn:
        raise missing("`login`", "it to the database user, or `secret_arn` in the extra to a secret of Secrets Manager")
    # AWS refuses a user beside a secret, which has its own.
    return DataApiAddress(
        database, cluster=cluster, user=None if secret_arn else login, secret_arn=secret_arn, region=region
    )
