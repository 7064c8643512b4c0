"""What topics are told, and what is kept beside a failed manifest."""

import json
from dataclasses import replace
from typing import Any

import pytest
from support.fakes.world import FAILED_TOPIC, OK_TOPIC, World
from support.objects import TARGET, a_config

from rsloader_provider.core import messages
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.sources import S3Url, SourcePattern
from rsloader_provider.core.errors import BadDataError, NotSetUpError, ObjectsMissingError, RowError, StatementError
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, load_batch
from rsloader_provider.loader.services import LoggedSteps

OTHER = "redshift_default/public.other"
TELLING = {"notify": {"success": OK_TOPIC, "failure": FAILED_TOPIC}, "failed_manifests": "s3://loader/failed/"}
CONFIG = a_config(**TELLING)
TWO = a_config(**TELLING, targets=[{"table": "public.orders"}, {"table": "public.other", "post_sql": "syntax error"}])


def locked(world: World, config: LoadConfig, content: str = "1\n2\n") -> Batch:
    world.put("orders/1.csv", "orders/2.csv", content=content)
    work = buffer_objects(config, world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    return work[-1].batch


def load(world: World, batch: Batch, config: LoadConfig = CONFIG, target: str = TARGET, try_number: int = 1) -> Outcome:
    asker = Asker(f"run-1/load_batch/0/{try_number}", "dag/run-1", cleared=try_number > 1)
    return load_batch(config, world.services, batch.batch, target, asker).outcome


def told(world: World, topic: str) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(message)) for _, message in world.notifier.messages[topic]]


def test_a_loaded_batch_is_told_in_the_lambda_loaders_words_and_more(world: World):
    """What it wrote stands in the same places in the same form: no `s3://`, no `/` at the prefix' end."""
    batch = locked(world, CONFIG)
    load(world, batch)
    assert told(world, OK_TOPIC) == [
        {
            "batchId": batch.batch,
            "s3Prefix": "landing/orders",
            "key": "orders/2.csv",
            "status": "ok",
            "error": None,
            "originalManifest": f"loader/manifests/orders/{batch.batch}.manifest",
            "load": "orders",
            "targets": [TARGET],
            "rows": {TARGET: 4},
            "files": 2,
            "bytes": 8,
            "run": "dag/run-1",
            "reason": "max_files",
        }
    ]
    assert told(world, FAILED_TOPIC) == []


def test_bad_data_is_told_row_by_row_and_kept_beside_the_manifest(world: World):
    batch = locked(world, CONFIG, "1\nbad\n")
    with pytest.raises(BadDataError) as raised:
        load(world, batch)
    rows = [
        {
            "file": f"s3://landing/orders/{number}.csv",
            "line": 2,
            "column": "id",
            "value": "bad",
            "reason": "Invalid digit",
            "code": 1207,
        }
        for number in (1, 2)
    ]
    error = str(raised.value)
    assert told(world, FAILED_TOPIC) == [
        {
            "batchId": batch.batch,
            "s3Prefix": "landing/orders",
            "key": "orders/2.csv",
            "status": "error",
            "error": json.dumps(
                {"redshift_default": {"status": -1, "error": {"code": "BadDataError", "message": error}}}
            ),
            "errorText": error,
            "originalManifest": f"loader/manifests/orders/{batch.batch}.manifest",
            "failedManifest": f"loader/failed/orders/{batch.batch}.manifest",
            "load": "orders",
            "target": TARGET,
            "targets": [TARGET],
            "rows": {},
            "files": 2,
            "bytes": 12,
            "run": "dag/run-1",
            "reason": "max_files",
            "queryId": 1000,
            "errors": rows,
            "missing": [],
            "errorsFile": f"s3://loader/failed/orders/{batch.batch}.errors.json",
        }
    ]
    assert told(world, OK_TOPIC) == [], "the Lambda loader told its success topic of failures as well"
    kept = json.loads(world.storage.read("loader", f"failed/orders/{batch.batch}.errors.json") or b"")
    assert kept == {
        "load": "orders",
        "batch": batch.batch,
        "target": TARGET,
        "run": "dag/run-1",
        "manifest": f"s3://loader/manifests/orders/{batch.batch}.manifest",
        "kind": "BadDataError",
        "error": error,
        "queryId": 1000,
        "errors": rows,
        "missing": [],
    }


def test_missing_objects_are_named(world: World):
    batch = locked(world, CONFIG)
    world.storage.delete("landing", "orders/1.csv")
    with pytest.raises(ObjectsMissingError):
        load(world, batch)
    assert told(world, FAILED_TOPIC)[0]["missing"] == ["s3://landing/orders/1.csv"]
    kept = json.loads(world.storage.read("loader", f"failed/orders/{batch.batch}.errors.json") or b"")
    assert (kept["kind"], kept["missing"]) == ("ObjectsMissingError", ["s3://landing/orders/1.csv"])


def test_when_the_second_target_fails_only_that_is_told_and_success_once_both_are_loaded(world: World):
    world.warehouse.create("public.other")
    batch = locked(world, TWO)
    assert load(world, batch, TWO) is Outcome.LOADED
    with pytest.raises(StatementError):
        load(world, batch, TWO, OTHER)
    (failure,) = told(world, FAILED_TOPIC)
    assert (failure["batchId"], failure["target"], failure["rows"]) == (batch.batch, OTHER, {TARGET: 4})
    assert told(world, OK_TOPIC) == []
    repaired = a_config(**TELLING, targets=[{"table": "public.orders"}, {"table": "public.other"}])
    assert load(world, batch, repaired, OTHER, try_number=2) is Outcome.LOADED
    (success,) = told(world, OK_TOPIC)
    assert (success["rows"], success["error"]) == ({TARGET: 4, OTHER: 4}, None)
    assert len(told(world, FAILED_TOPIC)) == 1


