"""A renamed load goes on where its old name has stopped, whatever stops meanwhile, and loads nothing twice."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.fakes.ledger import MemoryLedger
from support.fakes.warehouse import Accident
from support.fakes.world import World
from support.objects import TARGET, a_config
from support.plain_runs import put, run

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import (
    ConnectionLostError,
    OperationRefusedError,
    RenamedLoadError,
    RsloaderError,
    TransientError,
)
from rsloader_provider.core.ledger.batch import RENAMED, Batch, BatchStatus, TargetState
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.other_loads import GiveRows
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.operate.backfill import Part, mark_existing
from rsloader_provider.loader.operate.batches import reprocess_batch
from rsloader_provider.loader.operate.deletions import delete_batches
from rsloader_provider.loader.operate.operations.operation import unheard
from rsloader_provider.loader.operate.operations.rename import accepting, renaming
from rsloader_provider.loader.operate.recovery.rename import plan_rename, rename_load
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.run.buffer import Buffering, buffer_objects
from rsloader_provider.loader.run.discover import new_objects
from rsloader_provider.loader.run.load_batch import load_batch

OLD = a_config()
NEW = a_config(load="sales")
BOTH = [{"table": "public.orders"}, {"table": "public.other"}]
WRITES = (
    "begin_renaming", "lock", "retire", "take_claims", "hand_over", "hand_over_deletions", "drop_claims",
    "end_renaming", "forget",
)  # fmt: skip


def rename(world: World, config: LoadConfig = NEW, old: str = "orders") -> None:
    rename_load(config, world.services, old, {config.load}, by="a test")


def rows(world: World) -> Counter[str]:
    return Counter(world.warehouse.tables["public.orders"])


def nothing_is_wrong(world: World) -> dict[str, int]:
    report = audit_load(NEW, world.services, world.inventory)
    assert not report.is_wrong, "\n".join(report.lines())
    return {str(state): tally.objects for state, tally in report.tallies.items() if tally.objects}


def nothing_is_left(world: World, load: str = "orders") -> bool:
    """But for an empty batch, which any look for work opens."""
    ledger = world.ledger
    batches = [each for each in ledger.batches(load) if each.files or each.status is not BatchStatus.OPEN]
    return not (batches or [*ledger.claims(load, "")] or ledger.stored_segments(load))


def failing(world: World) -> None:
    """A batch that could not be loaded yet, because Redshift slept, waits under the old name."""
    world.warehouse.unreachable = True
    world.clock.go(hours=1)
    for each in buffer_objects(OLD, world.services, run="dag/slept", is_active=lambda _: False, max_work=99):
        with suppress(RsloaderError):
            load_batch(OLD, world.services, each.batch.batch, each.target, Asker("slept", "dag/slept"))
    world.warehouse.unreachable = False


def claimed_since(world: World) -> None:
    """The new load has claimed everything while Redshift slept, and was refused when it woke up."""
    world.warehouse.unreachable = True
    world.clock.go(hours=1)
    buffer_objects(NEW, world.services, run="dag/new", is_active=lambda _: False, max_work=99)
    world.warehouse.unreachable = False
    with pytest.raises(RenamedLoadError):
        run(world, NEW)


@pytest.fixture
def loaded(world: World) -> list[Batch]:
    """Two batches of two objects each; one more object is claimed in the open batch, and one is new."""
    put(world, "1", "2", "3", "4", "5")
    found = run(world, OLD)
    put(world, "6")
    return found


def test_the_new_name_goes_on_where_the_old_one_has_stopped(world: World, loaded: list[Batch]):
    with pytest.raises(RenamedLoadError):
        run(world, NEW)
    operation = renaming(NEW, world.services, "orders", {"sales"})
    plan = operation.plan(unheard)
    assert plan.question is not None
    assert (plan.report["batches"], plan.report["objects"], plan.objects) == (3, 5, 5)
    assert plan.report["histories"] == ["public.orders"]
    assert len([*world.ledger.batches("orders")]) == 3, "a plan changes nothing"
    heard: list[int] = []
    before = {each.name: each for each in world.ledger.claims("orders", "")}
    operation.carry_out("a test", lambda objects, _: heard.append(objects))
    assert sum(heard) == 5
    assert nothing_is_left(world)
    after = {each.name: each for each in world.ledger.claims("sales", "")}
    assert after == {name: replace(each, load="sales") for name, each in before.items()}
    for each in loaded:
        assert world.ledger.get("sales", each.batch) == replace(each, load="sales")
    run(world, NEW)
    world.clock.go(hours=1)
    run(world, NEW)
    assert rows(world) == Counter(["1", "2", "3", "4", "5", "6"])
    assert nothing_is_wrong(world) == {"loaded": 6}
    assert operation.plan(unheard).question is None
    assert "nothing to do" in operation.plan(unheard).sentences[0]


def test_what_was_open_is_locked_and_waits_for_the_new_name(world: World, loaded: list[Batch]):
    rename(world)
    (waiting,) = (each for each in world.ledger.batches("sales") if each.reason == RENAMED)
    assert (waiting.files, waiting.status, [*waiting.targets]) == (1, BatchStatus.LOCKED, [TARGET])
    assert waiting.batch in {each.batch for each in run(world, NEW)}


def test_a_batch_of_the_old_name_that_waits_is_loaded_by_the_new_one(world: World, loaded: list[Batch]):
    failing(world)
    rename(world)
    run(world, NEW)
    assert rows(world) == Counter(["1", "2", "3", "4", "5", "6"])
    nothing_is_wrong(world)


def test_what_the_new_name_has_claimed_meanwhile_leaves_its_batches(world: World, loaded: list[Batch]):
    """Among them a batch of what was loaded and what was not."""
    put(world, "0", "00", "000")
    claimed_since(world)
    plan = plan_rename(NEW, world.services, "orders", {"sales"})
    assert plan.claimed_since == 5
    rename(world)
    for _ in range(2):
        run(world, NEW)
    assert set(rows(world).values()) == {1}
    assert set(rows(world)) == {"0", "00", "000", "1", "2", "3", "4", "5", "6"}
    nothing_is_wrong(world)


class Stopping:
    """A ledger that is not heard of any more right after its n-th write, or right before it.

    With LostRaceError, only the answer to that write is lost, and botocore has sent it again.
    """

    def __init__(
        self, ledger: MemoryLedger, writes: int, *, before: bool, error: type[BaseException] = KeyboardInterrupt
    ):
        self._ledger = ledger
        self.writes = writes
        self._before = before
        self._error = error

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)
        if name not in WRITES:
            return method

        def write(*arguments: Any, **options: Any) -> Any:
            self.writes -= 1
            if self.writes == 0 and self._before:
                raise self._error
            answer = method(*arguments, **options)
            if self.writes == 0:
                raise self._error
            return answer

        return write


@pytest.mark.parametrize("meanwhile", [failing, claimed_since])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("has_sources", [True, False], ids=["sources", "before-sources"])
def test_a_renaming_that_stops_anywhere_loads_nothing_twice_and_goes_on(
    before: bool, meanwhile: Any, has_sources: bool
):
    """After each write runs of both loads come in between, and tasks of both that were at work before."""
    for writes in range(1, 99):
        world = World()
        put(world, "1", "2", "3", "4", "5", "6", "7")
        run(world, OLD)
        world.clock.go(days=9)
        assert [*delete_batches("orders", world.services, world.clock(), by="a test", keep=lambda _: None)]
        put(world, "8", "9", "91", "92", "93")
        run(world, OLD)
        meanwhile(world)
        if not has_sources:
            history = world.warehouse.histories["public.orders"]
            history[:] = [replace(row, source=None) for row in history]
        stopping = Stopping(world.ledger, writes, before=before)
        services = replace(world.services, ledger=stopping)
        with suppress(KeyboardInterrupt):
            rename_load(NEW, services, "orders", {"sales"}, by="a test")
        put(world, "new")
        for config in (NEW, OLD) if stopping.writes <= 0 else (NEW,):
            if not has_sources and "orders" in {row.key.load for row in world.warehouse.histories["public.orders"]}:
                continue  # it has hardly begun, and as before nothing tells
            with suppress(RsloaderError):
                run(world, config)
            for each in [*world.ledger.batches(config.load)]:
                if each.unfinished_targets:
                    with suppress(RsloaderError):
                        load_batch(config, world.services, each.batch, TARGET, Asker("late", "dag/late"))
        assert set(rows(world).values()) == {1}, writes
        rename(world)
        for _ in range(3):
            run(world, NEW)
        assert set(rows(world).values()) == {1}, writes
        assert len(rows(world)) == 13
        assert nothing_is_left(world)
        nothing_is_wrong(world)
        if stopping.writes > 0:
            return
    raise AssertionError("it never came to its end")


def test_a_write_whose_answer_is_lost_is_known_by_what_was_written():
    for writes in range(1, 99):
        world = World()
        put(world, "1", "2", "3", "4", "5")
        run(world, OLD)
        claimed_since(world)
        losing = Stopping(world.ledger, writes, before=False, error=LostRaceError)
        rename_load(NEW, replace(world.services, ledger=losing), "orders", {"sales"}, by="a test")
        assert nothing_is_left(world)
        run(world, NEW)
        assert rows(world) == Counter(["1", "2", "3", "4", "5"])
        nothing_is_wrong(world)
        if losing.writes > 0:
            return
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("at", [each for each in WRITES if each not in {"begin_renaming", "lock", "forget"}])
def test_of_two_calls_at_once_the_slower_one_writes_nothing_any_more(world: World, loaded: list[Batch], at: str):
    class Overtaken:
        """A ledger before one of whose writes another call comes to the end."""

        def __getattr__(self, name: str) -> Any:
            if name == at and world.ledger.renaming("orders"):
                rename(world)
                put(world, "7", "8")
                with suppress(RenamedLoadError):
                    run(world, NEW)
            return getattr(world.ledger, name)

    with suppress(OperationRefusedError):
        rename_load(NEW, replace(world.services, ledger=Overtaken()), "orders", {"sales"}, by="a test")
    assert world.ledger.renaming("sales") is None
    for _ in range(2):
        run(world, NEW)
    assert rows(world) == Counter(["1", "2", "3", "4", "5", "6", "7", "8"])
    assert nothing_is_left(world)
    nothing_is_wrong(world)


@pytest.mark.parametrize("statement", [sql.Begin, sql.LockHistory, GiveRows, sql.Commit])
@pytest.mark.parametrize("after", [False, True])
def test_a_connection_lost_while_a_history_changes_hands_loads_nothing_twice(
    world: World, loaded: list[Batch], statement: type, after: bool
):
    claimed_since(world)
    world.warehouse.accidents.append(Accident(statement, after=after))
    with pytest.raises(ConnectionLostError, match=r"load history of public\.orders"):
        rename(world)
    for config in (OLD, NEW):
        with pytest.raises(RenamedLoadError):
            run(world, config)
    rename(world)
    for _ in range(2):
        run(world, NEW)
    assert rows(world) == Counter(["1", "2", "3", "4", "5", "6"])
    nothing_is_wrong(world)


def test_neither_load_claims_or_locks_anything_meanwhile(world: World, loaded: list[Batch]):
    stopping = Stopping(world.ledger, 1, before=False)
    with suppress(KeyboardInterrupt):
        rename_load(NEW, replace(world.services, ledger=stopping), "orders", {"sales"}, by="me")
    for config in (OLD, NEW):
        with pytest.raises(RenamedLoadError, match=r"asked for by me.*rename-load orders sales"):
            run(world, config)
    for config, old in ((a_config(load="third"), "orders"), (OLD, "sales")):
        with pytest.raises(OperationRefusedError, match="rename-load orders sales"):
            rename_load(config, world.services, old, {config.load}, by="me")


def test_a_load_that_still_has_its_file_is_not_renamed(world: World, loaded: list[Batch]):
    with pytest.raises(OperationRefusedError, match="still has a load file"):
        rename_load(NEW, world.services, "orders", {"orders", "sales"}, by="a test")
    with pytest.raises(OperationRefusedError, match="still has a load file"):
        rename_load(OLD, world.services, "orders", set(), by="a test")


def test_a_batch_that_is_being_loaded_is_not_handed_over(world: World, loaded: list[Batch]):
    failing(world)
    (batch,) = world.ledger.unfinished("orders")

    def renames() -> None:
        with pytest.raises(OperationRefusedError, match="is being loaded"):
            rename(world)

    world.warehouse.before(sql.LockHistory, renames)
    load_batch(OLD, world.services, batch, TARGET, Asker("try", "dag/run"))
    rename(world)
    run(world, NEW)
    assert set(rows(world).values()) == {1}


def test_an_attempt_that_was_lost_in_between_is_ended_by_clearing_its_task(world: World, loaded: list[Batch]):
    """The worker died after the renaming had begun; under the old name nothing is loaded any more."""
    failing(world)
    (batch,) = world.ledger.unfinished("orders")

    def dies() -> None:
        world.warehouse.accidents.append(Accident(sql.Begin, after=True))
        with pytest.raises(ConnectionLostError):
            load_batch(OLD, world.services, batch, TARGET, Asker("try", "dag/run"))

    world.warehouse.before(sql.Begin, dies)
    with pytest.raises(OperationRefusedError, match=r"clear the task load_batch"):
        rename(world)
    with pytest.raises(RenamedLoadError):
        load_batch(OLD, world.services, batch, TARGET, Asker("try-2", "dag/run", cleared=True))
    rename(world)
    run(world, NEW)
    assert rows(world) == Counter(["1", "2", "3", "4", "5", "6"])
    nothing_is_wrong(world)


def test_an_attempt_that_commits_in_between_is_found_under_the_new_name(world: World, loaded: list[Batch]):
    """It began after the look at the batches, and before the history changed hands."""
    failing(world)
    (batch,) = world.ledger.unfinished("orders")
    world.warehouse.before(sql.Begin, lambda: load_batch(OLD, world.services, batch, TARGET, Asker("try", "dag/run")))
    rename(world)
    assert world.ledger.get("sales", batch).progress(TARGET).state is TargetState.LOADED
    assert {row.key.load for row in world.warehouse.histories["public.orders"]} == {"sales"}
    run(world, NEW)
    assert set(rows(world).values()) == {1}
    nothing_is_wrong(world)


def test_what_both_have_loaded_is_refused(world: World, loaded: list[Batch]):
    accepting(NEW, world.services, "orders").carry_out("me", unheard)
    run(world, NEW)
    with pytest.raises(OperationRefusedError, match=r"of load sales has loaded.*s3://landing/orders/"):
        rename(world)
    assert world.ledger.renaming("orders") is None


def test_left_out_deleted_and_marked_objects_go_over_too(world: World, loaded: list[Batch]):
    reprocess_batch(OLD, world.services, loaded[0].batch, by="a test", without=["s3://landing/orders/2"])
    run(world, OLD)
    put(world, "old")
    mark_existing(OLD, world.services, Part(until=world.clock() + timedelta(days=1)), by="a test")
    world.clock.go(days=9)
    before = world.ledger.stored_deletions("orders")
    assert [*delete_batches("orders", world.services, world.clock(), by="a test", keep=lambda _: None)]
    after = world.ledger.stored_deletions("orders")
    assert after != before
    told = audit_load(OLD, world.services, world.inventory).tallies
    rename(world)
    assert world.ledger.stored_deletions("sales") == after
    claim = world.ledger.find_claim("sales", "landing/orders/2")
    assert claim is not None
    assert claim.left_out_at is not None
    now = audit_load(NEW, world.services, world.inventory).tallies
    assert {state: each.objects for state, each in now.items()} == {s: each.objects for s, each in told.items()}
    loaded_before = rows(world)
    run(world, NEW)
    assert rows(world) == loaded_before + Counter([name for name in ("5", "6") if not loaded_before[name]])


def test_what_is_left_alone_and_accepted_goes_over_too(world: World, loaded: list[Batch]):
    world.ledger.leave_alone("orders", world.ledger.left_alone("orders"), {"s3://landing/orders/x/": None})
    rename(world)
    assert world.ledger.left_alone("sales") == {"s3://landing/orders/x/": None}


def test_a_lost_ledger_of_the_old_name_is_put_back_first(world: World, loaded: list[Batch]):
    world.ledger = MemoryLedger()
    with pytest.raises(OperationRefusedError, match="rebuild-ledger orders"):
        rename(world)


def test_a_history_that_cannot_be_read_or_has_no_column_refuses_before_anything_is_begun(
    world: World, loaded: list[Batch]
):
    world.warehouse.without_sources.add("public.orders")
    with pytest.raises(OperationRefusedError, match="rsloader setup"):
        rename(world)
    world.warehouse.without_sources.clear()
    world.warehouse.unreachable = True
    with pytest.raises(OperationRefusedError, match="cannot be read"):
        rename(world)
    assert world.ledger.renaming("orders") is None


def test_a_load_is_renamed_back(world: World, loaded: list[Batch]):
    rename(world)
    rename(world, OLD, "sales")
    run(world, OLD)
    world.clock.go(hours=1)
    run(world, OLD)
    assert rows(world) == Counter(["1", "2", "3", "4", "5", "6"])
    assert nothing_is_left(world, "sales")


def test_the_old_name_does_not_begin_anew_with_the_same_source(world: World, loaded: list[Batch]):
    """A machine that has the old load file still."""
    history = world.warehouse.histories["public.orders"]
    history[:] = [replace(row, source=None) for row in history]
    rename(world)
    with pytest.raises(RenamedLoadError, match="rename-load sales orders"):
        run(world, OLD)
    assert rows(world) == Counter(["1", "2", "3", "4"])


def test_a_task_of_the_old_name_that_wakes_up_after_the_end_asks_the_histories_before_it_claims(
    world: World, loaded: list[Batch]
):
    """A target without history would take its rows a second time."""
    targets = [BOTH[0], {"table": "public.other", "history": "none"}]
    late = Buffering(a_config(targets=targets), world.services, "dag/late")

    def found() -> Iterator[S3Object]:
        objects = [*new_objects(late.config, world.services)]
        rename(world)
        yield from objects

    with pytest.raises(RenamedLoadError, match="rename-load sales orders"):
        late.claim_all(found())
    assert nothing_is_left(world)


def commit_that_nobody_heard_of(world: World) -> str:
    """A batch of two rows is in the table, and the attempt after the one that loaded it could not reach Redshift."""
    put(world, "1", "2")
    world.clock.go(hours=1)
    (work,) = buffer_objects(OLD, world.services, run="dag/run", is_active=lambda _: False, max_work=99)
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(ConnectionLostError):
        load_batch(OLD, world.services, work.batch.batch, TARGET, Asker("try-1", "dag/run"))
    world.warehouse.unreachable = True
    with pytest.raises(TransientError):
        load_batch(OLD, world.services, work.batch.batch, TARGET, Asker("try-2", "dag/run"))
    world.warehouse.unreachable = False
    return work.batch.batch


@pytest.mark.parametrize(
    "targets", [[{"table": "public.other"}], [{"table": "public.orders", "history": "none"}]], ids=["removed", "none"]
)
def test_a_commit_nobody_heard_of_is_found_in_a_history_that_the_new_name_does_not_keep(
    world: World, targets: list[dict[str, str]]
):
    world.warehouse.create("public.other")
    batch = commit_that_nobody_heard_of(world)
    new = a_config(load="sales", targets=targets)
    rename(world, new)
    run(world, new)
    assert world.ledger.get("sales", batch).progress(TARGET).state is TargetState.LOADED
    assert rows(world) == Counter(["1", "2"])


def test_a_target_that_comes_back_after_the_renaming_gets_its_rows_by_the_same_command(world: World):
    """Its history still has them under the old name, of which DynamoDB knows nothing any more."""
    world.warehouse.create("public.other")
    put(world, "1", "2")
    run(world, a_config(targets=BOTH))
    rename(world)
    put(world, "3", "4")
    new = a_config(load="sales", targets=BOTH)
    with pytest.raises(RenamedLoadError, match="rename-load orders sales"):
        run(world, new)
    assert plan_rename(new, world.services, "orders", {"sales"}).histories == ("public.other",)
    rename(world, new)
    run(world, new)
    assert Counter(world.warehouse.tables["public.other"]) == Counter(["1", "2", "3", "4"])
    assert plan_rename(new, world.services, "orders", {"sales"}).is_nothing


def test_a_commit_of_the_old_name_after_the_end_is_handed_over_by_the_same_command(world: World):
    """The history was empty, so that nothing in it refused the attempt, which had been overtaken."""
    put(world, "1", "2")
    world.clock.go(hours=1)
    (work,) = buffer_objects(OLD, world.services, run="dag/run", is_active=lambda _: False, max_work=99)

    def overtaken() -> None:
        world.warehouse.unreachable = True
        with pytest.raises(TransientError):
            load_batch(OLD, world.services, work.batch.batch, TARGET, Asker("try-2", "dag/run"))
        world.warehouse.unreachable = False
        rename(world)

    world.warehouse.before(sql.Begin, overtaken)
    with suppress(RsloaderError):
        load_batch(OLD, world.services, work.batch.batch, TARGET, Asker("try-1", "dag/run"))
    with pytest.raises(RenamedLoadError, match="rename-load orders sales"):
        run(world, NEW)
    rename(world)
    run(world, NEW)
    assert rows(world) == Counter(["1", "2"])
    nothing_is_wrong(world)
