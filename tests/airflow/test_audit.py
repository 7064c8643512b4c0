"""An audit on the local stack, by its commands and its operator: each class planted, found, repaired, and clean."""

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from support.objects import a_config
from typer.testing import CliRunner

from rsloader_provider.airflow_compat import AirflowFailException
from rsloader_provider.cli import app
from rsloader_provider.core.errors import (
    BadDataError,
    ConnectionLostError,
    LedgerLostError,
    NotSetUpError,
    ObjectsMissingError,
)
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.operators.audit_load import AuditLoadOperator

if TYPE_CHECKING:
    from conftest import Loads

RUN = "rsloader_orders/run-1"


class Audited:
    """A load with batches of two, and whoever plants things in it."""

    def __init__(self, loads: "Loads", dynamodb: Any):
        self.loads, self.dynamodb = loads, dynamodb
        self.config = a_config(**loads.write())
        self.services = RsloaderHook().get_conn()
        self.target = self.config.targets[0].name
        self.history = f'rsloader."{loads.table.replace(".", "__")}"'

    def buffer(self, *names: str, content: str = "1\n") -> str:
        """Put two files and have them locked; gives the batch."""
        self.loads.put(*names, content=content)
        known = {*self.services.ledger.unfinished(self.loads.load)}
        buffer_objects(self.config, self.services, run=RUN, is_active=lambda _: False, max_work=99)
        return next((each for each in self.services.ledger.unfinished(self.loads.load) if each not in known), "")

    def load(self, batch: str, *, clear: bool = False) -> None:
        asker = Asker(f"try-{clear}", RUN, cleared=clear)
        load_batch(self.config, self.services, batch, self.target, asker)

    def edit(self, table: str, key: dict[str, str], **changes: Any) -> None:
        """Write an item as somebody with a console does; None takes an attribute out."""
        key = {"load": self.loads.load, **key}
        item = {**self.dynamodb.get_item(TableName=f"rsloader_{table}", Key=key)["Item"], **changes}
        kept = {name: value for name, value in item.items() if value is not None}
        self.dynamodb.put_item(TableName=f"rsloader_{table}", Item=kept)

    def audit(self, *options: str, exit_code: int) -> dict[str, Any]:
        arguments = ["audit", self.loads.load, "--loads", str(self.loads.folder), "--json", *options]
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        told: dict[str, Any] = json.loads(result.output)
        return told

    def states(self, told: dict[str, Any]) -> dict[str, list[str]]:
        begin = f"s3://{self.loads.bucket}/orders/"
        return {
            state: [example["url"].removeprefix(begin) for example in each["examples"]]
            for state, each in told["states"].items()
            if each["objects"]
        }


@pytest.fixture
def audited(loads: "Loads", aws_arguments: dict[str, Any]) -> Audited:
    return Audited(loads, boto3.resource("dynamodb", **aws_arguments).meta.client)


