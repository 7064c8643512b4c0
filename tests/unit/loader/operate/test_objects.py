"""What a person does with single objects, on fakes."""

from dataclasses import replace
from typing import Any

import pytest
from support.fakes.warehouse import Accident
from support.fakes.world import World
from support.objects import TARGET, a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import (
    BadDataError,
    ConfigurationError,
    ConnectionLostError,
    ContentionError,
    CorruptLedgerError,
    OperationRefusedError,
    TransientError,
    UnknownObjectError,
)
from rsloader_provider.core.ledger.batch import REPROCESSED, Batch, BatchStatus
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.operate.batches import plan_reprocess, reprocess_batch
from rsloader_provider.loader.operate.deletions import delete_batches
from rsloader_provider.loader.operate.forget_objects import forget_objects, plan_forget
from rsloader_provider.loader.operate.move_objects import plan_reprocess_objects, reprocess_objects
from rsloader_provider.loader.operate.object_fates import ObjectFate
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch

CONFIG = a_config(batch={"max_files": 3, "max_age": "5m"})
PREFIX = "s3://landing/orders/"


def url(number: object) -> str:
    return f"s3://landing/orders/{number}.csv"


def run(world: World, config: LoadConfig = CONFIG, name: str = "dag/run-1") -> list[Batch]:
    work = buffer_objects(config, world.services, run=name, is_active=lambda _: False, max_work=99)
    loaded = []
    for each in work:
        try:
            loaded.append(load_batch(config, world.services, each.batch.batch, each.target, Asker("t", name)).batch)
        except BadDataError:
            loaded.append(world.ledger.get("orders", each.batch.batch))
    return loaded


def put(world: World, *numbers: int, content: str = "") -> None:
    for number in numbers:
        world.put(f"orders/{number}.csv", content=content or f"{number}\n")


def rows(world: World) -> list[str]:
    return sorted(world.warehouse.tables["public.orders"])


def nothing_is_wrong(world: World, config: LoadConfig = CONFIG) -> dict[str, int]:
    report = audit_load(config, world.services, world.inventory)
    assert not report.is_wrong, "\n".join(report.lines())
    return {str(state): tally.objects for state, tally in report.tallies.items() if tally.objects}


def forget(world: World, **what: Any) -> dict[ObjectFate, int]:
    return counted(forget_objects(CONFIG, world.services, by="alice", **what))


def reprocess(world: World, config: LoadConfig = CONFIG, **what: Any) -> dict[ObjectFate, int]:
    return counted(reprocess_objects(config, world.services, by="alice", **what))


def counted(steps: Any) -> dict[ObjectFate, int]:
    found: dict[ObjectFate, int] = {}
    for each in steps:
        found[each.fate] = found.get(each.fate, 0) + len(each.names)
    return found


def test_a_forgotten_object_is_new_to_the_next_run(world: World):
    put(world, 1, 2, 3)
    run(world)
    plan = plan_forget(CONFIG, world.services, urls=[url(2)])
    assert (plan.objects, plan.size_bytes, plan.examples, plan.batches) == (1, 2, (url(2),), 1)
    assert world.ledger.find_claim("orders", "landing/orders/2.csv") is not None, "a plan changes nothing"
    assert forget(world, urls=[url(2)]) == {ObjectFate.FORGOTTEN: 1}
    assert nothing_is_wrong(world) == {"loaded": 2, "not seen": 1}
    run(world, name="dag/run-2")
    world.clock.go(minutes=6)
    run(world, name="dag/run-3")
    assert rows(world) == ["1", "2", "2", "3"], "its rows are added again"
    assert nothing_is_wrong(world) == {"loaded": 3}


def test_what_is_forgotten_and_no_longer_there_is_gone_for_good(world: World):
    """As before its bucket is emptied, or after a wrong file was put there."""
    put(world, 1, 2)
    run(world)
    world.storage.delete("landing", "orders/1.csv")
    assert forget(world, urls=[url(1)]) == {ObjectFate.FORGOTTEN: 1}
    opened = world.ledger.open_batch("orders", world.clock())
    assert (opened.files, [entry.url for entry in world.ledger.entries(opened)]) == (1, [url(2)])
    assert nothing_is_wrong(world) == {"claimed and waiting": 1}


