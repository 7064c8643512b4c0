"""Loading one batch into one target."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import pytest
from support.fakes.ledger import MemoryLedger
from support.fakes.lost_answers import LostAnswers
from support.fakes.storage import MemoryStorage
from support.fakes.warehouse import Accident
from support.fakes.world import FAILED_TOPIC, OK_TOPIC, World
from support.objects import TARGET, a_config, counting_randomness

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import (
    AccessDeniedError,
    AttemptLostError,
    BadDataError,
    ConfigurationError,
    ConnectionLostError,
    ContentionError,
    CorruptLedgerError,
    EarlierBatchError,
    NotSetUpError,
    ObjectsArchivedError,
    ObjectsMissingError,
    OutOfOrderError,
    RsloaderError,
    StatementError,
    TargetRemovedError,
    TransientError,
)
from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, Notification, TargetState
from rsloader_provider.core.ledger.clearing import HandedOut, TaskFacts
from rsloader_provider.core.ledger.manifest import Entry, digest_of_names
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import LoadKey, TableName
from rsloader_provider.core.redshift.other_loads import FindOtherLoads
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.ports.notifier import AnswerLostError
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, Result, load_batch

CONFIG = a_config(notify={"success": OK_TOPIC, "failure": FAILED_TOPIC}, failed_manifests="s3://loader/failed/")
FIRST = Asker("run-1/load_batch/0/1", "dag/run-1")
RETRY = Asker("run-1/load_batch/0/2", "dag/run-1")
CLEARED = Asker("run-1/load_batch/0/3", "dag/run-1", cleared=True)
BEGIN, RECORD_SESSION, FINISH_OR_END = 1, 2, 3
"""The writes of an attempt, in their order."""


def locked(world: World, config: LoadConfig = CONFIG, *keys: str, content: str = "1\n2\n") -> Batch:
    world.put(*(keys or ("orders/1.csv", "orders/2.csv")), content=content)
    work = buffer_objects(config, world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    world.warehouse.log.clear()  # the histories are asked before the first claim
    return work[-1].batch


def load(world: World, batch: Batch, asker: Asker = FIRST, config: LoadConfig = CONFIG, target: str = TARGET) -> Result:
    return load_batch(config, world.services, batch.batch, target, asker)


def load_with_lost_answers(world: World, batch: Batch, *lost: int, asker: Asker = FIRST) -> Result:
    services = replace(world.services, ledger=LostAnswers(world.ledger, *lost))
    return load_batch(CONFIG, services, batch.batch, TARGET, asker)


def rows(world: World) -> list[str]:
    return world.warehouse.tables["public.orders"]


def stored(world: World, batch: Batch) -> Batch:
    return world.ledger.get(batch.load, batch.batch)


def test_a_load_is_one_transaction_in_this_order(world: World):
    config = a_config(
        targets=[{"table": "public.orders", "mode": "replace", "pre_sql": "SELECT 1", "post_sql": "SELECT 2",
                  "columns": ["id"], "statement_timeout": "1h"}]
    )  # fmt: skip
    batch = locked(world, config)
    result = load(world, batch, config=config)
    table = TableName("public", "orders")
    key = LoadKey(table, "orders", batch.batch, 1)
    manifest = f"s3://loader/manifests/orders/{batch.batch}.manifest"
    assert world.warehouse.log == [
        sql.BackendPid(),
        sql.SetStatementTimeout(3_600_000),
        sql.Begin(),
        sql.LockHistory(table),
        sql.FindLoaded(key),
        FindOtherLoads(table, "orders", "s3://landing/orders/"),
        sql.UserStatement("SELECT 1"),
        sql.DeleteAll(table),
        sql.Copy(table, ("id",), manifest, config.copy_options),
        sql.LastCopy(),
        sql.RecordLoaded(
            key,
            attempt=1,
            rows=4,
            files=2,
            query_id=1000,
            run="dag/run-1",
            names_digest=digest_of_names(["landing/orders/1.csv", "landing/orders/2.csv"]),
            source="s3://landing/orders/",
        ),
        sql.UserStatement("SELECT 2"),
        sql.Commit(),
    ]
    assert result.outcome is Outcome.LOADED
    progress = stored(world, batch).targets[TARGET]
    assert (progress.state, progress.rows, progress.query_id) == (TargetState.LOADED, 4, 1000)
    assert stored(world, batch).status is BatchStatus.COMPLETE


def test_a_retry_of_a_loaded_batch_does_nothing(world: World):
    batch = locked(world)
    load(world, batch)
    sent = len(world.warehouse.log)
    assert load(world, batch, RETRY).outcome is Outcome.NOTHING_TO_DO
    assert len(world.warehouse.log) == sent
    assert rows(world) == ["1", "2"] * 2


@pytest.mark.parametrize(
    ("statement", "after"),
    [
        (each, after)
        for each in (sql.BackendPid, sql.Begin, sql.LockHistory, sql.FindLoaded, sql.Copy, sql.RecordLoaded, sql.Commit)
        for after in (False, True)
    ],
)
@pytest.mark.parametrize("asker", [RETRY, CLEARED])
def test_a_connection_lost_anywhere_leaves_each_row_in_the_table_once(
    world: World, statement: type, after: bool, asker: Asker
):
    """Also after the COMMIT, when the rows are there but nobody heard of it; also for a person who clears then."""
    batch = locked(world)
    world.warehouse.accidents.append(Accident(statement, after))
    with pytest.raises(ConnectionLostError):
        load(world, batch)
    committed = statement is sql.Commit and after
    assert len(rows(world)) == (4 if committed else 0)
    result = load(world, batch, asker)
    assert result.outcome is (Outcome.FOUND_LOADED if committed else Outcome.LOADED)
    assert rows(world) == ["1", "2"] * 2
    assert stored(world, batch).targets[TARGET].generation == 1
    assert stored(world, batch).targets[TARGET].rows == 4
    assert len(world.notifier.messages[OK_TOPIC]) == 1


def test_an_attempt_ends_the_session_of_one_that_never_ended(world: World):
    batch = locked(world)
    with world.warehouse.connect("redshift_default") as hung:
        hung.execute(sql.Begin())
        hung.execute(sql.LockHistory(TableName("public", "orders")))
        begun = world.ledger.replace(batch, begin_attempt(batch, TARGET, FIRST))
        world.ledger.replace(begun, AttemptRecord.newest(begun, TARGET).session_recorded(hung.pid).batch)
        assert load(world, batch, RETRY).outcome is Outcome.LOADED
        with pytest.raises(ConnectionLostError):
            hung.execute(sql.Commit())
    assert rows(world) == ["1", "2"] * 2


def left_by_an_attempt_that_never_ended(world: World, session: int) -> Batch:
    """A batch with an attempt that recorded its session and was never heard of again."""
    batch = locked(world)
    begun = world.ledger.replace(batch, begin_attempt(batch, TARGET, FIRST))
    return world.ledger.replace(begun, AttemptRecord.newest(begun, TARGET).session_recorded(session).batch)


def test_the_session_of_an_attempt_that_never_ended_is_ended_by_the_first_that_can_connect(world: World):
    """Redshift is unreachable for a while; the hung session holds the history's lock through all of it."""
    with world.warehouse.connect("redshift_default") as hung:
        hung.execute(sql.Begin())
        hung.execute(sql.LockHistory(TableName("public", "orders")))
        batch = left_by_an_attempt_that_never_ended(world, hung.pid)
        world.warehouse.unreachable = True
        for _ in range(2):
            with pytest.raises(TransientError):
                load(world, batch, RETRY)
        world.warehouse.unreachable = False
        world.warehouse.accidents.append(Accident(sql.TerminateSession, after=False))
        with pytest.raises(ConnectionLostError):
            load(world, batch, RETRY)
        assert load_with_lost_answers(world, batch, BEGIN, asker=RETRY).outcome is Outcome.LOADED
    assert hung.broken
    assert rows(world) == ["1", "2"] * 2


