"""What `make versions` asks of each version of Airflow, beside test_clearing and test_several_targets."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from airflow.providers_manager import ProvidersManager
from support.airflow_versions import DagBag, as_serialised, dag_of
from support.lambda_items import a_batch, a_cluster, a_config_item, a_file, a_manifest, as_base64
from support.lambda_tables import LambdaTablesInDynamo
from support.objects import a_config

from rsloader_provider.cli.commands import COMMANDS
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.local.aws import LocalAws

if TYPE_CHECKING:
    from conftest import Loads

pytestmark = [pytest.mark.usefixtures("airflow_database"), pytest.mark.timeout(900)]

RSLOADER = Path(sys.executable).with_name("rsloader")


class CommandLine:
    """The command as people start it, in a process of its own, with Airflow's log as it is by default."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.wrong: list[str] = []

    def __call__(
        self, command: str, *arguments: object, code: int = 0, says: str = "", answer: str = "", **more: str
    ) -> str:
        """Run a command and give its standard output; what is wrong is told at the end.

        Args:
            command: Its name.
            arguments: What follows; with `--json`, its output must be JSON and nothing else.
            code: The exit code that it must have.
            says: What its output or its errors must hold.
            answer: Its standard input.
            more: More of its environment.
        """
        environment = os.environ | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO", "COLUMNS": "250", "TERM": "dumb"} | more
        line = [str(RSLOADER), command, *map(str, arguments)]
        ended = subprocess.run(line, env=environment, input=answer, capture_output=True, text=True, check=False)
        self.called.append(command)
        problems = []
        if ended.returncode != code:
            problems.append(f"exit code {ended.returncode}")
        if says not in ended.stdout + ended.stderr:
            problems.append(f"does not say {says!r}")
        if "Traceback" in ended.stdout + ended.stderr:
            problems.append("a traceback")
        if "--json" in arguments and not code and not _is_json(ended.stdout):
            problems.append("its output is not JSON")
        if problems:
            self.wrong.append(f"{' '.join(line[1:])}: {', '.join(problems)}\n{ended.stdout}\n{ended.stderr}")
        return ended.stdout


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def lambda_tables(loads: "Loads", aws_arguments: dict[str, Any]) -> str:
    """Write what the Lambda loader keeps of a load with one batch; gives what its tables' names begin with."""
    prefix, tables = f"{loads.bucket}/orders", f"{loads.bucket}-"
    password = as_base64(b"sealed")
    config = a_config_item(
        password, prefix, manifestBucket=loads.bucket, loadClusters=[a_cluster(password, targetTable=loads.table)]
    )
    loads.s3.put_object(Bucket=loads.bucket, Key="lambda/m", Body=a_manifest(f"{prefix}/1.csv"))
    batch = a_batch("a", "complete", f"{prefix}/1.csv", prefix=prefix, manifestFile=f"{loads.bucket}/lambda/m")
    dynamodb = boto3.resource("dynamodb", **aws_arguments).meta.client
    LambdaTablesInDynamo(dynamodb, tables).put([config], [batch], [a_file(f"{prefix}/1.csv", "a")])
    return tables


