"""The commands by which a person changes something, through Airflow's connections to the local AWS and Redshift."""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.objects import a_config
from typer.testing import CliRunner, Result

from rsloader_provider.cli import app
from rsloader_provider.core.errors import BadDataError, LedgerLostError, RenamedLoadError
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.hooks.rsloader import RsloaderHook, table_names
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.look.reports import batch_reports
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch

if TYPE_CHECKING:
    from conftest import Loads


def invoke(*arguments: object, answer: str = "") -> Result:
    return CliRunner().invoke(
        app, [*map(str, arguments)], input=answer, env={"COLUMNS": "250", "TERM": "dumb"}, catch_exceptions=False
    )


def rsloader(*arguments: object, answer: str = "") -> Any:
    result = invoke(*arguments, answer=answer)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in arguments else result.stdout


class Operated:
    """A load, its folder, and runs of it."""

    def __init__(self, loads: "Loads"):
        self.loads = loads
        self.config = a_config(**loads.write())
        self.load = loads.load
        self.folder = ("--loads", str(loads.folder))
        hook = RsloaderHook()
        self.services, self.inventory = hook.get_conn(), hook.get_inventory()

    def put(self, *names: str, content: str = "") -> None:
        for name in names:
            self.loads.put(name, content=content or f"{name[0]}\n")

    def run(self, name: str) -> None:
        work = buffer_objects(self.config, self.services, run=name, is_active=lambda _: False, max_work=99)
        for each in work:
            with suppress(BadDataError):
                load_batch(self.config, self.services, each.batch.batch, each.target, Asker("try-1", name))

    def url(self, name: str) -> str:
        return f"s3://{self.loads.bucket}/orders/{name}"

    def batches(self, status: str | None = None) -> list[dict[str, Any]]:
        return [*batch_reports(self.services.ledger, self.load, status)]

    def audit_is_clean(self) -> None:
        report = audit_load(self.config, self.services, self.inventory)
        assert not report.is_wrong, "\n".join(report.lines())


@pytest.fixture
def operated(loads: "Loads") -> Operated:
    """Two files in a complete batch, one in the open batch."""
    made = Operated(loads)
    made.put("1.csv", "2.csv", "3.csv")
    made.run("dag/run-1")
    return made


def test_a_batch_is_reprocessed_after_a_person_has_seen_what_that_does(operated: Operated):
    (batch,) = operated.batches("complete")
    refused = invoke("reprocess", operated.load, batch["batch"], *operated.folder, answer="n\n")
    assert refused.exit_code == 1
    assert "ADDS THE ROWS A SECOND TIME: the 2 rows" in refused.stdout
    assert operated.batches("locked") == []
    told = rsloader("reprocess", operated.load, batch["batch"], *operated.folder, answer="y\n")
    assert told.endswith(f"is locked; the next run of rsloader_{operated.load} loads it.\n")
    operated.run("dag/run-2")
    assert operated.loads.rows() == [1, 1, 2, 2]
    operated.audit_is_clean()


def test_a_bad_file_is_left_out_and_put_through_when_it_is_repaired(operated: Operated):
    """One bad file must not stop the rest."""
    operated.put("bad.csv")
    operated.run("dag/run-2")
    (failed,), bad = operated.batches("error"), operated.url("bad.csv")
    arguments = (failed["batch"], "--without", bad, *operated.folder, "--yes", "--json")
    plan = rsloader("reprocess", operated.load, *arguments)
    assert (plan["batch"]["files"], plan["batch"]["taken_out"]) == (1, 1)
    operated.run("dag/run-3")
    assert operated.loads.rows() == [1, 2, 3]
    operated.audit_is_clean()
    assert f"reprocess-objects {operated.load} {bad}" in rsloader("explain", bad, *operated.folder)
    assert "left out by a person" in rsloader("files", operated.load, bad)
    operated.put("bad.csv", content="9\n")
    moved = rsloader("reprocess-objects", operated.load, bad, *operated.folder, "--yes", "--json")
    assert moved["done"] == {"reprocessed": 1}
    operated.run("dag/run-4")
    assert operated.loads.rows() == [1, 2, 3, 9]
    operated.audit_is_clean()


