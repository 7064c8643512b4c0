"""A COMMIT that may be in a load history which no longer answers is a question, and never taken for not loaded."""

import threading
from collections.abc import Callable

import pytest
from support.fakes.warehouse import Accident
from support.fakes.world import World
from support.objects import TARGET, a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import (
    AccessDeniedError,
    ConnectionLostError,
    NotSetUpError,
    OperationRefusedError,
    RsloaderError,
    TransientError,
    UndecidedError,
)
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetProgress, TargetState
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.operate.batches import reprocess_batch
from rsloader_provider.loader.operate.decide import decide_by_person
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, load_batch

WITH_HISTORY = a_config()
WITHOUT = a_config(targets=[{"table": "public.orders", "history": "none"}])
BOTH = pytest.mark.parametrize("config", [WITH_HISTORY, WITHOUT], ids=["table", "none"])


def load(world: World, batch: Batch, number: int, config: LoadConfig, *, cleared: bool = False) -> Outcome:
    asker = Asker(f"run-1/load_batch/0/{number}", "dag/run-1", cleared=cleared)
    return load_batch(config, world.services, batch.batch, TARGET, asker).outcome


def progress(world: World, batch: Batch) -> TargetProgress:
    return world.ledger.get(batch.load, batch.batch).progress(TARGET)


def rows(world: World) -> int:
    return len(world.warehouse.tables["public.orders"])


