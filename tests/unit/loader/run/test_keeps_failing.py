"""A batch that every run tries and none loads is told once, counts as wrong, and its end is told once."""

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from support.fakes.lost_answers import LostAnswers
from support.fakes.warehouse import Accident
from support.fakes.world import FAILED_TOPIC, OK_TOPIC, World
from support.objects import TARGET, a_config

from rsloader_provider.core.audit import ObjectState
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import AttemptLostError, RsloaderError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, Notification, TargetProgress
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.audit.repair import repair_batches
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.loader.services import Services

CONFIG = a_config(notify={"success": OK_TOPIC, "failure": FAILED_TOPIC}, failed_manifests="s3://loader/failed/")


@pytest.fixture
def world() -> World:
    """A load whose table is missing."""
    made = World()
    del made.warehouse.tables["public.orders"]
    made.put("orders/1.csv", "orders/2.csv")
    return made


def run(world: World, name: str, config: LoadConfig = CONFIG, services: Services | None = None) -> Batch:
    """A run of the load; gives the batch as it is then."""
    services = services or world.services
    for each in buffer_objects(config, services, run=name, is_active=lambda _: False, max_work=9):
        with suppress(RsloaderError):
            load_batch(config, services, each.batch.batch, each.target, Asker(name, name))
    return next(each for each in world.ledger.batches("orders") if each.status is not BatchStatus.OPEN)


def runs_for(world: World, minutes: int, config: LoadConfig = CONFIG) -> Batch:
    """A run every ten minutes, and one at the end."""
    batch = run(world, "dag/0", config)
    for minute in range(10, minutes + 10, 10):
        world.clock.go(minutes=10)
        batch = run(world, f"dag/{minute}", config)
    return batch


def failures(world: World) -> list[dict[str, Any]]:
    return [dict(message) for _, message in world.notifier.messages[FAILED_TOPIC]]


def progress(batch: Batch) -> TargetProgress:
    return batch.progress(TARGET)


def test_it_is_told_once_after_an_hour_and_its_end_is_told_once(world: World):
    batch = runs_for(world, 50)
    assert (batch.status, failures(world)) == (BatchStatus.LOCKED, [])
    world.clock.go(minutes=10)
    batch = run(world, "dag/60")
    assert (batch.notification, progress(batch).is_failing) == (Notification.SENT, True)
    batch = runs_for(world, 60)
    (told,) = failures(world)
    assert (told["status"], told["target"], told["batchId"]) == ("error", TARGET, batch.batch)
    assert "public.orders" in told["errorText"]
    assert told["failingSince"] == "2026-01-02T12:00:00+00:00"
    assert "failedManifest" not in told
    assert "errorsFile" not in told, "nothing waits for a person"
    world.warehouse.tables["public.orders"] = []
    for name in ("dag/repaired", "dag/later"):
        batch = run(world, name)
    _, recovered = failures(world)
    assert (recovered["status"], recovered["recovered"], recovered["target"]) == ("ok", True, TARGET)
    assert [message["status"] for _, message in world.notifier.messages[OK_TOPIC]] == ["ok"]
    assert (batch.status, batch.notification) == (BatchStatus.COMPLETE, Notification.SENT)
    assert (progress(batch).failing_since, progress(batch).is_failing) == (None, False)


def test_it_costs_no_write_but_the_one_that_says_it_was_told(world: World):
    """What is known of it rides on what each attempt writes anyway: to be its run's, to begin, its session, its end."""
    versions = [run(world, "dag/0").version]
    for minute in range(10, 100, 10):
        world.clock.go(minutes=10)
        versions.append(run(world, f"dag/{minute}").version)
    assert [after - before for before, after in pairwise(versions)] == [4, 4, 4, 4, 4, 5, 4, 4, 4]


def test_what_recovers_before_is_told_to_nobody(world: World):
    runs_for(world, 50)
    world.warehouse.tables["public.orders"] = []
    world.clock.go(hours=5)
    batch = run(world, "dag/repaired")
    assert (batch.status, failures(world)) == (BatchStatus.COMPLETE, [])


def test_the_time_is_a_setting_and_without_a_topic_nothing_is_sent(world: World):
    config = a_config(failing_after="10m")
    batch = runs_for(world, 10, config)
    assert (progress(batch).is_failing, batch.notification) == (True, None)
    world.warehouse.tables["public.orders"] = []
    assert run(world, "dag/repaired", config).notification is None