def test_a_corrected_table_reaches_a_batch_that_is_locked_already(operated: Operated):
    """Another goes nowhere, because a person gives its target up."""
    wrong = a_config(**operated.loads.write(targets=[{"table": f"{operated.loads.table}x"}]))
    old, new = wrong.targets[0].name, operated.config.targets[0].name
    operated.put("4.csv", "5.csv", "6.csv")
    work = buffer_objects(wrong, operated.services, run="dag/run-w", is_active=lambda _: False, max_work=99)
    moved, given_up = [each.batch.batch for each in work]
    operated.loads.write()
    refused = invoke("retarget", operated.load, moved, old, new, *operated.folder, answer="n\n")
    assert (refused.exit_code, f"in the place of {old}" in refused.stdout) == (1, True)
    told = rsloader("retarget", operated.load, moved, old, new, *operated.folder, answer="y\n")
    assert told.endswith(f"loads it into {new}.\n")
    dry = rsloader("give-up", operated.load, given_up, old, *operated.folder, "--dry-run", "--json")
    assert dry["batch"]["status"] == "locked"
    done = rsloader("give-up", operated.load, given_up, old, *operated.folder, "--yes", "--json")
    assert (done["batch"]["status"], done["batch"]["targets"][old]["state"]) == ("complete", "given up")
    operated.run("dag/run-2")
    assert {each["status"] for each in operated.batches()} == {"complete", "open"}
    assert operated.loads.rows() == [1, 2, 3, 4]
    operated.audit_is_clean()


def test_the_open_batch_is_closed_now(operated: Operated):
    told = rsloader("close-now", operated.load, *operated.folder, answer="y\n")
    assert "with 1 objects, would be locked, and the next run of" in told
    assert "is locked with 1 objects" in told
    held = rsloader("unlock", operated.load)
    assert "waits for run rsloader close-now by" in held
    assert "Nothing needs to be unlocked" in held
    operated.run("dag/run-2")
    assert operated.loads.rows() == [1, 2, 3]
    assert rsloader("close-now", operated.load, *operated.folder, "--yes", "--json") == {"batch": None}
    assert rsloader("unlock", operated.load, "--json") == []


def test_objects_are_forgotten_and_loaded_as_new(operated: Operated):
    told = rsloader("forget", operated.load, operated.url("1.csv"), *operated.folder, answer="y\n")
    assert "ADDED AGAIN" in told
    assert told.endswith("forgotten: 1 objects\n")
    operated.run("dag/run-2")
    assert operated.loads.rows() == [1, 1, 2, 3]
    operated.audit_is_clean()
    dry = rsloader("forget", operated.load, "--prefix", operated.url(""), *operated.folder, "--dry-run", "--json")
    assert (dry["plan"], dry["done"]) == ({"forgotten": 3}, {})


def test_old_batches_are_deleted_and_restored(operated: Operated, tmp_path: Path):
    (batch,) = operated.batches("complete")
    old = ("delete-batches", operated.load, "--before", "2100-01-01")
    assert [json.loads(line)["batch"] for line in rsloader(*old, "--dry-run").splitlines()] == [batch["batch"]]
    assert invoke(*old, answer="n\n").exit_code == 1
    assert operated.batches("complete") == [batch]
    printed = rsloader(*old, "--yes")
    assert operated.batches("complete") == []
    told = rsloader("explain", operated.url("1.csv"), *operated.folder)
    assert f"Batch {batch['batch']} of load {operated.load} was deleted" in told
    operated.run("dag/run-2")
    assert operated.loads.rows() == [1, 2]
    operated.audit_is_clean()
    (tmp_path / "deleted.jsonl").write_text(printed)
    assert rsloader("restore", tmp_path / "deleted.jsonl", "--yes", "--json") == [
        {"load": operated.load, "batch": batch["batch"], "outcome": "restored", "files": 2}
    ]
    (tmp_path / "nothing.jsonl").write_text("")
    assert rsloader("restore", tmp_path / "nothing.jsonl", "--yes", "--json") == []
    assert operated.batches("complete") == [batch]
    operated.audit_is_clean()


