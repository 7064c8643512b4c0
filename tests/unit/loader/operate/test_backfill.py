"""Loading what was there before, or marking it as loaded, on fakes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.fakes.world import World
from support.objects import NOON, a_config

from rsloader_provider.core.errors import ConfigurationError, OperationRefusedError
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.operate.backfill import Part, backfill, mark_existing, plan_backfill
from rsloader_provider.loader.run.buffer import buffer_objects

CONFIG = a_config()


@pytest.fixture
def filled(world: World) -> World:
    for number in range(5):
        moment = NOON - timedelta(days=10 - number)
        world.storage.write_at("landing", f"orders/2026/{number}.csv", b"1\n", moment)
    world.storage.write_at("landing", "orders/2025/9.csv", b"1\n", NOON - timedelta(days=300))
    world.put("returns/1.csv")
    return world


def states(world: World) -> dict[str, int]:
    report = audit_load(CONFIG, world.services, world.inventory)
    assert not report.is_wrong, "\n".join(report.lines())
    return {str(state): tally.objects for state, tally in report.tallies.items() if tally.objects}


def test_everything_is_claimed_at_once_and_the_next_run_loads_it(filled: World):
    plan = plan_backfill(CONFIG, filled.services, Part())
    assert (plan.objects, plan.size_bytes) == (6, 12)
    heard: list[int] = []
    done = backfill(CONFIG, filled.services, Part(), by="alice", progress=heard.append)
    assert (done.claimed, len(done.batches), sum(heard)) == (6, 3, 6)
    work = buffer_objects(CONFIG, filled.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    assert sorted(each.batch.batch for each in work) == sorted(done.batches)
    assert backfill(CONFIG, filled.services, Part(), by="alice").claimed == 0, "and nothing twice"


def test_what_fills_no_batch_waits_for_the_limits(filled: World):
    done = backfill(CONFIG, filled.services, Part(prefix="s3://landing/orders/2025/"), by="alice")
    assert (done.claimed, done.batches) == (1, ())
    assert states(filled) == {"claimed and waiting": 1, "not seen": 5}


def test_of_several_sources_only_what_lies_below_the_prefix_is_claimed(filled: World):
    """Nor is more listed than that."""
    filled.storage.create("archive")
    filled.storage.write("archive", "orders/1.csv", b"1\n")
    sources = ["s3://landing/orders/*/", "s3://landing/returns/", "s3://archive"]
    config = a_config(source=sources, batch={"max_files": 100})
    listed: list[str] = []
    objects = filled.storage.objects
    filled.storage.objects = lambda bucket, key: (  # type: ignore[method-assign]
        listed.append(f"{bucket}/{key}") or objects(bucket, key)
    )

    def planned(prefix: str) -> tuple[int, list[str]]:
        listed.clear()
        return plan_backfill(config, filled.services, Part(prefix=prefix)).objects, [*listed]

    assert planned("s3://landing/orders/2026/") == (5, ["landing/orders/2026/"])
    assert planned("s3://landing/") == (7, ["landing/orders/", "landing/returns/"])
    assert planned("s3://archive/orders/") == (1, ["archive/orders/"])
    with pytest.raises(
        OperationRefusedError, match=r"loads from s3://landing/orders/\*/ and s3://landing/returns/ and"
    ):
        planned("s3://landing/other/")


@pytest.mark.parametrize(
    ("part", "objects"),
    [
        (Part(prefix="s3://landing/orders/2026/"), 5),
        (Part(prefix="s3://landing/orders/20"), 6),
        (Part(prefix="s3://landing/"), 6),
        (Part(prefix="s3://landing"), 6),
        (Part(prefix="s3://landing/orders/2026/0.csv"), 1),
        (Part(prefix="s3://landing/orders/nothing/"), 0),
        (Part(since=NOON - timedelta(days=9)), 4),
        (Part(until=NOON - timedelta(days=9)), 2),
        (Part(since=NOON - timedelta(days=9), until=NOON - timedelta(days=7)), 2),
        (Part(prefix="s3://landing/orders/2025/", since=NOON - timedelta(days=9)), 0),
    ],
)
def test_a_prefix_and_dates_narrow_it(filled: World, part: Part, objects: int):
    assert plan_backfill(CONFIG, filled.services, part).objects == objects
    assert backfill(CONFIG, filled.services, part, by="alice").claimed == objects


def test_only_the_part_below_the_prefix_is_listed(filled: World):
    """A bucket may hold millions of objects elsewhere."""
    asked: list[str] = []

    class Listing:
        def __getattr__(self, name: str) -> Any:
            return getattr(filled.storage, name)

        def objects(self, bucket: str, prefix: str) -> Any:
            asked.append(prefix)
            return filled.storage.objects(bucket, prefix)

    services = replace(filled.services, storage=Listing())
    plan_backfill(CONFIG, services, Part(prefix="s3://landing/orders/2025/"))
    assert asked == ["orders/2025/"]


def test_what_the_load_does_not_match_is_left_alone(filled: World):
    config = a_config(source="s3://landing/orders/year=*/", file_filter=r"\.csv$")
    filled.put("orders/year=1/a.csv", "orders/year=1/a.txt", "orders/1/a.csv")
    for prefix in ("s3://landing/orders/", "s3://landing/orders/year=1/", "s3://landing/orders/year=*/"):
        assert plan_backfill(config, filled.services, Part(prefix=prefix)).objects == (0 if "*" in prefix else 1)


@pytest.mark.parametrize(
    ("part", "error", "words"),
    [
        (Part(prefix="s3://landing/returns/"), OperationRefusedError, "it loads from s3://landing/orders/"),
        (Part(prefix="s3://elsewhere/orders/"), OperationRefusedError, "it loads from s3://landing/orders/"),
        (Part(prefix="orders/"), ConfigurationError, "is not an S3 URL"),
        (Part(since=NOON, until=NOON), OperationRefusedError, "Give the earlier moment first"),
    ],
)
def test_what_cannot_be_meant_changes_nothing(filled: World, part: Part, error: type, words: str):
    for call in (plan_backfill, backfill, mark_existing):
        named = {} if call is plan_backfill else {"by": "alice"}
        with pytest.raises(error, match=words):
            call(CONFIG, filled.services, part, **named)
    assert states(filled) == {"not seen": 6}


def test_what_was_there_before_is_marked_and_only_new_objects_are_loaded(filled: World):
    done = mark_existing(CONFIG, filled.services, Part(), by="alice")
    assert done.marked == 6
    filled.put("orders/new-1.csv", "orders/new-2.csv")
    (work,) = buffer_objects(CONFIG, filled.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    assert work.batch.files == 2
    assert states(filled) == {"marked as loaded": 6, "in a batch being loaded": 2}


def test_a_load_in_shadow_is_not_backfilled_and_its_shadows_claims_do_not_count(filled: World):
    """What the shadow has claimed would otherwise stay unmarked, and be loaded once the shadow is taken away."""
    shadow = CONFIG.model_copy(update={"shadow": True})
    buffer_objects(shadow, filled.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    with pytest.raises(OperationRefusedError, match="runs in shadow"):
        backfill(shadow, filled.services, Part(), by="alice")
    assert states(filled) == {"not seen": 6}
    assert mark_existing(shadow, filled.services, Part(), by="alice").marked == 6
    assert states(filled) == {"marked as loaded": 6}