def test_the_audit_counts_it_as_wrong_until_it_is_loaded(world: World):
    """Also where no run has come since: a person asks now."""
    run(world, "dag/0")
    assert not audit_load(CONFIG, world.services, world.inventory).is_wrong
    world.clock.go(hours=2)
    report = audit_load(CONFIG, world.services, world.inventory)
    assert report.is_wrong
    assert report.tallies[ObjectState.FAILING].objects == 2
    (finding,) = (each for each in report.findings if each.is_wrong)
    assert "every attempt since 2026-01-02 12:00 UTC has failed" in finding.text
    assert "public.orders" in finding.text
    assert "rsloader batch orders" in report.tallies[ObjectState.FAILING].remedies[0]
    world.warehouse.tables["public.orders"] = []
    run(world, "dag/1")
    assert not audit_load(CONFIG, world.services, world.inventory).is_wrong


def test_of_two_workers_that_race_to_tell_only_one_tells(world: World):
    """The newer attempt holds the target. The older one, whose hour is over too, writes nothing and tells nothing."""
    batch = runs_for(world, 50)
    world.clock.go(minutes=10)

    def overtake() -> None:
        with pytest.raises(RsloaderError, match="does not exist"):
            load_batch(CONFIG, world.services, batch.batch, TARGET, Asker("dag/b", "dag/b"))
        assert len(failures(world)) == 1

    world.warehouse.before(sql.LockHistory, overtake)
    with pytest.raises(AttemptLostError):
        load_batch(CONFIG, world.services, batch.batch, TARGET, Asker("dag/a", "dag/a"))
    assert len(failures(world)) == 1
    assert progress(world.ledger.get("orders", batch.batch)).is_failing


@pytest.mark.parametrize("lost", range(1, 5))
def test_an_answer_that_is_lost_has_it_told_at_most_once(world: World, lost: int):
    """Whichever write of the attempt that tells: it is told by the attempt that wrote it, if that knows it."""
    runs_for(world, 50)
    world.clock.go(minutes=10)
    run(world, "dag/lost", services=replace(world.services, ledger=LostAnswers(world.ledger, lost)))
    world.clock.go(minutes=10)
    batch = run(world, "dag/next")
    assert len(failures(world)) == 1
    assert progress(batch).is_failing


def test_attempts_that_never_end_are_told_too(world: World):
    """Of a connection that breaks, nobody knows how it ended; the next attempt finds out, and tells."""
    world.warehouse.tables["public.orders"] = []
    for minute in range(0, 90, 10):
        world.warehouse.accidents.append(Accident(sql.Copy, after=False))
        run(world, f"dag/{minute}")
        world.clock.go(minutes=10)
    (told,) = failures(world)
    assert "its attempts do not end" in told["errorText"]
    assert told["failingSince"] == "2026-01-02T12:10:00+00:00", "when the second attempt found the first one"
    batch = run(world, "dag/whole")
    assert batch.status is BatchStatus.COMPLETE
    assert [each.get("recovered") for each in failures(world)] == [None, True]


def test_a_repair_of_the_audit_tells_the_end_too(world: World):
    """The attempt that loaded it lost the answer to its COMMIT, and a person is faster than the next run."""
    runs_for(world, 60)
    world.warehouse.tables["public.orders"] = []
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    run(world, "dag/lost")
    report = audit_load(CONFIG, world.services, world.inventory)
    for _ in range(2):
        list(repair_batches(CONFIG, world.services, report.mendable))
    assert [each.get("recovered") for each in failures(world)] == [None, True]
    assert not audit_load(CONFIG, world.services, world.inventory).is_wrong


def test_each_target_has_a_time_of_its_own(world: World):
    config = a_config(notify={"failure": FAILED_TOPIC}, targets=[{"table": "public.orders"}, {"table": "public.other"}])
    world.warehouse.create("public.other")
    runs_for(world, 70, config)
    assert [each["target"] for each in failures(world)] == [TARGET]
    world.warehouse.tables["public.orders"] = []
    batch = run(world, "dag/repaired", config)
    assert (batch.status, len(failures(world))) == (BatchStatus.COMPLETE, 2)


def test_a_failure_that_a_person_has_to_decide_about_ends_it(world: World):
    """That is told as ever; once it is put right, no recovery is told besides."""
    runs_for(world, 70)
    world.warehouse.tables["public.orders"] = []
    world.put("orders/1.csv", content="bad\n")
    batch = run(world, "dag/bad")
    assert (batch.status, [each.get("failingSince") is None for each in failures(world)]) == (
        BatchStatus.ERROR,
        [False, True],
    )
    assert (progress(batch).failing_since, progress(batch).is_failing) == (None, False)
    world.put("orders/1.csv")
    load_batch(CONFIG, world.services, batch.batch, TARGET, Asker("cleared", "dag/bad", cleared=True))
    assert len(failures(world)) == 2
