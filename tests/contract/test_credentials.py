"""What all credentials of connections keep to; and what botocore's do beside that."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError

from rsloader_provider.aws.credentials import SessionCredentials
from rsloader_provider.core.errors import AccessDeniedError, ConfigurationError
from rsloader_provider.core.redshift.access_key import AccessKey

LONG_LIVED = AccessKey("AKIAIOSFODNN7EXAMPLE", "secret")
TEMPORARY = AccessKey("ASIAIOSFODNN7EXAMPLE", "secret", "token")


def test_a_connection_gives_its_key_with_the_token_that_belongs_to_it(credentials: Callable[..., Any]):
    port = credentials(lake=LONG_LIVED, role=TEMPORARY)
    assert (port.of("lake"), port.of("role")) == (LONG_LIVED, TEMPORARY)


def test_a_connection_that_is_missing_is_named(credentials: Callable[..., Any]):
    with pytest.raises(ConfigurationError, match="no Airflow connection nowhere"):
        credentials(lake=LONG_LIVED).of("nowhere")


def of_a_role(minutes_left: float, refresh: Callable[[], dict[str, str]]) -> SessionCredentials:
    session = botocore.session.Session()
    ends = datetime.now(UTC) + timedelta(minutes=minutes_left)
    session._credentials = RefreshableCredentials("ASIAOLD", "old", "old", ends, refresh, "assume-role")
    return SessionCredentials(lambda _: boto3.Session(botocore_session=session))


@pytest.mark.parametrize(("minutes_left", "given"), [(14, "new"), (30, "old")])
def test_a_roles_credentials_that_end_soon_are_asked_for_anew(minutes_left: float, given: str):
    """They have to be valid until COPY ends, not only when it begins."""

    def refresh() -> dict[str, str]:
        ends = datetime.now(UTC) + timedelta(hours=1)
        return {"access_key": "ASIANEW", "secret_key": "new", "token": "new", "expiry_time": ends.isoformat()}

    assert of_a_role(minutes_left, refresh).of("lake").secrets == (given, given)


def test_a_role_that_may_no_longer_be_assumed_is_an_error_that_names_the_connection():
    def refresh() -> dict[str, str]:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "because"}}, "AssumeRole")

    with pytest.raises(AccessDeniedError, match=r"Airflow connection lake \(`copy\.aws_conn_id`\): AssumeRole"):
        of_a_role(-1, refresh).of("lake")


def test_a_machine_without_credentials_says_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match=r"Airflow connection lake .* no credentials"):
        SessionCredentials(lambda _: boto3.Session()).of("lake")
