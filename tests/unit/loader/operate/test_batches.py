"""What a person does with batches, on fakes: nothing is loaded that nobody asked for, and nothing is stuck."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from support.fakes.lost_answers import LostAnswers
from support.fakes.warehouse import Accident
from support.fakes.world import World
from support.objects import TARGET, a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import (
    BadDataError,
    ConfigurationError,
    ConnectionLostError,
    OperationRefusedError,
    OutOfOrderError,
    UnknownBatchError,
    UnknownObjectError,
)
from rsloader_provider.core.ledger.attempt_record import AttemptRecord
from rsloader_provider.core.ledger.batch import CLOSED_NOW, MARKED, Batch, BatchStatus, TargetState
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.operate.batches import close_now, plan_reprocess, reprocess_batch
from rsloader_provider.loader.operate.holdings import holdings
from rsloader_provider.loader.operate.mark import mark_as_loaded
from rsloader_provider.loader.ports.steps import Step
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.discover import new_objects
from rsloader_provider.loader.run.load_batch import load_batch

CONFIG = a_config(batch={"max_files": 3, "max_age": "5m"})
BOTH = a_config(
    batch={"max_files": 3, "max_age": "5m"}, targets=[{"table": "public.orders"}, {"table": "public.other"}]
)
OTHER = "redshift_default/public.other"


def run(world: World, config: LoadConfig = CONFIG, name: str = "dag/run-1") -> list[Batch]:
    """One DAG run: buffer, and load what it gives; bad data is left where it is."""
    work = buffer_objects(config, world.services, run=name, is_active=lambda _: False, max_work=99)
    loaded = []
    for each in work:
        try:
            loaded.append(load_batch(config, world.services, each.batch.batch, each.target, Asker("t", name)).batch)
        except BadDataError:
            loaded.append(world.ledger.get("orders", each.batch.batch))
    return loaded


def a_batch(world: World, config: LoadConfig = CONFIG, *, bad: str = "") -> Batch:
    for number in "123":
        world.put(f"orders/{number}.csv", content="bad\n" if number == bad else f"{number}\n")
    return run(world, config)[-1]


def rows(world: World, table: str = "public.orders") -> list[str]:
    return sorted(world.warehouse.tables[table])


def nothing_is_wrong(world: World, config: LoadConfig = CONFIG) -> dict[str, int]:
    report = audit_load(config, world.services, world.inventory)
    assert not report.is_wrong, "\n".join(report.lines())
    return {str(state): tally.objects for state, tally in report.tallies.items() if tally.objects}


def test_a_loaded_batch_is_loaded_again_as_the_next_generation(world: World):
    batch = a_batch(world)
    plan = plan_reprocess(CONFIG, world.services, batch.batch)
    assert plan.targets == (TARGET,)
    assert "ADDS THE ROWS A SECOND TIME: the 3 rows" in plan.sentences[0]
    waiting = reprocess_batch(CONFIG, world.services, batch.batch, by="alice-1")
    assert (waiting.status, waiting.progress(TARGET).generation) == (BatchStatus.LOCKED, 2)
    assert nothing_is_wrong(world) == {"in a batch being loaded": 3}
    (loaded,) = run(world, name="dag/run-2")
    assert (loaded.status, loaded.progress(TARGET).generation) == (BatchStatus.COMPLETE, 2)
    assert rows(world) == ["1", "1", "2", "2", "3", "3"]
    assert nothing_is_wrong(world) == {"loaded": 3}
    assert run(world, name="dag/run-3") == [], "and it is not loaded a third time"


def test_a_failed_batch_gets_one_more_attempt_at_the_same_generation(world: World):
    """A load whose outcome nobody knew is then found in the history instead of being repeated."""
    batch = a_batch(world, bad="2")
    assert batch.status is BatchStatus.ERROR
    assert run(world, name="dag/run-2") == [], "no run tries by itself"
    world.put("orders/2.csv", content="2\n")
    waiting = reprocess_batch(CONFIG, world.services, batch.batch, by="alice-1")
    assert (waiting.status, waiting.progress(TARGET).generation) == (BatchStatus.LOCKED, 1)
    run(world, name="dag/run-3")
    assert rows(world) == ["1", "2", "3"]


def test_the_same_request_counts_once_whoever_repeats_it(world: World):
    """Airflow may run a task of the operations' DAG twice."""
    batch = a_batch(world)
    for _ in range(2):
        reprocess_batch(CONFIG, world.services, batch.batch, by="dag/run/try-1")
    run(world, name="dag/run-2")
    reprocess_batch(CONFIG, world.services, batch.batch, by="dag/run/try-1")
    assert run(world, name="dag/run-3") == []
    assert rows(world) == ["1", "1", "2", "2", "3", "3"]