def test_what_was_there_before_is_loaded_or_marked(operated: Operated):
    operated.put("4.csv", "5.csv", "6.csv")
    six = ("--prefix", operated.url("6"), "--mark-only")
    assert rsloader("backfill", operated.load, *six, *operated.folder, "--yes", "--json")["marked"] == 1
    told = rsloader("backfill", operated.load, "--since", "2000-01-01", *operated.folder, answer="y\n")
    assert "2 objects that nothing has claimed, 4 bytes, would be loaded by the next runs:" in told
    assert f"2 objects claimed, 1 batches locked. The next runs of rsloader_{operated.load} load these batches" in told
    assert "0 objects that nothing has claimed" in rsloader("backfill", operated.load, *operated.folder, "--yes")
    operated.run("dag/run-2")
    assert operated.loads.rows() == [1, 2, 3, 4]
    operated.audit_is_clean()


def test_batches_are_found_by_dates(operated: Operated):
    assert len(rsloader("batches", operated.load, "--json", "--since", "2020-01-01", "--until", "2100-01-01")) == 2
    assert rsloader("batches", operated.load, "--json", "--until", "2020-01-01") == []
    wrong = invoke("batches", operated.load, "--since", "2100-01-01", "--until", "2020-01-01")
    assert (wrong.exit_code, "Give the earlier moment first" in wrong.output) == (1, True)


def test_what_makes_no_sense_is_an_error_that_changes_nothing(operated: Operated):
    """The use cases' tests have each case; here each command passes its error on."""
    before = operated.batches()
    unknown, load = "01ARZ3NDEKTSV4RRFFQ69G5FAV", operated.load
    for arguments, error in (
        (("reprocess", load, unknown, *operated.folder), "UnknownBatchError"),
        (("forget", load, "s3://other/1.csv", *operated.folder), "UnknownObjectError"),
        (("reprocess-objects", load, *operated.folder), "ConfigurationError"),
        (("backfill", load, "--prefix", "s3://other/", *operated.folder), "OperationRefusedError"),
        (("delete-batches", "nothing", "--before", "2100-01-01"), "UnknownBatchError"),
        (("restore", operated.loads.folder / "nothing.jsonl"), "ConfigurationError"),
        (("close-now", "nothing", *operated.folder), "ConfigurationError"),
        (("retarget", load, unknown, "a", "b", *operated.folder), "UnknownBatchError"),
        (("give-up", load, unknown, "a", *operated.folder), "UnknownBatchError"),
    ):
        result = invoke(*arguments, "--yes")
        assert (result.exit_code, error in result.output) == (1, True), result.output
    assert operated.batches() == before


def test_programs_are_asked_nothing_and_dates_are_dates():
    for arguments in (
        ("reprocess", "orders", "x"), ("close-now", "orders"), ("forget", "orders"), ("reprocess-objects", "orders"),
        ("backfill", "orders"), ("restore", "file"), ("retarget", "orders", "x", "a", "b"),
        ("give-up", "orders", "x", "a"), ("rename-load", "orders", "sales"), ("accept", "sales", "orders"),
    ):  # fmt: skip
        result = invoke(*arguments, "--json")
        assert (result.exit_code, "--yes" in result.output) == (2, True)
    assert invoke("delete-batches", "orders", "--before", "soon").exit_code == 2


def lose(loads: "Loads", load: str) -> None:
    """Delete everything that DynamoDB has of a load."""
    names, client = table_names(), RsloaderHook().dynamodb()
    for table, key in ((names.files, "object"), (names.batches, "batch")):
        found = client.query(
            TableName=table, KeyConditionExpression="#load = :load",
            ExpressionAttributeNames={"#load": "load"}, ExpressionAttributeValues={":load": load},
        )  # fmt: skip
        for item in found["Items"]:
            client.delete_item(TableName=table, Key={"load": load, key: item[key]})