def test_each_state_is_planted_and_found_and_its_remedy_ends_clean(audited: Audited):
    """One load in which everything has gone wrong that can, and then nothing has."""
    loads = audited.loads
    good = audited.buffer("a1 good.csv", "a2+good.csv")
    audited.load(good)
    twice = audited.buffer("b1.csv", "b2.csv")
    audited.load(twice)
    loads.query(f"INSERT INTO {audited.history} SELECT * FROM {audited.history} WHERE batch = '{twice}'")
    loads.query(f"UPDATE {audited.history} SET generation = 2 WHERE batch = '{twice}' AND ctid = "
                f"(SELECT max(ctid) FROM {audited.history} WHERE batch = '{twice}')")  # fmt: skip
    failed = audited.buffer("c1.csv", "c2.csv", content="bad\n")
    with pytest.raises(BadDataError):
        audited.load(failed)
    changed = audited.buffer("d1.csv", "d2.csv")
    audited.load(changed)
    deleted = audited.buffer("e1.csv", "e2.csv")
    audited.load(deleted)
    unclaimed = audited.buffer("f1.csv", "f2.csv")
    audited.load(unclaimed)
    vanished = audited.buffer("g1.csv", "g2.csv")
    audited.load(vanished)
    loads.query(f"DELETE FROM {audited.history} WHERE batch = '{vanished}'")
    gone = audited.buffer("h1.csv", "h2.csv")
    loads.s3.delete_object(Bucket=loads.bucket, Key="orders/h1.csv")
    with pytest.raises(ObjectsMissingError):
        audited.load(gone)
    loads.put("i1.csv")
    audited.buffer("i1.csv")
    loads.s3.delete_object(Bucket=loads.bucket, Key="orders/e1.csv")
    loads.put("j not seen.csv")
    loads.put("d1.csv", content="2\n")
    audited.edit("files", {"object": f"{loads.bucket}/orders/d2.csv"}, etag=None)

    items = audited.dynamodb.query(
        TableName="rsloader_batches",
        KeyConditionExpression="#load = :load AND begins_with(batch, :segment)",
        ExpressionAttributeNames={"#load": "load"},
        ExpressionAttributeValues={":load": loads.load, ":segment": f"#segment#{unclaimed}"},
    )["Items"]
    lost = [("batches", {"batch": key}) for key in (unclaimed, items[0]["batch"])]
    lost += [("files", {"object": f"{loads.bucket}/orders/f{number}.csv"}) for number in (1, 2)]
    kept = []
    for table, key in lost:
        full = {"TableName": f"rsloader_{table}", "Key": {"load": loads.load, **key}}
        kept.append((table, audited.dynamodb.get_item(**full)["Item"]))
        audited.dynamodb.delete_item(**full)

    told = audited.audit(exit_code=1)
    assert audited.states(told) == {
        "loaded": ["a1 good.csv", "a2+good.csv", "e2.csv"],
        "loaded more than once": ["b1.csv", "b2.csv"],
        "failed": ["c1.csv", "c2.csv", "h1.csv", "h2.csv"],
        "changed since its load": ["d1.csv"],
        "deleted since its load": ["e1.csv"],
        "in the history but not claimed": ["f1.csv", "f2.csv"],
        "recorded as loaded but not in the history": ["g1.csv", "g2.csv"],
        "claimed and waiting": ["i1.csv"],
        "not seen": ["j not seen.csv"],
        "broken in DynamoDB": ["d2.csv"],
    }
    remedies = [line for state in told["states"].values() for line in state["remedies"]]
    for wanted in (
        f"clear load_batch of run {RUN} in Airflow (batch {failed})",
        f"clear load_batch of run {RUN} in Airflow (batch {vanished})",
        f"aws s3 mv s3://{loads.bucket}/orders/d1.csv s3://{loads.bucket}/orders/new-d1.csv",
        f"airflow dags pause rsloader_{loads.load}",
    ):
        assert any(wanted in line for line in remedies), wanted
    (forget,) = [line.partition("redshift_default: ")[2] for line in remedies if line.startswith("Remove from")]
    assert "d2.csv" in next(each["text"] for each in told["findings"] if "d2.csv" in each["subject"])

    loads.query(forget.removesuffix(";"))
    loads.put("c1.csv", "c2.csv", "h1.csv")
    with pytest.raises(LedgerLostError, match=unclaimed):
        audited.load(failed, clear=True)
    for table, item in kept:
        audited.dynamodb.put_item(TableName=f"rsloader_{table}", Item=item)
    for batch in (failed, gone):
        audited.load(batch, clear=True)
    # S3 lists whole seconds. As if the repaired files had been there for more than one when they were loaded:
    loads.query(f"UPDATE {audited.history} SET loaded_at = loaded_at + interval '2 seconds' WHERE batch = '{failed}'")
    loads.s3.copy_object(
        Bucket=loads.bucket, Key="orders/new-d1.csv", CopySource={"Bucket": loads.bucket, "Key": "orders/d1.csv"}
    )
    loads.s3.delete_object(Bucket=loads.bucket, Key="orders/d1.csv")
    etag = loads.s3.head_object(Bucket=loads.bucket, Key="orders/d2.csv")["ETag"].strip('"')
    audited.edit("files", {"object": f"{loads.bucket}/orders/d2.csv"}, etag=etag)
    audited.load(vanished, clear=True)
    told = audited.audit(exit_code=0)
    assert told["findings"] == []
    assert {state for state, each in told["states"].items() if each["objects"]} == {
        "loaded", "deleted since its load", "claimed and waiting", "not seen",
    }  # fmt: skip


