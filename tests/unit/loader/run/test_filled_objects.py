"""Objects that were empty when they were claimed and are filled before their load, as mounts write them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.fakes.warehouse import Accident
from support.fakes.world import World
from support.objects import NOON, TARGET, a_config

from rsloader_provider.core.audit import ObjectState
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import AttemptLostError, ConnectionLostError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.manifest import Entry
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.discover import Found, look_for_work, new_objects
from rsloader_provider.loader.run.load_batch import Outcome, load_batch

OTHER = "redshift_default/public.other"
BOTH = a_config(targets=[{"table": "public.orders"}, {"table": "public.other"}])
CONFIG = a_config()
NAME = "landing/orders/0.csv"


def locked(world: World, config: LoadConfig = CONFIG) -> Batch:
    """A batch of an empty object and another."""
    world.put("orders/0.csv", content="")
    world.put("orders/1.csv")
    work = buffer_objects(config, world.services, run="dag/run", is_active=lambda _: False, max_work=9)
    return work[0].batch


def load(
    world: World, batch: Batch, number: int = 1, *, config: LoadConfig = CONFIG, target: str = TARGET, **asked: bool
) -> Outcome:
    asker = Asker(f"run/load_batch/0/{number}", "dag/run", **asked)
    return load_batch(config, world.services, batch.batch, target, asker).outcome


def fill(world: World, content: str = "9\n") -> None:
    world.storage.write_at("landing", "orders/0.csv", content.encode(), NOON - timedelta(seconds=5))


def state(world: World, config: LoadConfig = CONFIG) -> ObjectState:
    report = audit_load(config, world.services, world.inventory)
    assert not [each for each in report.findings if each.is_wrong]
    (found,) = (state for state, tally in report.tallies.items() if NAME in [name for name, _ in tally.examples])
    return found


def claimed_bytes(world: World) -> int:
    claim = world.ledger.find_claim("orders", NAME)
    assert claim is not None
    return claim.size_bytes


def rows(world: World, table: str = "public.orders") -> list[str]:
    return world.warehouse.tables[table]


@pytest.fixture
def world() -> World:
    return World()


def test_an_object_that_is_filled_between_claim_and_copy_is_loaded_and_its_claim_is_corrected(world: World):
    """Left out of the manifest, its rows were missing for ever, and an audit found nothing wrong."""
    batch = locked(world)
    fill(world)
    assert load(world, batch) is Outcome.LOADED
    assert rows(world) == ["9", "1"]
    done = world.ledger.get("orders", batch.batch)
    found = world.storage.find("landing", "orders/0.csv")
    claim = world.ledger.find_claim("orders", NAME)
    assert found is not None
    assert claim is not None
    assert (claim.size_bytes, claim.etag, claim.last_modified) == (2, found.etag, found.last_modified)
    assert (done.status, done.files, done.size_bytes, done.filled) == (BatchStatus.COMPLETE, 2, 4, 1)
    assert sorted(world.ledger.entries(done)) == [Entry(NAME, 2), Entry("landing/orders/1.csv", 2)]
    assert state(world) is ObjectState.LOADED
    world.warehouse.unreadable_views = True
    assert state(world) is ObjectState.LOADED


def test_one_that_is_filled_right_before_copy_is_told_by_an_audit(world: World):
    """Its LastModified is before the load, as that of a repaired object is; but no manifest had it."""
    batch = locked(world)
    world.warehouse.before(sql.BackendPid, lambda: fill(world))
    assert load(world, batch) is Outcome.LOADED
    assert rows(world) == ["1"]
    assert state(world) is ObjectState.CHANGED
    world.warehouse.unreadable_views = True
    assert state(world) is ObjectState.CHANGED


def test_a_load_again_has_it_and_ends_clean(world: World):
    batch = locked(world)
    load(world, batch)
    assert state(world) is ObjectState.LOADED
    fill(world)
    assert load(world, batch, 2, cleared=True) is Outcome.LOADED
    assert rows(world) == ["1", "9", "1"]
    assert claimed_bytes(world) == 2
    assert state(world) is ObjectState.LOADED, "although the first generation did not read it"
    assert load(world, batch, 3, cleared=True) is Outcome.LOADED
    assert state(world) is ObjectState.LOADED


def test_an_attempt_that_finds_the_batch_loaded_corrects_nothing(world: World):
    """The one that committed may have seen the object empty."""
    batch = locked(world)
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(ConnectionLostError):
        load(world, batch)
    fill(world)
    assert load(world, batch, 2) is Outcome.FOUND_LOADED
    assert (rows(world), claimed_bytes(world)) == (["1"], 0)
    assert state(world) is ObjectState.CHANGED


def test_an_attempt_that_committed_with_it_and_was_not_heard_is_known_by_its_copy(world: World):
    batch = locked(world)
    fill(world)
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(ConnectionLostError):
        load(world, batch)
    assert load(world, batch, 2) is Outcome.FOUND_LOADED
    assert (rows(world), claimed_bytes(world)) == (["9", "1"], 0)
    assert state(world) is ObjectState.LOADED


def test_of_several_targets_the_last_corrects_the_claim(world: World):
    world.warehouse.create("public.other")
    batch = locked(world, BOTH)
    fill(world)
    load(world, batch, config=BOTH)
    assert claimed_bytes(world) == 0
    load(world, batch, config=BOTH, target=OTHER)
    assert (claimed_bytes(world), rows(world, "public.other")) == (2, ["9", "1"])
    assert state(world, BOTH) is ObjectState.LOADED


@pytest.mark.parametrize("unreadable", [False, True])
def test_a_target_that_was_loaded_without_it_is_told(world: World, unreadable: bool):
    world.warehouse.create("public.other")
    world.warehouse.unreadable_views = unreadable
    batch = locked(world, BOTH)
    load(world, batch, config=BOTH)
    fill(world)
    load(world, batch, config=BOTH, target=OTHER)
    assert (rows(world), rows(world, "public.other")) == (["1"], ["9", "1"])
    assert claimed_bytes(world) == 0
    assert state(world, BOTH) is (ObjectState.CHANGED if unreadable else ObjectState.NOT_IN_HISTORY)


def test_targets_that_saw_it_with_other_content_are_told(world: World):
    world.warehouse.create("public.other")
    world.warehouse.unreadable_views = True
    batch = locked(world, BOTH)
    fill(world)
    load(world, batch, config=BOTH)
    fill(world, "9\n10\n")
    load(world, batch, config=BOTH, target=OTHER)
    assert claimed_bytes(world) == 0
    assert state(world, BOTH) is ObjectState.CHANGED


class Ledger:
    """A ledger where something happens at the first correction of claims."""

    def __init__(self, world: World, happens: Callable[[Callable[[], Batch]], Batch]):
        self._ledger = world.ledger
        self._happens: Callable[[Callable[[], Batch]], Batch] | None = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def fill(self, *given: Any) -> Batch:
        happens, self._happens = self._happens, None
        return happens(lambda: self._ledger.fill(*given)) if happens else self._ledger.fill(*given)


def answer_lost(write: Callable[[], Batch]) -> Batch:
    write()
    raise LostRaceError


def race_lost(write: Callable[[], Batch]) -> Batch:
    raise LostRaceError


@pytest.mark.parametrize("happens", [answer_lost, race_lost])
def test_a_correction_that_lost_its_answer_or_its_race_is_made_once(world: World, happens: Any):
    batch = locked(world)
    fill(world)
    services = replace(world.services, ledger=Ledger(world, happens))
    result = load_batch(CONFIG, services, batch.batch, TARGET, Asker("try-1", "dag/run"))
    assert (result.batch.filled, result.batch.size_bytes, claimed_bytes(world)) == (1, 4, 2)


def test_an_attempt_that_was_overtaken_after_its_commit_corrects_nothing(world: World):
    batch = locked(world)
    fill(world)

    def overtaken(write: Callable[[], Batch]) -> Batch:
        load(world, batch, 2)
        return write()

    services = replace(world.services, ledger=Ledger(world, overtaken))
    with pytest.raises(AttemptLostError):
        load_batch(CONFIG, services, batch.batch, TARGET, Asker("try-1", "dag/run"))
    assert claimed_bytes(world) == 0
    assert rows(world) == ["9", "1"]


def test_an_empty_object_is_not_claimed_before_it_is_as_old_as_a_batch_may_be(world: World):
    """Its writer may be about to fill it."""
    world.storage.write_at("landing", "orders/0.csv", b"", NOON - timedelta(seconds=59))
    assert look_for_work(CONFIG, world.services) is Found.NOTHING
    assert list(new_objects(CONFIG, world.services)) == []
    world.clock.go(seconds=1)
    assert [each.key for each in new_objects(CONFIG, world.services)] == ["orders/0.csv"]


def test_an_object_that_holds_something_is_claimed_at_once(world: World):
    world.storage.write_at("landing", "orders/1.csv", b"1\n", NOON)
    assert [each.key for each in new_objects(CONFIG, world.services)] == ["orders/1.csv"]
