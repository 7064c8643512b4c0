"""Which of the objects that Spark and Hadoop leave beside the data a load takes."""

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes.world import World
from support.objects import NOON, TARGET, a_config, an_object

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.loader.operate.backfill import Part, plan_backfill
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.discover import Found, look_for_work, new_objects
from rsloader_provider.loader.run.load_batch import load_batch

SPARK = ("_SUCCESS", ".part-0.crc", "_temporary/0/attempt_1/part-1.parquet", ".hive-staging/x/1", "1.csv._COPYING_")
HIDDEN = tuple(f"orders/dt=1/{name}" for name in SPARK)


def found(world: World, **settings: Any) -> list[str]:
    return [each.key for each in new_objects(a_config(**settings), world.services)]


def claim(world: World, *keys: str) -> None:
    batch = world.ledger.open_batch("orders", NOON)
    world.ledger.claim(batch, [an_object(key) for key in keys], BatchLimits(max_files=1000), NOON)


@pytest.mark.parametrize(
    ("key", "hidden"),
    [
        ("orders/_SUCCESS", True),
        ("orders/dt=1/_temporary/0/part-1.parquet", True),
        ("orders/a/.part-0.crc", True),
        ("orders/.staging/1.csv", True),
        ("orders/1.csv._COPYING_", True),
        ("orders/1.csv._COPYING_/part-0", True),
        ("orders/_date=2026-12-01/1.csv", False),
        ("orders/_date=2026-12-01/_SUCCESS", True),
        ("orders/_a=b.csv", False),
        ("orders/.a=b/1.csv", True),
        ("orders/a_b/c.d", False),
        ("orders/a._COPYING_.csv", False),
        ("orders/_metadata", True),
        ("orders/a//b", False),
    ],
)
def test_what_is_hidden_is_told_by_each_folder_and_name_as_spark_tells_it(world: World, key: str, hidden: bool):
    world.put(key)
    assert found(world) == ([] if hidden else [key])
    assert found(world, hidden_files="ignore") == ([] if hidden else [key])
    assert found(world, hidden_files="load") == [key]


def test_only_what_is_below_the_source_counts(world: World):
    """Somebody who names `_archive/` as a source wants what is in it."""
    world.put("_archive/.v2/1.csv", "_archive/.v2/_SUCCESS", "_raw/x=1/1.csv")
    sources = ["s3://landing/_archive/.v2/", "s3://landing/_raw/*/"]
    assert found(world, source=sources) == ["_archive/.v2/1.csv", "_raw/x=1/1.csv"]
    overlapping = ["s3://landing/*/.v2/", "s3://landing/_archive/*/"]
    assert found(world, source=overlapping) == ["_archive/.v2/1.csv"]


@pytest.mark.parametrize("key", HIDDEN)
def test_a_load_that_has_claimed_such_an_object_goes_on_taking_them_until_it_is_told_otherwise(
    world: World, key: str, caplog: pytest.LogCaptureFixture
):
    """Wherever the claim sorts among the objects, and whether or not its object is still there."""
    claim(world, key)
    world.put(*HIDDEN, "orders/0.csv", "orders/dt=1/1.csv", "orders/z.csv")
    world.storage.delete("landing", key)
    data = ["orders/0.csv", "orders/dt=1/1.csv", "orders/z.csv"]
    with caplog.at_level(logging.INFO):
        assert sorted(found(world)) == sorted([*data, *(each for each in HIDDEN if each != key)])
    assert caplog.text.count(f"taken as before, since s3://landing/{key} was claimed") == 1
    assert "left out" not in caplog.text
    assert found(world, hidden_files="ignore") == data


def test_each_of_them_is_offered_once(world: World):
    """Twice in one claim, DynamoDB would refuse it."""
    world.put(*(f"orders/{name}" for name in ("_a", "_b", "_c", "_d", "1.csv", "z/_e")))
    claim(world, "orders/_b")
    assert found(world) == ["orders/1.csv", "orders/_c", "orders/_d", "orders/z/_e", "orders/_a"]
    claim(world, "orders/_a", "orders/_c", "orders/_d", "orders/z/_e")
    assert found(world) == ["orders/1.csv"]