def test_targets_that_fail_keep_their_errors_side_by_side(world: World):
    world.warehouse.create("public.other")
    batch = locked(world, TWO, "bad\n")
    for target in (TARGET, OTHER):
        with pytest.raises(BadDataError):
            load(world, batch, TWO, target)
    failures = told(world, FAILED_TOPIC)
    files = [S3Url.parse(each["errorsFile"]) for each in failures]
    kept = [json.loads(world.storage.read(file.bucket, file.key) or b"") for file in files]
    assert [each["target"] for each in kept] == [TARGET, OTHER]
    assert all(file.key.startswith(f"failed/orders/{batch.batch}.redshift_default_public.") for file in files)


@pytest.mark.parametrize(
    ("one", "other"),
    [("wh/a.b", "wh_a.b"), ("x" * 250 + "/a.b", "x" * 250 + "/a.c"), ("wé/a.b", "wè/a.b"), ("a.b/c.d", "a/b.c.d")],
)
def test_two_targets_never_share_a_file(one: str, other: str):
    batch = Batch("orders", "01J", targets=dict.fromkeys((one, other), None))  # type: ignore[arg-type]
    names = {messages.errors_file_name(batch, each) for each in (one, other)}
    assert len(names) == 2
    assert all(name.isascii() and "/" not in name and len(name) < 200 for name in names)


def test_a_failed_prefix_that_cannot_be_written_is_a_warning(world: World, caplog: pytest.LogCaptureFixture):
    """The failure is told and recorded nevertheless."""
    config = a_config(**{**TELLING, "failed_manifests": "s3://nowhere/failed/"})
    batch = locked(world, config, "bad\n")
    with pytest.raises(BadDataError):
        load(world, batch, config)
    (message,) = told(world, FAILED_TOPIC)
    assert message["status"] == "error"
    assert not {"failedManifest", "errorsFile"} & message.keys()
    for ending in ("manifest", "errors.json"):
        assert f"s3://nowhere/failed/orders/{batch.batch}.{ending} could not be written" in caplog.text


def test_a_topic_for_failures_that_is_gone_leaves_the_failure_as_it_is(world: World, caplog: pytest.LogCaptureFixture):
    gone = FAILED_TOPIC.replace("failed", "gone")
    config = a_config(notify={"success": OK_TOPIC, "failure": gone})
    batch = locked(world, config, "bad\n")
    with pytest.raises(BadDataError):
        load(world, batch, config)
    assert f"topic {gone} could not be notified" in caplog.text
    world.put("orders/1.csv", "orders/2.csv", content="1\n")
    assert load(world, batch, config, try_number=2) is Outcome.LOADED
    assert world.warehouse.tables["public.orders"] == ["1", "1"]


def a_message(error: Any, key: str = "orders/1.csv") -> dict[str, Any]:
    return messages.failure_message(
        Batch("orders", "01J"),
        source=SourcePattern.parse("s3://landing/"),
        key=key,
        manifest=S3Url.parse("s3://loader/manifests/orders/01J.manifest"),
        target=TARGET,
        error=error,
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StatementError('no "such" column', "42703"), "42703"),
        (StatementError("no such column"), "StatementError"),
        (BadDataError("é\n" * 9000), "BadDataError"),
    ],
)
def test_a_program_that_reads_the_lambda_loaders_errors_reads_ours(error: StatementError | BadDataError, code: str):
    """Its function for failed batches: the JSON in `error`, the first cluster in it, the code of its error."""
    message = json.loads(json.dumps(a_message(error)))
    by_cluster = json.loads(message["error"])
    first = by_cluster[next(iter(by_cluster))]
    assert (first["status"], first["error"]["code"]) == (-1, code)
    assert first["error"]["message"] == message["errorText"] == str(error)[:4000]


@pytest.mark.parametrize("character", ["a", "é", "😀", '"', "\x00"])
def test_a_message_stays_below_what_sns_takes(character: str):
    """Whatever is in it: JSON writes some characters in six bytes, and some in twelve."""
    text = character * 1024
    urls = tuple(f"s3://landing/{number}/{text}" for number in range(400))
    rows = tuple(RowError(text, 1, text, text, text, 1207) for _ in range(400))
    for error in (BadDataError(text * 100, rows=rows), ObjectsMissingError(text, urls)):
        message = a_message(error, key=text)
        assert len(json.dumps(message).encode()) < 256 * 1024
        assert message["truncated"] is True
        assert message["errors"] or message["missing"], "as many as fit"
    whole = json.loads(
        messages.errors_document(
            Batch("orders", "01J"),
            target=TARGET,
            manifest=S3Url.parse("s3://loader/m"),
            error=ObjectsMissingError("gone", urls),
        )
    )
    assert len(whole["missing"]) == 400, "the file has all"


def test_a_short_message_is_whole():
    message = a_message(NotSetUpError("no such table"))
    assert "truncated" not in message
    assert (message["s3Prefix"], message["errorText"]) == ("landing", "no such table")


def test_a_process_that_stops_before_the_errors_are_kept_has_kept_the_manifest(world: World):
    """The step has its own name, so that the crash matrix stops there."""
    taken: list[str] = []

    class Listening(LoggedSteps):
        def taking(self, step: Any, subject: object) -> Any:
            taken.append(str(step))
            return super().taking(step, subject)

    batch = locked(world, CONFIG, "bad\n")
    services = replace(world.services, steps=Listening())
    with pytest.raises(BadDataError):
        load_batch(CONFIG, services, batch.batch, TARGET, Asker("t", "dag/run-1"))
    assert taken[-5:] == ["end attempt", "keep manifest", "keep errors", "notify", "record notified"]
