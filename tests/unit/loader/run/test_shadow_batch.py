"""A shadow tells what it would load, does nothing outside, and leaves nothing behind for the real start."""

import logging
from typing import Any

import pytest
from support.fakes.ledger import MemoryLedger
from support.fakes.world import FAILED_TOPIC, OK_TOPIC, World
from support.objects import TARGET, a_config, counting_randomness

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConfigurationError, ContentionError
from rsloader_provider.core.ledger.batch import IMPORTED, Batch, BatchStatus
from rsloader_provider.core.ledger.shadow_name import as_recorded
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.permissions import Installation, worker_policy
from rsloader_provider.loader.operate.forget_objects import forget_objects
from rsloader_provider.loader.operate.mark import mark_as_loaded
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.discover import Found, look_for_work
from rsloader_provider.loader.run.load_batch import Outcome, load_batch
from rsloader_provider.loader.run.shadow_batch import ShadowLoad, shadow_batch
from rsloader_provider.loader.run.take_over import Work

NOTIFY = {"success": OK_TOPIC, "failure": FAILED_TOPIC}
SHADOW = a_config(shadow=True, notify=NOTIFY)
REAL = a_config(notify=NOTIFY)


def buffer(world: World, config: LoadConfig) -> list[Work]:
    return buffer_objects(config, world.services, run="dag/run", is_active=lambda _: False, max_work=9)


def tell(world: World, batch: str, asker: Asker = Asker("try-1", "dag/run")) -> ShadowLoad | None:  # noqa: B008
    return shadow_batch(SHADOW, world.services, batch, TARGET, asker)


def test_a_shadow_tells_what_it_would_load_and_does_nothing_outside(world: World):
    world.warehouse.unreachable = True
    world.put("orders/1.csv", "orders/2.csv")
    assert look_for_work(SHADOW, world.services) is Found.NEW_OR_DUE
    (work,) = buffer(world, SHADOW)
    manifest = f"s3://loader/manifests/orders/{work.batch.batch}.manifest"
    assert tell(world, work.batch.batch) == ShadowLoad(
        work.batch.batch, TARGET, 2, 4, manifest,
        f"COPY \"public\".\"orders\" FROM '{manifest}' IAM_ROLE default MANIFEST FORMAT AS CSV",
        "the default role of the cluster or workgroup (`copy.iam_role`)",
        ("s3://landing/orders/1.csv", "s3://landing/orders/2.csv"),
    )  # fmt: skip
    assert not [*world.storage.objects("loader", "")]
    assert not any(world.notifier.messages.values())
    assert world.ledger.get("orders@shadow", work.batch.batch).status is BatchStatus.COMPLETE
    assert look_for_work(SHADOW, world.services) is Found.NOTHING
    assert tell(world, work.batch.batch) is None
    assert tell(world, work.batch.batch, Asker("try-2", "dag/run", cleared=True)) is not None


def test_a_batch_without_objects_would_leave_the_table_as_it_is(world: World, caplog: pytest.LogCaptureFixture):
    config = a_config(shadow=True, targets=[{"table": "public.orders", "mode": "replace"}])
    world.put("orders/1.csv", "orders/2.csv")
    (work,) = buffer(world, config)
    assert [*forget_objects(as_recorded(config), world.services, by="alice", prefix="s3://landing/orders/")]
    with caplog.at_level(logging.INFO):
        told = shadow_batch(config, world.services, work.batch.batch, TARGET, Asker("try-1", "dag/run"))
    assert told is not None
    assert (told.files, told.manifest, told.copy, told.urls) == (0, None, None, ())
    assert f"nothing would be loaded into {TARGET}, and no SQL would run" in caplog.text
    assert "would be loaded into redshift" not in caplog.text.replace("nothing would", "")


def test_no_key_is_told_or_asked_for(world: World):
    """The shadow's report is an XCom, and its task needs no right to decrypt."""
    keys = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "kms:c2VjcmV0"}
    config = a_config(shadow=True, copy={"format": "csv", **keys})
    world.put("orders/1.csv", "orders/2.csv")
    (work,) = buffer(world, config)
    told = shadow_batch(config, world.services, work.batch.batch, TARGET, Asker("try-1", "dag/run"))
    assert told is not None
    assert told.reader == "the access key of `copy.access_key_id`"
    assert not [value for value in keys.values() if value in str(told)]


def test_the_real_start_begins_where_the_import_left_off(world: World):
    """What the shadow saw is loaded once, and what was imported is not, whatever the shadow did."""
    world.put("orders/0.csv")
    imported = [*world.storage.objects("landing", "orders/")]
    for load in ("orders", "orders@shadow"):
        mark_as_loaded(load, world.services, imported, reason=IMPORTED, run="import")
    world.put("orders/1.csv", "orders/2.csv")
    (shadowed,) = buffer(world, SHADOW)
    tell(world, shadowed.batch.batch)
    assert [claim.name for claim in world.ledger.claims("orders", "")] == ["landing/orders/0.csv"]
    (work,) = buffer(world, REAL)
    result = load_batch(REAL, world.services, work.batch.batch, TARGET, Asker("try-1", "dag/run"))
    assert result.outcome is Outcome.LOADED
    assert len(world.warehouse.tables["public.orders"]) == 2
    assert buffer(world, REAL) == []


def test_a_load_in_shadow_loads_nothing_whoever_asks(world: World):
    """Somebody clears a task of the time before."""
    world.put("orders/1.csv", "orders/2.csv")
    (work,) = buffer(world, REAL)
    with pytest.raises(ConfigurationError, match="shadow"):
        load_batch(SHADOW, world.services, work.batch.batch, TARGET, Asker("try-1", "dag/run"))


def test_a_batch_of_empty_objects_would_copy_nothing(world: World):
    world.put("orders/1.csv", "orders/2.csv", content="")
    (work,) = buffer(world, SHADOW)
    told = tell(world, work.batch.batch)
    assert told is not None
    assert (told.files, told.manifest, told.copy, told.urls) == (2, None, None, ())
    assert told.as_json()["outcome"] == "shadow"


class OvertakenLedger(MemoryLedger):
    """Others write to a batch just before it is replaced, so many times."""

    times = 0

    def replace(self, before: Batch, after: Batch) -> Batch:
        if self.times:
            self.times -= 1
            raise LostRaceError
        return super().replace(before, after)


@pytest.mark.parametrize("times", [1, 2, 19])
def test_a_shadow_that_loses_a_race_looks_again(times: int):
    world = World(ledger=OvertakenLedger(counting_randomness()))
    world.put("orders/1.csv", "orders/2.csv")
    (work,) = buffer(world, SHADOW)
    world.ledger.times = times
    assert tell(world, work.batch.batch) is not None


def test_a_shadow_that_always_loses_gives_up():
    world = World(ledger=OvertakenLedger(counting_randomness()))
    world.put("orders/1.csv", "orders/2.csv")
    (work,) = buffer(world, SHADOW)
    world.ledger.times = 99
    with pytest.raises(ContentionError):
        tell(world, work.batch.batch)


def test_a_shadow_may_touch_only_its_own_records():
    policy: Any = worker_policy(SHADOW, Installation("files", "batches", "attention"))
    keys = [each.conditions["ForAllValues:StringEquals"] for each in policy if "dynamodb:Query" in each.actions]
    assert keys == [{"dynamodb:LeadingKeys": ("orders@shadow",)}] * 3
