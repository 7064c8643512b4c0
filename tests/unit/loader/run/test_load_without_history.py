"""Loading a target for which no load history is kept: decided where it can be, and otherwise by a person."""

from dataclasses import replace

import pytest
from support.fakes.ledger import MemoryLedger
from support.fakes.lost_answers import LostAnswers
from support.fakes.warehouse import Accident
from support.fakes.world import FAILED_TOPIC, OK_TOPIC, World
from support.objects import TARGET, a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import (
    AttemptLostError,
    ConnectionLostError,
    ContentionError,
    NothingToDecideError,
    StatementError,
    TransientError,
    UndecidedError,
)
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetState, UnansweredCommit
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.loader.operate.decide import decide_by_person
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, Result, load_batch

CONFIG = a_config(
    targets=[{"table": "public.orders", "history": "none"}], notify={"success": OK_TOPIC, "failure": FAILED_TOPIC}
)
WITH_HISTORY = a_config()
STATEMENTS = (sql.BackendPid, sql.Begin, sql.Copy, sql.LastCopy, sql.Commit)
MANIFEST = "s3://loader/manifests/orders/{}.manifest"


@pytest.fixture
def world() -> World:
    world = World()
    world.warehouse.create("public.orders", history=False)
    del world.warehouse.locks["public.orders"], world.warehouse.histories["public.orders"]
    return world


