"""Tables of DynamoDB that were emptied, created again or restored: the histories know better, and nothing is loaded."""

from dataclasses import replace

import pytest
from support.fakes.ledger import MemoryLedger
from support.fakes.world import World
from support.objects import TARGET, a_config, counting_randomness

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import LedgerLostError
from rsloader_provider.core.ledger.batch import BatchStatus, TargetState
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.other_loads import FindOtherLoads
from rsloader_provider.loader.operate.deletions import delete_batches
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch

CONFIG = a_config()


def run(world: World, config: LoadConfig = CONFIG) -> list[str]:
    """One run of the DAG; give the ids of the batches that it has loaded."""
    number = len(world.warehouse.log)
    work = buffer_objects(config, world.services, run=f"dag/run-{number}", is_active=lambda _: False, max_work=99)
    for each in work:
        asker = Asker(f"run-{number}/load_batch/0/1", f"dag/run-{number}")
        load_batch(config, world.services, each.batch.batch, each.target, asker)
    return [each.batch.batch for each in work]


def rows(world: World) -> int:
    return len(world.warehouse.tables["public.orders"])


@pytest.fixture
def loaded(world: World) -> str:
    """A batch of two rows that was loaded."""
    world.put("orders/1.csv", "orders/2.csv")
    (batch,) = run(world)
    world.clock.go(hours=1)
    return batch


def lose_tables(world: World) -> None:
    world.ledger = MemoryLedger(counting_randomness())


def test_before_its_first_claim_a_load_finds_out_that_its_ledger_was_lost(world: World, loaded: str):
    lose_tables(world)
    for _ in range(2):
        with pytest.raises(LedgerLostError, match=f"(?s){loaded}.*emptied.*restored.*rebuild-ledger orders"):
            run(world)
    assert not [*world.ledger.claimed_keys("orders", "")]
    assert rows(world) == 2


def test_claiming_goes_on_while_redshift_sleeps_and_the_transaction_finds_out(world: World, loaded: str):
    """The batch waits: once the ledger is put back, the next run loads it."""
    lose_tables(world)
    world.put("orders/3.csv")
    world.warehouse.unreachable = True
    (work,) = buffer_objects(CONFIG, world.services, run="dag/run-2", is_active=lambda _: False, max_work=99)
    world.warehouse.unreachable = False
    with pytest.raises(LedgerLostError, match=loaded):
        load_batch(CONFIG, world.services, work.batch.batch, TARGET, Asker("try", "dag/run-2"))
    assert rows(world) == 2
    assert world.ledger.get("orders", work.batch.batch).progress(TARGET).state is TargetState.WAITING


