"""The story of one object is told in plain sentences, whichever piece of it is missing."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.fakes.warehouse import Accident
from support.fakes.world import OK_TOPIC, World
from support.objects import NOON, TARGET, a_config, an_object

from rsloader_provider.core.config.sources import S3Url
from rsloader_provider.core.errors import (
    AccessDeniedError,
    BadDataError,
    ConnectionLostError,
    OutOfOrderError,
    TargetRemovedError,
)
from rsloader_provider.core.ledger.clearing import TaskFacts
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.load_files.folder import read_load_folder
from rsloader_provider.loader.look.explain import Explanation, explain_object
from rsloader_provider.loader.operate.change_targets import give_up_target
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.loader.services import Services

RUN = "rsloader_orders/run-1"
ORDERS: dict[str, Any] = {
    "load": "orders",
    "source": "s3://landing/orders/",
    "schedule": "@hourly",
    "batch": {"max_files": 2, "max_age": "1m"},
    "copy": {"format": "csv"},
    "manifests": "s3://loader/manifests/",
    "notify": {"success": OK_TOPIC},
    "targets": [{"table": "public.orders"}],
}
CONFIG = a_config(**ORDERS)


@pytest.fixture
def explain(world: World, tmp_path: Path) -> Callable[..., Explanation]:
    """Explains an object of the bucket `landing`, by the load `orders` and others."""

    def explain_key(
        key: str,
        *others: dict[str, Any],
        services: Callable[[], Services] | None = None,
        state_of: Callable[..., str | None] = lambda *_: None,
    ) -> Explanation:
        for each in (ORDERS, *others):
            (tmp_path / f"{each['load']}.yaml").write_text(yaml.safe_dump({**ORDERS, **each}))
        url = S3Url("landing", key)
        folder = read_load_folder(tmp_path)
        return explain_object(url, folder, lambda _: services() if services else world.services, state_of)

    return explain_key


def story(explanation: Explanation) -> str:
    """All sentences, by load."""
    return "\n".join([*explanation.sentences, *(line for each in explanation.loads for line in each.sentences)])


def test_a_target_that_the_load_no_longer_has_is_told_with_both_commands(
    world: World, explain: Callable[..., Explanation]
):
    world.put("orders/1.csv", "orders/2.csv")
    (work,) = buffer(world)
    renamed = {"load": "orders", "targets": [{"table": "public.new"}]}
    with pytest.raises(TargetRemovedError):
        load_batch(
            a_config(**ORDERS | renamed), world.services, work.batch.batch, TARGET, Asker("try-1", RUN)
        )  # fmt: skip
    told = story(explain("orders/1.csv", renamed))
    batch = work.batch.batch
    assert (
        f"Next: decide about {TARGET}: the load no longer has this target: load it elsewhere: rsloader retarget orders "
        f"{batch} {TARGET} redshift_default/public.new; or do not load it there: rsloader give-up orders {batch} "
        f"{TARGET}"
    ) in told
    assert "clear load_batch" not in told
    give_up_target(CONFIG, world.services, batch, TARGET, by="alice-1")
    told = story(explain("orders/1.csv", renamed))
    assert f"{TARGET}: given up: no run loads it there (generation 1, attempt 1)." in told
    assert f"{TARGET}: it was given up by alice-1." in told
    assert "Next: nothing. It is in every target that was not given up" in told


def test_of_several_sources_the_one_is_named_that_the_object_lies_below(
    world: World, explain: Callable[..., Explanation]
):
    world.put("orders/1.csv", "us/orders/1.csv", "us/orders/tmp/1.csv")
    both = {**ORDERS, "load": "all", "source": ["s3://landing/us/orders/", "s3://landing/eu/", "s3://other-bucket/"]}
    tmp = {"load": "tmp", "source": ["s3://landing/us/orders/tmp/", "s3://landing/de/"]}
    assert explain("us/orders/1.csv", both, tmp).loads[0].sentences[0] == (
        "Load all takes it: it lies below s3://landing/us/orders/."
    )
    owner, other = explain("us/orders/tmp/1.csv", both, tmp).loads
    assert (owner.load, other.sentences[0]) == (
        "tmp",
        "Load all does not take it: it leaves alone what lies below s3://landing/us/orders/tmp/, which load "
        "tmp takes by a more specific source.",
    )


def test_a_hidden_object_is_told_and_with_what_it_would_be_taken(world: World, explain: Callable[..., Explanation]):
    world.put("orders/dt=1/_SUCCESS", "orders/1.csv", content="")
    told = explain("orders/dt=1/_SUCCESS")
    assert told.sentences[1:] == ["No load takes it."]
    (sentence,) = told.loads[0].sentences
    assert sentence.startswith("Load orders does not take it: below s3://landing/orders/ its key holds a hidden name")
    assert "hidden_files is not set, and it has claimed none so far" in sentence
    assert "hidden_files: ignore" in story(
        explain("orders/dt=1/_SUCCESS", {"load": "orders", "hidden_files": "ignore"})
    )
    taken = explain("orders/dt=1/_SUCCESS", {"load": "orders", "hidden_files": "load"})
    assert taken.loads[0].is_owner
    world.put("orders/_old", "orders/1.csv")
    world.ledger.claim(
        world.ledger.open_batch("orders", NOON), [an_object("orders/_old")], CONFIG.batch, NOON
    )  # fmt: skip
    assert explain("orders/dt=1/_SUCCESS").loads[0].is_owner, "it has claimed one before"


def buffer(world: World) -> Any:
    return buffer_objects(CONFIG, world.services, run=RUN, is_active=lambda _: False, max_work=9)


def load(world: World, batch: str) -> Any:
    return load_batch(CONFIG, world.services, batch, TARGET, Asker("try-1", RUN))


def test_the_whole_story_of_a_loaded_object(world: World, explain: Callable[..., Explanation]):
    world.put("orders/1.csv", "orders/2.csv")
    (work,) = buffer(world)
    load(world, work.batch.batch)
    told = explain("orders/1.csv")
    etag = "b026324c6904b2a9cb4b88d6d61c81d1"
    assert told.sentences == [f"It is in S3: 2 bytes, ETag {etag}, written 2026-01-01 00:00:00 UTC."]
    assert told.loads[0].sentences == [
        "Load orders takes it: it lies below s3://landing/orders/.",
        f"It was claimed for batch {work.batch.batch} at 2026-01-02 12:00:00 UTC.",
        "The batch is complete, with 2 objects, 4 bytes, locked at 2026-01-02 12:00:00 UTC for max_files, "
        f"run {RUN}.",
        f"Its manifest is s3://loader/manifests/orders/{work.batch.batch}.manifest.",
        f"{TARGET}: loaded, 2 rows, query 1000 (generation 1, attempt 1).",
        f"{TARGET}: the load history has generation 1: 2 rows by query 1000, attempt 1, run {RUN} at "
        "2026-01-02 12:00:00 UTC.",
        "The notification of how it ended was sent.",
        "Next: nothing. It is in every target, and is loaded again only if a person asks for it.",
    ]  # fmt: skip
    facts = told.as_json()["loads"][0]
    assert (facts["claim"]["etag"], facts["batch"]["status"], facts["manifest"]["is_there"]) == (etag, "complete", True)
    assert facts["history"][TARGET][0]["query_id"] == 1000


def test_an_object_that_is_new_or_not_there(world: World, explain: Callable[..., Explanation]):
    assert "It was not found in S3" in story(explain("orders/1.csv"))
    assert "Nothing has claimed it." in story(explain("orders/1.csv"))
    world.put("orders/1.csv.old", "orders/1.csv")
    assert "the next run of DAG rsloader_orders does" in story(explain("orders/1.csv"))
    assert "It was not found in S3" in story(explain("orders/1.cs")), "only the whole key counts"


def test_an_object_that_waits_says_for_what(world: World, explain: Callable[..., Explanation]):
    world.put("orders/1.csv")
    buffer(world)
    told = story(explain("orders/1.csv"))
    assert "The batch is open, with 1 objects" in told
    assert "locked and loaded at 2 objects, 1,073,741,824 bytes, or 0:01:00 after its first claim" in told


def test_a_batch_that_nobody_loads_yet_and_one_whose_commit_nobody_heard_of(
    world: World, explain: Callable[..., Explanation]
):
    world.put("orders/1.csv", "orders/2.csv")
    (work,) = buffer(world)
    told = story(explain("orders/1.csv"))
    assert f"{TARGET}: waits for an attempt" in told
    assert "manifest, which is not there" in told
    assert f"Next: run {RUN} loads it; if that run is over, the next run takes it over by itself." in told
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(ConnectionLostError):
        load(world, work.batch.batch)
    told = story(explain("orders/1.csv"))
    assert "an attempt began and has not been heard of since (generation 1, attempt 1, session 102)" in told, (
        "the first claim and the explanation before took sessions 100 and 101"
    )
    assert "it is loaded, although DynamoDB does not say so yet" in told


def test_a_failed_batch_says_why_and_what_to_clear(world: World, explain: Callable[..., Explanation]):
    world.put("orders/1.csv", "orders/2.csv", content="bad\n")
    (work,) = buffer(world)
    with pytest.raises(BadDataError):
        load(world, work.batch.batch)
    told = story(explain("orders/1.csv"))
    assert "s3://landing/orders/1.csv:1, column id, value 'bad'" in told
    assert f"clear load_batch of run {RUN} in Airflow" in told


def test_a_failed_batch_whose_task_airflow_has_removed_is_not_to_be_cleared(
    world: World, explain: Callable[..., Explanation]
):
    """Clearing buffer_objects made its list shorter. Airflow accepts another clear, and removes the task again."""
    world.put("orders/1.csv", "orders/2.csv", content="bad\n")
    (work,) = buffer(world)
    asker = Asker("try-1", RUN, task=TaskFacts(f"{RUN}/load_batch/2", 3))
    with pytest.raises(BadDataError):
        load_batch(CONFIG, world.services, work.batch.batch, TARGET, asker)
    command = f"rsloader reprocess orders {work.batch.batch}"
    states = {("rsloader_orders", "run-1", "load_batch", 2): "removed"}
    told = story(explain("orders/1.csv", state_of=lambda *task: states.get(task)))
    assert f"Next: do what the error says; after a repair: {command}. Do not clear load_batch [2] of run {RUN}" in told
    told = story(explain("orders/1.csv"))
    assert f"after a repair, clear load_batch [2] of run {RUN} in Airflow. Or: {command}" in told, "nobody can say"


def test_for_a_batch_that_was_overtaken_the_error_says_what_to_do_before_any_clear(
    world: World, explain: Callable[..., Explanation]
):
    """It said to repair what the error names, beside an error by which only a person's word helps."""
    world.put("orders/1.csv", "orders/2.csv", content="bad\n")
    world.put("orders/3.csv", content="3\n")
    world.put("orders/4.csv", content="4\n")
    merge = ORDERS | {"targets": [{"table": "public.orders", "mode": "merge", "merge_on": ["id"]}]}
    older, newer = buffer_objects(a_config(**merge), world.services, run=RUN, is_active=lambda _: False, max_work=9)
    for number, work in enumerate([older, newer, older]):
        with suppress(BadDataError, OutOfOrderError):
            asker = Asker(f"try-{number}", RUN, cleared=number == 2)
            load_batch(a_config(**merge), world.services, work.batch.batch, TARGET, asker)
            world.put("orders/1.csv", "orders/2.csv", content="12\n")
    told = story(explain("orders/1.csv", merge))
    command = f"rsloader reprocess orders {older.batch.batch} --target {TARGET} --out-of-order"
    assert told.index(command) < told.index("Next: do what the error says; after a repair, clear")


