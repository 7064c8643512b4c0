"""What `rsloader permissions` prints; it takes tables and connections from Airflow."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.checkout import CHECKOUT
from typer.testing import CliRunner

from rsloader_provider.cli import app

SAMPLE = CHECKOUT / "dags" / "loads"
KEY = {"format": "csv", "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "kms:aHVudGVyMg=="}


def permissions(*arguments: str | Path) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["permissions", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.output))


def test_each_load_gets_its_policies_and_each_connection_its_grants():
    found = permissions(SAMPLE, "--user", "etl", "--region", "eu-west-1", "--account", "123456789012")
    orders = found["loads"]["orders"]
    text = json.dumps(orders["worker_policy"])
    assert "arn:aws:dynamodb:eu-west-1:123456789012:table/rsloader_batches/index/attention" in text
    assert list(orders["redshift_role_policies"]) == ["default"]
    setup = {each["Sid"]: each["Action"] for each in found["setup_policy"]["Statement"]}
    assert setup["ProtectTables"] == ["dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable"]
    operators = {each["Sid"]: each["Action"] for each in orders["operator_policy"]["Statement"]}
    assert operators["DeleteBatches"] == ["dynamodb:DeleteItem"]
    assert 'GRANT INSERT ON "public"."orders" TO "etl"' in found["redshift_grants"]["redshift_default"]


def test_people_get_json_and_sql_to_copy():
    output = CliRunner().invoke(app, ["permissions", str(SAMPLE), "--load", "orders"]).output
    assert '"s3:prefix": [' in output
    assert 'ALTER TABLE "rsloader"."public__orders" OWNER TO "rsloader";' in output


def test_a_load_that_is_not_there_is_named():
    result = CliRunner().invoke(app, ["permissions", str(SAMPLE), "--load", "nowhere"])
    assert result.exit_code == 1
    assert "no load 'nowhere'" in result.output


def test_mistakes_in_load_files_are_told_and_a_good_load_is_not_held_up_by_them(tmp_path: Path):
    (tmp_path / "orders.yaml").write_text((SAMPLE / "orders.yaml").read_text())
    (tmp_path / "broken.yaml").write_text("load: broken\n")
    result = CliRunner().invoke(app, ["permissions", str(tmp_path)])
    assert result.exit_code == 1
    assert "broken.yaml:1" in result.output
    assert list(permissions(tmp_path, "--load", "orders")["loads"]) == ["orders"]


def test_the_connection_of_a_target_of_the_data_api_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = (SAMPLE / "orders.yaml").read_text() + "    transport: data_api\n"
    (tmp_path / "orders.yaml").write_text(text)
    extra = {"is_serverless": True, "serverless_work_group": "analytics"}
    connection = {"conn_type": "redshift", "schema": "dev", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(connection))
    policy = json.dumps(permissions(tmp_path)["loads"]["orders"]["worker_policy"])
    assert "redshift-data:ExecuteStatement" in policy
    assert "redshift-serverless:GetCredentials" in policy
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps({**connection, "extra": {}}))
    result = CliRunner().invoke(app, ["permissions", str(tmp_path)])
    assert result.exit_code == 1
    assert "redshift_default" in result.output


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ({"aws_conn_id": "lake"}, "the role or user of Airflow connection lake, with which Redshift reads"),
        (KEY, "the user whose key"),
        ({"iam_role": "arn:aws:iam::123456789012:role/x"}, "the role arn:aws:iam::123456789012:role/x, with"),
    ],
    ids=["connection", "key", "role"],
)
def test_people_are_told_who_it_is_that_reads(tmp_path: Path, access: dict[str, str], said: str):
    sample = yaml.safe_load((SAMPLE / "orders.yaml").read_text())
    (tmp_path / "orders.yaml").write_text(yaml.safe_dump(sample | {"copy": {"format": "csv", **access}}))
    assert said in CliRunner().invoke(app, ["permissions", str(tmp_path)]).output