def test_an_open_batch_that_lost_its_last_object_waits_for_nothing(world: World):
    """Its age would count on, and locking an empty batch is refused for ever."""
    put(world, 1)
    run(world)
    forget(world, prefix=PREFIX)
    opened = world.ledger.open_batch("orders", world.clock())
    assert (opened.files, opened.size_bytes, opened.opened_at) == (0, 0, None)
    world.storage.delete("landing", "orders/1.csv")
    world.clock.go(hours=1)
    assert run(world) == []


def test_an_object_can_be_forgotten_and_claimed_again_by_the_same_open_batch(world: World):
    put(world, 1, 2)
    run(world)
    forget(world, urls=[url(1)])
    run(world, name="dag/run-2")
    assert world.ledger.open_batch("orders", world.clock()).files == 2
    assert nothing_is_wrong(world) == {"claimed and waiting": 2}


def test_a_whole_prefix_is_forgotten_across_batches(world: World):
    put(world, *range(1, 8))
    run(world)
    world.put("orders/sub/9.csv")
    assert plan_forget(CONFIG, world.services, prefix=PREFIX).objects == 7
    assert forget(world, prefix=PREFIX) == {ObjectFate.FORGOTTEN: 7}
    assert nothing_is_wrong(world) == {"not seen": 8}


def test_a_batch_that_lost_objects_is_reprocessed_without_them(world: World):
    put(world, 1, 2, 3)
    (batch,) = run(world)
    forget(world, urls=[url(2)])
    world.storage.delete("landing", "orders/2.csv")
    reprocess_batch(CONFIG, world.services, batch.batch, by="alice")
    run(world, name="dag/run-2")
    assert rows(world) == ["1", "1", "2", "3", "3"]
    assert nothing_is_wrong(world) == {"loaded": 2}


def test_a_failed_batch_that_lost_all_of_its_objects_is_closed_by_reprocessing_it(world: World):
    put(world, 1, 2)
    put(world, 3, content="bad\n")
    (batch,) = run(world)
    assert plan_forget(CONFIG, world.services, urls=[url(1), url(2)]).about_emptied is None
    plan = plan_forget(CONFIG, world.services, prefix=PREFIX)
    assert plan.about_emptied == (
        "left without objects: 1 batches. A run that loads one of them finishes it without touching the table."
    )
    assert forget(world, prefix=PREFIX) == {ObjectFate.FORGOTTEN: 3}
    for number in (1, 2, 3):
        world.storage.delete("landing", f"orders/{number}.csv")
    assert world.ledger.get("orders", batch.batch).status is BatchStatus.ERROR
    assert plan_reprocess(CONFIG, world.services, batch.batch).sentences == (
        f"{TARGET}: the batch has no objects; the next run finishes it without touching the table.",
    )
    reprocess_batch(CONFIG, world.services, batch.batch, by="alice")
    assert [each.status for each in run(world, name="dag/run-2")] == [BatchStatus.COMPLETE]
    assert rows(world) == []
    assert nothing_is_wrong(world) == {}


def test_a_loaded_batch_that_lost_all_of_its_objects_is_right_when_it_is_loaded_again(world: World):
    put(world, 1, 2, 3)
    (batch,) = run(world)
    assert plan_reprocess_objects(CONFIG, world.services, urls=[url(1), url(2), url(3)]).emptied == 1
    assert forget(world, prefix=PREFIX) == {ObjectFate.FORGOTTEN: 3}
    for number in (1, 2, 3):
        world.storage.delete("landing", f"orders/{number}.csv")
    reprocess_batch(CONFIG, world.services, batch.batch, by="alice")
    (again,) = run(world, name="dag/run-2")
    assert (again.status, again.progress(TARGET).generation) == (BatchStatus.COMPLETE, 2)
    assert rows(world) == ["1", "2", "3"]
    assert nothing_is_wrong(world) == {}


