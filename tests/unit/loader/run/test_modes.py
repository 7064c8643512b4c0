"""How each mode fills its table, told on a warehouse in memory."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from support.fakes.warehouse import Accident
from support.fakes.world import World
from support.objects import TARGET, a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import (
    AttemptLostError,
    BadDataError,
    EarlierBatchError,
    OutOfOrderError,
    TransientError,
    UndecidedError,
)
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetProgress, UnansweredCommit
from rsloader_provider.core.ledger.manifest import digest_of_names
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import LoadKey, TableName, TemporaryTable
from rsloader_provider.core.redshift.other_loads import FindOtherLoads
from rsloader_provider.loader.operate.batches import reprocess_batch
from rsloader_provider.loader.operate.forget_objects import forget_objects
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, load_batch

ORDERS = TableName("public", "orders")
ORDERED = ("replace", "swap", "truncate", "merge")
MODES = ("append", *ORDERED)


def configured(mode: str, **settings: Any) -> LoadConfig:
    merge_on = {"merge_on": ["id"]} if mode == "merge" else {}
    return a_config(targets=[{"table": "public.orders", "mode": mode, **merge_on, **settings}], batch={"max_files": 1})


def locked(world: World, config: LoadConfig, key: str, content: str) -> Batch:
    world.put(f"orders/{key}", content=content)
    work = buffer_objects(config, world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    world.warehouse.log.clear()  # the histories are asked before the first claim
    return work[-1].batch


def load(world: World, config: LoadConfig, batch: Batch, number: int = 1, *, cleared: bool = False) -> Outcome:
    asker = Asker(f"run-1/load_batch/0/{number}", "dag/run-1", cleared=cleared)
    return load_batch(config, world.services, batch.batch, TARGET, asker).outcome


def rows(world: World) -> list[str]:
    return world.warehouse.tables["public.orders"]


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("mode", "before", "into", "after"),
    [
        ("append", [], ORDERS, []),
        ("replace", [sql.DeleteAll(ORDERS)], ORDERS, []),
        (
            "swap",
            [sql.CreateStaging(TableName("public", "rsloader_staging__orders"), ORDERS)],
            TableName("public", "rsloader_staging__orders"),
            [
                sql.DropTable(ORDERS),
                sql.RenameTable(TableName("public", "rsloader_staging__orders"), "orders"),
            ],
        ),
        (
            "merge",
            [sql.CreateStaging(TemporaryTable("rsloader_staging__orders"), ORDERS)],
            TemporaryTable("rsloader_staging__orders"),
            [
                sql.FindAmbiguousKeys(TemporaryTable("rsloader_staging__orders"), ("id",), 10),
                sql.Merge(ORDERS, TemporaryTable("rsloader_staging__orders"), ("id",), None),
            ],
        ),
    ],
)
def test_each_mode_is_one_transaction_round_copy(
    world: World, mode: str, before: list[sql.Statement], into: TableName, after: list[sql.Statement]
):
    config = configured(mode, pre_sql="SELECT 1", post_sql="SELECT 2")
    batch = locked(world, config, "1.csv", "1\n")
    load(world, config, batch)
    key = LoadKey(ORDERS, "orders", batch.batch, 1)
    assert world.warehouse.log == [
        sql.BackendPid(),
        sql.Begin(),
        sql.LockHistory(ORDERS),
        sql.FindLoaded(key),
        FindOtherLoads(ORDERS, "orders", "s3://landing/orders/"),
        sql.UserStatement("SELECT 1"),
        *before,
        sql.Copy(into, None, f"s3://loader/manifests/orders/{batch.batch}.manifest", config.copy_options),
        sql.LastCopy(),
        *after,
        sql.RecordLoaded(
            key,
            attempt=1,
            rows=1,
            files=1,
            query_id=1000,
            run="dag/run-1",
            names_digest=digest_of_names(["landing/orders/1.csv"]),
            source="s3://landing/orders/",
        ),
        sql.UserStatement("SELECT 2"),
        sql.Commit(),
    ]


def test_truncate_commits_and_then_looks_again_before_it_loads(world: World, caplog: pytest.LogCaptureFixture):
    config = configured("truncate")
    batch = locked(world, config, "1.csv", "1\n")
    with caplog.at_level(logging.WARNING):
        load(world, config, batch)
    kinds = [type(each) for each in world.warehouse.log]
    look = [sql.Begin, sql.LockHistory, sql.FindLoaded, FindOtherLoads]
    assert kinds == [
        sql.BackendPid, *look, sql.Truncate, *look, sql.DeleteAll, sql.Copy, sql.LastCopy, sql.RecordLoaded, sql.Commit
    ]  # fmt: skip
    assert "TRUNCATE of public.orders commits" in caplog.text


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("replace", ["3", "4"]), ("swap", ["3", "4"]), ("truncate", ["3", "4"]), ("merge", ["1,a", "2,new", "3", "4"])],
)
def test_the_next_batch_takes_the_place_of_what_is_there(world: World, mode: str, expected: list[str]):
    config = configured(mode)
    load(world, config, locked(world, config, "1.csv", "1,a\n2,old\n"))
    load(world, config, locked(world, config, "2.csv", "2,new\n3\n4\n" if mode == "merge" else "3\n4\n"))
    assert rows(world) == expected


@pytest.mark.parametrize(
    ("mode", "left"), [("append", ["1"]), ("replace", ["1"]), ("swap", ["1"]), ("truncate", []), ("merge", ["1"])]
)
def test_a_copy_that_fails_leaves_the_old_rows_but_after_truncate(world: World, mode: str, left: list[str]):
    config = configured(mode)
    load(world, config, locked(world, config, "1.csv", "1\n"))
    with pytest.raises(BadDataError):
        load(world, config, locked(world, config, "2.csv", "bad\n"))
    assert rows(world) == left


@pytest.mark.parametrize("mode", ORDERED)
def test_an_older_batch_never_overwrites_a_newer_one(world: World, mode: str):
    """Whatever is retried, cleared or late."""
    config = configured(mode)
    older, newer = (locked(world, config, f"{number}.csv", f"1,{number}\n") for number in (1, 2))
    with pytest.raises(EarlierBatchError, match=older.batch):
        load(world, config, newer)
    load(world, config, older)
    load(world, config, newer)
    for number in (2, 3):
        with pytest.raises(OutOfOrderError, match=newer.batch):
            load(world, config, older, number, cleared=True)
    assert rows(world) == ["1,2"]


@pytest.mark.parametrize("mode", ORDERED)
def test_a_batch_loaded_ten_times_leaves_the_same_rows(world: World, mode: str):
    config = configured(mode)
    batch = locked(world, config, "1.csv", "1\n2\n3\n")
    for number in range(1, 11):
        assert load(world, config, batch, number, cleared=number > 1) is Outcome.LOADED
    assert rows(world) == ["1", "2", "3"]
    assert world.ledger.get("orders", batch.batch).targets[TARGET].generation == 10


def test_what_a_newer_attempt_loads_after_the_truncate_stays(world: World):
    """TRUNCATE gives the lock away; between it and the second look everything may happen."""
    config = configured("truncate")
    batch = locked(world, config, "1.csv", "1\n2\n")
    world.warehouse.accidents.append(
        Accident(sql.Truncate, after=True, meanwhile=lambda: load(world, config, batch, 2))
    )
    with pytest.raises(AttemptLostError):
        load(world, config, batch)
    assert load(world, config, batch, 3) is Outcome.NOTHING_TO_DO
    assert rows(world) == ["1", "2"]


def test_an_older_batch_that_comes_between_truncate_and_load_is_replaced(world: World):
    """An older batch that a person clears finds nothing newer in the history yet, and may load; its rows must go."""
    config = configured("truncate")
    older = locked(world, config, "1.csv", "bad\n")
    with pytest.raises(BadDataError):
        load(world, config, older)
    newer = locked(world, config, "2.csv", "new\n")
    world.put("orders/1.csv", content="old\n")

    def cleared() -> None:
        # TRUNCATE has given the lock away when its Begin comes.
        world.warehouse.before(sql.Begin, lambda: load(world, config, older, 2, cleared=True))

    world.warehouse.before(sql.Truncate, cleared)
    load(world, config, newer)
    assert rows(world) == ["new"]
    with pytest.raises(OutOfOrderError):
        load(world, config, older, 3, cleared=True)


@pytest.mark.parametrize("content", ["1,a\n1,b\n", ",a\n"])
def test_a_key_that_does_not_tell_which_row_is_meant_is_refused(world: World, content: str):
    """MERGE would add both rows, or one more with each load, and say nothing."""
    config = configured("merge")
    batch = locked(world, config, "1.csv", content)
    with pytest.raises(BadDataError, match=r"(?s)key \(id\) does not identify.*max_files: 1"):
        load(world, config, batch)
    assert rows(world) == []
    assert world.ledger.get("orders", batch.batch).status is BatchStatus.ERROR
    world.put("orders/1.csv", content="1,a\n")
    load(world, config, batch, 2, cleared=True)
    assert rows(world) == ["1,a"]


def forget(world: World, config: LoadConfig, key: str) -> None:
    assert [*forget_objects(config, world.services, by="alice", urls=[f"s3://landing/orders/{key}"])]


def progress_of(world: World, batch: Batch) -> TargetProgress:
    return world.ledger.get("orders", batch.batch).progress(TARGET)


@pytest.mark.parametrize(("mode", "history"), [*((mode, "table") for mode in MODES), ("append", "none")])
def test_a_batch_without_objects_leaves_the_table_as_it_is(
    world: World, mode: str, history: str, caplog: pytest.LogCaptureFixture
):
    """Nothing must not take the place of rows: its worker died, and a person forgot its only object."""
    config = configured(mode, history=history, pre_sql="DELETE FROM orders", post_sql="DELETE FROM orders")
    load(world, config, locked(world, config, "1.csv", "1\n"))
    batch = locked(world, config, "2.csv", "2\n")
    forget(world, config, "2.csv")
    world.warehouse.unreachable = True
    with caplog.at_level(logging.INFO):
        assert load(world, config, batch) is Outcome.LOADED
    assert rows(world) == ["1"]
    progress = progress_of(world, batch)
    assert (progress.rows, progress.query_id, progress.session) == (0, None, None)
    assert world.ledger.get("orders", batch.batch).status is BatchStatus.COMPLETE
    assert f"{batch} has no objects: nothing was loaded into {TARGET}, and no SQL ran" in caplog.text
    assert load(world, config, batch, 2) is Outcome.NOTHING_TO_DO


@pytest.mark.parametrize("mode", MODES)
def test_a_failed_batch_that_lost_its_only_object_leaves_the_table_as_it_is(world: World, mode: str):
    config = configured(mode)
    batch = locked(world, config, "1.csv", "bad\n")
    with pytest.raises(BadDataError):
        load(world, config, batch)
    forget(world, config, "1.csv")
    world.storage.delete("landing", "orders/1.csv")
    load(world, config, locked(world, config, "2.csv", "2\n"))
    reprocess_batch(config, world.services, batch.batch, by="alice")
    assert load(world, config, batch, 2) is Outcome.LOADED, "also behind a newer batch: there is nothing to overwrite"
    assert rows(world) == ["2"]


@pytest.mark.parametrize("mode", MODES)
def test_clearing_a_loaded_batch_that_has_lost_its_objects_leaves_the_table_as_it_is(
    world: World, mode: str, caplog: pytest.LogCaptureFixture
):
    config = configured(mode)
    batch = locked(world, config, "1.csv", "1\n")
    load(world, config, batch)
    forget(world, config, "1.csv")
    assert load(world, config, batch, 2, cleared=True) is Outcome.LOADED
    assert rows(world) == ["1"]
    assert (progress_of(world, batch).generation, progress_of(world, batch).rows) == (2, 0)
    assert "A SECOND TIME" not in caplog.text


def emptied(world: World, config: LoadConfig, **progress: Any) -> Batch:
    """A batch without objects whose record, which somebody edited, says that an attempt left something."""
    batch = locked(world, config, "1.csv", "1\n")
    forget(world, config, "1.csv")
    batch = world.ledger.get("orders", batch.batch)
    edited = replace(batch.progress(TARGET), attempt=1, **progress)
    return world.ledger.replace(batch, replace(batch, targets={TARGET: edited}))


@pytest.mark.parametrize("mode", MODES)
def test_what_an_earlier_attempt_left_is_decided_before_a_batch_without_objects_is_finished(world: World, mode: str):
    """Its session is ended, and the history looked at behind the lock; the batch is recorded as that says."""
    config = configured(mode)
    batch = emptied(world, config, session=7)
    key = LoadKey(ORDERS, "orders", batch.batch, 1)
    with world.warehouse.connect("redshift_default"):
        assert load(world, config, batch) is Outcome.LOADED
    ended = [sql.BackendPid(), sql.TerminateSession(7), sql.Begin(), sql.LockHistory(ORDERS), sql.FindLoaded(key)]
    assert world.warehouse.log == [*ended, sql.Rollback()]
    assert (progress_of(world, batch).session, progress_of(world, batch).rows) == (None, 0)


def test_a_batch_without_objects_is_found_loaded_where_an_earlier_attempt_has_committed(world: World):
    config = configured("replace")
    batch = emptied(world, config, session=7)
    key = LoadKey(ORDERS, "orders", batch.batch, 1)
    row = sql.RecordLoaded(key, attempt=1, rows=0, files=0, query_id=None, run="dag/run-1")
    world.warehouse.histories["public.orders"].append(row)
    assert load(world, config, batch) is Outcome.FOUND_LOADED


def test_a_session_that_cannot_be_ended_yet_keeps_a_batch_without_objects_waiting(world: World):
    config = configured("replace")
    batch = emptied(world, config, session=7)
    world.warehouse.unreachable = True
    with pytest.raises(TransientError):
        load(world, config, batch)
    assert progress_of(world, batch).session == 7, "the next attempt ends it"


def test_an_unanswered_commit_is_decided_before_a_batch_without_objects_is_finished(world: World):
    config = configured("append", history="none")
    commit = UnansweredCommit(attempt=1, session=7, rows=5, query_id=None)
    batch = emptied(world, config, session=7, announces=True, unanswered=commit)
    with pytest.raises(UndecidedError, match="mark-loaded"):
        load(world, config, batch)
    assert progress_of(world, batch).unanswered == commit
    assert load(world, config, batch, 2, cleared=True) is Outcome.LOADED, "a person says that it was not carried out"
    assert sql.Begin() not in world.warehouse.log
    assert (progress_of(world, batch).unanswered, progress_of(world, batch).rows) == (None, 0)


EMPTYING = ("replace", "truncate", "swap")


@pytest.mark.parametrize("mode", EMPTYING)
def test_a_batch_of_empty_objects_is_refused_where_it_would_empty_the_table(world: World, mode: str):
    """One object of 0 bytes, of a writer that failed, emptied the table of a load that was right for years."""
    config = configured(mode)
    load(world, config, locked(world, config, "1.csv", "old\n"))
    empty = locked(world, config, "2.csv", "")
    with pytest.raises(
        BadDataError, match=r"every one of its 1 objects is empty.*Write the objects again.*empty_files"
    ):
        load(world, config, empty)
    assert rows(world) == ["old"]
    assert not any(isinstance(each, sql.Truncate) for each in world.warehouse.log[9:])
    assert world.ledger.get("orders", empty.batch).status is BatchStatus.ERROR
    world.put("orders/2.csv", content="new\n")
    assert load(world, config, empty, 2, cleared=True) is Outcome.LOADED
    assert rows(world) == ["new"]


@pytest.mark.parametrize("mode", MODES)
def test_a_batch_of_empty_objects_is_loaded_where_it_may_be(world: World, mode: str):
    config = configured(mode)
    load(world, config, locked(world, config, "1.csv", "old\n"))
    if mode in EMPTYING:
        config = config.model_copy(
            update={"copy_options": config.copy_options.model_copy(update={"empty_files": "load"})}
        )  # fmt: skip
    assert load(world, config, locked(world, config, "2.csv", "")) is Outcome.LOADED
    assert rows(world) == ([] if mode in EMPTYING else ["old"])


def test_an_empty_object_beside_another_is_no_reason_to_refuse_a_batch(world: World):
    config = configured("replace").model_copy(update={"batch": a_config().batch})
    world.put("orders/1.csv", content="")
    assert load(world, config, locked(world, config, "2.csv", "new\n")) is Outcome.LOADED
    assert rows(world) == ["new"]


def test_what_an_earlier_attempt_committed_is_found_before_a_batch_of_empty_objects_is_refused(world: World):
    """The load file said `empty_files: load` when it began."""
    config = configured("replace")
    taking = config.model_copy(
        update={"copy_options": config.copy_options.model_copy(update={"empty_files": "load"})}
    )  # fmt: skip
    empty = locked(world, config, "1.csv", "")
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(TransientError):
        load(world, taking, empty)
    assert load(world, config, empty, 2) is Outcome.FOUND_LOADED
    other = locked(world, config, "2.csv", "")
    world.warehouse.accidents.append(Accident(sql.Commit, after=False))
    with pytest.raises(TransientError):
        load(world, taking, other)
    with pytest.raises(BadDataError):
        load(world, config, other, 2)
    progress = world.ledger.get("orders", other.batch).targets[TARGET]
    assert (progress.may_commit, progress.state) == (False, "failed")
