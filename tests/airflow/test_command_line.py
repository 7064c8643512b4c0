"""The commands that ask AWS and Redshift, through Airflow's connections."""

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from support.objects import a_config
from typer.testing import CliRunner

from rsloader_provider.aws.dynamodb.tables import DEFAULT_PREFIX
from rsloader_provider.cli import app
from rsloader_provider.core.errors import UndecidedError
from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt
from rsloader_provider.core.redshift import sql
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.loader.run.load_secrets import decrypt_secret
from rsloader_provider.local.redshift import LocalRedshift

if TYPE_CHECKING:
    from conftest import Loads

KEY = "a+b [red]é.csv"


def rsloader(*arguments: str) -> str:
    """Run a command that succeeds, on a wide screen, and give what it prints."""
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "250", "TERM": "dumb"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def loaded(loads: "Loads") -> "Loads":
    """Two files in a complete batch, one in the open batch."""
    loads.put("1.csv", KEY, "z.csv")
    config = a_config(**loads.write())
    services = RsloaderHook().get_conn()
    (work,) = buffer_objects(config, services, run="dag/run", is_active=lambda _: False, max_work=9)
    load_batch(config, services, work.batch.batch, work.target, Asker("try-1", "dag/run-1"))
    return loads


def test_setup_creates_tables_and_histories_and_changes_nothing_the_second_time(
    loads: "Loads", monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW__RSLOADER__DYNAMODB_TABLE_PREFIX", f"setup{loads.number}_")
    loads.query(f'DROP TABLE rsloader."{loads.table.replace(".", "__")}"')
    loads.write()
    first = rsloader("setup", "--loads", str(loads.folder))
    assert f"created DynamoDB table setup{loads.number}_files" in first
    assert f"load history rsloader.{loads.table.replace('.', '__')}" in first
    again = rsloader("setup", "--loads", str(loads.folder))
    assert "created" not in again
    assert "switched on" not in again
    assert list(loads.query(f"SELECT count(*) FROM rsloader.loads WHERE target = '{loads.table}'")[0]) == [0]


def test_setup_prints_sql_for_a_dba_who_can_run_it_as_it_is(loads: "Loads"):
    """The loader's user may have no right to create anything."""
    loads.write(targets=[{"table": loads.table, "mode": "replace"}])
    printed = rsloader("setup", "--loads", str(loads.folder), "--print-sql", "--user", "awsuser")
    assert f'GRANT INSERT, SELECT, DELETE ON "public"."{loads.table.partition(".")[2]}" TO "awsuser";' in printed
    for statement in printed.splitlines():
        if not statement.startswith("--"):
            loads.query(statement.removesuffix(";"))


def test_setup_adds_the_columns_that_a_history_of_an_earlier_release_lacks(
    loads: "Loads", monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW__RSLOADER__DYNAMODB_TABLE_PREFIX", f"columns{loads.number}_")
    loads.write()
    history = f'rsloader."{loads.table.replace(".", "__")}"'
    for column in sql.ADDED_COLUMNS:
        loads.query(f'ALTER TABLE {history} DROP COLUMN "{column}"')
    for _ in range(2):
        rsloader("setup", "--loads", str(loads.folder))
        assert [*loads.query(f'SELECT count(names_digest), count("source") FROM {history}')[0]] == [0, 0]


@pytest.mark.parametrize("column", sql.ADDED_COLUMNS)
def test_the_sql_for_a_dba_finds_the_histories_that_lack_a_column_and_adds_it(loads: "Loads", column: str):
    """As comments: Redshift has no ADD COLUMN IF NOT EXISTS, and what is there is not known without asking."""
    loads.write()
    name = loads.table.replace(".", "__")
    printed = rsloader("setup", "--loads", str(loads.folder), "--print-sql").splitlines()
    statements = [line.removeprefix("-- ").removesuffix(";") for line in printed if line.startswith("-- ")]
    (find,) = (each for each in statements if each.startswith("SELECT") and f"'{column}'" in each)
    (add,) = (each for each in statements if each.startswith("ALTER TABLE") and f'"{column}"' in each)
    assert [name] not in [list(row) for row in loads.query(find)]
    loads.query(f'ALTER TABLE rsloader."{name}" DROP COLUMN "{column}"')
    assert [name] in [list(row) for row in loads.query(find)]
    loads.query(add)
    assert [name] not in [list(row) for row in loads.query(find)]


def test_setup_tells_programs_what_it_created_and_what_it_would_run(loads: "Loads", monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__RSLOADER__DYNAMODB_TABLE_PREFIX", f"json{loads.number}_")
    loads.write()
    history = {"connection": "redshift_default", "history": f"rsloader.{loads.table.replace('.', '__')}"}
    tables = [f"json{loads.number}_files", f"json{loads.number}_batches"]
    kinds = ("point-in-time recovery", "deletion protection")
    protected = [{"table": table, "protection": kind} for table in tables for kind in kinds]
    without = ["--no-point-in-time-recovery", "--no-deletion-protection"]
    for options, created, switched_on in ((without, tables, []), ([], [], protected), ([], [], [])):
        told = json.loads(rsloader("setup", "--loads", str(loads.folder), "--json", *options))
        assert told == {"tables_created": created, "protected": switched_on, "histories": [history]}
    printed = json.loads(rsloader("setup", "--loads", str(loads.folder), "--print-sql", "--json"))
    assert printed["redshift_default"][0] == 'CREATE SCHEMA IF NOT EXISTS "rsloader"'


def test_setup_creates_nothing_in_redshift_for_a_target_without_history(loads: "Loads"):
    """Its DBA allows no schema of ours; what a load into the table needs is granted nevertheless."""
    loads.write(targets=[{"table": loads.table, "history": "none"}])
    assert json.loads(rsloader("setup", "--loads", str(loads.folder), "--json"))["histories"] == []
    (printed,) = json.loads(rsloader("setup", "--loads", str(loads.folder), "--print-sql", "--json")).values()
    assert [statement.split(" ON ")[0] for statement in printed] == ["GRANT USAGE", "GRANT INSERT"]


@pytest.mark.parametrize(
    ("command", "state", "status"), [("mark-loaded", "loaded", "complete"), ("mark-not-loaded", "waiting", "locked")]
)
def test_a_person_answers_what_a_batch_asks(loads: "Loads", command: str, state: str, status: str):
    loads.put("1.csv", "2.csv")
    config = a_config(**loads.write(targets=[{"table": loads.table, "history": "none"}]))
    services = RsloaderHook().get_conn()
    (work,) = buffer_objects(config, services, run="dag/run", is_active=lambda _: False, max_work=9)
    begun = begin_attempt(work.batch, work.target, Asker("try-1", "dag/run"))
    begun = AttemptRecord.newest(begun, work.target).session_recorded(4711, announces=True)
    begun = begun.commit_announced(rows=2, query_id=None)
    services.ledger.replace(work.batch, begun.batch)
    with pytest.raises(UndecidedError, match=f"rsloader {command} {config.load} {work.batch.batch} {work.target}"):
        load_batch(config, services, work.batch.batch, work.target, Asker("try-2", "dag/run"))
    told = rsloader(command, config.load, work.batch.batch, work.target)
    assert told.endswith(f"is {state} in {work.target}; the batch is {status}.\n")
    again = CliRunner().invoke(app, [command, config.load, work.batch.batch, work.target])
    assert again.exit_code == 1
    assert "NothingToDecideError" in again.output


def test_the_sql_for_a_dba_says_what_its_view_leaves_out_and_how_to_find_it(loads: "Loads"):
    """Another folder's histories would silently be gone from the view."""
    loads.write()
    printed = rsloader("setup", "--loads", str(loads.folder), "--print-sql").splitlines()
    comment = [line for line in printed if line.startswith("-- ")]
    assert printed.index(comment[-1]) == len(printed) - 2, "it stands right before the view, which comes last"
    assert "ONLY" in " ".join(comment)
    found = loads.query(comment[-1].removeprefix("-- ").removesuffix(";"))
    assert [loads.table.replace(".", "__")] in [list(row) for row in found]


def test_one_broken_load_file_or_connection_does_not_hold_up_the_setup_of_the_others(loads: "Loads"):
    """Whose mistake it is sees the exit code; everybody else goes on."""
    history = f'rsloader."{loads.table.replace(".", "__")}"'
    loads.write()
    (loads.folder / "broken.yaml").write_text("load: broken\n")
    for more in ([], ["--print-sql"]):
        loads.query(f"DROP TABLE IF EXISTS {history} CASCADE")
        result = CliRunner().invoke(app, ["setup", "--loads", str(loads.folder), *more])
        assert result.exit_code == 1
        assert "Not set up: broken.yaml:1" in result.output
        assert "Everything" not in result.output
        assert ("CREATE TABLE" in result.output) == bool(more)
        assert (f"load history {history.replace(chr(34), '')}" in result.output) == (not more)
    loads.query(f"DROP TABLE IF EXISTS {history} CASCADE")
    assert "Everything is set up." in rsloader("setup", "--loads", str(loads.folder), "--load", loads.load)
    loads.write(targets=[{"table": loads.table}, {"table": loads.table, "conn_id": "a_missing_connection"}])
    loads.query(f"DROP TABLE {history} CASCADE")
    result = CliRunner().invoke(app, ["setup", "--loads", str(loads.folder), "--load", loads.load])
    assert result.exit_code == 1
    assert "Not set up: connection a_missing_connection: ConfigurationError" in result.output
    assert f"redshift_default: load history rsloader.{loads.table.replace('.', '__')}" in result.output


def test_a_user_who_may_create_nothing_is_told_of_print_sql_which_is_enough(
    loads: "Loads", redshift: LocalRedshift, monkeypatch: pytest.MonkeyPatch
):
    """The Lambda loader's user may rarely do more than load."""
    user, table = f"plain{loads.number}", f"public.plain_{loads.number}"
    loads.query(f"CREATE USER {user} PASSWORD 'Wonder1and'")
    loads.query(f"CREATE TABLE {table} (id integer)")
    connection = {
        "conn_type": "redshift",
        "host": redshift.host,
        "port": redshift.port,
        "schema": redshift.database,
        "login": user,
        "password": "Wonder1and",
        "extra": {"ssl": False},
    }
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_PLAIN", json.dumps(connection))
    loads.write(targets=[{"table": table, "conn_id": "redshift_plain"}])
    arguments = ["setup", "--loads", str(loads.folder)]
    denied = CliRunner().invoke(app, arguments)
    assert denied.exit_code == 1
    assert "AccessDeniedError" in denied.output
    assert "run what `rsloader setup --print-sql --user USER` prints" in denied.output
    for statement in rsloader(*arguments, "--print-sql", "--user", user).splitlines():
        if not statement.startswith("--"):
            loads.query(statement.removesuffix(";"))
    for _ in range(2):
        assert "Everything is set up." in rsloader(*arguments)


@pytest.mark.parametrize(("name", "said"), [("broken", "broken.yaml:1"), ("nowhere", "There is no load nowhere in")])
def test_setup_of_one_load_tells_what_is_wrong_with_it(loads: "Loads", name: str, said: str):
    (loads.folder / "broken.yaml").write_text("load: broken\n")
    result = CliRunner().invoke(app, ["setup", "--loads", str(loads.folder), "--load", name])
    assert (result.exit_code, said in result.output) == (1, True)


def test_batches_are_listed_for_people_and_for_programs(loaded: "Loads"):
    table = rsloader("batches", loaded.load)
    assert "complete" in table
    assert "max_files" in table
    newest, oldest = json.loads(rsloader("batches", loaded.load, "--json"))
    assert (newest["status"], newest["files"], oldest["status"], oldest["files"]) == ("open", 1, "complete", 2)
    assert oldest["targets"][f"redshift_default/{loaded.table}"]["rows"] == 2
    assert json.loads(rsloader("batches", loaded.load, "--json", "--status", "open")) == [newest]
    assert len(json.loads(rsloader("batches", loaded.load, "--json", "--limit", "1"))) == 1


def test_a_batch_is_shown_with_its_files(loaded: "Loads"):
    batch = json.loads(rsloader("batches", loaded.load, "--json", "--status", "complete"))[0]["batch"]
    shown = rsloader("batch", loaded.load, batch)
    assert f"s3://{loaded.bucket}/orders/{KEY}" in shown
    assert "loaded, 2 rows, generation 1, attempt 1" in shown
    assert [
        entry["size_bytes"] for entry in json.loads(rsloader("batch", loaded.load, batch, "--json"))["entries"]
    ] == [2, 2]


@pytest.mark.parametrize(
    ("key", "count"), [(None, 3), ("s3://{bucket}/orders/a+b", 1), ("orders/a+b", 1), ("orders/", 3), ("nothing", 0)]
)
def test_files_are_found_by_url_or_key(loaded: "Loads", key: str | None, count: int):
    asked = [] if key is None else [key.format(bucket=loaded.bucket)]
    assert len(json.loads(rsloader("files", loaded.load, *asked, "--json"))) == count
    assert ("z.csv" in rsloader("files", loaded.load, *asked)) == (count == 3)


def test_a_file_with_the_longest_key_is_found_by_its_url(loads: "Loads"):
    """With its bucket it is longer than a key of DynamoDB may be."""
    name = "x" * 1017
    loads.put(name)
    buffer_objects(a_config(**loads.write()), RsloaderHook().get_conn(), run="r", is_active=bool, max_work=9)
    url = f"s3://{loads.bucket}/orders/{name}"
    assert [each["url"] for each in json.loads(rsloader("files", loads.load, url, "--json"))] == [url]


@pytest.mark.parametrize(
    "arguments",
    [("batches", "nowhere"), ("batch", "{load}", "01ARZ3NDEKTSV4RRFFQ69G5FAV"), ("batch", "{load}", "#current")],
)
def test_what_is_not_there_is_an_error_without_a_traceback(loaded: "Loads", arguments: tuple[str, ...]):
    result = CliRunner().invoke(app, [each.format(load=loaded.load) for each in arguments])
    assert result.exit_code == 1
    assert "UnknownBatchError" in result.output
    assert "Traceback" not in result.output


def test_tables_that_are_not_set_up_are_an_error_that_says_what_to_do(
    connections: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW__RSLOADER__DYNAMODB_TABLE_PREFIX", "never_")
    result = CliRunner().invoke(app, ["batches", "orders"])
    assert result.exit_code == 1
    assert "rsloader setup" in result.output
    assert os.environ.get("AWS_ACCESS_KEY_ID") is None, "the connection was used"
    assert DEFAULT_PREFIX not in result.output


@pytest.mark.usefixtures("connections")
def test_a_secret_is_read_from_standard_input_and_printed_encrypted_for_its_load(aws_arguments: dict[str, Any]):
    kms = boto3.client("kms", **aws_arguments)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    result = CliRunner().invoke(app, ["encrypt", "orders", "--key", key], input="hunter2\n", catch_exceptions=False)
    assert result.exit_code == 0
    assert "hunter2" not in result.output
    text = result.stdout.strip()
    assert decrypt_secret(RsloaderHook().get_keys(), load="orders", setting="a secret", text=text) == "hunter2"


@pytest.mark.usefixtures("connections")
def test_a_secret_that_cannot_be_encrypted_is_not_repeated():
    result = CliRunner().invoke(app, ["encrypt", "orders", "--key", "alias/nowhere"], input="hunter2\n")
    assert result.exit_code == 1
    assert "alias/nowhere" in result.output
    assert "hunter2" not in result.output


def test_a_secret_that_is_no_text_is_refused_without_a_traceback():
    result = CliRunner().invoke(app, ["encrypt", "orders", "--key", "alias/loads"], input=b"hunter2\xff\n")
    assert result.exit_code == 1
    assert "ConfigurationError: load orders: the secret is not UTF-8 text. Nothing was encrypted." in result.output
    assert isinstance(result.exception, SystemExit)
    assert "hunter2" not in result.output


def in_a_process_of_its_own(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program: Airflow's log settles when it is imported."""
    command = [sys.executable, "-c", program, *arguments]
    ended = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended


RSLOADER = "from rsloader_provider.cli import app; app()"


def test_what_airflow_logs_does_not_stand_in_what_programs_read(loaded: "Loads"):
    ended = in_a_process_of_its_own(RSLOADER, "batches", loaded.load, "--json", AIRFLOW__LOGGING__LOGGING_LEVEL="INFO")
    assert len(json.loads(ended.stdout)) == 2
    assert "AWS Connection" in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [("batches", "{load}"), ("setup", "--loads", "{folder}"), ("permissions", "{folder}")],
    ids=["batches", "setup", "permissions"],
)
def test_what_is_printed_while_airflow_is_imported_does_not_stand_there_either(
    loaded: "Loads", arguments: tuple[str, ...]
):
    """Airflow 3.0's amazon provider logs then, before anybody can redirect it; here it is the user's own settings."""
    settings = loaded.folder / "settings"
    settings.mkdir()
    (settings / "airflow_local_settings.py").write_text("print('our settings are imported')\n")
    filled = [each.format(load=loaded.load, folder=loaded.folder) for each in arguments]
    ended = in_a_process_of_its_own(RSLOADER, *filled, "--json", PYTHONPATH=str(settings))
    assert json.loads(ended.stdout)
    assert "our settings are imported" in ended.stderr


def test_a_log_that_looks_up_standard_output_for_each_line_goes_to_standard_error_with_its_secrets_masked():
    """Airflow 2.11 and 3.0 log so, by a handler whose stream cannot be set and that several loggers share."""
    program = """
import logging
from airflow.utils.log.logging_mixin import RedirectStdHandler
from rsloader_provider.airflow_compat import log_to_standard_error

def mask(record):
    record.msg = record.msg.replace("hunter2", "***")
    return True

handler = RedirectStdHandler("stdout")
handler.setFormatter(logging.Formatter("console: %(message)s"))
handler.addFilter(mask)
for name in (None, "strangers"):
    logging.getLogger(name).addHandler(handler)
log_to_standard_error()
logging.getLogger("strangers.own").warning("hunter2")
print("what was asked for")
"""
    ended = in_a_process_of_its_own(program)
    assert ended.stdout == "what was asked for\n"
    assert ended.stderr.count("console: ***\n") == 2
    assert "hunter2" not in ended.stderr
