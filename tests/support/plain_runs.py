"""Objects of one row each, and runs of the DAG on the in-memory ports of which each task is tried once."""

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from support.fakes.world import World


def run(world: World, config: LoadConfig) -> list[Batch]:
    """One run, an hour after the last."""
    name = f"dag/run-{len(world.warehouse.log)}"
    world.clock.go(hours=1)
    work = buffer_objects(config, world.services, run=name, is_active=lambda _: False, max_work=99)
    return [load_batch(config, world.services, each.batch.batch, each.target, Asker(name, name)).batch for each in work]


def put(world: World, *names: str) -> None:
    """Objects of one row each, which is their name."""
    for name in names:
        world.put(f"orders/{name}", content=f"{name}\n")