def test_objects_stay_in_their_batch_until_the_history_was_looked_at(world: World):
    """The first attempt has committed, and the second ends its session but fails before it can see that."""
    put(world, 1, 2, 3)
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(ConnectionLostError):
        run(world)
    world.warehouse.before(sql.LockHistory, lambda: _fail(TransientError("the lock is somebody else's")))
    with pytest.raises(TransientError):
        run(world, name="dag/run-2")
    with pytest.raises(OperationRefusedError, match="being loaded"):
        forget(world, urls=[url(1)])
    (batch,) = run(world, name="dag/run-3")
    assert (batch.status, batch.progress(TARGET).rows) == (BatchStatus.COMPLETE, 3)
    assert rows(world) == ["1", "2", "3"]


def _fail(error: Exception) -> None:
    raise error


def test_reprocessed_objects_are_loaded_again_in_a_batch_of_their_own(world: World):
    put(world, 1, 2, 3, 4)
    (first,) = run(world)
    plan = plan_reprocess_objects(CONFIG, world.services, urls=[url(2)])
    assert (plan.objects, plan.fates) == (1, {ObjectFate.MOVED: 1})
    assert reprocess(world, urls=[url(2)]) == {ObjectFate.MOVED: 1}
    newest = [*world.ledger.batches("orders")][1]
    assert (newest.status, newest.reason, newest.files) == (BatchStatus.LOCKED, REPROCESSED, 1)
    assert nothing_is_wrong(world) == {"in a batch being loaded": 2, "loaded": 2}
    run(world, name="dag/run-2")
    assert rows(world) == ["1", "2", "2", "3", "4"], "what waited in the open batch was locked first"
    assert nothing_is_wrong(world) == {"loaded": 4}
    assert world.ledger.get("orders", first.batch).taken_out == 1


def test_a_reprocessed_object_is_loaded_as_it_is_now(world: World):
    """Its size goes into the manifest, and an audit compares its ETag."""
    put(world, 1, 2, 3)
    run(world)
    world.clock.go(hours=1)
    world.storage.write_at("landing", "orders/2.csv", b"22\n22\n", world.clock())
    reprocess(world, urls=[url(2)])
    assert run(world, name="dag/run-2")[0].size_bytes == 6
    assert rows(world) == ["1", "2", "22", "22", "3"]
    assert nothing_is_wrong(world) == {"loaded": 3}


def test_an_object_that_was_left_out_is_put_through_later(world: World):
    put(world, 1, 3)
    put(world, 2, content="bad\n")
    (batch,) = run(world)
    reprocess_batch(CONFIG, world.services, batch.batch, without=[url(2)], by="alice")
    run(world, name="dag/run-2")
    put(world, 2)
    assert reprocess(world, urls=[url(2)]) == {ObjectFate.MOVED: 1}
    run(world, name="dag/run-3")
    assert rows(world) == ["1", "2", "3"]
    assert nothing_is_wrong(world) == {"loaded": 3}


def test_a_prefix_is_reprocessed_in_batches_within_the_limits(world: World):
    put(world, *range(1, 8))
    run(world)
    put(world, 8, 9)
    plan = plan_reprocess_objects(CONFIG, world.services, prefix=PREFIX)
    assert (plan.fates, plan.unclaimed) == ({ObjectFate.MOVED: 6, ObjectFate.WAITS: 1}, 2)
    assert reprocess(world, prefix=PREFIX) == {ObjectFate.MOVED: 6, ObjectFate.WAITS: 1}
    assert sorted(each.files for each in run(world, name="dag/run-2")) == [1, 3, 3]
    assert rows(world) == sorted([*"123456", *"123456", "7"])
    world.clock.go(minutes=6)
    run(world, name="dag/run-3")
    assert nothing_is_wrong(world) == {"loaded": 9}