def test_a_session_number_that_has_gone_to_another_user_is_passed_over(world: World):
    batch = left_by_an_attempt_that_never_ended(world, 4711)
    world.warehouse.sessions_of_others.add(4711)
    assert load(world, batch, RETRY).outcome is Outcome.LOADED
    assert stored(world, batch).targets[TARGET].session is None


def test_an_attempt_that_ended_leaves_no_session_to_end(world: World):
    batch = locked(world, CONFIG, "orders/1.csv", "orders/2.csv", content="bad\n")
    with pytest.raises(BadDataError):
        load(world, batch)
    world.put("orders/1.csv", "orders/2.csv")
    load(world, batch, CLEARED)
    assert not any(isinstance(each, sql.TerminateSession) for each in world.warehouse.log)


def test_an_attempt_whose_place_was_taken_stops_before_it_changes_anything(world: World):
    batch = locked(world)
    warehouse = world.warehouse
    real = warehouse.connect

    def connect_slowly(*target: str) -> Any:
        warehouse.connect = real  # type: ignore[method-assign]
        load(world, batch, RETRY)
        return real(*target)

    warehouse.connect = connect_slowly  # type: ignore[method-assign]
    with pytest.raises(AttemptLostError, match="attempt 2"):
        load(world, batch)
    assert rows(world) == ["1", "2"] * 2


def test_an_attempt_whose_session_was_ended_by_a_newer_one_is_not_tried_again(world: World):
    """Retries of both would end each other's sessions for ever, and a long COPY would never get through."""
    batch = locked(world)
    won: list[Result] = []
    world.warehouse.accidents.append(Accident(sql.Copy, False, lambda: won.append(load(world, batch, RETRY))))
    with pytest.raises(AttemptLostError, match="attempt 2") as raised:
        load(world, batch)
    assert not raised.value.retryable
    assert won[0].outcome is Outcome.LOADED
    assert rows(world) == ["1", "2"] * 2


def test_a_person_who_clears_a_loaded_batch_has_it_loaded_again_once(world: World, caplog: pytest.LogCaptureFixture):
    batch = locked(world)
    load(world, batch)
    with caplog.at_level(logging.WARNING):
        assert load(world, batch, CLEARED).outcome is Outcome.LOADED
    assert "A SECOND TIME" in caplog.text
    assert rows(world) == ["1", "2"] * 4
    assert load(world, batch, CLEARED).outcome is Outcome.NOTHING_TO_DO, "the same try, run twice"
    assert load(world, batch, Asker("run-1/load_batch/0/4", "dag/run-1")).outcome is Outcome.NOTHING_TO_DO, (
        "its automatic retry"
    )
    assert stored(world, batch).targets[TARGET].generation == 2


class Throttled:
    """A ledger that refuses its first read, as DynamoDB does when it is asked too often."""

    def __init__(self, ledger: MemoryLedger):
        self._ledger = ledger
        self._refuses = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def get(self, load: str, batch: str) -> Batch:
        if self._refuses:
            self._refuses = False
            raise TransientError("ProvisionedThroughputExceededException")
        return self._ledger.get(load, batch)


