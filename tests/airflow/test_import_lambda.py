"""`rsloader import-lambda` on the command line, and what Airflow makes of the connections that it writes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from airflow.models import Connection
from airflow.providers.amazon.aws.secrets.secrets_manager import SecretsManagerBackend
from support.lambda_items import a_batch, a_cluster, a_config_item, a_file, a_manifest, as_base64
from support.lambda_tables import LambdaTablesInDynamo
from typer.testing import CliRunner

from rsloader_provider.cli import app
from rsloader_provider.core.lambda_loader.load_file import lambda_context
from rsloader_provider.hooks.rsloader import RsloaderHook

if TYPE_CHECKING:
    from conftest import Loads

PASSWORD = "Pass/w0rd@home"


class CommandLine:
    """The command, on the tables of one test."""

    def __init__(self, loads: "Loads", arguments: dict[str, Any]):
        self.loads = loads
        kms = boto3.client("kms", **arguments)
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        sealed = kms.encrypt(KeyId=key, Plaintext=PASSWORD, EncryptionContext=lambda_context("us-east-1"))
        password = as_base64(sealed["CiphertextBlob"])
        self.prefix = f"{loads.bucket}/orders"
        self.load = f"{loads.bucket.replace('-', '_')}_orders"
        self.tables = LambdaTablesInDynamo(boto3.resource("dynamodb", **arguments).meta.client, f"{loads.bucket}-")
        cluster = a_cluster(password, targetTable=loads.table)
        config = a_config_item(password, self.prefix, manifestBucket=loads.bucket, loadClusters=[cluster])
        loads.put("1", "2", "3")
        loads.s3.put_object(Bucket=loads.bucket, Key="lambda/m", Body=a_manifest(f"{self.prefix}/1"))
        manifest = f"{loads.bucket}/lambda/m"
        names = [f"{self.prefix}/1", f"{self.prefix}/2"]
        batches = [
            a_batch("a", "complete", *names, prefix=self.prefix, manifestFile=manifest),
            a_batch("b", "locked", f"{self.prefix}/3", prefix=self.prefix),
        ]
        files = [a_file(name, "a") for name in names] + [a_file(f"{self.prefix}/3", "b")]
        self.tables.put([config], batches, files)

    def run(self, *arguments: str, code: int = 0) -> str:
        folder = self.loads.folder
        result = CliRunner().invoke(
            app,
            ["import-lambda", "--loads", str(folder / "moved"), "--connections", str(folder / "connections.json"),
             "--table-prefix", f"{self.loads.bucket}-", *arguments],
            env={"COLUMNS": "250", "TERM": "dumb"}, catch_exceptions=False,
        )  # fmt: skip
        assert result.exit_code == code, result.output
        assert PASSWORD not in result.output
        return str(result.stdout)


@pytest.fixture
def command(loads: "Loads", aws_arguments: dict[str, Any]) -> CommandLine:
    return CommandLine(loads, aws_arguments)


def test_it_tells_first_asks_for_choices_and_then_writes(
    command: CommandLine, loads: "Loads", monkeypatch: pytest.MonkeyPatch
):
    """Nothing of ours is there before, not even the tables."""
    monkeypatch.setenv("AIRFLOW__RSLOADER__DYNAMODB_TABLE_PREFIX", f"moved{loads.number}_")
    told = command.run("--apply", code=1)
    assert "1 objects need your choice: --locked load, or --locked mark." in told
    assert "Nothing was written: choose first." in told
    assert f"s3://{command.prefix}/2" in told, "the lost one"
    assert "Add --apply" in command.run("--locked", "mark")
    assert not (loads.folder / "moved").exists()
    done = json.loads(command.run("--locked", "mark", "--apply", "--json"))
    assert [(each["load"], each["marked"], each["to_load"]) for each in done["loads"]] == [(command.load, 2, 1)]
    assert [each["url"] for each in done["loads"][0]["lost"]] == [f"s3://{command.prefix}/2"]
    claims = RsloaderHook().get_conn().ledger.claims(command.load, "")
    assert [claim.name for claim in claims] == [f"{command.prefix}/1", f"{command.prefix}/3"]
    again = json.loads(command.run("--locked", "mark", "--apply", "--json"))
    assert (again["loads"][0]["marked"], again["loads"][0]["file_state"]) == (0, "there already")


def test_airflow_reads_the_connections(command: CommandLine, loads: "Loads", aws_arguments: dict[str, Any]):
    """From the file that `airflow connections import` takes, and from Secrets Manager."""
    command.run("--locked", "load", "--apply")
    (conn_id, document), *_ = json.loads((loads.folder / "connections.json").read_text()).items()
    command.run("--locked", "load", "--apply", "--to-secrets-manager", f"{loads.bucket}/connections")
    backend = SecretsManagerBackend(
        connections_prefix=f"{loads.bucket}/connections",
        region_name="us-east-1",
        endpoint_url=aws_arguments["endpoint_url"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    found = backend.get_conn_value(conn_id)
    assert found is not None
    for text in (json.dumps(document), found):
        connection = Connection.from_json(text, conn_id=conn_id)
        assert (connection.conn_type, connection.login, connection.password, connection.port, connection.schema) == (
            "redshift", "loader", PASSWORD, 5439, "dev",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--load-batch", "a", "--mark-batch", "a"), "both name a"),
        (("--schedule", "sometimes"), "--schedule"),
        (("--locked", "perhaps"), "perhaps"),
    ],
)
def test_options_that_contradict_or_mean_nothing_are_refused(tmp_path: Path, arguments: tuple[str, ...], said: str):
    result = CliRunner().invoke(app, ["import-lambda", "--loads", str(tmp_path), *arguments], env={"COLUMNS": "250"})
    assert result.exit_code == 2
    assert said in result.output