def test_what_is_safe_is_put_right_by_repair(audited: Audited):
    """A commit that nobody heard of, an index key that was edited, a stale session, and a changed manifest."""
    loads = audited.loads
    unheard = audited.buffer("1.csv", "2.csv")
    loads.query("LOCAL FAULT drop AFTER '^commit'")
    with pytest.raises(ConnectionLostError):
        audited.load(unheard)
    hidden = audited.buffer("3.csv", "4.csv")
    audited.edit("batches", {"batch": hidden}, attention=None)
    done = audited.buffer("5.csv", "6.csv")
    audited.load(done)
    item = audited.dynamodb.get_item(TableName="rsloader_batches", Key={"load": loads.load, "batch": done})["Item"]
    targets = {name: {**each, "session": 4711} for name, each in item["targets"].items()}
    audited.edit("batches", {"batch": done}, targets=targets)
    loads.s3.put_object(Bucket=loads.bucket, Key=f"manifests/{loads.load}/{done}.manifest", Body=b"{}")

    told = audited.audit(exit_code=1)
    assert [(each["batch"], each["is_mendable"]) for each in told["findings"]] == [
        (unheard, True), (hidden, True), (done, True), (done, True),
    ]  # fmt: skip
    asked = CliRunner().invoke(
        app, ["audit", loads.load, "--loads", str(loads.folder), "--repair"], input="n\n", env={"COLUMNS": "250"}
    )
    assert (asked.exit_code, "Do this?" in asked.output) == (1, True)
    assert "recorded as loading, but its generation 1 is in the history" in asked.output
    assert hidden not in [*audited.services.ledger.unfinished(loads.load)], "nothing is done without a yes"

    told = audited.audit("--repair", "--yes", exit_code=0)
    assert len(told["repaired"]) == 3
    assert [*audited.services.ledger.unfinished(loads.load)] == [hidden]
    audited.load(hidden)
    assert loads.rows() == [1] * 6
    assert audited.audit("--batch", hidden, exit_code=0)["objects"] == 2


def test_a_history_with_a_missing_column_is_refused_and_named(audited: Audited):
    """Somebody rebuilt the table. The batch stays locked, so that the next run loads it once the column is back."""
    batch = audited.buffer("1.csv", "2.csv")
    audited.loads.query(f'ALTER TABLE {audited.history} DROP COLUMN "query_id"')
    with pytest.raises(NotSetUpError, match=r"(?s)lacks a column.*rsloader setup --print-sql"):
        audited.load(batch)
    assert audited.services.ledger.get(audited.loads.load, batch).status == "locked"
    told = audited.audit(exit_code=1)
    assert "lacks a column" in told["findings"][0]["text"]
    audited.loads.query(f'ALTER TABLE {audited.history} ADD COLUMN "query_id" bigint')
    audited.load(batch)
    assert audited.audit(exit_code=0)["findings"] == []


def test_the_operator_gives_counts_and_fails_with_what_is_wrong(audited: Audited):
    batch = audited.buffer("1.csv", "2.csv")
    audited.load(batch)
    operator = AuditLoadOperator(
        task_id="audit", load_config=audited.config.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    )
    counts = operator.execute({})
    assert (counts["loaded"], sum(counts.values())) == (2, 2)
    audited.loads.query(f"DELETE FROM {audited.history} WHERE batch = '{batch}'")
    with pytest.raises(AirflowFailException, match=f"(?s)2 objects recorded as loaded.*clear load_batch of run {RUN}"):
        operator.execute({})
    operator.load_config = {**operator.load_config, "source": "s3://no-such-bucket-of-anybodys/orders/"}
    with pytest.raises(AirflowFailException, match=f"NotSetUpError: load {audited.loads.load}: .*no-such-bucket"):
        operator.execute({})


def test_the_command_shows_people_what_is_wrong_and_explain_tells_the_story(audited: Audited):
    batch = audited.buffer("1.csv", "[red]2.csv")
    audited.load(batch)
    folder = ("--loads", str(audited.loads.folder))
    wide = {"COLUMNS": "250", "TERM": "dumb"}
    shown = CliRunner().invoke(app, ["audit", audited.loads.load, *folder], env=wide)
    assert (shown.exit_code, "nothing is wrong with 2 objects" in shown.output) == (0, True)
    url = f"s3://{audited.loads.bucket}/orders/[red]2.csv"
    explained = CliRunner().invoke(app, ["explain", url, *folder], env=wide)
    assert explained.exit_code == 0, explained.output
    assert url in explained.output
    assert f"Load {audited.loads.load} takes it" in explained.output
    assert "Next: nothing. It is in every target" in explained.output
    told = json.loads(CliRunner().invoke(app, ["explain", url, *folder, "--json"]).output)
    assert told["loads"][0]["claim"]["batch"] == batch
    audited.loads.query(f"DELETE FROM {audited.history} WHERE batch = '{batch}'")
    shown = CliRunner().invoke(app, ["audit", audited.loads.load, *folder], env=wide)
    assert (shown.exit_code, f"{url} (batch {batch})" in shown.output) == (1, True)
    assert "→ Check whether the rows" in shown.output
    for wrong in ("orders/1.csv", f"s3://{audited.loads.bucket}"):
        assert CliRunner().invoke(app, ["explain", wrong, *folder]).exit_code == 1