def test_a_clear_whose_first_try_could_not_begin_is_done_by_the_retry_and_once(
    world: World, caplog: pytest.LogCaptureFixture
):
    """The retry said "nothing to do" and was green, and what the person had asked for was forgotten."""
    task = "rsloader_orders/run-1/load_batch/0"
    handed_out = HandedOut(1, "2026-01-02T12:00:00+00:00", 3, 0, "began at first")

    def a_try(number: int, *, max_tries: int, clears: int) -> Asker:
        facts = TaskFacts(task, max_tries, clears, f"began {clears}", handed_out.at)
        return Asker(f"{task}/{number}", "dag/run-1", try_number=number, task=facts, handed_out=handed_out)

    batch = locked(world)
    load(world, batch, a_try(1, max_tries=3, clears=0))
    services = replace(world.services, ledger=Throttled(world.ledger))
    with pytest.raises(TransientError):
        load_batch(CONFIG, services, batch.batch, TARGET, a_try(2, max_tries=4, clears=1))
    assert load_batch(CONFIG, services, batch.batch, TARGET, a_try(3, max_tries=4, clears=1)).outcome is Outcome.LOADED
    with caplog.at_level(logging.INFO):
        assert load(world, batch, a_try(4, max_tries=4, clears=1)).outcome is Outcome.NOTHING_TO_DO
    assert f"clear it once more when its run has ended, or run `rsloader reprocess orders {batch.batch}" in caplog.text
    assert rows(world) == ["1", "2"] * 4
    assert stored(world, batch).targets[TARGET].generation == 2


def test_on_clear_skip_refuses(world: World):
    config = a_config(on_clear="skip")
    batch = locked(world, config)
    load(world, batch, config=config)
    assert load(world, batch, CLEARED, config).outcome is Outcome.REFUSED
    assert len(rows(world)) == 4


def test_bad_data_says_file_line_column_value_and_waits_for_a_person(world: World):
    batch = locked(world, CONFIG, "orders/1.csv", "orders/2.csv", content="1\nbad\n")
    with pytest.raises(BadDataError) as raised:
        load(world, batch)
    assert "s3://landing/orders/1.csv:2, column id, value 'bad': Invalid digit (code 1207)" in str(raised.value)
    assert batch.batch in str(raised.value)
    assert not raised.value.retryable
    failed = stored(world, batch)
    assert (failed.status, failed.targets[TARGET].state) == (BatchStatus.ERROR, TargetState.FAILED)
    assert "orders/1.csv:2" in (failed.targets[TARGET].error or "")
    ((_, message),) = world.notifier.messages[FAILED_TOPIC]
    assert (message["status"], message["batchId"]) == ("error", batch.batch)
    assert message["failedManifest"] == f"loader/failed/orders/{batch.batch}.manifest"
    assert world.storage.find("loader", f"failed/orders/{batch.batch}.manifest")
    assert rows(world) == []
    assert world.notifier.messages[OK_TOPIC] == []


def test_load_errors_that_the_user_may_not_read_do_not_hide_the_failure(world: World):
    """On Serverless STL_LOAD_ERRORS is not there; what COPY said is told nevertheless."""
    batch = locked(world, CONFIG, "orders/1.csv", "orders/2.csv", content="bad\n")
    world.warehouse.unreadable_views = True
    with pytest.raises(BadDataError, match="Load into table 'orders' failed") as raised:
        load(world, batch)
    assert raised.value.rows == ()
    assert stored(world, batch).status is BatchStatus.ERROR


def test_a_batch_is_loaded_after_its_file_was_repaired_and_the_task_cleared(world: World):
    batch = locked(world, CONFIG, "orders/1.csv", "orders/2.csv", content="bad\n")
    with pytest.raises(BadDataError):
        load(world, batch)
    world.put("orders/1.csv", "orders/2.csv", content="1\n")
    assert load(world, batch, CLEARED).outcome is Outcome.LOADED
    assert stored(world, batch).status is BatchStatus.COMPLETE
    assert stored(world, batch).targets[TARGET].generation == 1


PARQUET = a_config(copy={"format": "parquet"})


def test_columnar_objects_written_again_are_named_and_loaded_once_a_person_clears_the_task(world: World):
    """Their sizes in the manifest are those of their claim, with which COPY refuses them whatever is tried."""
    batch = locked(world, PARQUET)
    world.put("orders/2.csv", content="3\n")
    for asker in (FIRST, RETRY):
        with pytest.raises(BadDataError, match="Clear the task") as raised:
            load(world, batch, asker, PARQUET)
        assert "s3://landing/orders/2.csv: 4 bytes in the manifest, 2 in S3" in str(raised.value)
        assert "orders/1.csv" not in str(raised.value)
    assert stored(world, batch).status is BatchStatus.ERROR
    assert load(world, batch, CLEARED, PARQUET).outcome is Outcome.LOADED
    assert rows(world) == ["1", "2", "3"]


def test_sizes_asked_for_a_person_are_asked_again_by_the_retry_after_that(world: World):
    """Otherwise a connection lost in the cleared try would leave a manifest of old sizes to its retry."""
    batch = locked(world, PARQUET)
    world.put("orders/2.csv", content="3\n")
    with pytest.raises(BadDataError):
        load(world, batch, FIRST, PARQUET)
    world.warehouse.accidents.append(Accident(sql.Copy, after=False))
    with pytest.raises(ConnectionLostError):
        load(world, batch, CLEARED, PARQUET)
    assert load(world, batch, RETRY, PARQUET).outcome is Outcome.LOADED
    assert rows(world) == ["1", "2", "3"]


