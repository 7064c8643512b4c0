"""Workers whose clocks are an hour off, ahead and behind: nothing is lost, nothing waits for the clock, order holds."""

from itertools import cycle, islice

import pytest
from support.fakes.world import World
from support.objects import NOON, TARGET, Clock, a_config

from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, load_batch
from rsloader_provider.loader.run.take_over import Work
from rsloader_provider.loader.services import Services

CONFIG = a_config(batch={"max_files": 3, "max_age": "1m"})
AHEAD, BEHIND, RIGHT = 60, -60, 0


def worker(world: World, minutes: int) -> Services:
    """A worker with a clock of its own; everything outside is shared."""
    clock = Clock(NOON)
    clock.go(minutes=minutes)
    return Services(world.ledger, world.storage, world.warehouse, world.notifier, clock)


def buffered(services: Services, run: str = "dag/run") -> list[Work]:
    return buffer_objects(CONFIG, services, run=run, is_active=lambda _: False, max_work=99)


@pytest.mark.parametrize("clocks", [(AHEAD, BEHIND), (BEHIND, AHEAD), (AHEAD, RIGHT, BEHIND)])
def test_batches_of_workers_that_disagree_about_the_time_sort_as_they_were_opened(clocks: tuple[int, ...]):
    """An older batch that sorts after a newer one would overwrite it where order matters."""
    world = World()
    workers = [worker(world, minutes) for minutes in clocks]
    opened = []
    for number, each in enumerate(islice(cycle(workers), 12)):
        world.put(f"orders/{number:02}.csv", content=f"{number}\n")
        for work in buffered(each):
            result = load_batch(CONFIG, each, work.batch.batch, work.target, Asker(f"try-{number}", "dag/run"))
            assert result.outcome is Outcome.LOADED
        opened.append(world.ledger.open_batch("orders", each.now()).batch)
    assert opened == sorted(opened)
    for work in buffered(worker(world, RIGHT + 120)):
        load_batch(CONFIG, world.services, work.batch.batch, TARGET, Asker("try-last", "dag/run"))
    assert sorted(world.warehouse.tables["public.orders"], key=int) == [str(number) for number in range(12)]
    open_batch, *others = world.ledger.batches("orders")
    assert open_batch.files == 0
    assert {each.status for each in others} == {BatchStatus.COMPLETE}


def test_a_batch_opened_by_a_clock_that_is_ahead_does_not_wait_until_the_others_are_there():
    """Its age would be negative for an hour."""
    world = World()
    world.put("orders/1.csv")
    assert buffered(worker(world, AHEAD)) == []
    (work,) = buffered(worker(world, RIGHT))
    assert (work.batch.reason, work.batch.files) == ("max_age", 1)
