"""A lost ledger is put back from the histories and the manifests, whatever stops, and nothing is loaded twice."""

import copy
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from support.fakes.ledger import MemoryLedger
from support.fakes.world import World
from support.objects import TARGET, a_config, counting_randomness
from support.plain_runs import put, run

from rsloader_provider.core.audit import ObjectState
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import CorruptLedgerError, LedgerLostError, OperationRefusedError, RsloaderError
from rsloader_provider.core.ledger.batch import REBUILT, Batch, BatchStatus, TargetState
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.audit.repair import repair_batches
from rsloader_provider.loader.operate.backfill import Part, mark_existing
from rsloader_provider.loader.operate.batches import reprocess_batch
from rsloader_provider.loader.operate.deletions import delete_batches
from rsloader_provider.loader.operate.forget_objects import forget_objects
from rsloader_provider.loader.operate.move_objects import reprocess_objects
from rsloader_provider.loader.operate.operations.operation import unheard
from rsloader_provider.loader.operate.operations.rebuild import rebuilding
from rsloader_provider.loader.operate.recovery.rebuild import plan_rebuild, rebuild_ledger
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch

CONFIG = a_config()
OTHER = "redshift_default/public.other"
BOTH = a_config(targets=[{"table": "public.orders"}, {"table": "public.other"}])
WRITES = ("take_back", "put_back", "drop", "forget")


def run_each(world: World) -> None:
    """One run of the DAG, of which some tasks may refuse to load."""
    name = f"dag/run-{len(world.warehouse.log)}"
    world.clock.go(hours=1)
    for each in buffer_objects(CONFIG, world.services, run=name, is_active=lambda _: False, max_work=99):
        with suppress(CorruptLedgerError):
            load_batch(CONFIG, world.services, each.batch.batch, each.target, Asker(name, name))


def rebuild(world: World, config: LoadConfig = CONFIG) -> None:
    rebuild_ledger(config, world.services, by="a test")


def rows(world: World, table: str = "public.orders") -> Counter[str]:
    return Counter(world.warehouse.tables[table])


def nothing_is_wrong(world: World, config: LoadConfig = CONFIG) -> dict[str, int]:
    report = audit_load(config, world.services, world.inventory)
    assert not report.is_wrong, "\n".join(report.lines())
    return {str(state): tally.objects for state, tally in report.tallies.items() if tally.objects}


def lose_tables(world: World) -> None:
    world.clock.go(hours=1)
    world.ledger = MemoryLedger(counting_randomness())


def backup(world: World) -> MemoryLedger:
    """The tables as they are now, to be restored later."""
    kept = MemoryLedger(counting_randomness())
    for name in ("_claims", "_batches", "_current", "_left_alone", "_segments", "_deleted"):
        setattr(kept, name, copy.deepcopy(getattr(world.ledger, name)))
    return kept


@pytest.fixture
def loaded(world: World) -> list[Batch]:
    """Two batches of two objects each; one more object waits."""
    put(world, "1", "2", "3", "4", "5")
    return run(world, CONFIG)


def test_what_was_lost_is_put_back_and_a_run_loads_only_what_is_new(world: World, loaded: list[Batch]):
    lose_tables(world)
    with pytest.raises(LedgerLostError):
        run(world, CONFIG)
    plan = plan_rebuild(CONFIG, world.services)
    assert ([each.batch for each in plan.lost.batches], plan.objects) == ([each.batch for each in loaded], 4)
    assert (plan.new, plan.examples) == (1, ("s3://landing/orders/5",))
    assert not next(world.ledger.batches("orders")).files, "a plan changes nothing"
    rebuild(world)
    for before in loaded:
        after = world.ledger.get("orders", before.batch)
        assert (after.status, after.reason, after.files) == (BatchStatus.COMPLETE, REBUILT, 2)
        assert after.progress(TARGET).rows == 2
    assert nothing_is_wrong(world) == {"loaded": 4, "not seen": 1}
    put(world, "6")
    (batch,) = run(world, CONFIG)
    assert [entry.name for entry in world.ledger.entries(batch)] == ["landing/orders/5", "landing/orders/6"]
    assert set(rows(world).values()) == {1}
    assert nothing_is_wrong(world) == {"loaded": 6}


