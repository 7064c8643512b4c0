"""Finding what is new."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from support.fakes.world import World
from support.objects import NOON, a_config, an_object

from rsloader_provider.core.config.load import BatchLimits
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.loader.run.discover import Found, look_for_work, new_objects
from rsloader_provider.loader.services import Services

MANY = BatchLimits(max_files=10_000)


def found(world: World, **settings: object) -> list[str]:
    return [each.key for each in new_objects(a_config(**settings), world.services)]


def claim(world: World, *keys: str) -> None:
    batch = world.ledger.open_batch("orders", NOON)
    world.ledger.claim(batch, [an_object(key) for key in keys], MANY, NOON)


def test_objects_that_no_batch_has_are_found_in_order(world: World):
    world.put("orders/c", "orders/a", "orders/b", "orders/d", "other/x")
    claim(world, "orders/b")
    assert found(world) == ["orders/a", "orders/c", "orders/d"]


def test_folder_markers_are_passed_over_and_empty_objects_are_not(world: World):
    world.put("orders/", "orders/2026/", "orders/empty.csv", content="")
    assert found(world) == ["orders/empty.csv"]


def test_only_what_the_load_matches_is_found(world: World):
    world.put("orders/year=2026/1.csv", "orders/year=2026/1.json", "orders/1.csv", "orders/year=2025/x/2.csv")
    settings = {"source": "s3://landing/orders/year=*/", "file_filter": r"\.csv$"}
    assert found(world, **settings) == ["orders/year=2025/x/2.csv", "orders/year=2026/1.csv"]


def test_a_key_too_long_to_sort_is_found_once(world: World):
    """Its claim does not stand where S3 lists it, so that the walk alone would find it again on every run."""
    long = "orders/" + "x" * 1017
    world.put("orders/a", long, "orders/z")
    assert found(world) == ["orders/a", long, "orders/z"]
    claim(world, long)
    assert found(world) == ["orders/a", "orders/z"]


def test_a_source_as_long_as_a_key_may_be_is_walked(world: World):
    source = "orders/" + "x" * 1010 + "/"
    world.put(source + "1.csv", source + "2.csv")
    claim(world, source + "1.csv")
    assert found(world, source=f"s3://landing/{source}") == [source + "2.csv"]


def found_names(world: World, **settings: object) -> list[str]:
    return [each.name for each in new_objects(a_config(**settings), world.services)]


def test_all_sources_of_a_load_are_walked_in_one_order(world: World):
    """Buckets sort as the claims do: `landing-2/` before `landing/`."""
    world.storage.create("landing-2")
    world.put("orders/1", "returns/1", "eu/1", "eu/2")
    for key in ("b", "a"):
        world.storage.write("landing-2", f"x/{key}", b"1\n")
    sources = {"source": ["s3://landing/orders/", "s3://landing/eu/", "s3://landing-2"]}
    everything = ["landing-2/x/a", "landing-2/x/b", "landing/eu/1", "landing/eu/2", "landing/orders/1"]
    assert found_names(world, **sources) == everything
    batch = world.ledger.open_batch("orders", NOON)
    claimed = [an_object("eu/2"), an_object("x/a", bucket="landing-2")]
    world.ledger.claim(batch, claimed, MANY, NOON)
    assert found_names(world, **sources) == ["landing-2/x/b", "landing/eu/1", "landing/orders/1"]


def test_an_object_below_two_sources_is_offered_once(world: World):
    """Also where S3 has to list one of them inside of what it lists for the other."""
    world.put("data/eu/2026/1", "data/eu/2025/1", "data/us/2026/1", "data/us/2025/1")
    sources = {"source": ["s3://landing/data/*/2026/", "s3://landing/data/eu/*/"]}
    assert found(world, **sources) == ["data/eu/2025/1", "data/eu/2026/1", "data/us/2026/1"]
    assert [*map(str, a_config(**sources).listed_prefixes)] == ["s3://landing/data/"]


def test_a_whole_bucket_is_a_source(world: World):
    """With what the load itself writes there left alone, and nested prefixes however deep."""
    world.put("1.csv", "a/b/c/d/2.csv", "manifests/orders/1.manifest")
    for source in ("s3://landing", "s3://landing/"):
        assert found(world, source=source, manifests="s3://landing/manifests/") == ["1.csv", "a/b/c/d/2.csv"]


def test_hive_partitions_are_found_at_their_depth(world: World):
    year = "orders/year=2026/"
    world.put(
        "orders/1", year + "1", year + "month=1/1", year + "month=12/day=3/1", year + "week=1/1", "orders/month=1/1"
    )
    assert found(world, source="s3://landing/orders/year=*/month=*/") == [year + "month=1/1", year + "month=12/day=3/1"]


@given(st.sets(st.text(max_size=4), max_size=12), st.sets(st.text(max_size=4), max_size=12))
def test_what_is_found_is_the_listing_without_the_claims(listed: set[str], claimed: set[str]):
    """Claims of objects that were deleted since, and any characters, must not confuse the walk."""

    class Listing:
        def objects(self, bucket: str, prefix: str) -> Iterator[S3Object]:
            return iter(an_object(key, bucket=bucket) for key in sorted((prefix + k for k in listed), key=key_bytes))

    class Claims:
        def claimed_keys(self, load: str, prefix: str) -> Iterator[str]:
            return iter(sorted((prefix + key for key in claimed), key=key_bytes))

    def key_bytes(key: str) -> bytes:
        return key.encode("utf-8", "surrogatepass")

    services = Services(Claims(), Listing(), None, None, None)  # type: ignore[arg-type]
    keys = [each.key for each in new_objects(a_config(hidden_files="load"), services)]
    assert keys == sorted((f"orders/{key}" for key in listed - claimed), key=key_bytes)


def test_each_stream_is_read_once_and_only_as_far_as_needed(world: World):
    """100,000 claimed and 10 new objects: neither list is ever in memory."""
    read = {"listing": 0, "claims": 0}

    class Listing:
        def objects(self, bucket: str, prefix: str) -> Iterator[S3Object]:
            for number in range(100_010):
                read["listing"] += 1
                yield an_object(f"{prefix}{number:06}", bucket=bucket)

    class Claims:
        def claimed_keys(self, load: str, prefix: str) -> Iterator[str]:
            for number in range(100_000):
                read["claims"] += 1
                yield f"{prefix}{number:06}"

    services = Services(Claims(), Listing(), None, None, world.clock)  # type: ignore[arg-type]
    walk = new_objects(a_config(), services)
    assert next(walk).key == "orders/100000"
    assert read == {"listing": 100_001, "claims": 100_000}
    assert len(list(walk)) == 9
    assert read == {"listing": 100_010, "claims": 100_000}


def test_there_is_work_when_something_is_new_due_or_left(world: World):
    def look() -> Found:
        return look_for_work(a_config(), world.services)

    assert look() is Found.NOTHING
    world.put("orders/1.csv")
    assert look() is Found.NEW_OR_DUE
    claim(world, "orders/1.csv")
    assert look() is Found.NOTHING
    world.clock.go(minutes=1)
    assert look() is Found.NEW_OR_DUE, "the batch's age is reached"
    batch = world.ledger.open_batch("orders", NOON)
    world.ledger.lock(batch, reason="max_age", run="r", targets={"t": {}}, now=NOON)
    assert look() is Found.LEFT_OVER, "nobody loaded it"
    world.put("orders/2.csv")
    assert look() is Found.NEW_OR_DUE, "and there is a new object besides"