def test_sizes_are_asked_for_no_more_objects_than_they_matter_for(world: World):
    """A batch may have thousands of objects: CSV needs the sizes of those that were empty, and no others."""
    world.put("orders/0.csv", content="")
    batch = locked(world, CONFIG, "orders/1.csv", content="1\n")
    load(world, batch)
    world.put("orders/0.csv", content="9\n")
    asked: list[str] = []

    class Counted(MemoryStorage):
        def find(self, bucket: str, key: str) -> S3Object | None:
            asked.append(key)
            return world.storage.find(bucket, key)

        def write(self, bucket: str, key: str, content: bytes) -> None:
            world.storage.write(bucket, key, content)

    services = replace(world.services, storage=Counted())
    load_batch(CONFIG, services, batch.batch, TARGET, CLEARED)
    assert asked == ["orders/0.csv"]
    assert rows(world) == ["1", "9", "1"]


OTHER = "redshift_default/public.other"


def test_an_attempt_that_saw_an_object_empty_leaves_the_manifest_of_one_that_saw_it_filled_alone(world: World):
    """An object was empty when it was claimed, and the other target's retry writes a manifest right before COPY.

    If it were the same manifest, the filled object would be left out, and count as loaded.
    """
    config = a_config(targets=[{"table": "public.orders"}, {"table": "public.other"}])
    world.warehouse.create("public.other")
    world.put("orders/0.csv", content="")
    batch = locked(world, config, "orders/1.csv", content="1\n")
    world.put("orders/0.csv", content="9\n")

    def with_it_empty() -> None:
        world.put("orders/0.csv", content="")
        load(world, batch, RETRY, config)
        world.put("orders/0.csv", content="9\n")

    world.warehouse.before(sql.Copy, with_it_empty)
    assert load(world, batch, FIRST, config, OTHER).outcome is Outcome.LOADED
    assert world.warehouse.tables["public.other"] == ["9", "1"]
    assert rows(world) == ["1"]
    assert world.ledger.find_claim("orders", "landing/orders/0.csv").size_bytes == 0, "one target does not have it"


def test_a_jsonpaths_file_that_is_missing_is_not_taken_for_a_missing_object(world: World):
    config = a_config(copy={"format": "json", "jsonpaths": "s3://loader/paths.json"})
    batch = locked(world, config)
    world.warehouse.before(sql.Copy, lambda: _raise(ObjectsMissingError("NoSuchKey", ())))
    with pytest.raises(NotSetUpError, match=r"s3://loader/paths\.json"):
        load(world, batch, config=config)
    assert stored(world, batch).status is BatchStatus.LOCKED


def _raise(error: Exception) -> None:
    raise error


def test_load_errors_of_other_sessions_are_not_taken_for_the_batchs(world: World):
    """Redshift gives a session's number out again, and its views go back for days."""
    batch = locked(world, CONFIG, content="bad\n")
    world.storage.write("landing", "other/1.csv", b"bad\n")
    manifest = json.dumps({"entries": [{"url": "s3://landing/other/1.csv"}]}).encode()
    world.warehouse.before(
        sql.Copy, lambda: world.storage.write("loader", f"manifests/orders/{batch.batch}.manifest", manifest)
    )
    with pytest.raises(BadDataError) as raised:
        load(world, batch)
    assert raised.value.rows == ()
    assert "Redshift names no object" in str(raised.value)
    assert "s3://landing/orders/1.csv" in str(raised.value)


@pytest.mark.parametrize("part", ["warehouse", "storage"])
def test_every_error_names_load_batch_and_target(world: World, part: str):
    """It is what a person reads first, in DynamoDB, in a notification or in one of thousands of logs."""
    batch = locked(world)
    config = CONFIG
    if part == "warehouse":
        world.warehouse.unreachable = True
    else:
        config = a_config(manifests="s3://nowhere-to-write/")
    with pytest.raises(RsloaderError) as raised:
        load(world, batch, config=config)
    assert str(raised.value).startswith(f"batch {batch.batch} of load orders into {TARGET}: ")
    assert type(raised.value) is {"warehouse": TransientError, "storage": NotSetUpError}[part]
    assert stored(world, batch).progress(TARGET).error == str(raised.value)


def test_a_cleared_try_that_loads_what_had_failed_and_is_run_twice_loads_once(world: World):
    """Airflow may run one try twice; the person asked once."""
    batch = locked(world, CONFIG, "orders/1.csv", "orders/2.csv", content="bad\n")
    with pytest.raises(BadDataError):
        load(world, batch)
    world.put("orders/1.csv", "orders/2.csv", content="1\n")
    assert load(world, batch, CLEARED).outcome is Outcome.LOADED
    assert load(world, batch, CLEARED).outcome is Outcome.NOTHING_TO_DO
    assert rows(world) == ["1", "1"]


def test_missing_objects_are_named(world: World):
    batch = locked(world)
    world.storage.delete("landing", "orders/2.csv")
    with pytest.raises(ObjectsMissingError, match="Put them back") as raised:
        load(world, batch)
    assert raised.value.urls == ("s3://landing/orders/2.csv",)
    assert stored(world, batch).status is BatchStatus.ERROR


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING"])
def test_archived_objects_are_named_once_and_the_batch_waits_for_a_person(world: World, storage_class: str):
    """Told as a missing permission they were tried for ever, and the good objects beside them never loaded."""
    batch = locked(world)
    world.storage.archive("landing", "orders/2.csv", storage_class)
    with pytest.raises(ObjectsArchivedError) as raised:
        load(world, batch)
    said = str(raised.value)
    assert raised.value.urls == ("s3://landing/orders/2.csv",)
    assert (
        f"1 of its 2 objects lie in an archive of S3, where nobody can read them:\n  {raised.value.urls[0]} (" in said
    )
    assert f"{storage_class})" in said
    assert "restore-object --bucket landing --key orders/2.csv" in said
    assert f"rsloader reprocess orders {batch.batch} --without s3://landing/orders/2.csv" in said
    assert stored(world, batch).status is BatchStatus.ERROR
    ((_, message),) = world.notifier.messages[FAILED_TOPIC]
    assert "restore-object" in str(message)
    world.storage.restore("landing", "orders/2.csv")
    assert load(world, batch, CLEARED).outcome is Outcome.LOADED
    assert rows(world) == ["1", "2"] * 2