def locked(world: World) -> Batch:
    world.put("orders/1.csv", "orders/2.csv", content="1\n2\n")
    (work,) = buffer_objects(CONFIG, world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    return work.batch


def load(world: World, batch: Batch, number: int, *, cleared: bool = False) -> Result:
    asker = Asker(f"run-1/load_batch/0/{number}", "dag/run-1", cleared=cleared)
    return load_batch(CONFIG, world.services, batch.batch, TARGET, asker)


def stored(world: World, batch: Batch) -> Batch:
    return world.ledger.get(batch.load, batch.batch)


def rows(world: World) -> int:
    return len(world.warehouse.tables["public.orders"])


def lose(world: World, batch: Batch, statement: type, *, after: bool) -> None:
    world.warehouse.accidents.append(Accident(statement, after))
    with pytest.raises(ConnectionLostError):
        load(world, batch, 1)


def test_such_a_load_is_one_transaction_that_announces_its_commit(world: World):
    batch = locked(world)
    announced: list[object] = []
    world.warehouse.before(sql.Commit, lambda: announced.append(stored(world, batch).progress(TARGET).unanswered))
    assert load(world, batch, 1).outcome is Outcome.LOADED
    assert world.warehouse.log == [
        sql.BackendPid(),
        sql.Begin(),
        sql.Copy(TableName("public", "orders"), None, MANIFEST.format(batch.batch), CONFIG.copy_options),
        sql.LastCopy(),
        sql.Commit(),
    ]
    assert stored(world, batch).status is BatchStatus.COMPLETE
    assert announced == [UnansweredCommit(attempt=1, session=100, rows=4, query_id=1000)]
    assert stored(world, batch).progress(TARGET).unanswered is None


@pytest.mark.parametrize("sees_transactions", [True, False])
@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("after", [False, True])
def test_a_connection_lost_anywhere_leaves_each_row_once_or_a_question(
    world: World, statement: type, after: bool, sees_transactions: bool
):
    """Only the COMMIT itself can be in doubt, and only where the user may not see how transactions ended."""
    world.warehouse.sees_transactions = sees_transactions
    batch = locked(world)
    lose(world, batch, statement, after=after)
    in_table = rows(world)
    assert in_table == (4 if statement is sql.Commit and after else 0)
    if statement is sql.Commit and not sees_transactions:
        with pytest.raises(UndecidedError):
            load(world, batch, 2)
        assert rows(world) == in_table, "neither way is guessed"
        assert stored(world, batch).status is BatchStatus.ERROR
        return
    assert load(world, batch, 2).outcome is (Outcome.FOUND_LOADED if in_table else Outcome.LOADED)
    assert rows(world) == 4
    assert stored(world, batch).progress(TARGET).rows == 4
    assert len(world.notifier.messages[OK_TOPIC]) == 1


@pytest.mark.parametrize("cleared_before", [False, True])
def test_a_commit_is_found_whatever_sizes_the_manifest_has_by_now(world: World, cleared_before: bool):
    """A manifest with repaired objects' sizes has another name than the batch's own."""
    world.put("orders/0.csv", content="")
    world.put("orders/1.csv", content="1\n")
    (work,) = buffer_objects(CONFIG, world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    if cleared_before:
        world.put("orders/0.csv", content="9\n")
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(ConnectionLostError):
        load(world, work.batch, 2, cleared=cleared_before)
    in_table = rows(world)
    world.put("orders/0.csv", content="9\n")
    assert load(world, work.batch, 3, cleared=True).outcome is Outcome.FOUND_LOADED
    assert rows(world) == in_table == (2 if cleared_before else 1)


@pytest.fixture(params=[False, True], ids=["rolled back", "committed"])
def undecided(request: pytest.FixtureRequest, world: World) -> tuple[Batch, bool]:
    """A batch that waits for a person, and whether its rows are in the table."""
    world.warehouse.sees_transactions = False
    batch = locked(world)
    lose(world, batch, sql.Commit, after=request.param)
    with pytest.raises(UndecidedError):
        load(world, batch, 2)
    return stored(world, batch), request.param


def test_the_question_says_what_is_known_and_both_commands(world: World, undecided: tuple[Batch, bool]):
    batch, _ = undecided
    text = batch.progress(TARGET).error or ""
    assert "Attempt 1 (session 100, COPY query 1000, 4 rows)" in text
    assert f"rsloader mark-loaded orders {batch.batch} {TARGET}" in text
    assert f"rsloader mark-not-loaded orders {batch.batch} {TARGET}" in text
    ((_, message),) = world.notifier.messages[FAILED_TOPIC]
    assert message["errorText"] == text


def test_nobody_but_a_person_goes_on(world: World, undecided: tuple[Batch, bool]):
    """A retry, another run, and a try that a person had cleared before the question came."""
    batch, _ = undecided
    sent = len(world.warehouse.log)
    with pytest.raises(UndecidedError, match="mark-loaded"):
        load(world, batch, 3)
    assert batch.unfinished_targets == ()
    assert (len(world.warehouse.log), stored(world, batch)) == (sent, batch)


def test_a_person_says_that_the_rows_are_there(world: World, undecided: tuple[Batch, bool]):
    batch, _ = undecided
    before = rows(world)
    decided = decide_by_person(world.ledger, "orders", batch.batch, TARGET, loaded=True)
    progress = decided.progress(TARGET)
    assert (decided.status, progress.state, progress.rows, progress.query_id, progress.error) == (
        BatchStatus.COMPLETE, TargetState.LOADED, 4, 1000, None,
    )  # fmt: skip
    assert load(world, batch, 3).outcome is Outcome.NOTHING_TO_DO
    assert rows(world) == before
    with pytest.raises(NothingToDecideError, match="nothing to decide"):
        decide_by_person(world.ledger, "orders", batch.batch, TARGET, loaded=False)


@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize("carried_out", [True, False])
def test_a_person_whose_answer_was_lost_is_not_told_that_nothing_was_changed(
    world: World, undecided: tuple[Batch, bool], monkeypatch: pytest.MonkeyPatch, loaded: bool, carried_out: bool
):
    batch, _ = undecided
    real = world.ledger.replace

    def lose(before: Batch, after: Batch) -> Batch:
        monkeypatch.setattr(world.ledger, "replace", real)
        if carried_out:
            real(before, after)
        raise LostRaceError

    monkeypatch.setattr(world.ledger, "replace", lose)
    decided = decide_by_person(world.ledger, "orders", batch.batch, TARGET, loaded=loaded)
    assert decided == world.ledger.get("orders", batch.batch)
    assert decided.progress(TARGET).state is (TargetState.LOADED if loaded else TargetState.WAITING)


def test_a_person_who_loses_every_race_is_told_to_try_again(undecided: tuple[Batch, bool]):
    batch, _ = undecided

    class AlwaysOvertaken(MemoryLedger):
        def get(self, load: str, batch_id: str) -> Batch:
            return batch

        def replace(self, before: Batch, after: Batch) -> Batch:
            raise LostRaceError

    with pytest.raises(ContentionError, match="Try again"):
        decide_by_person(AlwaysOvertaken(), "orders", batch.batch, TARGET, loaded=True)


@pytest.mark.parametrize("by_command", [True, False], ids=["mark-not-loaded", "clear"])
def test_a_person_says_that_the_rows_are_not_there(world: World, undecided: tuple[Batch, bool], by_command: bool):
    batch, _ = undecided
    before = rows(world)
    if by_command:
        decide_by_person(world.ledger, "orders", batch.batch, TARGET, loaded=False)
        (work,) = buffer_objects(CONFIG, world.services, run="dag/run-2", is_active=lambda _: False, max_work=99)
        assert work.batch.batch == batch.batch, "the next run takes it over"
    assert load(world, batch, 3, cleared=not by_command).outcome is Outcome.LOADED
    assert rows(world) == before + 4
    assert stored(world, batch).progress(TARGET).generation == 1


def test_a_persons_word_holds_when_the_answer_of_the_write_that_begins_the_attempt_is_lost(
    world: World, undecided: tuple[Batch, bool]
):
    """The next try finds an attempt that has begun and no question any more; it has to remember who asks."""
    batch, _ = undecided
    before = rows(world)
    services = replace(world.services, ledger=LostAnswers(world.ledger, 1))
    asker = Asker("run-1/load_batch/0/3", "dag/run-1", cleared=True)
    assert load_batch(CONFIG, services, batch.batch, TARGET, asker).outcome is Outcome.LOADED
    assert rows(world) == before + 4
    assert stored(world, batch).progress(TARGET).generation == 1


def test_what_redshift_knows_counts_more_than_what_a_person_says(world: World, undecided: tuple[Batch, bool]):
    batch, _ = undecided
    world.warehouse.sees_transactions = True
    load(world, batch, 3, cleared=True)
    assert rows(world) == 4


def test_a_cleared_try_that_runs_twice_is_one_word_and_not_two(world: World):
    """Its first run ended in the question, so its second cannot be the answer."""
    world.warehouse.sees_transactions = False
    batch = locked(world)
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(ConnectionLostError):
        load(world, batch, 1, cleared=True)
    with pytest.raises(UndecidedError):
        load(world, batch, 2)
    with pytest.raises(UndecidedError):
        load(world, batch, 1, cleared=True)
    assert rows(world) == 4


def test_a_person_who_clears_before_there_was_a_question_has_not_answered_it(world: World):
    world.warehouse.sees_transactions = False
    batch = locked(world)
    lose(world, batch, sql.Commit, after=True)
    with pytest.raises(UndecidedError):
        load(world, batch, 2, cleared=True)
    assert rows(world) == 4


def test_an_error_before_the_question_is_asked_does_not_take_its_place(world: World):
    """Clearing after it would mean "try again", and must not be taken for "the rows are not there"."""
    batch = locked(world)
    lose(world, batch, sql.Commit, after=True)
    real = world.warehouse.connect

    def connect_badly(*_: str) -> None:
        world.warehouse.connect = real  # type: ignore[method-assign]
        raise StatementError("refused", "XX000")

    world.warehouse.connect = connect_badly  # type: ignore[assignment,method-assign]
    with pytest.raises(StatementError):
        load(world, batch, 2)
    waiting = stored(world, batch).progress(TARGET)
    assert (waiting.state, waiting.unanswered is None) == (TargetState.WAITING, False)
    assert load(world, batch, 3).outcome is Outcome.FOUND_LOADED


def test_a_session_that_does_not_end_is_waited_for_and_never_judged_before(world: World):
    batch = locked(world)
    lose(world, batch, sql.Copy, after=True)
    session = stored(world, batch).progress(TARGET).session or 0
    waited: list[float] = []

    def still_there(seconds: float) -> None:
        waited.append(seconds)
        world.warehouse.slow_to_end.add(session)

    services = replace(world.services, sleep=still_there)
    asker = Asker("run-1/load_batch/0/2", "dag/run-1")
    world.warehouse.slow_to_end.add(session)
    with pytest.raises(TransientError, match="has not ended yet"):
        load_batch(CONFIG, services, batch.batch, TARGET, asker)
    assert sum(waited) == pytest.approx(5)
    assert rows(world) == 0
    world.warehouse.slow_to_end.clear()
    assert load(world, batch, 3).outcome is Outcome.LOADED


def test_an_attempt_that_lost_its_place_before_it_could_announce_does_not_commit(world: World):
    """The newer attempt saw no announcement, so it takes for granted that nothing was committed."""
    batch = locked(world)
    world.warehouse.before(sql.LastCopy, lambda: begun_by_another(world, batch))
    with pytest.raises(AttemptLostError):
        load(world, batch, 1)
    assert rows(world) == 0


def begun_by_another(world: World, batch: Batch) -> None:
    now = stored(world, batch)
    world.ledger.replace(now, begin_attempt(now, TARGET, Asker("other", "dag/run-1")))


@pytest.mark.parametrize(
    ("first", "then"), [(CONFIG, WITH_HISTORY), (WITH_HISTORY, CONFIG)], ids=["to table", "to none"]
)
def test_the_setting_may_be_changed_while_a_commit_is_in_doubt(world: World, first: LoadConfig, then: LoadConfig):
    """Each attempt's outcome is looked for where that attempt left it."""
    world.warehouse.create("public.orders")
    batch = locked(world)

    def load_as(config: LoadConfig, number: int) -> Result:
        return load_batch(config, world.services, batch.batch, TARGET, Asker(f"try-{number}", "dag/run-1"))

    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(ConnectionLostError):
        load_as(first, 1)
    assert load_as(then, 2).outcome is Outcome.FOUND_LOADED
    assert rows(world) == 4


def test_replacing_the_table_needs_a_history():
    with pytest.raises(ValueError, match="needs the load history"):
        a_config(targets=[{"table": "public.orders", "mode": "replace", "history": "none"}])