def test_a_load_whose_only_such_claim_is_in_another_source_goes_on_taking_them(world: World):
    world.put("a/_x", "a/1", "b/2")
    claim(world, "b/z/_gone")
    sources = ["s3://landing/a/", "s3://landing/b/"]
    assert found(world, source=sources) == ["a/1", "b/2", "a/_x"]
    part = Part(prefix="s3://landing/a/")
    assert plan_backfill(a_config(source=sources), world.services, part).objects == 2


def test_a_part_of_a_load_hides_what_the_load_hides(world: World):
    world.put("orders/_temporary/1.csv", "orders/1.csv")
    part = Part(prefix="s3://landing/orders/_temporary/")
    assert plan_backfill(a_config(), world.services, part).objects == 0
    assert plan_backfill(a_config(hidden_files="load"), world.services, part).objects == 1


def test_a_key_too_long_to_sort_is_hidden_too(world: World):
    long = "orders/_temporary/" + "x" * 1006
    world.put(long)
    assert found(world) == []
    claim(world, long)
    world.put("orders/_SUCCESS")
    assert found(world) == ["orders/_SUCCESS"]


def test_hidden_objects_are_no_work_and_are_counted_by_a_run(world: World, caplog: pytest.LogCaptureFixture):
    world.put(*HIDDEN)
    assert look_for_work(a_config(), world.services) is Found.NOTHING
    with caplog.at_level(logging.INFO):
        assert found(world) == []
    assert "5 hidden objects left out" in caplog.text


def test_what_spark_deletes_when_it_commits_holds_up_nothing(world: World):
    """Claimed, `_temporary/` left the batch waiting for an object that nobody can put back."""
    config = a_config(batch={"max_files": 2, "max_age": "1s"}, copy={"format": "parquet"})
    world.put("orders/dt=1/part-0.snappy.parquet", *HIDDEN)
    assert run(world, config) == 0
    world.storage.delete("landing", "orders/dt=1/_temporary/0/attempt_1/part-1.parquet")
    world.put("orders/dt=1/part-1.parquet")
    assert run(world, config) == 1
    assert world.warehouse.tables["public.orders"] == ["1", "1"]


def run(world: World, config: LoadConfig) -> int:
    work = buffer_objects(config, world.services, run="dag/run", is_active=lambda _: False, max_work=9)
    for each in work:
        load_batch(config, world.services, each.batch.batch, TARGET, Asker("run/load_batch/0/1", "dag/run"))
    return len(work)


names = st.text(alphabet="_.a=", min_size=1, max_size=3)
keys = st.lists(names, min_size=1, max_size=2).map(lambda parts: "orders/" + "/".join(parts))


@given(st.sets(keys, max_size=8), st.sets(keys, max_size=3))
def test_every_object_without_a_claim_is_either_found_once_or_hidden(listed: set[str], claimed: set[str]):
    config = a_config()
    world = World()
    world.put(*listed)
    if claimed:
        claim(world, *claimed)
    takes_hidden = any(config.hides("landing", key) for key in claimed)
    wanted = {key for key in listed - claimed if takes_hidden or not config.hides("landing", key)}
    assert sorted(found(world)) == sorted(wanted)


def test_a_load_that_is_not_hiding_reads_its_claims_no_further_than_before(world: World):
    """A setting that does nothing costs nothing: claims behind the last object stay unread."""
    read = 0
    real = world.ledger.claimed_keys

    def counted(load: str, prefix: str) -> Any:
        nonlocal read
        for each in real(load, prefix):
            read += 1
            yield each

    world.ledger.claimed_keys = counted  # type: ignore[method-assign]
    claim(world, *(f"orders/{number}" for number in range(10)))
    world.put("orders/1")
    assert found(world) == []
    assert read == 2