def test_a_request_whose_answer_was_lost_counts_once(world: World):
    batch = a_batch(world)
    services = replace(world.services, ledger=LostAnswers(world.ledger, 1))
    assert reprocess_batch(CONFIG, services, batch.batch, by="alice-1").progress(TARGET).generation == 2


def test_a_request_that_loses_to_an_attempt_is_refused(world: World):
    """Between its reading and its write a person's cleared task begins to load the batch."""
    batch = a_batch(world)
    ledger = Overtaken(world, "replace", lambda: begin(world, batch, Asker("try-9", "dag/run-9", cleared=True)))
    with pytest.raises(OperationRefusedError, match=f"{batch.batch} of load orders is being loaded into {TARGET}"):
        reprocess_batch(CONFIG, replace(world.services, ledger=ledger), batch.batch, by="alice-1")
    assert world.ledger.get("orders", batch.batch).progress(TARGET).opened_by == "try-9"


class Overtaken:
    """A ledger before whose first write of a kind somebody else writes."""

    def __init__(self, world: World, method: str, other: Any):
        self._ledger, self._method, self._other = world.ledger, method, [other]

    def __getattr__(self, name: str) -> Any:
        if name == self._method and self._other:
            self._other.pop()()
        return getattr(self._ledger, name)


def begin(world: World, batch: Batch, asker: Asker) -> None:
    now = world.ledger.get("orders", batch.batch)
    world.ledger.replace(now, begin_attempt(now, TARGET, asker))


def test_one_target_alone_is_loaded_again(world: World):
    world.warehouse.create("public.other")
    batch = a_batch(world, BOTH)
    waiting = reprocess_batch(BOTH, world.services, batch.batch, targets=[OTHER], by="alice-1")
    assert waiting.unfinished_targets == (OTHER,)
    run(world, BOTH, "dag/run-2")
    assert len(rows(world)) == 3
    assert len(rows(world, "public.other")) == 6
    assert nothing_is_wrong(world, BOTH) == {"loaded": 3}


def test_an_object_that_is_left_out_is_not_loaded_and_stays_claimed(world: World):
    batch = a_batch(world, bad="2")
    url = "s3://landing/orders/2.csv"
    plan = plan_reprocess(CONFIG, world.services, batch.batch, without=[url])
    assert [entry.url for entry in plan.left_out] == [url]
    assert world.ledger.get("orders", batch.batch) == batch, "a plan changes nothing"
    waiting = reprocess_batch(CONFIG, world.services, batch.batch, without=[url], by="alice-1")
    assert (waiting.files, waiting.taken_out) == (2, 1)
    run(world, name="dag/run-2")
    assert rows(world) == ["1", "3"]
    assert run(world, name="dag/run-3") == []
    assert nothing_is_wrong(world) == {"left out by a person": 1, "loaded": 2}
    claim = world.ledger.find_claim("orders", "landing/orders/2.csv")
    assert claim is not None
    assert claim.left_out_at == world.clock()


def test_an_object_is_left_out_of_a_loaded_batch_for_the_next_generation(world: World):
    """The history has three objects for the first generation, and two for the second; both are right."""
    batch = a_batch(world)
    reprocess_batch(CONFIG, world.services, batch.batch, without=["s3://landing/orders/2.csv"], by="alice-1")
    assert nothing_is_wrong(world) == {"left out by a person": 1, "in a batch being loaded": 2}
    run(world, name="dag/run-2")
    assert rows(world) == ["1", "1", "2", "3", "3"]
    assert [row.files for row in world.warehouse.histories["public.orders"]] == [3, 2]
    assert nothing_is_wrong(world) == {"left out by a person": 1, "loaded": 2}


def test_an_attempt_that_wakes_up_late_cannot_bring_back_what_was_left_out(world: World):
    """It writes the manifest that it knows right before the later attempt's COPY, which copies by another one."""
    batch = a_batch(world, bad="2")
    key = f"manifests/{batch.manifest_name}"
    known_to_the_first = world.storage.read("loader", key)
    assert known_to_the_first is not None
    world.put("orders/2.csv", content="2\n")
    reprocess_batch(CONFIG, world.services, batch.batch, without=["s3://landing/orders/2.csv"], by="a")

    class WakingUp:
        @contextmanager
        def taking(self, step: Step, subject: object) -> Iterator[None]:
            if step is Step.COPY:
                world.storage.write("loader", key, known_to_the_first or b"")
            yield

    services = replace(world.services, steps=WakingUp())
    load_batch(CONFIG, services, batch.batch, TARGET, Asker("t", "dag/run-2"))
    assert rows(world) == ["1", "3"]
    assert nothing_is_wrong(world) == {"left out by a person": 1, "loaded": 2}


