"""Airflow as a library of a command: imported late, and its log kept apart from what the command prints."""

from __future__ import annotations

import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rsloader_provider.aws.dynamodb.tables import TableNames
    from rsloader_provider.core.redshift.data_api_address import DataApiAddress
    from rsloader_provider.hooks.rsloader import RsloaderHook


def rsloader_hook(aws_conn_id: str) -> RsloaderHook:
    """Give the hook of an Airflow connection."""
    with _importing_airflow():
        from rsloader_provider.hooks.rsloader import RsloaderHook  # noqa: PLC0415
    return RsloaderHook(aws_conn_id)


def table_names() -> TableNames:
    """Name the DynamoDB tables as Airflow's configuration says."""
    with _importing_airflow():
        from rsloader_provider.hooks import rsloader  # noqa: PLC0415
    return rsloader.table_names()


def data_api_address_of(conn_id: str) -> DataApiAddress:
    """Read where an Airflow connection leads to by the Data API.

    Raises:
        ConfigurationError: There is no such connection, or something is missing in it.
    """
    with _importing_airflow():
        from rsloader_provider.hooks import redshift_connection  # noqa: PLC0415
    return redshift_connection.data_api_address_of(conn_id)


def task_state(dag_id: str, run_id: str, task_id: str, map_index: int) -> str | None:
    """Give the state of a task instance; None where Airflow's database cannot be asked, or does not know it."""
    with _importing_airflow():
        from rsloader_provider import airflow_compat  # noqa: PLC0415
    return airflow_compat.task_state(dag_id, run_id, task_id, map_index)


@contextmanager
def _importing_airflow() -> Iterator[None]:
    """Send to standard error what Airflow prints while it is imported, and its log from then on.

    Standard output is only for the command's own answer, which programs read.
    """
    # Airflow takes seconds to import, which the other commands should not.
    with redirect_stdout(sys.stderr):
        from rsloader_provider.airflow_compat import log_to_standard_error  # noqa: PLC0415

        yield
    log_to_standard_error()