def test_the_histories_are_asked_once_and_never_again(world: World):
    world.put("orders/1.csv")
    for _ in range(3):
        buffer_objects(CONFIG, world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
        assert [type(each) for each in world.warehouse.log] == [sql.FindLoaded, FindOtherLoads]
        world.put("orders/2.csv", "orders/3.csv")


def test_nothing_new_asks_nobody(world: World):
    run(world)
    assert not world.warehouse.log


@pytest.mark.parametrize("settings", [{"shadow": True}, {"targets": [{"table": "public.orders", "history": "none"}]}])
def test_who_keeps_no_history_asks_none(world: World, settings: dict[str, object]):
    world.put("orders/1.csv")
    buffer_objects(a_config(**settings), world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    assert not world.warehouse.log


def test_a_ledger_that_was_restored_to_an_earlier_moment_is_found_out(world: World, loaded: str):
    """It knows earlier batches, and not the newest that was loaded."""
    world.put("orders/3.csv", "orders/4.csv")
    (newest,) = run(world)
    world.clock.go(hours=1)
    world.ledger.lose(world.ledger.get("orders", newest))
    world.put("orders/5.csv", "orders/6.csv")
    with pytest.raises(LedgerLostError, match=newest):
        run(world)
    assert rows(world) == 4


def test_a_batch_that_is_open_again_counts_as_unknown(world: World, loaded: str):
    """As it was at the moment of the backup: what it holds now is not what was loaded."""
    world.ledger.edit(replace(world.ledger.get("orders", loaded), status=BatchStatus.OPEN, targets={}))
    world.put("orders/3.csv", "orders/4.csv")
    with pytest.raises(LedgerLostError, match=loaded):
        run(world)
    assert rows(world) == 2


@pytest.mark.parametrize("mode", ["truncate", "replace", "swap"])
def test_no_mode_empties_the_table_before_it_finds_out(world: World, loaded: str, mode: str):
    world.ledger.lose(world.ledger.get("orders", loaded))
    world.put("orders/3.csv", "orders/4.csv")
    with pytest.raises(LedgerLostError, match=loaded):
        run(world, a_config(targets=[{"table": "public.orders", "mode": mode}]))
    assert rows(world) == 2


def test_a_deleted_batch_is_known(world: World, loaded: str):
    assert [*delete_batches("orders", world.services, world.clock(), by="a test", keep=lambda _: None)]
    world.put("orders/3.csv", "orders/4.csv")
    assert len(run(world)) == 1
    assert rows(world) == 4


@pytest.mark.parametrize("attempt", [0, 1])
@pytest.mark.parametrize("has_digest", [True, False])
def test_a_batch_that_filled_up_with_others_after_a_restore_counts_as_unknown(
    world: World, loaded: str, attempt: int, has_digest: bool
):
    """It was open at the moment of the backup. Without a digest, an attempt must have looked into the history first."""
    (row,) = world.warehouse.histories["public.orders"]
    if not has_digest:
        world.warehouse.histories["public.orders"][:] = [replace(row, names_digest=None)]
    batch = world.ledger.get("orders", loaded)
    waiting = replace(batch.progress(TARGET), state=TargetState.WAITING, attempt=attempt, rows=None, query_id=None)
    world.ledger.edit(replace(batch, status=BatchStatus.LOCKED, run="dag/lost", targets={TARGET: waiting}))
    world.ledger.edit_entries(batch, [Entry("landing/orders/1.csv", 2), Entry("landing/orders/0.csv", 2)])
    world.put("orders/3.csv", "orders/4.csv")
    given = buffer_objects(CONFIG, world.services, run="dag/run-2", is_active=lambda _: False, max_work=99)
    work = next(each for each in given if each.batch.batch != loaded)
    asker = Asker("try", "dag/run-2")
    if has_digest or attempt == 0:
        with pytest.raises(LedgerLostError, match=loaded):
            load_batch(CONFIG, world.services, work.batch.batch, TARGET, asker)
        assert rows(world) == 2


@pytest.mark.parametrize(("generation", "is_known"), [(1, False), (2, True)])
def test_a_batch_that_ended_without_objects_tells_nothing_of_what_was_loaded_under_its_name(
    world: World, loaded: str, generation: int, is_known: bool
):
    """It was open at the moment of the backup, and lost its objects since. One that is asked for again was loaded."""
    batch = world.ledger.get("orders", loaded)
    ended = replace(batch.progress(TARGET), generation=generation, rows=0, query_id=None)
    world.ledger.edit(replace(batch, files=0, size_bytes=0, targets={TARGET: ended}))
    world.ledger.edit_entries(batch, [])
    world.put("orders/3.csv", "orders/4.csv")
    if is_known:
        assert len(run(world)) == 1
    else:
        with pytest.raises(LedgerLostError, match=loaded):
            run(world)
    assert rows(world) == (4 if is_known else 2)


def test_a_batch_whose_commit_nobody_heard_of_is_known_by_its_objects(world: World, loaded: str):
    batch = world.ledger.get("orders", loaded)
    waiting = replace(batch.progress(TARGET), state=TargetState.WAITING, rows=None, query_id=None)
    world.ledger.edit(replace(batch, status=BatchStatus.LOCKED, run="dag/lost", targets={TARGET: waiting}))
    world.put("orders/3.csv", "orders/4.csv")
    assert len(run(world)) == 2
    assert rows(world) == 4
