"""Airflow's connections, and what is said when one is missing or wrong."""

import json
from typing import Any

import pytest

from rsloader_provider.airflow_compat import AirflowException, AirflowFailException
from rsloader_provider.core.errors import (
    AccessDeniedError,
    AttemptLostError,
    BadDataError,
    ConfigurationError,
    ConnectionLostError,
    SerializationError,
)
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.task_failures import as_task_failures


def test_a_connection_that_does_not_exist_is_named(connections: Any):
    with (
        pytest.raises(ConfigurationError, match="no Airflow connection nowhere"),
        RsloaderHook().get_conn().warehouse.connect("nowhere"),
    ):
        pass


def test_an_extra_that_the_driver_does_not_know_is_named(connections: Any, monkeypatch: pytest.MonkeyPatch):
    odd = {"conn_type": "redshift", "host": "localhost", "port": 1, "extra": {"colour": "red"}}
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps(odd))
    with pytest.raises(ConfigurationError, match="colour"), RsloaderHook().get_conn().warehouse.connect("odd"):
        pass


@pytest.mark.parametrize("error", [ConnectionLostError("x"), SerializationError("x")])
def test_what_may_help_itself_is_tried_again(error: Exception):
    with pytest.raises(AirflowException) as raised, as_task_failures():
        raise error
    assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.parametrize("error", [BadDataError("x"), AttemptLostError("x"), AccessDeniedError("x")])
def test_what_does_not_help_itself_fails_at_once(error: Exception):
    with pytest.raises(AirflowFailException, match=type(error).__name__), as_task_failures():
        raise error
