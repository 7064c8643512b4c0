"""What an Airflow connection of type redshift says, for the driver and for the Data API."""

import json
from collections.abc import Mapping
from typing import Any

from rsloader_provider.airflow_compat import AirflowNotFoundException, BaseHook, mask_secret
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift.data_api_address import DataApiAddress, data_api_address

log = logger_of(__name__)

_APPLICATION = {"application_name": "rsloader"}
"""As Redshift's log of connections shows a load, unless the connection's extra has another name.

Without one the driver walks through all modules of the process to find out who calls it, a fifth of a second.
"""
_TLS_MODES = ("verify-full", "verify-ca")
_OF_IAM = {
    "iam", "cluster_identifier", "is_serverless", "region", "serverless_token_duration_seconds",
    "serverless_work_group",
}  # fmt: skip


def connect_driver(conn_id: str, aws_conn_id: str | None) -> Any:
    """Open a connection of redshift_connector.

    With `iam` in the extra, the AWS connection is first used to get a temporary password.

    Args:
        conn_id: The Airflow connection.
        aws_conn_id: The AWS connection.

    Raises:
        ConfigurationError: There is no such connection, or it cannot be used.
    """
    # Most tasks and commands open no connection of the driver.
    import redshift_connector  # noqa: PLC0415 (slow)
    from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook  # noqa: PLC0415 (slow)

    hook = RedshiftSQLHook(redshift_conn_id=conn_id, aws_conn_id=aws_conn_id)
    connection = _connection(conn_id)
    extra = _APPLICATION | connection.extra_dejson
    _check_tls(conn_id, extra)
    try:
        if not (extra.get("iam") and connection.host):
            hook.conn.extra = json.dumps(extra)  # the hook's own copy of the connection
            return hook.get_conn()
        # The hook would hand `iam` on to the driver, which would then ask AWS for another password with the
        # credentials of the machine.
        user, password, port = hook.get_iam_token(connection)
        # Airflow masks the passwords of connections; this one is in none.
        mask_secret(password)
        return redshift_connector.connect(
            host=connection.host,
            port=port,
            database=connection.schema,
            user=user,
            password=password,
            **{name: value for name, value in extra.items() if name not in _OF_IAM},
        )
    except TypeError as error:
        raise ConfigurationError(
            f"The Airflow connection {conn_id} cannot be used: {error}. Its extra may hold only what "
            "redshift_connector.connect takes."
        ) from error


def data_api_address_of(conn_id: str) -> DataApiAddress:
    """Read where a connection leads to by the Data API.

    Raises:
        ConfigurationError: There is no such connection, or something is missing in it.
    """
    found = _connection(conn_id)
    return data_api_address(
        conn_id, database=found.schema, login=found.login, host=found.host, extra=found.extra_dejson
    )


def _connection(conn_id: str) -> Any:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"There is no Airflow connection {conn_id}. Create it with type redshift, or correct `conn_id` in the load "
            "file."
        ) from error


def _check_tls(conn_id: str, extra: Mapping[str, Any]) -> None:
    """Warn of a connection without TLS, and refuse one that asks for TLS in a way that the driver does not understand.

    The driver uses TLS for True and nothing else, and passes over a mode that it does not know. A connection that is
    written as a URI has texts in its extra.
    """
    ssl, mode = extra.get("ssl", True), extra.get("sslmode", _TLS_MODES[0])
    if not isinstance(ssl, bool):
        raise ConfigurationError(
            f"The Airflow connection {conn_id} cannot be used: `ssl` in its extra is not a boolean, so the driver "
            "would switch TLS off. Leave `ssl` out, or write the connection as JSON, with true."
        )
    if mode not in _TLS_MODES:
        raise ConfigurationError(
            f"The Airflow connection {conn_id} cannot be used: `sslmode` in its extra must be "
            f"{' or '.join(_TLS_MODES)}."
        )
    if not ssl and extra.get("iam"):
        raise ConfigurationError(
            f"The Airflow connection {conn_id} cannot be used: with `iam` its extra may not switch TLS off (`ssl`)."
        )
    if not ssl:
        log.warning("Airflow connection %s switches TLS off (`ssl`): password and rows can be read on the way", conn_id)
