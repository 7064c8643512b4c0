"""Where the Data API connects to is read from the fields that the driver's hook reads."""

from typing import Any

import pytest

from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.redshift.data_api_address import DataApiAddress, data_api_address

CLUSTER = {"database": "dev", "login": "loader", "host": None, "extra": {"cluster_identifier": "acme"}}
SERVERLESS = {
    "database": "dev", "login": None, "host": None, "extra": {"is_serverless": True, "serverless_work_group": "wg"}
}  # fmt: skip
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:redshift-x"
HOST = "acme.abc.eu-west-1.redshift.amazonaws.com"


def place(connection: dict[str, Any], **changed: Any) -> DataApiAddress:
    extra = connection["extra"] | changed.pop("extra", {})
    return data_api_address("warehouse", **{**connection, **changed, "extra": extra})


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (place(CLUSTER), DataApiAddress("dev", cluster="acme", user="loader")),
        (place(CLUSTER, host="other.x", extra={"iam": True}), DataApiAddress("dev", cluster="acme", user="loader")),
        (place(CLUSTER | {"extra": {}}, host=HOST), DataApiAddress("dev", cluster="acme", user="loader")),
        (
            place(CLUSTER, extra={"secret_arn": SECRET, "region": "eu-west-1"}),
            DataApiAddress("dev", cluster="acme", secret_arn=SECRET, region="eu-west-1"),
        ),
        (place(SERVERLESS), DataApiAddress("dev", workgroup="wg")),
        (place(SERVERLESS, login="ignored", host=HOST), DataApiAddress("dev", workgroup="wg")),
        (place(SERVERLESS, extra={"secret_arn": SECRET}), DataApiAddress("dev", workgroup="wg", secret_arn=SECRET)),
    ],
    ids=range(7),
)
def test_a_connection_says_where_and_as_whom(found: DataApiAddress, expected: DataApiAddress):
    assert found == expected


@pytest.mark.parametrize(
    ("connection", "changed", "key"),
    [
        (CLUSTER, {"database": None}, "`schema`"),
        (CLUSTER, {"database": ""}, "`schema`"),
        (CLUSTER, {"login": None}, "`login`.*`secret_arn`"),
        (CLUSTER | {"extra": {}}, {}, "`cluster_identifier`.*`is_serverless`"),
        (CLUSTER | {"extra": {"serverless_work_group": "wg"}}, {}, "`is_serverless`"),
        (SERVERLESS, {"extra": {"serverless_work_group": ""}}, "`serverless_work_group`"),
    ],
)
def test_what_is_missing_is_named_with_its_connection(connection: dict[str, Any], changed: dict[str, Any], key: str):
    with pytest.raises(ConfigurationError, match=f"connection warehouse .*{key}"):
        place(connection, **changed)
