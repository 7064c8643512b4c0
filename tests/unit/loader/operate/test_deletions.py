"""Old batches are deleted and put back, on fakes; no object is ever loaded again for it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from support.fakes.world import World
from support.objects import TARGET, a_config

from rsloader_provider.core.errors import ConfigurationError, DeletedBatchError, UnknownBatchError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.claims import DeletedBatch
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.operate.deletions import (
    Restoration,
    delete_batches,
    plan_deletion,
    read_deleted,
    restore_batches,
)
from rsloader_provider.loader.operate.forget_objects import forget_objects
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch

CONFIG = a_config()


def run(world: World, name: str = "dag/run-1") -> list[Batch]:
    work = buffer_objects(CONFIG, world.services, run=name, is_active=lambda _: False, max_work=99)
    return [load_batch(CONFIG, world.services, each.batch.batch, each.target, Asker("t", name)).batch for each in work]


def delete(world: World, before: datetime | None = None) -> tuple[list[str], list[str]]:
    """Delete; give the batches' ids and what was kept of them."""
    kept: list[str] = []
    moment = before or world.clock()
    return [each.batch for each in delete_batches("orders", world.services, moment, by="alice", keep=kept.append)], kept


def nothing_is_wrong(world: World) -> dict[str, int]:
    report = audit_load(CONFIG, world.services, world.inventory)
    assert not report.is_wrong, "\n".join(report.lines())
    return {str(state): tally.objects for state, tally in report.tallies.items() if tally.objects}


@pytest.fixture
def old(world: World) -> list[Batch]:
    """Two complete batches a day old, and a complete one of now; an object waits."""
    world.put("orders/1.csv", "orders/2.csv", "orders/3.csv", "orders/4.csv")
    batches = run(world)
    world.clock.go(days=1)
    world.put("orders/5.csv", "orders/6.csv", "orders/7.csv")
    run(world, "dag/run-2")
    return batches


def test_old_complete_batches_are_deleted_and_their_objects_are_never_loaded_again(world: World, old: list[Batch]):
    assert {each.batch for each in plan_deletion("orders", world.services, world.clock())} == {
        each.batch for each in old
    }
    assert len([*world.ledger.batches("orders")]) == 4, "a plan changes nothing"
    deleted, _ = delete(world)
    assert sorted(deleted) == sorted(each.batch for each in old)
    assert {each.batch for each in world.ledger.batches("orders")}.isdisjoint(deleted)
    assert run(world, "dag/run-3") == []
    assert nothing_is_wrong(world) == {"loaded": 6, "claimed and waiting": 1}
    with pytest.raises(DeletedBatchError):
        load_batch(CONFIG, world.services, deleted[0], TARGET, Asker("t", "dag/run-1", cleared=True))


def test_an_object_whose_batch_was_deleted_may_go_and_come_back(world: World, old: list[Batch]):
    """A bucket that is restored from a backup must not be loaded again."""
    delete(world)
    world.storage.delete("landing", "orders/1.csv")
    assert nothing_is_wrong(world) == {"loaded": 5, "deleted since its load": 1, "claimed and waiting": 1}
    world.put("orders/1.csv")
    assert run(world, "dag/run-3") == []


def test_what_was_printed_is_put_back_as_it_was(world: World, old: list[Batch]):
    _, kept = delete(world)
    done = [*restore_batches(world.services, read_deleted(kept), by="alice")]
    assert [(each.outcome, each.files) for each in done] == [(Restoration.RESTORED, 2)] * 2
    for batch in old:
        back = world.ledger.get("orders", batch.batch)
        assert back == replace(batch, version=batch.version + 1)
        assert len(world.ledger.entries(back)) == 2
    assert nothing_is_wrong(world) == {"loaded": 6, "claimed and waiting": 1}
    again = [*restore_batches(world.services, read_deleted(kept), by="alice")]
    assert {each.outcome for each in again} == {Restoration.NOT_DELETED}


def test_a_batch_comes_back_without_what_was_forgotten_meanwhile(world: World, old: list[Batch]):
    _, kept = delete(world)
    assert [*forget_objects(CONFIG, world.services, by="alice", urls=["s3://landing/orders/1.csv"])]
    done = [*restore_batches(world.services, read_deleted(kept), by="alice")]
    assert sorted(each.files for each in done) == [1, 2]
    assert nothing_is_wrong(world) == {"not seen": 1, "loaded": 5, "claimed and waiting": 1}


def test_putting_back_that_loses_looks_again(world: World, old: list[Batch]):
    _, kept = delete(world)
    lost: list[str] = []

    class Losing:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.ledger, name)

        def restore(self, deleted: DeletedBatch) -> Batch:
            if deleted.batch.batch not in lost:
                lost.append(deleted.batch.batch)
                raise LostRaceError
            return world.ledger.restore(deleted)

    done = [*restore_batches(replace(world.services, ledger=Losing()), read_deleted(kept), by="alice")]
    assert [each.outcome for each in done] == [Restoration.RESTORED] * 2
    assert len(lost) == 2


def test_batches_that_are_not_complete_or_not_old_are_never_deleted(world: World, old: list[Batch]):
    world.ledger.edit(replace(old[0], status=BatchStatus.ERROR))
    assert [each.batch for each in plan_deletion("orders", world.services, world.clock())] == [old[1].batch]
    assert [*plan_deletion("orders", world.services, old[0].locked_at or world.clock())] == []


def test_nothing_is_deleted_that_could_not_be_kept(world: World, old: list[Batch]):
    """A disk that is full must not cost what it was to hold."""

    def fail(_: str) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        [*delete_batches("orders", world.services, world.clock(), by="alice", keep=fail)]
    assert len([*world.ledger.batches("orders")]) == 4


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_deletion_that_loses_looks_whether_it_was_carried_out(world: World, old: list[Batch], carried_out: bool):
    class Losing:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.ledger, name)

        def delete(self, *given: Any) -> None:
            if carried_out:
                world.ledger.delete(*given)
            raise LostRaceError

    services = replace(world.services, ledger=Losing())
    found = [*delete_batches("orders", services, world.clock(), by="alice", keep=lambda _: None)]
    assert len(found) == (2 if carried_out else 0)


@pytest.mark.parametrize(
    ("old_text", "new_text"),
    [
        ('"status":"complete"', '"status":"open"'),
        ('"files":2', '"files":3'),
        ('"batch":"01', '"batch":"#current'),
        ('{"batch"', '{"bach"'),
        ("{", "["),
    ],
)
def test_a_file_that_is_something_else_changes_nothing(world: World, old: list[Batch], old_text: str, new_text: str):
    _, kept = delete(world)
    with pytest.raises(ConfigurationError, match="Line 2 is not what `rsloader delete-batches` prints"):
        read_deleted([kept[0], kept[1].replace(old_text, new_text, 1)])
    assert nothing_is_wrong(world) == {"loaded": 6, "claimed and waiting": 1}


def test_an_unknown_load_is_an_error(world: World):
    with pytest.raises(UnknownBatchError):
        plan_deletion("nowhere", world.services, world.clock())