def test_what_is_not_archived_is_not_asked_for_and_the_next_run_tries_again(world: World):
    """A role that may not read is repaired without the loader; a restored object keeps its storage class."""
    batch = locked(world)
    world.storage.archive("landing", "orders/2.csv")
    denied = "Copy: S3ServiceException:Access Denied,Status 403,Error AccessDenied"
    asked: list[str] = []
    find = world.storage.find
    world.storage.find = lambda bucket, key: asked.append(key) or find(bucket, key)  # type: ignore[method-assign]
    for said in (denied, "RecordLoaded: permission denied for relation x"):
        world.warehouse.before(sql.Copy, lambda said=said: _raise(AccessDeniedError(said)))
        with pytest.raises(AccessDeniedError):
            load(world, batch)
    assert asked == []
    assert stored(world, batch).status is BatchStatus.LOCKED


LIKE_SECRETS = ("session_token=abc/1", "AKIAIOSFODNN7EXAMPLE", "x-amz-signature", "password=1/1", "://a:b@c/1")


@pytest.mark.parametrize("key", LIKE_SECRETS)
def test_a_key_that_looks_like_a_secret_is_a_key_like_any_other(world: World, key: str):
    """Read as a setting it was refused in the middle of the attempt, and the batch was `loading` for ever."""
    config = a_config(copy={"format": "parquet"})
    batch = locked(world, config, f"orders/{key}.1", f"orders/{key}.2")
    world.put(f"orders/{key}.1", content="1\n2\n3\n")
    with pytest.raises(BadDataError, match="4 bytes in the manifest, 6 in S3"):
        load(world, batch, config=config)
    world.storage.delete("landing", f"orders/{key}.2")
    with pytest.raises(ObjectsMissingError) as raised:
        load(world, batch, CLEARED, config)
    assert raised.value.urls == (f"s3://landing/orders/{key}.2",)
    world.put(f"orders/{key}.2", content="1\n")
    again = replace(CLEARED, task_try="run-1/load_batch/0/4")
    assert load(world, batch, again, config).outcome is Outcome.LOADED
    assert rows(world) == ["1", "2", "3", "1"]


class FaultError(Exception):
    """Nobody expected this."""


def fault() -> None:
    raise FaultError("a text with hunter2 in it")


@pytest.mark.parametrize("statement", [sql.BackendPid, sql.Begin, sql.FindLoaded, sql.Copy, sql.RecordLoaded])
def test_a_fault_of_the_loader_ends_the_attempt_and_the_next_run_tries_again(world: World, statement: type):
    batch = locked(world)
    world.warehouse.before(statement, fault)
    with pytest.raises(FaultError):
        load(world, batch)
    progress = stored(world, batch).targets[TARGET]
    assert (progress.state, progress.may_commit) == (TargetState.WAITING, False)
    assert "FaultError, a fault of the loader" in progress.error
    assert "hunter2" not in progress.error
    assert load(world, batch, RETRY).outcome is Outcome.LOADED
    assert rows(world) == ["1", "2"] * 2


def test_a_fault_of_the_loader_before_it_has_a_session_ends_the_attempt(world: World):
    batch = locked(world)

    def refuse(bucket: str, key: str, content: bytes) -> None:
        fault()

    world.storage.write = refuse  # type: ignore[method-assign]
    with pytest.raises(FaultError):
        load(world, batch)
    del world.storage.write
    assert stored(world, batch).targets[TARGET].state is TargetState.WAITING
    assert load(world, batch, RETRY).outcome is Outcome.LOADED


@pytest.mark.parametrize(("commits", "outcome"), [(False, Outcome.LOADED), (True, Outcome.FOUND_LOADED)])
def test_a_fault_at_commit_leaves_the_attempt_open_as_a_lost_connection_does(
    world: World, commits: bool, outcome: Outcome
):
    """Ended as not loaded, a batch that had committed would be told wrong until somebody looked."""
    batch = locked(world)

    def commit_or_not() -> None:
        if commits:
            max(world.warehouse.sessions.items())[1]._commit()
        fault()

    world.warehouse.before(sql.Commit, commit_or_not)
    with pytest.raises(FaultError):
        load(world, batch)
    left = stored(world, batch).targets[TARGET]
    assert (left.state, left.may_commit) == (TargetState.LOADING, True)
    assert load(world, batch, RETRY).outcome is outcome
    assert rows(world) == ["1", "2"] * 2


def test_empty_objects_are_loaded_as_nothing(world: World):
    batch = locked(world, content="")
    result = load(world, batch)
    assert (result.outcome, result.batch.targets[TARGET].rows) == (Outcome.LOADED, 0)
    assert not any(isinstance(statement, sql.Copy) for statement in world.warehouse.log)
    assert load(world, batch, RETRY).outcome is Outcome.NOTHING_TO_DO