@pytest.fixture
def in_doubt(world: World) -> Batch:
    """A batch whose rows are in the table, and whose COMMIT was never answered."""
    world.put("orders/1.csv", "orders/2.csv", content="1\n2\n")
    (work,) = buffer_objects(WITH_HISTORY, world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(ConnectionLostError):
        load(world, work.batch, 1, WITH_HISTORY)
    assert rows(world) == 4
    return work.batch


def raising(error: RsloaderError) -> Callable[[], None]:
    def happens() -> None:
        raise error

    return happens


def drop_history(world: World) -> None:
    del world.warehouse.histories["public.orders"], world.warehouse.locks["public.orders"]


def set_up_again(world: World) -> None:
    """As `rsloader setup` does: the history is there, and empty."""
    world.warehouse.histories["public.orders"], world.warehouse.locks["public.orders"] = [], threading.Lock()


@BOTH
def test_an_attempt_that_never_got_to_look_leaves_the_look_to_the_next(
    world: World, in_doubt: Batch, config: LoadConfig
):
    """Its LOCK timed out, as it does behind another load. The setting was changed in between."""
    world.warehouse.before(sql.LockHistory, raising(TransientError("LockHistory: canceled")))
    with pytest.raises(TransientError):
        load(world, in_doubt, 2, config)
    assert progress(world, in_doubt).may_commit
    assert load(world, in_doubt, 3, config) is Outcome.FOUND_LOADED
    assert rows(world) == 4


@pytest.mark.parametrize(
    "statement", [sql.BackendPid, sql.TerminateSession, sql.Begin, sql.LockHistory, sql.FindLoaded]
)
@pytest.mark.parametrize("after", [False, True])
def test_so_does_one_that_breaks_anywhere_before_it_has_looked(
    world: World, in_doubt: Batch, statement: type, after: bool
):
    world.warehouse.accidents.append(Accident(statement, after))
    with pytest.raises(ConnectionLostError):
        load(world, in_doubt, 2, WITHOUT)
    assert load(world, in_doubt, 3, WITHOUT) is Outcome.FOUND_LOADED
    assert rows(world) == 4


@BOTH
def test_a_history_that_was_dropped_makes_it_a_question_for_a_person(world: World, in_doubt: Batch, config: LoadConfig):
    """Also where the load keeps a history: the one that `rsloader setup` creates then is empty, and would say no."""
    drop_history(world)
    with pytest.raises(UndecidedError, match=f"(?s)Attempt 1 .*mark-not-loaded orders {in_doubt.batch}"):
        load(world, in_doubt, 2, config)
    set_up_again(world)
    with pytest.raises(UndecidedError, match="Only the load history"):
        load(world, in_doubt, 3, config)
    with pytest.raises(OperationRefusedError, match="not known whether"):
        reprocess_batch(config, world.services, in_doubt.batch, by="me")
    assert rows(world) == 4


def test_a_history_that_nobody_may_read_any_more_is_a_question_where_the_load_keeps_none(world: World, in_doubt: Batch):
    world.warehouse.before(sql.LockHistory, raising(AccessDeniedError("permission denied for schema rsloader")))
    with pytest.raises(UndecidedError, match="permission denied for schema rsloader"):
        load(world, in_doubt, 2, WITHOUT)
    assert progress(world, in_doubt).is_undecided


def test_where_the_load_keeps_one_the_batch_waits_for_the_grant_and_is_found(world: World, in_doubt: Batch):
    """The rows of the history are there; nobody has to decide what it will tell."""
    world.warehouse.before(sql.FindLoaded, raising(AccessDeniedError("permission denied")))
    with pytest.raises(AccessDeniedError):
        load(world, in_doubt, 2, WITH_HISTORY)
    assert load(world, in_doubt, 3, WITH_HISTORY) is Outcome.FOUND_LOADED


def test_a_person_says_that_the_rows_are_there(world: World, in_doubt: Batch):
    drop_history(world)
    with pytest.raises(UndecidedError):
        load(world, in_doubt, 2, WITHOUT)
    decided = decide_by_person(world.ledger, "orders", in_doubt.batch, TARGET, loaded=True)
    assert (decided.status, decided.progress(TARGET).rows) == (BatchStatus.COMPLETE, None)
    assert load(world, in_doubt, 3, WITHOUT) is Outcome.NOTHING_TO_DO


@pytest.mark.parametrize("by_command", [True, False], ids=["mark-not-loaded", "clear"])
@BOTH
def test_a_person_says_that_they_are_not(world: World, in_doubt: Batch, config: LoadConfig, by_command: bool):
    drop_history(world)
    world.warehouse.tables["public.orders"].clear()
    with pytest.raises(UndecidedError):
        load(world, in_doubt, 2, config)
    set_up_again(world)
    if by_command:
        decide_by_person(world.ledger, "orders", in_doubt.batch, TARGET, loaded=False)
    assert load(world, in_doubt, 3, config, cleared=not by_command) is Outcome.LOADED
    assert rows(world) == 4


@BOTH
def test_a_history_that_answers_again_counts_more_than_what_a_person_says(
    world: World, in_doubt: Batch, config: LoadConfig
):
    kept, lock = world.warehouse.histories["public.orders"], world.warehouse.locks["public.orders"]
    drop_history(world)
    with pytest.raises(UndecidedError):
        load(world, in_doubt, 2, config)
    world.warehouse.histories["public.orders"], world.warehouse.locks["public.orders"] = kept, lock
    assert load(world, in_doubt, 3, config, cleared=True) is Outcome.FOUND_LOADED
    assert rows(world) == 4


def test_a_persons_word_is_taken_where_the_history_is_still_not_there(world: World, in_doubt: Batch):
    drop_history(world)
    world.warehouse.tables["public.orders"].clear()
    with pytest.raises(UndecidedError):
        load(world, in_doubt, 2, WITHOUT)
    assert load(world, in_doubt, 3, WITHOUT, cleared=True) is Outcome.LOADED
    assert rows(world) == 4


def test_a_history_that_was_never_set_up_is_no_question(world: World):
    """Nothing can have been committed, so that the batch waits for `rsloader setup` and is then loaded."""
    drop_history(world)
    world.put("orders/1.csv", "orders/2.csv", content="1\n2\n")
    (work,) = buffer_objects(WITH_HISTORY, world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    for number in (1, 2):
        with pytest.raises(NotSetUpError):
            load(world, work.batch, number, WITH_HISTORY)
    assert progress(world, work.batch).state is TargetState.WAITING
    assert not progress(world, work.batch).may_commit