def test_a_second_call_finds_nothing_to_do(world: World, loaded: list[Batch]):
    lose_tables(world)
    rebuild(world)
    before = backup(world)
    assert "nothing to do" in rebuilding(CONFIG, world.services).plan(unheard).sentences[0]
    rebuild(world)
    assert vars(before)["_batches"] == vars(world.ledger)["_batches"]
    assert vars(before)["_claims"] == vars(world.ledger)["_claims"]


def claim_meanwhile(world: World) -> None:
    """Redshift sleeps, so nobody notices, and all objects are claimed once more."""
    lose_tables(world)
    world.warehouse.unreachable = True
    buffer_objects(CONFIG, world.services, run="dag/meanwhile", is_active=lambda _: False, max_work=99)
    world.warehouse.unreachable = False


def test_claims_made_meanwhile_are_undone(world: World, loaded: list[Batch]):
    """Among them a batch of what was loaded and what was not, in an order of its own."""
    put(world, "0", "00")
    claim_meanwhile(world)
    assert plan_rebuild(CONFIG, world.services).claimed_elsewhere == 4
    rebuild(world)
    run(world, CONFIG)
    world.clock.go(hours=1)
    run(world, CONFIG)
    assert set(rows(world).values()) == {1}
    assert set(rows(world)) == {"0", "00", "1", "2", "3", "4", "5"}
    assert nothing_is_wrong(world) == {"loaded": 7}


class Stopping:
    """A ledger that is not heard of any more right after its n-th write, or right before it."""

    def __init__(self, ledger: MemoryLedger, writes: int, *, before: bool):
        self._ledger = ledger
        self.writes = writes
        self._before = before

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)
        if name not in WRITES:
            return method

        def write(*arguments: Any, **options: Any) -> Any:
            self.writes -= 1
            if self.writes == 0 and self._before:
                raise KeyboardInterrupt
            answer = method(*arguments, **options)
            if self.writes == 0:
                raise KeyboardInterrupt
            return answer

        return write


def restored_open(world: World) -> None:
    """The moment of the backup is one at which a batch was open that was loaded later, with one more object."""
    put(world, "6", "7")
    kept = backup(world)
    assert kept.open_batch("orders", world.clock()).files == 1
    run(world, CONFIG)
    world.ledger = kept


def refilled(world: World) -> None:
    """A run goes on from the backup: the batch that was open fills up with another object than it has loaded."""
    restored_open(world)
    put(world, "51")
    for _ in range(2):
        with suppress(CorruptLedgerError):
            run(world, CONFIG)