@pytest.mark.parametrize(
    ("prepare", "error"),
    [
        (lambda w: w.warehouse.tables.pop("public.orders"), NotSetUpError),
        (lambda w: w.warehouse.locks.pop("public.orders"), NotSetUpError),
        (lambda w: w.warehouse.connections.clear(), ConfigurationError),
    ],
)
def test_what_is_not_set_up_fails_clearly_and_the_next_run_tries_again(world: World, prepare: Any, error: type):
    """Nobody has to unlock anything once the table is created."""
    batch = locked(world)
    prepare(world)
    with pytest.raises(error):
        load(world, batch)
    waiting = stored(world, batch)
    assert (waiting.status, waiting.targets[TARGET].state) == (BatchStatus.LOCKED, TargetState.WAITING)
    world.warehouse.create("public.orders")
    world.warehouse.connections.add("redshift_default")
    assert load(world, batch, RETRY).outcome is Outcome.LOADED


def test_a_refused_statement_of_the_user_undoes_everything(world: World):
    config = a_config(targets=[{"table": "public.orders", "post_sql": "syntax error here"}])
    batch = locked(world, config)
    with pytest.raises(StatementError, match="syntax error"):
        load(world, batch, config=config)
    assert rows(world) == []
    assert world.warehouse.histories["public.orders"] == []


REPLACING = a_config(targets=[{"table": "public.orders", "mode": "replace"}])


def test_where_order_matters_a_batch_waits_for_the_one_before_it(world: World):
    older = locked(world, REPLACING, "orders/1.csv", "orders/2.csv", content="old\n")
    newer = locked(world, REPLACING, "orders/3.csv", "orders/4.csv", content="new\n")
    for accident in ([], [Accident(sql.Copy, after=False)]):
        if accident:
            world.warehouse.accidents.extend(accident)
            with pytest.raises(ConnectionLostError):
                load(world, older, config=REPLACING)
        with pytest.raises(EarlierBatchError, match=older.batch) as raised:
            load(world, newer, config=REPLACING)
        assert raised.value.retryable
        assert stored(world, newer) == newer
    load(world, older, RETRY, REPLACING)
    load(world, newer, RETRY, REPLACING)
    assert rows(world) == ["new", "new"]


def test_a_batch_that_waits_for_a_person_does_not_hold_up_those_after_it_and_is_then_too_late(world: World):
    older = locked(world, REPLACING, "orders/1.csv", "orders/2.csv", content="bad\n")
    newer = locked(world, REPLACING, "orders/3.csv", "orders/4.csv", content="new\n")
    with pytest.raises(BadDataError):
        load(world, older, config=REPLACING)
    load(world, newer, config=REPLACING)
    world.put("orders/1.csv", "orders/2.csv", content="old\n")
    with pytest.raises(OutOfOrderError, match=f"(?s){newer.batch}.*Nothing needs repair.*new keys"):
        load(world, older, CLEARED, REPLACING)
    assert rows(world) == ["new", "new"]


def test_an_earlier_batch_holds_up_no_target_but_its_own(world: World):
    config = a_config(targets=[{"table": "public.orders", "mode": "replace"}, {"table": "public.other"}])
    world.warehouse.create("public.other")
    older = locked(world, config, "orders/1.csv", "orders/2.csv")
    newer = locked(world, config, "orders/3.csv", "orders/4.csv")
    load(world, newer, config=config, target="redshift_default/public.other")
    load(world, older, config=config)
    load(world, newer, config=config)
    assert stored(world, older).unfinished_targets == ("redshift_default/public.other",)


def test_targets_of_a_batch_are_loaded_each_for_itself(world: World):
    config = a_config(targets=[{"table": "public.orders"}, {"table": "public.other"}], notify={"success": OK_TOPIC})
    batch = locked(world, config)
    with pytest.raises(NotSetUpError):
        load(world, batch, config=config, target="redshift_default/public.other")
    load(world, batch, config=config)
    assert stored(world, batch).status is BatchStatus.LOCKED
    assert world.notifier.messages[OK_TOPIC] == []
    world.warehouse.create("public.other")
    load(world, batch, RETRY, config, "redshift_default/public.other")
    assert stored(world, batch).status is BatchStatus.COMPLETE
    ((_, message),) = world.notifier.messages[OK_TOPIC]
    assert message["rows"] == {TARGET: 4, "redshift_default/public.other": 4}


def test_of_several_sources_a_message_names_the_one_of_its_key(world: World):
    """Consumers put the Lambda loader's two fields together."""
    config = a_config(source=["s3://landing/returns/", "s3://landing/orders/"], notify={"success": OK_TOPIC})
    load(world, locked(world, config), config=config)
    ((_, message),) = world.notifier.messages[OK_TOPIC]
    assert (message["s3Prefix"], message["key"]) == ("landing/orders", "orders/2.csv")


def test_nothing_is_loaded_into_a_target_that_is_no_longer_configured(world: World):
    batch = locked(world)
    world.warehouse.create("public.new")
    later = a_config(targets=[{"table": "public.new"}])
    with pytest.raises(TargetRemovedError, match=f"rsloader retarget orders {batch.batch} {TARGET}"):
        load(world, batch, config=later)
    assert world.warehouse.log == [], "Redshift is not asked"
    assert rows(world) == []


def test_an_unreachable_topic_neither_fails_nor_repeats_a_load(world: World, caplog: pytest.LogCaptureFixture):
    config = a_config(notify={"success": OK_TOPIC.replace("ok", "gone")})
    batch = locked(world, config)
    assert load(world, batch, config=config).outcome is Outcome.LOADED
    assert "could not be notified" in caplog.text


class StoppedError(Exception):
    """The process stops here."""