def test_an_object_that_changed_since_its_claim_says_so(world: World, explain: Callable[..., Explanation]):
    world.put("orders/1.csv")
    buffer(world)
    world.put("orders/1.csv", content="22\n")
    assert "It has been overwritten since its claim" in story(explain("orders/1.csv"))


def test_why_other_loads_do_not_take_it(world: World, explain: Callable[..., Explanation]):
    """Whoever misses a file in a table looks at the wrong load first."""
    told = explain(
        "orders/eu/1.csv",
        {"load": "orders_eu", "source": "s3://landing/orders/eu/"},
        {"load": "returns", "source": "s3://landing/returns/"},
    )
    assert [(each.load, each.is_owner) for each in told.loads] == [("orders_eu", True), ("orders", False)]
    assert (
        "Load orders does not take it: it leaves alone what lies below s3://landing/orders/eu/, which load "
        "orders_eu takes by a more specific source."
    ) in story(told)


@pytest.mark.parametrize(
    ("settings", "key", "why"),
    [
        ({"file_filter": r"\.csv$"}, "orders/1.txt", r"its file_filter '\\.csv$' does not match it"),
        ({"manifests": "s3://landing/orders/m/"}, "orders/m/1", "it writes its own manifests under"),
    ],
)
def test_why_the_only_load_does_not_take_it(
    explain: Callable[..., Explanation], settings: dict[str, Any], key: str, why: str
):
    told = story(explain(key, {**settings, "load": "orders"}))
    assert f"Load orders does not take it: {why}" in told
    assert "No load takes it." in told


