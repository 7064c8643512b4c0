"""A Redshift that was restored to an earlier moment: what it has lost is loaded again, and nothing else."""

from collections import Counter
from datetime import timedelta

import pytest
from support.fakes.world import World
from support.objects import NOON, TARGET, a_config
from support.plain_runs import put, run

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import OperationRefusedError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetState
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.operate.operations.operation import unheard
from rsloader_provider.loader.operate.operations.reconcile import reconciling
from rsloader_provider.loader.operate.recovery.reconcile import find_unloaded, reconcile
from rsloader_provider.loader.run.load_batch import load_batch

CONFIG = a_config()
OTHER = "redshift_default/public.other"
BOTH = a_config(targets=[{"table": "public.orders"}, {"table": "public.other"}])


def rows(world: World, table: str = "public.orders") -> Counter[str]:
    return Counter(world.warehouse.tables[table])


def restore(world: World, kept: int, table: str = "public.orders") -> None:
    """Redshift is as it was when so many batches of two rows were in a table."""
    del world.warehouse.tables[table][2 * kept :]
    for row in world.warehouse.histories[table][kept:]:
        assert row.query_id is not None
        del world.warehouse.files[row.query_id]
    del world.warehouse.histories[table][kept:]


def ask(world: World, config: LoadConfig = CONFIG) -> list[str]:
    return [each.batch.batch for each in reconcile(config, world.services, NOON, by="a test")]


@pytest.fixture
def loaded(world: World) -> list[Batch]:
    """Three batches, an hour after another."""
    batches = []
    for first in (1, 3, 5):
        put(world, str(first), str(first + 1))
        batches += run(world, CONFIG)
    return batches


def test_what_redshift_has_lost_is_loaded_again_by_the_next_run(world: World, loaded: list[Batch]):
    restore(world, 1)
    plan = reconciling(CONFIG, world.services, NOON).plan(unheard)
    assert (plan.report["count"], plan.report["objects"]) == (2, 4)
    assert any("TWICE" in sentence for sentence in plan.sentences)
    assert not [*world.ledger.unfinished("orders")], "a plan changes nothing"
    assert ask(world) == [each.batch for each in loaded[1:]]
    assert ask(world) == [], "they wait already"
    run(world, CONFIG)
    assert set(rows(world).values()) == {1}
    assert len(rows(world)) == 6
    assert {each.progress(TARGET).generation for each in world.ledger.batches("orders") if each.targets} == {1}
    report = audit_load(CONFIG, world.services, world.inventory)
    assert not report.is_wrong, "\n".join(report.lines())


def test_what_is_there_after_all_is_found_and_not_loaded_twice(world: World, loaded: list[Batch]):
    """Another run has loaded it between the look and the write, or the restore was undone."""
    kept = [*world.warehouse.histories["public.orders"]]
    lost = [*world.warehouse.tables["public.orders"]]
    restore(world, 2)
    assert len(ask(world)) == 1
    world.warehouse.histories["public.orders"][:] = kept
    world.warehouse.tables["public.orders"][:] = lost
    run(world, CONFIG)
    assert set(rows(world).values()) == {1}
    assert world.ledger.get("orders", loaded[2].batch).status is BatchStatus.COMPLETE


def test_an_attempt_that_began_meanwhile_is_left_alone(world: World, loaded: list[Batch]):
    restore(world, 2)
    found = find_unloaded(CONFIG, world.services, NOON)
    assert [each.batch.batch for each in found] == [loaded[2].batch]
    asker = Asker("try", "dag/clear", cleared=True)

    def cleared() -> None:
        load_batch(CONFIG, world.services, loaded[2].batch, TARGET, asker)

    world.warehouse.before(sql.ReadHistory, cleared)
    assert ask(world) == []
    assert set(rows(world).values()) == {1}


def test_only_batches_since_then_are_compared(world: World, loaded: list[Batch]):
    restore(world, 0)
    late = loaded[2].locked_at
    assert late is not None
    found = find_unloaded(CONFIG, world.services, late)
    assert [each.batch.batch for each in found] == [loaded[2].batch]
    assert not find_unloaded(CONFIG, world.services, late + timedelta(seconds=1))


def test_only_the_target_that_was_restored_is_loaded_again(world: World):
    world.warehouse.create("public.other")
    put(world, "1", "2")
    (batch, _) = run(world, BOTH)
    restore(world, 0, "public.other")
    assert ask(world, BOTH) == [batch.batch]
    states = {name: each.state for name, each in world.ledger.get("orders", batch.batch).targets.items()}
    assert states == {TARGET: TargetState.LOADED, OTHER: TargetState.WAITING}
    run(world, BOTH)
    assert (set(rows(world).values()), set(rows(world, "public.other").values())) == ({1}, {1})


def test_what_was_loaded_without_a_history_is_not_loaded_again_because_it_has_one_now(world: World):
    without = a_config(targets=[{"table": "public.orders", "history": "none"}])
    put(world, "1", "2")
    run(world, without)
    assert ask(world) == []


def test_a_history_that_cannot_be_read_refuses(world: World, loaded: list[Batch]):
    world.warehouse.unreachable = True
    with pytest.raises(OperationRefusedError, match="cannot be read"):
        ask(world)