def test_leaving_out_goes_on_where_it_was_interrupted(world: World):
    batch = a_batch(world, bad="2")
    url = "s3://landing/orders/2.csv"
    ledger = Overtaken(world, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        reprocess_batch(CONFIG, replace(world.services, ledger=ledger), batch.batch, without=[url], by="a")
    assert world.ledger.get("orders", batch.batch).status is BatchStatus.ERROR
    waiting = reprocess_batch(CONFIG, world.services, batch.batch, without=[url], by="a")
    assert (waiting.files, waiting.taken_out, waiting.status) == (2, 1, BatchStatus.LOCKED)


def stop() -> None:
    raise KeyboardInterrupt


def test_leaving_out_loses_to_an_attempt_and_is_refused(world: World):
    batch = a_batch(world, bad="2")
    ledger = Overtaken(world, "leave_out", lambda: begin(world, batch, Asker("try-9", "dag/run-9", cleared=True)))
    with pytest.raises(OperationRefusedError, match="is being loaded"):
        reprocess_batch(
            CONFIG, replace(world.services, ledger=ledger), batch.batch, without=["s3://landing/orders/2.csv"], by="a"
        )
    assert world.ledger.get("orders", batch.batch).files == 3


@pytest.mark.parametrize(
    ("without", "error", "words"),
    [
        (["s3://landing/orders/9.csv"], UnknownObjectError, "does not have s3://landing/orders/9.csv"),
        (["orders/2.csv"], ConfigurationError, "is not an S3 URL"),
        (["s3://landing"], ConfigurationError, "is a bucket"),
        ([f"s3://landing/orders/{number}.csv" for number in "123"], OperationRefusedError, "Nothing would be left"),
    ],
)
def test_what_cannot_be_left_out_changes_nothing(world: World, without: list[str], error: type, words: str):
    batch = a_batch(world, bad="2")
    for call in (plan_reprocess, lambda *given, **named: reprocess_batch(*given, by="a", **named)):
        with pytest.raises(error, match=words):
            call(CONFIG, world.services, batch.batch, without=without)
    assert world.ledger.get("orders", batch.batch) == batch


def test_a_batch_that_is_being_loaded_is_refused_with_words(world: World):
    """Its worker may be gone; then the next run takes it up, and no person has to."""
    world.put("orders/1.csv", "orders/2.csv", "orders/3.csv")
    (work,) = buffer_objects(CONFIG, world.services, run="dag/run-1", is_active=bool, max_work=9)
    world.warehouse.accidents.append(Accident(sql.Commit, True))
    with pytest.raises(ConnectionLostError):
        load_batch(CONFIG, world.services, work.batch.batch, TARGET, Asker("t", "dag/run-1"))
    with pytest.raises(OperationRefusedError, match="attempt 1 of run dag/run-1 has not ended"):
        reprocess_batch(CONFIG, world.services, work.batch.batch, by="alice-1")
    (holding,) = holdings("orders", world.services)
    assert "attempt 1 of run dag/run-1 holds it, Redshift session" in holding.sentence
    assert "the next run does" in holding.sentence


def test_a_batch_that_asks_whether_it_is_loaded_is_answered_first(world: World):
    batch = a_batch(world, bad="2")
    begun = AttemptRecord.newest(begin_attempt(batch, TARGET, Asker("t", "dag/run-1")), TARGET)
    announced = begun.session_recorded(7, announces=True).commit_announced(rows=3, query_id=None)
    world.ledger.replace(batch, announced.left_undecided(error="nobody knows").batch)
    with pytest.raises(OperationRefusedError, match=f"rsloader mark-not-loaded orders {batch.batch} {TARGET}"):
        reprocess_batch(CONFIG, world.services, batch.batch, by="alice-1")


def test_open_and_unknown_batches_and_targets_are_refused(world: World):
    world.put("orders/1.csv")
    run(world)
    opened = world.ledger.open_batch("orders", world.clock())
    with pytest.raises(OperationRefusedError, match="`rsloader close-now orders` locks it"):
        plan_reprocess(CONFIG, world.services, opened.batch)
    with pytest.raises(UnknownBatchError):
        plan_reprocess(CONFIG, world.services, "01ARZ3NDEKTSV4RRFFQ69G5FAV")
    batch = a_batch(world)
    with pytest.raises(UnknownBatchError, match="has no target nowhere"):
        plan_reprocess(CONFIG, world.services, batch.batch, targets=["nowhere"])


def test_on_clear_skip_is_about_clearing_and_does_not_hold_a_request_back(world: World):
    """A cleared task may be a slip; a command that names the batch is not."""
    config = a_config(batch={"max_files": 3, "max_age": "5m"}, on_clear="skip")
    batch = a_batch(world, config)
    assert "on_clear: skip" in plan_reprocess(config, world.services, batch.batch).sentences[-1]
    reprocess_batch(config, world.services, batch.batch, by="alice-1")
    run(world, config, "dag/run-2")
    assert len(rows(world)) == 6


def test_an_older_batch_does_not_overwrite_a_newer_one_even_when_a_person_asks(world: World):
    config = a_config(batch={"max_files": 3, "max_age": "5m"}, targets=[{"table": "public.orders", "mode": "replace"}])
    batch = a_batch(world, config)
    world.put("orders/4.csv", "orders/5.csv", "orders/6.csv", content="4\n")
    run(world, config, "dag/run-2")
    assert "fails if a newer batch" in plan_reprocess(config, world.services, batch.batch).sentences[0]
    reprocess_batch(config, world.services, batch.batch, by="alice-1")
    with pytest.raises(OutOfOrderError):
        run(world, config, "dag/run-3")
    assert rows(world) == ["4", "4", "4"]


def test_a_marked_batch_is_loaded_when_a_person_asks_for_it(world: World):
    world.put("orders/1.csv", "orders/2.csv")
    objects = new_objects(CONFIG, world.services)
    (batch_id,) = mark_as_loaded("orders", world.services, objects, reason=MARKED, run="me").batches
    assert "only marked" in plan_reprocess(CONFIG, world.services, batch_id).sentences[0]
    for _ in range(2):
        waiting = reprocess_batch(CONFIG, world.services, batch_id, by="alice-1")
        assert waiting.progress(TARGET).state is TargetState.WAITING
    run(world)
    assert rows(world) == ["1", "1"]
    assert nothing_is_wrong(world) == {"loaded": 2}


def test_close_now_locks_what_waits_and_the_next_run_loads_it(world: World):
    world.put("orders/1.csv")
    assert run(world) == []
    locked = close_now(CONFIG, world.services, by="alice")
    assert locked is not None
    assert (locked.status, locked.reason, locked.files) == (BatchStatus.LOCKED, CLOSED_NOW, 1)
    assert close_now(CONFIG, world.services, by="alice") is None, "nothing waits any more"
    assert [each.status for each in run(world, name="dag/run-2")] == [BatchStatus.COMPLETE]
    assert nothing_is_wrong(world) == {"loaded": 1}


def test_close_now_that_loses_to_a_run_gives_the_batch_that_the_run_locked(world: World):
    world.put("orders/1.csv")
    run(world)

    def lock() -> None:
        opened = world.ledger.open_batch("orders", world.clock())
        world.ledger.lock(opened, reason="max_age", run="dag/run-2", targets={TARGET: {}}, now=world.clock())

    closed = close_now(CONFIG, replace(world.services, ledger=Overtaken(world, "lock", lock)), by="alice")
    assert closed is not None
    assert (closed.reason, closed.run) == ("max_age", "dag/run-2")


def test_close_now_that_loses_to_a_claim_locks_that_too(world: World):
    world.put("orders/1.csv")
    run(world)
    world.put("orders/2.csv")
    ledger = Overtaken(world, "lock", lambda: run(world, name="dag/run-2"))
    closed = close_now(CONFIG, replace(world.services, ledger=ledger), by="alice")
    assert closed is not None
    assert closed.files == 2


def test_who_holds_what_is_told_for_every_target_of_a_batch(world: World):
    batch = a_batch(world, bad="2")
    (holding,) = holdings("orders", world.services, batch.batch)
    assert "waits until a person repairs" in holding.sentence
    assert [*holdings("orders", world.services)] == [], "nothing waits for a run"
    with pytest.raises(UnknownBatchError):
        [*holdings("orders", world.services, "01ARZ3NDEKTSV4RRFFQ69G5FAV")]