def test_objects_of_a_batch_that_is_being_loaded_are_refused(world: World):
    put(world, *range(1, 7))
    first, second = run(world)
    again = begin_attempt(first, TARGET, Asker("try-9", "dag/run-9", cleared=True))
    world.ledger.replace(first, again)
    for call in (forget, reprocess):
        with pytest.raises(OperationRefusedError, match=f"{url(2)} is in batch {first.batch} of load orders"):
            call(world, urls=[url(5), url(2)])
    assert world.ledger.find_claim("orders", "landing/orders/5.csv").batch == second.batch, "nothing was changed"
    assert forget(world, prefix=PREFIX) == {ObjectFate.BEING_LOADED: 3, ObjectFate.FORGOTTEN: 3}
    assert world.ledger.get("orders", first.batch).files == 3


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ({"urls": [url(9)]}, UnknownObjectError, "has not claimed s3://landing/orders/9.csv. The next run claims it"),
        ({"urls": ["s3://landing/returns/1.csv"]}, UnknownObjectError, "rsloader explain s3://landing/returns/1.csv"),
        ({"prefix": "s3://landing/returns/"}, UnknownObjectError, "it loads from s3://landing/orders/"),
        ({"prefix": "orders/"}, ConfigurationError, "is not an S3 URL"),
        ({"urls": ["s3://landing"]}, ConfigurationError, "is a bucket"),
        ({}, ConfigurationError, "either objects or one prefix"),
        ({"urls": [url(1)], "prefix": PREFIX}, ConfigurationError, "either objects or one prefix"),
    ],
)
def test_what_the_load_has_not_claimed_is_an_error_that_changes_nothing(
    world: World, what: dict[str, Any], error: type, words: str
):
    put(world, 1, 2, 3)
    (batch,) = run(world)
    for call in (
        lambda: plan_forget(CONFIG, world.services, **what),
        lambda: plan_reprocess_objects(CONFIG, world.services, **what),
        lambda: forget(world, **what),
        lambda: reprocess(world, **what),
    ):
        with pytest.raises(error, match=words):
            call()
    assert world.ledger.get("orders", batch.batch) == batch


def test_an_object_that_is_no_longer_in_s3_is_not_reprocessed(world: World):
    put(world, 1, 2, 3)
    run(world)
    world.storage.delete("landing", "orders/2.csv")
    with pytest.raises(UnknownObjectError, match=f"no longer in S3: {url(2)}"):
        reprocess(world, urls=[url(1), url(2)])
    assert reprocess(world, prefix=PREFIX) == {ObjectFate.MOVED: 2}


class Losing:
    """A ledger some of whose calls lose: the first of a kind, before or after it was carried out."""

    def __init__(self, world: World, method: str, *, carried_out: bool):
        self._ledger, self._method, self._carried_out, self._lost = world.ledger, method, carried_out, False

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._ledger, name)
        if name != self._method or self._lost:
            return real

        def lose(*given: Any, **named: Any) -> Any:
            self._lost = True
            if self._carried_out:
                real(*given, **named)
            raise LostRaceError

        return lose


@pytest.mark.parametrize("carried_out", [True, False])
def test_whoever_loses_while_taking_objects_looks_again(world: World, carried_out: bool):
    put(world, *range(1, 7))
    run(world)
    services = replace(world.services, ledger=Losing(world, "forget", carried_out=carried_out))
    assert counted(forget_objects(CONFIG, services, by="alice", urls=[url(1), url(2)])) == {ObjectFate.FORGOTTEN: 2}
    services = replace(world.services, ledger=Losing(world, "move", carried_out=carried_out))
    assert counted(reprocess_objects(CONFIG, services, by="alice", urls=[url(4), url(5)])) == {ObjectFate.MOVED: 2}
    run(world, name="dag/run-2")
    assert nothing_is_wrong(world) == {"loaded": 4, "claimed and waiting": 2}
    assert rows(world) == sorted("12345645")


@pytest.mark.parametrize("carried_out", [True, False])
def test_whoever_loses_while_locking_moves_the_rest_nevertheless(world: World, carried_out: bool):
    put(world, 1, 2, 3, 4)
    run(world)
    services = replace(world.services, ledger=Losing(world, "lock", carried_out=carried_out))
    assert counted(reprocess_objects(CONFIG, services, by="alice", urls=[url(1), url(2)])) == {ObjectFate.MOVED: 2}
    world.clock.go(minutes=6)
    run(world, name="dag/run-2")
    assert rows(world) == sorted("123412")
    assert nothing_is_wrong(world) == {"loaded": 4}


