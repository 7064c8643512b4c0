"""Objects that are marked as loaded are claimed once, whoever else is at work, and no run ever loads them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.fakes.ledger import MemoryLedger
from support.fakes.world import World
from support.objects import NOON, TARGET, a_config, an_object, counting_randomness

from rsloader_provider.core.config.sources import S3Url
from rsloader_provider.core.errors import TransientError, UnknownBatchError
from rsloader_provider.core.ledger.batch import IMPORTED, MARKED, Batch
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.transitions import Asker, settle
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.load_files.folder import read_load_folder
from rsloader_provider.loader.look.explain import explain_object
from rsloader_provider.loader.look.reports import batch_with_files, file_reports
from rsloader_provider.loader.operate.mark import MARKING_BATCH_OBJECTS, Marked, mark_as_loaded
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.discover import new_objects
from rsloader_provider.loader.run.load_batch import load_batch

CONFIG = a_config()


def mark(world: World, objects: list[S3Object], progress: Callable[[int], None] = lambda _: None) -> Marked:
    return mark_as_loaded("orders", world.services, objects, reason=MARKED, run="me", progress=progress)


def listed(world: World, prefix: str = "orders/") -> list[S3Object]:
    return [*world.storage.objects("landing", prefix)]


def counts_agree(world: World) -> list[tuple[int, int]]:
    """Files of each batch, as it counts them and as its segments hold them."""
    return [(each.files, len(world.ledger.entries(each))) for each in world.ledger.batches("orders")]


def test_what_is_marked_is_not_new_and_what_comes_later_is(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    done = mark(world, listed(world))
    assert (done.marked, done.passed_over) == (2, 0)
    world.put("orders/3.csv")
    assert [each.key for each in new_objects(CONFIG, world.services)] == ["orders/3.csv"]
    assert buffer_objects(CONFIG, world.services, run="r", is_active=lambda _: False, max_work=9) == []


def test_marking_again_passes_over_what_is_claimed(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    mark(world, listed(world))
    world.put("orders/3.csv")
    done = mark(world, listed(world))
    assert (done.marked, done.passed_over, len(done.batches)) == (1, 2, 1)
    assert mark(world, listed(world)) == Marked(0, 3, ())
    assert sorted(counts_agree(world)) == [(1, 1), (2, 2)]


def test_a_marking_that_is_stopped_anywhere_is_finished_by_the_next(world: World):
    objects = [an_object(f"orders/{number:03}") for number in range(300)]

    def stop(after: int) -> Callable[[int], None]:
        told: list[int] = []

        def progress(count: int) -> None:
            told.append(count)
            if len(told) == after:
                raise KeyboardInterrupt

        return progress

    for after in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            mark(world, objects, stop(after))
        assert all(counted == held for counted, held in counts_agree(world))
    assert mark(world, objects).marked == 300 - 2 * 98
    assert sum(counted for counted, _ in counts_agree(world)) == 300


def test_a_marking_fills_one_batch_after_another(world: World):
    objects = [an_object(f"orders/{number:05}") for number in range(MARKING_BATCH_OBJECTS + 10)]
    assert len(mark(world, objects).batches) == 2
    assert sorted(counts_agree(world)) == [(10, 10), (MARKING_BATCH_OBJECTS, MARKING_BATCH_OBJECTS)]


class OvertakenLedger(MemoryLedger):
    """Somebody else acts just before each marking, as often as there is something to do."""

    overtaking: Iterator[Callable[["OvertakenLedger"], object]] = iter(())

    def mark(self, load: str, objects: Any, **settings: Any) -> Batch:
        next(self.overtaking, lambda _: None)(self)
        return super().mark(load, objects, **settings)


def test_a_run_that_claims_first_keeps_its_object():
    world = World(ledger=OvertakenLedger(counting_randomness()))
    objects = [an_object(f"orders/{number}") for number in range(3)]

    def claim(ledger: OvertakenLedger) -> None:
        ledger.claim(ledger.open_batch("orders", NOON), objects[1:2], CONFIG.batch, NOON)

    world.ledger.overtaking = iter([claim])
    done = mark(world, objects)
    assert (done.marked, done.passed_over) == (2, 1)
    assert world.ledger.find_claim("orders", objects[1].name).batch == world.ledger.current("orders")


def test_a_batch_that_is_deleted_while_it_is_filled_is_left_alone():
    world = World(ledger=OvertakenLedger(counting_randomness()))

    def delete(ledger: OvertakenLedger) -> None:
        for batch in ledger.batches("orders"):
            ledger.lose(batch)

    world.ledger.overtaking = iter([lambda _: None, delete])
    done = mark(world, [an_object(f"orders/{number:03}") for number in range(150)])
    assert (done.marked, len(done.batches)) == (150, 2)
    assert counts_agree(world) == [(52, 52)]


def test_an_outage_ends_the_marking_and_keeps_what_was_marked():
    class Failing(OvertakenLedger):
        def mark(self, load: str, objects: Any, *, now: datetime, **settings: Any) -> Batch:
            if len(self.segments_of_all()) == 1:
                raise TransientError("no answer")
            return super().mark(load, objects, now=now, **settings)

        def segments_of_all(self) -> list[Any]:
            return [*self.stored_segments("orders")]

    world = World(ledger=Failing(counting_randomness()))
    with pytest.raises(TransientError):
        mark(world, [an_object(f"orders/{number:03}") for number in range(150)])
    assert counts_agree(world) == [(98, 98)]


def test_an_audit_shows_marked_objects_as_such(world: World):
    world.put("orders/1.csv", "orders/2.csv", "orders/3.csv", "orders/4.csv")
    mark(world, listed(world))
    world.storage.delete("landing", "orders/2.csv")
    world.put("orders/3.csv", content="another\n")
    report = audit_load(CONFIG, world.services, world.inventory)
    counts = {state: number for state, number in report.counts.items() if number}
    assert counts == {"marked as loaded": 2, "deleted since its load": 1, "changed since its load": 1}
    assert report.findings == []


def test_an_audit_compares_the_counts_of_marked_batches(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    mark(world, listed(world))
    (batch,) = world.ledger.batches("orders")
    world.ledger.edit_entries(batch, world.ledger.entries(batch)[:1])
    report = audit_load(CONFIG, world.services, world.inventory)
    assert "it counts 2 objects, but its segments hold 1" in "\n".join(report.lines())


def test_a_marked_object_is_explained_and_found_as_such(world: World, tmp_path: Path):
    world.put("orders/1.csv")
    mark(world, listed(world))
    settings = {
        "load": "orders", "source": "s3://landing/orders/", "schedule": "@hourly", "copy": {"format": "csv"},
        "manifests": "s3://loader/manifests/", "targets": [{"table": "public.orders"}],
    }  # fmt: skip
    (tmp_path / "orders.yaml").write_text(yaml.safe_dump(settings))
    told = explain_object(S3Url("landing", "orders/1.csv"), read_load_folder(tmp_path), lambda _: world.services)
    assert told.loads[0].sentences[-1] == (
        "That batch only marks its 1 objects as loaded: marked by me. Nothing of it was loaded, and nothing will be."
    )
    (found,) = file_reports(world.ledger, "orders", None)
    assert found["is_marked"]
    assert batch_with_files(world.ledger, "orders", found["batch"])["is_marked"]


def test_a_marked_batch_cannot_be_loaded(world: World):
    world.put("orders/1.csv")
    (batch_id,) = mark(world, listed(world)).batches
    with pytest.raises(UnknownBatchError, match="only marked as loaded"):
        load_batch(CONFIG, world.services, batch_id, TARGET, Asker("try-1", "run-1", cleared=True))


def test_a_complete_batch_that_lost_its_targets_is_no_marked_one():
    """Somebody edited it: only the two reasons make a batch without targets right."""
    batch = Batch("orders", "01ARZ3NDEKTSV4RRFFQ69G5FAV", settle(Batch("orders", "x")).status, reason=IMPORTED)
    assert not batch.is_marked
