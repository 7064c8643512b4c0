"""Airflow as a library of a command: imported late, and its log kept apart from what the command prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rsloader_provider.hooks.rsloader import RsloaderHook


def rsloader_hook(aws_conn_id: str) -> RsloaderHook:
    """Give the hook of an Airflow connection.

    From here on Airflow's log goes to standard error: standard output is for what the command was asked for, which
    programs read.
    """
    # Airflow takes seconds to import, which the other commands should not.
    from rsloader_provider.airflow_compat import log_to_standard_error  # noqa: PLC0415
    from rsloader_provider.hooks.rsloader import RsloaderHook  # noqa: PLC0415

    log_to_standard_error()
    return RsloaderHook(aws_conn_id)