@pytest.mark.parametrize("lose", [claim_meanwhile, restored_open, refilled], ids=["emptied", "restored", "refilled"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_rebuilding_that_stops_anywhere_loads_nothing_twice_and_goes_on(before: bool, lose: Any):
    """After each write a run comes in between: it refuses, or it loads what is new."""
    for writes in range(1, 99):
        world = World()
        world.storage.now = world.clock
        put(world, "1", "2", "3", "4", "5")
        run(world, CONFIG)
        lose(world)
        stopping = Stopping(world.ledger, writes, before=before)
        services = replace(world.services, ledger=stopping)
        with suppress(KeyboardInterrupt):
            rebuild_ledger(CONFIG, services, by="a test")
        put(world, "new")
        with suppress(LedgerLostError):
            run_each(world)
        assert set(rows(world).values()) == {1}, writes
        rebuild(world)
        for _ in range(2):
            run(world, CONFIG)
        assert set(rows(world).values()) == {1}, writes
        assert "new" in rows(world)
        # An attempt at the refilled batch has written its manifest over that of the load.
        mendable = audit_load(CONFIG, world.services, world.inventory).mendable
        assert len([*repair_batches(CONFIG, world.services, mendable)]) == (lose is refilled)
        nothing_is_wrong(world)
        if stopping.writes > 0:
            return
    raise AssertionError("it never came to its end")


def test_an_open_batch_that_was_loaded_gives_way(world: World, loaded: list[Batch]):
    """Otherwise it would fill up with other objects than those that it has loaded."""
    restored_open(world)
    put(world, "51")
    opened = world.ledger.open_batch("orders", world.clock())
    rebuild(world)
    assert world.ledger.get("orders", opened.batch).status is BatchStatus.COMPLETE
    assert world.ledger.open_batch("orders", world.clock()).batch > opened.batch
    run(world, CONFIG)
    assert rows(world) == Counter(["1", "2", "3", "4", "5", "51", "6", "7"])
    nothing_is_wrong(world)


def test_without_a_manifest_a_person_has_to_say_first_what_was_loaded(world: World, loaded: list[Batch]):
    manifest = world.storage.find("loader", f"manifests/{loaded[0].manifest_name}")
    assert manifest is not None
    world.storage.delete("loader", manifest.key)
    world.warehouse.files.clear()  # as a week later
    lose_tables(world)
    with pytest.raises(OperationRefusedError, match=f"(?s){loaded[0].batch}.*3 objects.*backfill orders --mark-only"):
        rebuild(world)
    assert rebuilding(CONFIG, world.services).plan(unheard).question is None
    mark_existing(CONFIG, world.services, Part(until=world.clock()), by="a test")
    rebuild(world)
    put(world, "6", "7")
    run(world, CONFIG)
    assert set(rows(world).values()) == {1}
    assert nothing_is_wrong(world) == {"loaded": 4, "marked as loaded": 3}


def test_what_may_have_been_loaded_and_was_claimed_meanwhile_is_in_doubt_too(world: World, loaded: list[Batch]):
    """It is not unclaimed, but the next run would load it."""
    world.storage.delete("loader", f"manifests/{loaded[0].manifest_name}")
    world.warehouse.files.clear()
    claim_meanwhile(world)
    with pytest.raises(OperationRefusedError, match=r"3 of them wait in batches .*rsloader forget orders"):
        rebuild(world)
    assert [*forget_objects(CONFIG, world.services, by="a test", prefix="s3://landing/orders/")]
    mark_existing(CONFIG, world.services, Part(until=world.clock()), by="a test")
    rebuild(world)
    run(world, CONFIG)
    assert set(rows(world).values()) == {1}
    nothing_is_wrong(world)


def test_what_a_manifest_of_another_load_lists_does_not_count(world: World, loaded: list[Batch]):
    """As many objects, but not those of the digest."""
    manifest = f"manifests/{loaded[0].manifest_name}"
    text = world.storage.read("loader", manifest)
    assert text is not None
    world.storage.write("loader", manifest, text.replace(b"orders/1", b"orders/9"))
    world.warehouse.files.clear()
    lose_tables(world)
    assert [each.batch for each in plan_rebuild(CONFIG, world.services).lost.untold] == [loaded[0].batch]


def test_empty_objects_are_in_no_manifest_and_the_rest_counts(world: World):
    put(world, "1")
    world.put("orders/2", content="")
    world.clock.go(hours=1)
    (batch,) = run(world, CONFIG)
    assert batch.files == 2
    lose_tables(world)
    rebuild(world)
    assert world.ledger.get("orders", batch.batch).files == 1
    assert nothing_is_wrong(world) == {"loaded": 1, "not seen": 1}


def test_what_was_loaded_again_elsewhere_belongs_to_the_newest_batch(world: World, loaded: list[Batch]):
    assert [*reprocess_objects(CONFIG, world.services, by="a test", urls=["s3://landing/orders/1"])]
    run(world, CONFIG)
    before = {claim.name: claim.batch for claim in world.ledger.claims("orders", "")}
    lose_tables(world)
    rebuild(world)
    after = {claim.name: claim.batch for claim in world.ledger.claims("orders", "")}
    assert after == {name: batch for name, batch in before.items() if name in after}
    assert "landing/orders/1" in after
    nothing_is_wrong(world)


def test_what_a_batch_has_loaded_again_that_is_not_lost_stays_its_own(world: World, loaded: list[Batch]):
    assert [*reprocess_objects(CONFIG, world.services, by="a test", urls=["s3://landing/orders/1"])]
    run(world, CONFIG)
    before = {claim.name: claim.batch for claim in world.ledger.claims("orders", "")}
    world.ledger.lose(world.ledger.get("orders", loaded[0].batch))
    rebuild(world)
    assert {claim.name: claim.batch for claim in world.ledger.claims("orders", "")} == before
    nothing_is_wrong(world)


def test_what_a_person_left_out_after_a_load_stays_left_out(world: World, loaded: list[Batch]):
    reprocess_batch(CONFIG, world.services, loaded[0].batch, by="a test", without=["s3://landing/orders/2"])
    run(world, CONFIG)
    lose_tables(world)
    rebuild(world)
    claim = world.ledger.find_claim("orders", "landing/orders/2")
    assert claim is not None
    assert claim.left_out_at is not None
    assert nothing_is_wrong(world)[ObjectState.LEFT_OUT] == 1
    assert rows(world)["2"] == 1


def test_a_target_that_lacks_a_batch_waits_for_it_and_a_new_target_does_not(world: World, loaded: list[Batch]):
    """The second target was added after the first two batches, and has failed on the fourth."""
    world.warehouse.create("public.other")
    put(world, "6")
    (third,) = {each.batch for each in run(world, BOTH)}
    put(world, "7", "8")
    (work, _) = buffer_objects(BOTH, world.services, run="dag/run", is_active=lambda _: False, max_work=99)
    load_batch(BOTH, world.services, work.batch.batch, TARGET, Asker("try", "dag/run"))
    lose_tables(world)
    told = rebuilding(BOTH, world.services).plan(unheard).sentences
    assert any("lacks 1 of the batches" in sentence for sentence in told)
    rebuild(world, BOTH)
    states = {
        each.batch: {name: progress.state for name, progress in each.targets.items()}
        for each in world.ledger.batches("orders")
        if each.targets
    }
    loaded_there = {TARGET: TargetState.LOADED}
    assert states == {
        **{each.batch: loaded_there for each in loaded},
        third: {**loaded_there, OTHER: TargetState.LOADED},
        work.batch.batch: {**loaded_there, OTHER: TargetState.WAITING},
    }
    run(world, BOTH)
    assert set(rows(world).values()) == {1}
    assert rows(world, "public.other") == Counter(["5", "6", "7", "8"])


def test_what_was_deleted_on_purpose_is_not_put_back(world: World, loaded: list[Batch]):
    world.clock.go(days=1)
    assert [*delete_batches("orders", world.services, world.clock(), by="a test", keep=lambda _: None)]
    assert not plan_rebuild(CONFIG, world.services).lost.batches


def test_a_target_without_a_history_counts_as_loaded_and_alone_is_refused(world: World):
    world.warehouse.create("public.other", history=False)
    config = a_config(targets=[{"table": "public.orders"}, {"table": "public.other", "history": "none"}])
    put(world, "1", "2")
    (batch, _) = run(world, config)
    lose_tables(world)
    rebuild(world, config)
    assert world.ledger.get("orders", batch.batch).progress(OTHER).state is TargetState.LOADED
    alone = a_config(targets=[{"table": "public.other", "history": "none"}])
    with pytest.raises(OperationRefusedError, match="no target with a load history"):
        rebuild(world, alone)


def test_a_history_that_cannot_be_read_refuses(world: World, loaded: list[Batch]):
    lose_tables(world)
    world.warehouse.unreachable = True
    with pytest.raises(OperationRefusedError, match="cannot be read"):
        rebuild(world)


def test_a_batch_that_is_being_loaded_is_not_touched(world: World, loaded: list[Batch]):
    claim_meanwhile(world)
    (batch, *_) = world.ledger.unfinished("orders")

    def rebuilds() -> None:
        with pytest.raises(OperationRefusedError, match="being loaded"):
            rebuild(world)

    world.warehouse.before(sql.LockHistory, rebuilds)
    with pytest.raises(RsloaderError):
        load_batch(CONFIG, world.services, batch, TARGET, Asker("try", "dag/run"))
    rebuild(world)
    run(world, CONFIG)
    assert set(rows(world).values()) == {1}