def test_every_command_works_and_prints_json_alone(
    loads: "Loads", local_aws: LocalAws, aws_arguments: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
):
    """Airflow's log came first on some versions, and on others nothing came but a traceback."""
    rsloader, load, at = CommandLine(), loads.load, ("--loads", loads.folder)
    target, other = f"redshift_default/{loads.table}", f"{loads.table}_other"
    url = f"s3://{loads.bucket}/orders/1.csv"
    loads.put("1.csv", "2.csv", "3.csv")
    config = a_config(**loads.write())
    rsloader("setup", *at, "--json")
    services = RsloaderHook().get_conn()
    (work,) = buffer_objects(config, services, run="dag/run", is_active=lambda _: False, max_work=9)
    load_batch(config, services, work.batch.batch, work.target, Asker("try-1", "dag/run"))
    batch = work.batch.batch

    rsloader("permissions", loads.folder, "--json")
    rsloader("validate", loads.folder, "--json")
    assert _is_json(rsloader("schema"))
    key = boto3.client("kms", **aws_arguments).create_key()["KeyMetadata"]["Arn"]
    rsloader("encrypt", load, "--key", key, answer="hunter2\n")
    rsloader("batches", load, "--json")
    rsloader("batch", load, batch, "--json")
    rsloader("files", load, "--json")
    rsloader("audit", load, *at, "--json")
    rsloader("explain", url, *at, "--json")
    rsloader("mark-loaded", load, batch, target, code=1, says="NothingToDecideError")
    rsloader("mark-not-loaded", load, batch, target, code=1, says="NothingToDecideError")
    rsloader("reprocess", load, batch, *at, "--dry-run", "--json")
    rsloader("close-now", load, *at, "--yes", "--json")
    (closed,) = services.ledger.unfinished(load)
    rsloader("give-up", load, closed, target, *at, "--dry-run", "--json")
    loads.query(f"CREATE TABLE {other} (id integer)")
    loads.query(render(sql.CreateHistory(TableName(*other.split(".")))))
    loads.write(targets=[{"table": other}])
    rsloader("retarget", load, closed, target, f"redshift_default/{other}", *at, "--dry-run", "--json")
    loads.write()
    rsloader("unlock", load, "--json")
    rsloader("forget", load, url, *at, "--dry-run", "--json")
    rsloader("reprocess-objects", load, url, *at, "--dry-run", "--json")
    rsloader("backfill", load, *at, "--dry-run", "--json")
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
    deleted = loads.folder / "deleted.jsonl"
    deleted.write_text(rsloader("delete-batches", load, "--before", tomorrow, "--yes"))
    assert [json.loads(line)["batch"]["batch"] for line in deleted.read_text().splitlines()] == [batch]
    rsloader("restore", deleted, "--yes", "--json")
    rsloader("rebuild-ledger", load, *at, "--dry-run", "--json")
    rsloader("reconcile", load, "--since", "2026-01-01", *at, "--dry-run", "--json")
    (loads.folder / f"{load}.yaml").rename(loads.folder / "renamed.txt")
    loads.write(load=f"{load}_renamed")
    rsloader("rename-load", load, f"{load}_renamed", *at, "--dry-run", "--json")
    rsloader("accept", f"{load}_renamed", load, *at, "--dry-run", "--json")

    moved, tables = tmp_path_factory.mktemp("moved"), lambda_tables(loads, aws_arguments)
    told = rsloader(
        "import-lambda", "--loads", moved, "--connections", moved / "connections.json",
        "--table-prefix", tables, "--shadow", "--unrecorded", "load", "--apply", "--json",
    )  # fmt: skip
    (imported,) = json.loads(told)["loads"]
    rsloader("shadow-report", imported["load"], "--loads", moved, "--table-prefix", tables, "--json")

    answers = {"source": "s3://landing/new/", "schedule": "@hourly", "format": "csv"}
    answers |= {"manifests": "s3://loader/m/", "table": "public.new"}
    options = [part for name, value in answers.items() for part in (f"--{name}", value)]
    rsloader("new", "made_here", "--no-questions", *options, *at)
    rsloader("set", "made_here", "batch.max_files", "3", *at)
    assert yaml.safe_load((loads.folder / "made_here.yaml").read_text())["batch"]["max_files"] == 3
    rsloader("local", "sample", says="dropped 5 files", **local_aws.env())
    rsloader("local", "up", "--json", code=1, says="rsloader[local]")
    needed = "needs Airflow 3" if version("apache-airflow").startswith("2.") else "rsloader[local]"
    rsloader("local", "up", "--airflow", "--dags", loads.folder, code=1, says=needed)
    rsloader("demo", code=1, says=needed)
    assert sorted(set(rsloader.called)) == sorted(COMMANDS), "every command is called"
    assert "\n\n".join(rsloader.wrong) == ""


def test_every_dag_is_read_and_serialised(loads: "Loads", monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__RSLOADER__LOADS_FOLDER", str(loads.folder))
    apart = [{"table": "a"}, {"table": "b", "mode": "replace"}]
    for load, settings in {"plain": {}, "apart": {"targets": apart}, "always": {"schedule": "@continuous"}}.items():
        loads.write(load=load, source=f"s3://{loads.bucket}/{load}/", **settings)
    (loads.folder / "broken.yaml").write_text("load: broken\n")
    bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    assert bag.import_errors == {}
    names = {f"rsloader_{name}" for name in ("plain", "apart", "always", "broken", "operations")}
    assert set(bag.dags) == names
    for dag in bag.dags.values():
        written, read = as_serialised(dag)
        assert json.dumps(written)
        assert sorted(read.task_ids) == sorted(dag.task_ids)
    assert "airflow-provider-rsloader" in ProvidersManager().providers


def test_a_load_is_loaded_by_dag_test(loads: "Loads", monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__RSLOADER__LOADS_FOLDER", str(loads.folder))
    loads.put("1.csv", content="1\n")
    loads.put("2.csv", content="2\n")
    loads.write()
    run = dag_of(f"rsloader_{loads.load}").test()
    states = {each.task_id: str(each.state) for each in run.get_task_instances()}
    assert (str(run.state), states) == (
        "success", {"detect_new_objects": "success", "buffer_objects": "success", "load_batch": "success"},
    )  # fmt: skip
    assert loads.rows() == [1, 2]