def test_the_filter_that_finds_it_is_named(explain: Callable[..., Explanation]):
    assert r"and its file_filter '\\.csv$' matches it" in story(
        explain("orders/1.csv", {"load": "orders", "file_filter": r"\.csv$"})
    )


def test_a_claim_that_a_load_made_before_it_was_changed_is_told(world: World, explain: Callable[..., Explanation]):
    world.put("orders/1.csv", "orders/2.csv")
    buffer(world)
    told = explain("orders/1.csv", {"load": "orders", "source": "s3://landing/elsewhere/"})
    assert "Load orders does not take it: it does not lie below s3://landing/elsewhere/." in story(told)
    assert "It was claimed for batch" in story(told)


def test_a_folder_marker_is_nobodys(world: World, explain: Callable[..., Explanation]):
    world.storage.write("landing", "orders/x/", b"")
    told = story(explain("orders/x/"))
    assert "It only stands for a folder" in told
    assert "Nothing has claimed it yet" not in told


def test_a_batch_that_is_lost_a_history_that_is_not_there_and_a_redshift_that_is_away(
    world: World, explain: Callable[..., Explanation]
):
    world.put("orders/1.csv", "orders/2.csv")
    (work,) = buffer(world)
    del world.warehouse.histories["public.orders"]
    assert f"{TARGET}: its load history could not be read: NotSetUpError" in story(explain("orders/1.csv"))
    world.warehouse.unreachable = True
    assert f"{TARGET}: its load history could not be read: TransientError" in story(explain("orders/1.csv"))
    world.ledger.lose(work.batch)
    told = story(explain("orders/1.csv"))
    assert "Its batch could not be read: UnknownBatchError" in told
    assert "rsloader audit orders" in told


def test_services_that_cannot_be_reached_are_told_and_the_configuration_is_explained(
    explain: Callable[..., Explanation],
):
    def refused() -> Services:
        raise AccessDeniedError("AWS refused the credentials")

    told = story(explain("orders/1.csv", services=refused))
    assert "S3 could not be asked: AccessDeniedError: AWS refused the credentials" in told
    assert "Load orders takes it" in told


def test_a_broken_load_is_named_as_one_that_might_take_it(tmp_path: Path, explain: Callable[..., Explanation]):
    (tmp_path / "broken.yaml").write_text("load: broken\n")
    told = story(explain("orders/1.csv"))
    assert "Load broken cannot be read (broken.yaml)" in told