def test_whoever_loses_over_and_over_is_told_to_try_again(world: World):
    """And each time the claims are read again, so that nothing is forgotten that somebody else has moved."""
    put(world, 1, 2, 3)
    (batch,) = run(world)
    looks: list[str] = []

    class Busy:
        def __getattr__(self, name: str) -> Any:
            looks.append(name)
            return getattr(world.ledger, name)

        def forget(self, *_: Any) -> Batch:
            raise LostRaceError

    services = replace(world.services, ledger=Busy())
    with pytest.raises(ContentionError, match=f"batch {batch.batch} of load orders.*20 times.*Try again"):
        counted(forget_objects(CONFIG, services, by="alice", prefix=PREFIX))
    assert looks.count("find_claims") == 19
    assert forget(world, prefix=PREFIX) == {ObjectFate.FORGOTTEN: 3}


def test_objects_of_a_deleted_batch_are_forgotten_and_reprocessed_too(world: World):
    put(world, 1, 2, 3)
    run(world)
    world.clock.go(days=1)
    assert len([*delete_batches("orders", world.services, world.clock(), by="alice", keep=lambda _: None)]) == 1
    assert forget(world, urls=[url(1)]) == {ObjectFate.FORGOTTEN: 1}
    assert reprocess(world, urls=[url(2)]) == {ObjectFate.MOVED: 1}
    run(world, name="dag/run-2")
    world.clock.go(minutes=6)
    run(world, name="dag/run-3")
    assert rows(world) == sorted("12312")
    assert nothing_is_wrong(world) == {"loaded": 3}


def test_a_claim_that_its_batch_does_not_have_is_not_touched(world: World):
    """Somebody edited the tables; guessing would lose an object or load it twice."""
    put(world, 1, 2, 3)
    (batch,) = run(world)
    world.ledger.edit_entries(batch, world.ledger.entries(batch)[:2])
    with pytest.raises(CorruptLedgerError, match="`rsloader audit orders` shows more"):
        forget(world, urls=[url(3)])
    assert world.ledger.find_claim("orders", "landing/orders/3.csv") is not None


def test_whoever_finds_an_object_gone_from_its_batch_looks_again(world: World):
    """Its claim was read, and then somebody else had it loaded by another batch."""
    put(world, 1, 2, 3)
    (batch,) = run(world)

    class Slow:
        moved = False

        def __getattr__(self, name: str) -> Any:
            return getattr(world.ledger, name)

        def get(self, load: str, batch_id: str) -> Batch:
            if batch_id == batch.batch and not self.moved:
                Slow.moved = True
                reprocess(world, urls=[url(2)])
            return world.ledger.get(load, batch_id)

    services = replace(world.services, ledger=Slow())
    assert counted(forget_objects(CONFIG, services, by="alice", prefix=PREFIX)) == {
        ObjectFate.FORGOTTEN: 2,
        ObjectFate.TAKEN: 1,
    }
    assert world.ledger.find_claim("orders", "landing/orders/1.csv") is None
    assert world.ledger.find_claim("orders", "landing/orders/2.csv") is not None


def test_no_call_is_made_for_each_object(world: World):
    """100,000 objects are forgotten in pages: one listing of claims, and a few calls for each batch."""
    config = a_config(batch={"max_files": 90, "max_age": "5m"})
    put(world, *range(180))
    run(world, config)
    calls: list[str] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            calls.append(name)
            return getattr(world.ledger, name)

    services = replace(world.services, ledger=Counting())
    assert counted(reprocess_objects(config, services, by="alice", prefix=PREFIX)) == {ObjectFate.MOVED: 180}
    assert counted(forget_objects(config, services, by="alice", prefix=PREFIX)) == {ObjectFate.FORGOTTEN: 180}
    assert len(calls) < 30