@dataclass
class StopBefore:
    """Steps of a process that stops before one of them."""

    step: Step

    @contextmanager
    def taking(self, step: Step, subject: object) -> Iterator[None]:
        if step is self.step:
            raise StoppedError(f"{subject}: {step}")
        yield


@pytest.mark.parametrize(
    ("stop", "told", "noted"),
    [
        (None, 1, Notification.SENT),
        (Step.NOTIFY, 0, Notification.DUE),
        (Step.RECORD_NOTIFIED, 1, Notification.DUE),
    ],
)
def test_a_batch_says_whether_its_end_was_told_or_that_nobody_knows(
    world: World, stop: Step | None, told: int, noted: Notification
):
    """A process that stops between the load and the message cannot be asked what it did."""
    batch = locked(world)
    services = world.services if stop is None else replace(world.services, steps=StopBefore(stop))
    with nullcontext() if stop is None else pytest.raises(StoppedError):
        load_batch(CONFIG, services, batch.batch, TARGET, FIRST)
    assert len(world.notifier.messages[OK_TOPIC]) == told
    assert world.ledger.get(batch.load, batch.batch).notification is noted
    load(world, batch, RETRY)
    assert len(world.notifier.messages[OK_TOPIC]) == told, "a retry finds the batch loaded, and tells nobody again"


def test_a_topic_that_could_not_be_told_is_noted(world: World):
    batch = locked(world)
    load(world, batch, config=a_config(notify={"success": OK_TOPIC.replace("ok", "gone")}))
    assert world.ledger.get(batch.load, batch.batch).notification is Notification.REFUSED


def test_a_message_whose_answer_is_lost_stays_due_and_fails_nothing(world: World):
    """Noted as refused it would be sent by hand a second time; noted as sent it might never arrive."""
    batch = locked(world)

    class Mute:
        def publish(self, topic: str, subject: str, message: Mapping[str, Any]) -> None:
            world.notifier.publish(topic, subject, message)
            raise AnswerLostError("the answer was lost")

    services = replace(world.services, notifier=Mute())
    assert load_batch(CONFIG, services, batch.batch, TARGET, FIRST).outcome is Outcome.LOADED
    assert stored(world, batch).notification is Notification.DUE
    load(world, batch, RETRY)
    assert len(world.notifier.messages[OK_TOPIC]) == 1


def test_a_batch_that_others_write_to_all_the_time_is_told_of_once_and_loaded(caplog: pytest.LogCaptureFixture):
    """What cannot be recorded of a notification is a warning; the rows are in the table."""

    class OvertakenWhenTold(MemoryLedger):
        def replace(self, before: Batch, after: Batch) -> Batch:
            if after.notification is Notification.SENT:
                raise LostRaceError
            return super().replace(before, after)

    world = World(ledger=OvertakenWhenTold(counting_randomness()))
    batch = locked(world)
    assert load(world, batch).outcome is Outcome.LOADED
    assert len(world.notifier.messages[OK_TOPIC]) == 1
    assert stored(world, batch).notification is Notification.DUE
    assert "could not record that the notification was sent" in caplog.text


def test_segments_that_do_not_add_up_are_refused(world: World):
    batch = locked(world)
    world.ledger.replace(batch, replace(batch, files=3))
    with pytest.raises(CorruptLedgerError, match="2 objects in its segments, but counts 3"):
        load(world, batch)
    assert rows(world) == []


def test_a_batch_that_came_back_from_a_backup_with_other_objects_is_not_taken_for_loaded(world: World):
    """Otherwise the objects that its restored open batch took since would count as loaded, and be lost."""
    batch = locked(world)
    load(world, batch)
    world.put("orders/3.csv")
    world.ledger.edit(replace(batch, files=3))
    world.ledger.edit_entries(batch, [Entry(f"landing/orders/{number}.csv", 4) for number in (1, 2, 3)])
    with pytest.raises(CorruptLedgerError, match=r"has 3 objects, but was loaded into .* with 2"):
        load(world, batch, RETRY)
    assert rows(world) == ["1", "2"] * 2


def refilled(world: World, batch: Batch) -> Batch:
    """DynamoDB was put back to a time before the lock, and the open batch took as many objects since, but others."""
    world.ledger.edit_entries(batch, [Entry(f"landing/orders/{number}.csv", 4) for number in (2, 3)])
    progress = replace(batch.progress(TARGET), state=TargetState.WAITING, attempt=0, rows=None, query_id=None)
    world.ledger.edit(replace(batch, status=BatchStatus.LOCKED, targets={TARGET: progress}))
    return stored(world, batch)


def test_a_batch_that_came_back_with_as_many_other_objects_is_not_taken_for_loaded(world: World):
    """Their number tells nothing: 3.csv would count as loaded, and be lost."""
    batch = locked(world)
    load(world, batch)
    world.put("orders/3.csv")
    with pytest.raises(CorruptLedgerError, match=r"has 2 objects, but was loaded into .* with as many others"):
        load(world, refilled(world, batch), RETRY)
    assert stored(world, batch).progress(TARGET).state is not TargetState.LOADED
    assert rows(world) == ["1", "2"] * 2


def test_a_load_whose_answer_was_lost_is_found_although_an_object_has_another_size_by_now(world: World):
    """The digest is of names, so that a repaired object stays the same object."""
    batch = locked(world)
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(ConnectionLostError):
        load(world, batch)
    world.put("orders/2.csv", content="1\n2\n3\n")
    assert load(world, batch, CLEARED).outcome is Outcome.FOUND_LOADED
    assert rows(world) == ["1", "2"] * 2


