"""Putting objects into batches, and saying what a run has to load."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from support.fakes.ledger import MemoryLedger
from support.fakes.lost_answers import LostAnswers
from support.fakes.world import World
from support.objects import TARGET, a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import BadDataError, ContentionError, CorruptLedgerError, UndecidedError
from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetState
from rsloader_provider.core.ledger.claims import DeletedBatch
from rsloader_provider.core.ledger.clearing import TaskFacts
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt
from rsloader_provider.loader.ports.ledger import LostRaceError
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.discover import Found, look_for_work
from rsloader_provider.loader.run.load_batch import Outcome, load_batch
from rsloader_provider.loader.run.take_over import Work

CONFIG = a_config()


def run(
    world: World,
    config: LoadConfig = CONFIG,
    *,
    run_id: str = "run-1",
    is_active: Callable[[str], bool] = lambda _: False,
    max_work: int = 1024,
    again: str | None = None,
) -> list[Work]:
    return buffer_objects(config, world.services, run=run_id, is_active=is_active, max_work=max_work, again=again)


def entries(world: World, work: list[Work]) -> list[list[str]]:
    return [sorted(entry.name for entry in world.ledger.entries(each.batch)) for each in work]


def test_full_batches_are_loaded_and_the_rest_waits(world: World):
    """The sample: five files, two a batch."""
    world.put(*(f"orders/{number}.csv" for number in range(1, 6)))
    work = run(world)
    assert entries(world, work) == [
        ["landing/orders/1.csv", "landing/orders/2.csv"],
        ["landing/orders/3.csv", "landing/orders/4.csv"],
    ]
    assert [(each.target, each.batch.reason) for each in work] == [(TARGET, "max_files")] * 2
    assert world.ledger.open_batch("orders", world.clock()).files == 1


def test_an_object_whose_claim_is_lost_but_whose_segment_is_there_ends_the_run_with_an_error(world: World):
    """Taken for a lost race it was claimed over and over, without end."""
    world.put("orders/1.csv")
    run(world)
    world.ledger.edit_claim("orders", "landing/orders/1.csv")
    world.put("orders/2.csv")
    with pytest.raises(CorruptLedgerError, match="segment"):
        run(world)


@pytest.mark.parametrize("keys", [(), ("orders/1.csv", "orders/2.csv", "orders/3.csv")])
def test_an_open_batch_that_nobody_can_write_to_ends_the_run_with_an_error(world: World, keys: tuple[str, ...]):
    """Its item was edited: it says that it is due, or full, and can be neither locked nor filled."""
    broken = replace(world.ledger.open_batch("orders", world.clock()), opened_at=world.clock.now)
    world.ledger.edit(broken)
    world.clock.go(hours=1)
    world.put(*keys)

    class Refusing:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.ledger, name)

        def claim(self, *_: object) -> Batch:
            raise LostRaceError

    with pytest.raises(ContentionError, match=f"(?s){broken.batch}.*edited.*backup"):
        buffer_objects(
            CONFIG, replace(world.services, ledger=Refusing()), run="run-1", is_active=lambda _: False, max_work=9
        )


def test_a_waiting_batch_is_loaded_once_its_age_is_reached(world: World):
    world.put("orders/1.csv")
    assert run(world) == []
    world.clock.go(seconds=59)
    assert run(world) == []
    world.clock.go(seconds=1)
    (work,) = run(world)
    assert (work.batch.reason, work.batch.files) == ("max_age", 1)


def test_an_object_offered_twice_is_buffered_once(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    run(world)
    assert run(world, run_id="run-2", is_active=lambda run: run == "run-1") == []
    assert [batch.files for batch in world.ledger.batches("orders")] == [0, 2]


def test_a_run_that_is_tried_again_gets_the_batches_that_it_locked(world: World):
    """The worker died after the lock, before Airflow had the list."""
    world.put("orders/1.csv", "orders/2.csv")
    first = run(world)
    assert run(world) == first


def test_a_batch_that_an_ended_run_left_is_taken_over(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    (left,) = run(world)
    (taken,) = run(world, run_id="run-2")
    assert (taken.batch.batch, taken.batch.run) == (left.batch.batch, "run-2")


AGAIN = "dag/run-1/buffer_objects/2"


def fail(world: World, work: Work, *, map_index: int = 0, run_id: str = "dag/run-1") -> None:
    """A task of the run tries the batch, which holds a bad row."""
    task = f"{run_id}/load_batch/{map_index}"
    with pytest.raises(BadDataError):
        load_batch(
            CONFIG, world.services, work.batch.batch, work.target, Asker(f"{task}/1", run_id, task=TaskFacts(task, 3))
        )


def test_a_run_whose_buffer_objects_is_cleared_gets_again_what_it_left_in_error(world: World):
    """The list has got shorter, so Airflow removes the failed task, and the run succeeds: nobody sees the batch."""
    world.put("orders/1.csv", "orders/2.csv", content="bad\n")
    (work,) = run(world, run_id="dag/run-1")
    fail(world, work)
    assert run(world, run_id="dag/run-2", again="dag/run-2/buffer_objects/2") == [], "it is another run's"
    assert run(world, run_id="dag/run-1") == [], "nobody has asked"
    (again,) = run(world, run_id="dag/run-1", again=AGAIN)
    assert again.batch.batch == work.batch.batch
    progress = again.batch.progress(TARGET)
    assert (progress.state, progress.generation, progress.opened_by) == (TargetState.WAITING, 1, AGAIN), (
        "a person asks, so S3 is asked for the sizes of repaired objects; and if no task takes it, the next run does"
    )
    assert run(world, run_id="dag/run-1", again=AGAIN) == [again], "the same try, run twice, asks once"


def test_what_a_run_left_in_error_comes_back_where_its_task_is(world: World):
    world.put(*(f"orders/{number}.csv" for number in range(4)), content="bad\n")
    first, second = run(world, run_id="dag/run-1")
    fail(world, first, map_index=0)
    fail(world, second, map_index=1)
    world.put("orders/new-1.csv", "orders/new-2.csv")
    again = run(world, run_id="dag/run-1", again=AGAIN)
    assert [each.batch.batch for each in again[:2]] == [first.batch.batch, second.batch.batch]
    assert len(again) == 3


def test_what_waits_for_a_persons_answer_is_handed_out_too_and_says_so_again(world: World):
    """Nothing is decided by clearing buffer_objects. But the task that fails with the question must not disappear."""
    world.put("orders/1.csv", "orders/2.csv")
    (work,) = run(world, run_id="dag/run-1")
    begun = world.ledger.replace(work.batch, begin_attempt(work.batch, TARGET, Asker("t", "dag/run-1")))
    attempt = AttemptRecord.newest(begun, TARGET).session_recorded(1, announces=True)
    undecided = attempt.commit_announced(rows=1, query_id=1).left_undecided(error="is it loaded?")
    world.ledger.replace(begun, undecided.batch)
    (again,) = run(world, run_id="dag/run-1", again=AGAIN)
    assert again.batch.progress(TARGET).is_undecided
    with pytest.raises(UndecidedError, match="is it loaded"):
        load_batch(CONFIG, world.services, again.batch.batch, TARGET, Asker("t", "dag/run-1"))


def test_a_batch_that_failed_and_was_asked_for_in_a_lost_answer_is_asked_for_once(world: World):
    world.put("orders/1.csv", "orders/2.csv", content="bad\n")
    (work,) = run(world, run_id="dag/run-1")
    fail(world, work)
    services = replace(world.services, ledger=LostAnswers(world.ledger, 1))
    (again,) = buffer_objects(CONFIG, services, run="dag/run-1", is_active=bool, max_work=9, again=AGAIN)
    progress = again.batch.progress(TARGET)
    assert (progress.opened_by, progress.asked_before) == (AGAIN, ())


@dataclass
class Edited:
    """A ledger in which somebody has edited one batch, so that it cannot be read."""

    ledger: MemoryLedger
    batch: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    def get(self, load: str, batch: str) -> Batch:
        if batch == self.batch:
            raise CorruptLedgerError(f"The item of batch {batch} of load {load} cannot be read.")
        return self.ledger.get(load, batch)


def test_a_batch_that_cannot_be_read_fails_by_itself_and_holds_up_no_other(world: World):
    world.put(*(f"orders/{number}.csv" for number in range(4)))
    broken, whole = run(world)
    services = replace(world.services, ledger=Edited(world.ledger, broken.batch.batch))
    work = buffer_objects(CONFIG, services, run="run-2", is_active=lambda _: False, max_work=9)
    assert {each.batch.batch for each in work} == {broken.batch.batch, whole.batch.batch}
    with pytest.raises(CorruptLedgerError, match=broken.batch.batch):
        load_batch(CONFIG, services, broken.batch.batch, TARGET, Asker("run-2/load_batch/0/1", "run-2"))
    loaded = load_batch(CONFIG, services, whole.batch.batch, TARGET, Asker("run-2/load_batch/1/1", "run-2"))
    assert loaded.outcome is Outcome.LOADED


@dataclass
class Lagging:
    """A ledger whose index of unfinished batches shows one that was loaded and then deleted a moment ago."""

    ledger: MemoryLedger
    batch: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    def unfinished(self, load: str) -> Iterator[str]:
        return iter(sorted({*self.ledger.unfinished(load), self.batch}))


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_batch_that_was_deleted_a_moment_ago_holds_up_no_other(world: World, mode: str):
    config = a_config(targets=[{"table": "public.orders", "mode": mode}])
    world.put(*(f"orders/{number}.csv" for number in range(4)))
    first, second = run(world, config)
    load_batch(config, world.services, first.batch.batch, TARGET, Asker("run-1/load_batch/0/1", "run-1"))
    complete = world.ledger.get("orders", first.batch.batch)
    world.ledger.delete(DeletedBatch(complete, tuple(world.ledger.segments(complete))), world.clock())
    services = replace(world.services, ledger=Lagging(world.ledger, first.batch.batch))
    (work,) = buffer_objects(config, services, run="run-2", is_active=lambda _: False, max_work=9)
    assert work.batch.batch == second.batch.batch
    loaded = load_batch(config, services, work.batch.batch, TARGET, Asker("run-2/load_batch/0/1", "run-2"))
    assert loaded.outcome is Outcome.LOADED


def test_a_batch_of_a_run_that_is_still_going_is_left_to_it(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    run(world)
    assert run(world, run_id="run-2", is_active=lambda run: run == "run-1") == []


def test_a_batch_is_left_to_the_run_that_is_at_work_on_it(world: World):
    """A person cleared the task in a run of yesterday: the run of now must not begin beside it."""
    world.put("orders/1.csv", "orders/2.csv")
    run(world)
    (left,) = run(world, run_id="run-2")
    world.ledger.replace(left.batch, begin_attempt(left.batch, TARGET, Asker("run-1/load_batch/0/2", "run-1")))
    assert run(world, run_id="run-3", is_active=lambda run: run == "run-1") == []


def test_two_runs_that_take_over_at_once_do_not_both_get_the_batch(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    run(world)

    def third_run_is_faster(_: str) -> bool:
        assert len(run(world, run_id="run-3")) == 1
        return False

    assert run(world, run_id="run-2", is_active=third_run_is_faster) == []


def test_a_batch_that_another_run_loads_and_a_person_deletes_meanwhile_is_not_taken_over(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    (left,) = run(world)

    def loaded_and_deleted(_: str) -> bool:
        asker = Asker("run-3/load_batch/0/1", "run-3")
        complete = load_batch(CONFIG, world.services, left.batch.batch, TARGET, asker).batch
        world.ledger.delete(DeletedBatch(complete, tuple(world.ledger.segments(complete))), world.clock())
        return False

    assert run(world, run_id="run-2", is_active=loaded_and_deleted) == []


def test_a_batch_is_this_runs_own_when_only_the_answer_to_taking_it_over_was_lost(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    run(world)
    services = replace(world.services, ledger=LostAnswers(world.ledger, 1))
    (work,) = buffer_objects(CONFIG, services, run="run-2", is_active=lambda _: False, max_work=99)
    assert work.batch == world.ledger.get("orders", work.batch.batch)
    assert work.batch.run == "run-2"


def test_a_batch_that_waits_for_a_person_is_not_taken_over_but_its_other_targets_are(world: World):
    config = a_config(targets=[{"table": "public.orders"}, {"table": "public.other"}])
    world.put("orders/1.csv", "orders/2.csv")
    work = run(world, config)
    assert len(work) == 2
    begun = world.ledger.replace(work[0].batch, begin_attempt(work[0].batch, TARGET, Asker("try-1", "dag/run-1")))
    world.ledger.replace(begun, AttemptRecord.newest(begun, TARGET).ended(error="bad data", final=True).batch)
    assert [each.target for each in run(world, config, run_id="run-2")] == ["redshift_default/public.other"]


def test_the_batches_of_a_run_are_capped_and_the_next_run_goes_on(world: World):
    config = a_config(max_batches_per_run=2)
    world.put(*(f"orders/{number}.csv" for number in range(10)))
    first = run(world, config)
    assert len(first) == 2
    second = run(world, config, run_id="run-2", is_active=lambda run: run == "run-1")
    assert second == [], "all five batches were locked by the first run, which is still going"
    assert len(run(world, config, run_id="run-3")) == 2, "nobody loaded any of them"


def test_batches_that_cannot_be_loaded_do_not_hold_up_the_new_ones(world: World):
    """The table of one target is missing, and more batches wait for it than one run takes."""
    config = a_config(max_batches_per_run=2)
    world.put(*(f"orders/a{number}.csv" for number in range(10)))
    run(world, config)
    world.put("orders/b1.csv", "orders/b2.csv")
    work = run(world, config, run_id="run-2")
    assert entries(world, work[:1]) == [["landing/orders/b1.csv", "landing/orders/b2.csv"]]
    assert len(work) == 2, "and one of those that are left"


@pytest.mark.parametrize("minutes", [1, 5, 60, 1440])
@pytest.mark.parametrize("batches", [3, 5, 12, 60])
def test_each_batch_that_is_left_gets_its_turn(world: World, minutes: int, batches: int):
    """Also where the number of batches divides the time between two runs."""
    config = a_config(max_batches_per_run=1)
    world.put(*(f"orders/{number:03}.csv" for number in range(2 * batches)))
    run(world, config)
    given = set()
    for number in range(4 * batches):
        world.clock.go(minutes=minutes)
        given |= {each.batch.batch for each in run(world, config, run_id=f"run-{number + 2}")}
    assert len(given) == batches


def test_where_order_matters_the_oldest_batch_goes_first(world: World):
    config = a_config(max_batches_per_run=3, targets=[{"table": "public.orders", "mode": "replace"}])
    world.put(*(f"orders/a{number}.csv" for number in range(4)))
    first = run(world, config)
    world.put(*(f"orders/b{number}.csv" for number in range(4)))
    for number in range(2, 9):
        world.clock.go(minutes=7)
        work = run(world, config, run_id=f"run-{number}")
        assert [each.batch.batch for each in work[:2]] == [each.batch.batch for each in first]
        assert len(work) == 3


def test_a_target_that_fails_holds_up_no_other_whatever_their_modes(world: World):
    """Two of three cannot be reached for weeks, and both take their batches in order: the backlog is theirs alone."""
    tables = [{"table": "added"}, {"table": "first", "mode": "replace"}, {"table": "second", "mode": "replace"}]
    config = a_config(max_batches_per_run=2, targets=tables)
    added, first, second = (target.name for target in config.targets)

    def load_into(work: list[Work], *targets: str) -> None:
        for each in work:
            if each.target in targets:
                load_batch(config, world.services, each.batch.batch, each.target, Asker("try-1", "dag/run"))

    for target in config.targets:
        world.warehouse.create(f"public.{target.table_name}")
    for number in range(4):
        world.put(*(f"orders/{number}-{each}.csv" for each in range(4)))
        load_into(run(world, config, run_id=f"run-{number}"), added)
    assert len(world.warehouse.tables["public.added"]) == 16, "not held up by the other two"
    for number in range(4, 9):
        load_into(run(world, config, run_id=f"run-{number}"), second)
    assert len(world.warehouse.histories["public.second"]) == 8, "nor the one by the other"
    waiting = run(world, config, run_id="run-9")
    oldest_two = sorted(batch.batch for batch in world.ledger.batches("orders"))[:2]
    assert [(each.target, each.batch.batch) for each in waiting] == [(first, each) for each in oldest_two]


def test_airflows_limit_on_mapped_tasks_is_kept(world: World):
    """More mapped tasks than `max_map_length` would fail the task that gives them."""
    config = a_config(targets=[{"table": "public.orders"}, {"table": "public.other"}])
    world.put(*(f"orders/{number}.csv" for number in range(10)))
    assert len(run(world, config, max_work=5)) == 4, "never half of a batch"


def test_a_listing_that_changes_while_it_is_read_loses_nothing(world: World):
    """Objects come before and behind the place that the walk has reached, and one goes that was listed."""
    world.put(*(f"orders/{number}.csv" for number in range(1, 6)))
    listed = world.storage.objects

    def changing(bucket: str, prefix: str) -> Iterator[S3Object]:
        for found in listed(bucket, prefix):
            if found.key == "orders/3.csv":
                world.put("orders/0.csv", "orders/4b.csv")
                world.storage.delete("landing", "orders/5.csv")
            yield found

    world.storage.objects = changing  # type: ignore[method-assign]
    run(world)
    world.storage.objects = listed  # type: ignore[method-assign]
    world.put("orders/5.csv")
    run(world)
    claimed = [entry.name for batch in world.ledger.batches("orders") for entry in world.ledger.entries(batch)]
    assert sorted(claimed) == [f"landing/orders/{name}.csv" for name in ("0", "1", "2", "3", "4", "4b", "5")]


def test_a_batch_carries_the_targets_that_it_was_locked_with(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    run(world)
    later = a_config(targets=[{"table": "public.orders"}, {"table": "public.new"}])
    assert [each.target for each in run(world, later)] == [TARGET]


def test_bytes_close_a_batch_too(world: World):
    config = a_config(batch={"max_files": 100, "max_bytes": 10})
    world.put("orders/1.csv", "orders/2.csv", "orders/3.csv", content="12345\n")
    (work,) = run(world, config)
    assert (work.batch.files, work.batch.reason) == (2, "max_bytes")


@pytest.mark.parametrize("method", ["claim", "lock"])
def test_whoever_loses_a_race_looks_again_and_goes_on(world: World, method: str):
    """Before each write of this run another run makes the same write; nothing may be lost or doubled."""
    world.put(*(f"orders/{number}.csv" for number in range(7)))
    real = getattr(world.ledger, method)
    raced: list[str] = []

    class Raced:
        def __getattr__(self, name: str) -> object:
            return getattr(world.ledger, name) if name != method else self.race

        def race(self, batch, *arguments, **named):
            if len(raced) < 3:
                raced.append(batch.batch)
                real(batch, *arguments, **named)
            return real(batch, *arguments, **named)

    services = replace(world.services, ledger=Raced())
    buffer_objects(CONFIG, services, run="run-1", is_active=lambda _: False, max_work=99)
    assert len(raced) == 3
    batches = list(world.ledger.batches("orders"))
    names = [entry.name for batch in batches for entry in world.ledger.entries(batch)]
    assert sorted(names) == [f"landing/orders/{number}.csv" for number in range(7)]
    assert sorted(batch.files for batch in batches) == [1, 2, 2, 2]
    assert [batch.status for batch in batches].count(BatchStatus.OPEN) == 1


ALL = {"load": "all", "source": "s3://landing/"}
"""The load round the others."""


def test_a_load_file_that_is_away_for_a_moment_does_not_widen_the_load_round_it(world: World):
    """`cp`, `rsync` and `git checkout` take a file away before they write it."""
    world.put("other/1.csv")
    run(world, a_config(**ALL, exclude=["s3://landing/orders/"]))
    world.put("orders/1.csv", "other/2.csv")
    away = a_config(**ALL)
    run(world, away)
    assert [*world.ledger.claimed_keys("all", "landing/")] == ["landing/other/1.csv", "landing/other/2.csv"]
    world.clock.go(seconds=600)
    run(world, away)
    assert world.ledger.find_claim("all", "landing/orders/1.csv"), "it has been away long enough"


def test_a_load_file_that_cannot_be_read_does_not_widen_the_load_round_it(world: World):
    run(world, a_config(**ALL, exclude=["s3://landing/orders/"]))
    world.put("orders/1.csv", "other/1.csv")
    broken = a_config(**ALL).beside(["orders.yaml"])
    world.clock.go(seconds=6000)
    run(world, broken)
    assert [*world.ledger.claimed_keys("all", "landing/")] == ["landing/other/1.csv"]


def test_a_load_that_never_ran_claims_nothing_beside_a_file_that_cannot_be_read(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    held = a_config(**ALL).beside(["orders.yaml"])
    assert run(world, held) == []
    assert look_for_work(held, world.services) is Found.NOTHING
    assert [*world.ledger.claimed_keys("all", "landing/")] == []
    assert world.ledger.left_alone("all") is None, "what it leaves alone is not known yet"
    run(world, a_config(**ALL))
    assert len([*world.ledger.claimed_keys("all", "landing/")]) == 2


def test_a_load_that_holds_still_goes_on_loading_what_is_claimed(world: World):
    """Objects that are claimed are its own."""
    world.put("orders/1.csv")
    run(world)
    world.put("orders/2.csv")
    world.clock.go(seconds=60)
    held = CONFIG.beside(["new.yaml"])
    assert look_for_work(held, world.services) is Found.NEW_OR_DUE
    assert entries(world, run(world, held)) == [["landing/orders/1.csv"]]


def test_a_load_round_no_other_records_with_its_first_lock_that_it_leaves_nothing_alone(world: World):
    """A file that is broken later does not stop it."""
    world.put("orders/1.csv", "orders/2.csv")
    run(world)
    world.put("orders/3.csv", "orders/4.csv")
    assert entries(world, run(world, CONFIG.beside(["new.yaml"]), run_id="run-2"))[0] == [
        "landing/orders/3.csv",
        "landing/orders/4.csv",
    ]


def test_two_runs_that_record_what_they_leave_alone_at_once_agree(world: World):
    """The one that loses looks again."""

    class Overtaken:
        def __init__(self, ledger: MemoryLedger):
            self.ledger = ledger
            self.late = True

        def __getattr__(self, name: str) -> Any:
            return getattr(self.ledger, name)

        def leave_alone(self, load: str, before: Any, after: Any) -> None:
            if self.late:
                self.late = False
                self.ledger.leave_alone(load, before, {"s3://landing/returns/": None})
            self.ledger.leave_alone(load, before, after)

    world.put("orders/1.csv", "returns/1.csv", "other/1.csv")
    services = replace(world.services, ledger=Overtaken(world.ledger))  # type: ignore[arg-type]
    config = a_config(**ALL, exclude=["s3://landing/orders/"])
    buffer_objects(config, services, run="run-1", is_active=bool, max_work=9)
    assert [*world.ledger.claimed_keys("all", "landing/")] == ["landing/other/1.csv"]


def test_recording_what_is_left_alone_ends_with_an_error_where_nobody_else_is_at_work(world: World):
    """An item that was edited by hand would otherwise hold the task for ever."""

    class Edited:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.ledger, name)

        def leave_alone(self, load: str, before: Any, after: Any) -> None:
            raise LostRaceError

    services = replace(world.services, ledger=Edited())  # type: ignore[arg-type]
    with pytest.raises(ContentionError, match="Try again"):
        buffer_objects(a_config(**ALL, exclude=["s3://landing/orders/"]), services, run="r", is_active=bool, max_work=9)