def test_a_lost_ledger_is_noticed_and_put_back_and_nothing_is_loaded_twice(operated: Operated):
    lose(operated.loads, operated.load)
    with pytest.raises(LedgerLostError, match=f"rsloader rebuild-ledger {operated.load}"):
        operated.run("dag/run-2")
    dry = rsloader("rebuild-ledger", operated.load, *operated.folder, "--dry-run")
    assert "claims of 2 objects" in dry
    assert "1 objects in S3 have neither a claim nor a manifest" in dry
    with pytest.raises(LedgerLostError):
        operated.run("dag/run-2")
    done = rsloader("rebuild-ledger", operated.load, *operated.folder, "--yes", "--json")
    assert (done["plan"]["count"], done["done"]) == (1, {"count": 1, "objects": 2})
    assert "nothing to do" in rsloader("rebuild-ledger", operated.load, *operated.folder)
    operated.audit_is_clean()
    operated.put("4.csv")
    operated.run("dag/run-3")
    operated.audit_is_clean()
    assert [list(row) for row in operated.loads.query(f"SELECT id FROM {operated.loads.table} ORDER BY id")] == [
        [1], [2], [3], [4],
    ]  # fmt: skip


def test_what_a_restored_redshift_has_lost_is_loaded_again(operated: Operated):
    history = f'rsloader."{operated.loads.table.replace(".", "__")}"'
    operated.loads.query(f"DELETE FROM {operated.loads.table}")
    operated.loads.query(f"DELETE FROM {history}")
    arguments = ("reconcile", operated.load, *operated.folder, "--since", "2026-01-01")
    assert "TWICE" in rsloader(*arguments, "--dry-run")
    done = rsloader(*arguments, "--yes", "--json")
    assert (done["plan"]["objects"], done["done"]) == (2, {"count": 1})
    operated.run("dag/run-2")
    operated.audit_is_clean()
    assert "is in its load histories" in rsloader(*arguments)


def renamed(operated: Operated) -> str:
    """Give the load another name, as a person does in its file, and return the old one."""
    old = operated.load
    operated.loads.load = operated.load = f"{old}_renamed"
    operated.config = a_config(**operated.loads.write())
    return old


def test_a_renamed_load_is_refused_until_it_is_handed_over_and_nothing_is_loaded_twice(operated: Operated):
    old = renamed(operated)
    refused = invoke("rename-load", old, operated.load, *operated.folder, "--yes")
    assert (refused.exit_code, "has mistakes" in refused.output or "same as the one" in refused.output) == (1, True)
    (operated.loads.folder / f"{old}.yaml").unlink()
    with pytest.raises(RenamedLoadError, match=f"rsloader rename-load {old} {operated.load}"):
        operated.run("dag/run-2")
    arguments = ("rename-load", old, operated.load, *operated.folder)
    dry = rsloader(*arguments, "--dry-run")
    assert f"2 batches and 3 claims of load {old} would become those of load {operated.load}" in dry
    with pytest.raises(RenamedLoadError):
        operated.run("dag/run-2")
    done = rsloader(*arguments, "--yes", "--json")
    assert (done["plan"]["objects"], done["done"]) == (3, {"batches": 2, "objects": 3})
    assert "nothing to do" in rsloader(*arguments)
    operated.audit_is_clean()
    operated.put("4.csv", "5.csv")
    operated.run("dag/run-3")
    operated.audit_is_clean()
    assert operated.loads.rows() == [1, 2, 3, 4, 5]


def test_two_loads_with_one_source_and_table_go_on_once_a_person_has_accepted_it(operated: Operated):
    other = renamed(operated)
    (operated.loads.folder / f"{other}.yaml").unlink()
    with pytest.raises(RenamedLoadError, match=f"rsloader accept {operated.load} {other}"):
        operated.run("dag/run-2")
    arguments = ("accept", operated.load, other, *operated.folder)
    assert "TWICE" in rsloader(*arguments, "--dry-run")
    assert rsloader(*arguments, "--yes", "--json")["done"]["by"].startswith("rsloader accept by ")
    assert "has accepted" in rsloader(*arguments)
    operated.run("dag/run-2")
    assert operated.loads.rows() == [1, 1, 2, 2]
    operated.audit_is_clean()