def test_a_history_of_an_earlier_release_costs_no_statement_more_and_goes_by_the_number(
    world: World, caplog: pytest.LogCaptureFixture
):
    batch = locked(world)
    world.warehouse.without_digests.add("public.orders")
    world.warehouse.without_sources.add("public.orders")
    load(world, batch)
    sent = [*map(type, world.warehouse.log)]
    assert sent == [
        sql.BackendPid, sql.Begin, sql.LockHistory, sql.FindLoaded, sql.Copy, sql.LastCopy, sql.RecordLoaded, sql.Commit
    ]  # fmt: skip
    (row,) = world.warehouse.histories["public.orders"]
    assert (row.names_digest, row.source) == (None, None)
    with caplog.at_level(logging.INFO):
        assert load(world, refilled(world, batch), RETRY).outcome is Outcome.FOUND_LOADED
    assert "without a digest of the objects' names" in caplog.text


def test_a_row_of_an_earlier_release_in_a_history_that_has_the_column_by_now_goes_by_the_number(world: World):
    batch = locked(world)
    world.warehouse.without_digests.add("public.orders")
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(ConnectionLostError):
        load(world, batch)
    world.warehouse.without_digests.clear()
    assert load(world, batch, RETRY).outcome is Outcome.FOUND_LOADED


def test_losing_every_race_is_an_error_that_can_be_tried_again(world: World):
    batch = locked(world)

    class Unlucky:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.ledger, name)

        def replace(self, before: Batch, after: Batch) -> Batch:
            raise LostRaceError

    with pytest.raises(ContentionError) as raised:
        load_batch(CONFIG, replace(world.services, ledger=Unlucky()), batch.batch, TARGET, FIRST)
    assert raised.value.retryable
    assert isinstance(raised.value, RsloaderError)


def test_two_targets_that_finish_at_once_both_count(world: World):
    """Both write to the same item; whoever comes second has to write on top of the first."""
    config = a_config(targets=[{"table": "public.orders"}, {"table": "public.other"}])
    world.warehouse.create("public.other")
    batch = locked(world, config)
    other = "redshift_default/public.other"

    class Raced:
        def __init__(self) -> None:
            self.pending = [other]

        def __getattr__(self, name: str) -> Any:
            return getattr(world.ledger, name)

        def replace(self, before: Batch, after: Batch) -> Batch:
            if after.targets[TARGET].state is TargetState.LOADED and self.pending:
                load(world, batch, config=config, target=self.pending.pop())
            return world.ledger.replace(before, after)

    load_batch(config, replace(world.services, ledger=Raced()), batch.batch, TARGET, FIRST)
    assert stored(world, batch).status is BatchStatus.COMPLETE


@pytest.mark.parametrize("lost", [(BEGIN,), (RECORD_SESSION,), (FINISH_OR_END,), (RECORD_SESSION, FINISH_OR_END)])
def test_a_write_whose_answer_is_lost_is_known_for_ones_own(world: World, lost: tuple[int, ...]):
    """Taken for a lost race it would fail the task for good, with the rows in the table and nobody told."""
    batch = locked(world)
    result = load_with_lost_answers(world, batch, *lost)
    assert result.outcome is Outcome.LOADED
    assert rows(world) == ["1", "2"] * 2
    assert stored(world, batch).status is result.batch.status is BatchStatus.COMPLETE
    assert len(world.notifier.messages[OK_TOPIC]) == 1


def test_a_lost_answer_at_the_beginning_does_not_open_two_generations(world: World):
    batch = locked(world)
    load(world, batch)
    load_with_lost_answers(world, batch, BEGIN, asker=CLEARED)
    assert stored(world, batch).targets[TARGET].generation == 2
    assert rows(world) == ["1", "2"] * 4


def test_a_failure_whose_record_lost_its_answer_is_told_with_its_own_error(world: World):
    batch = locked(world, CONFIG, "orders/1.csv", "orders/2.csv", content="bad\n")
    with pytest.raises(BadDataError):
        load_with_lost_answers(world, batch, FINISH_OR_END)
    assert stored(world, batch).status is BatchStatus.ERROR
    ((_, message),) = world.notifier.messages[FAILED_TOPIC]
    assert world.storage.find("loader", message["failedManifest"].removeprefix("loader/"))


def test_a_passing_fault_whose_record_lost_its_answer_can_still_be_tried_again(world: World):
    batch = locked(world)
    world.warehouse.unreachable = True
    with pytest.raises(TransientError) as raised:
        load_with_lost_answers(world, batch, 2)
    assert raised.value.retryable
    world.warehouse.unreachable = False
    assert load(world, batch, RETRY).outcome is Outcome.LOADED


def test_a_target_that_lost_its_answer_does_not_tell_of_what_another_completed(world: World):
    """Between the lost answer and the look the other target completes the batch and tells it: once is enough."""
    config = a_config(targets=[{"table": "public.orders"}, {"table": "public.other"}], notify={"success": OK_TOPIC})
    world.warehouse.create("public.other")
    batch = locked(world, config)

    class LostWhileTheOtherCompletes(LostAnswers):
        def replace(self, before: Batch, after: Batch) -> Batch:
            try:
                return super().replace(before, after)
            except LostRaceError:
                load(world, batch, config=config, target="redshift_default/public.other")
                raise

    services = replace(world.services, ledger=LostWhileTheOtherCompletes(world.ledger, FINISH_OR_END))
    assert load_batch(config, services, batch.batch, TARGET, FIRST).outcome is Outcome.LOADED
    assert stored(world, batch).status is BatchStatus.COMPLETE
    assert len(world.notifier.messages[OK_TOPIC]) == 1
