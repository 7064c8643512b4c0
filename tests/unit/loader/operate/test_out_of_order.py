"""A batch that a newer one has overtaken: what only it has gets into the table once a person says so, and only then."""

from dataclasses import replace
from typing import Any

import pytest
from support.fakes.lost_answers import LostAnswers
from support.fakes.warehouse import Accident
from support.fakes.world import World
from support.objects import TARGET, a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConnectionLostError, OperationRefusedError, OutOfOrderError, RsloaderError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetState
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.operate.batches import plan_reprocess, reprocess_batch
from rsloader_provider.loader.operate.change_targets import give_up_target
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, load_batch

OTHER = "redshift_default/public.other"
MERGE = a_config(batch={"max_files": 1}, targets=[{"table": "public.orders", "mode": "merge", "merge_on": ["id"]}])
REPLACE = a_config(batch={"max_files": 1}, targets=[{"table": "public.orders", "mode": "replace"}])
BOTH = a_config(
    batch={"max_files": 1},
    targets=[{"table": "public.orders", "mode": "merge", "merge_on": ["id"]}, {"table": "public.other"}],
)


def load(
    world: World, config: LoadConfig, batch: Batch, number: int = 1, *, cleared: bool = False, target: str = TARGET
) -> object:
    asker = Asker(f"{target}/{number}", "dag/run-1", cleared=cleared)
    try:
        return load_batch(config, world.services, batch.batch, target, asker).outcome
    except RsloaderError as error:
        return error


def next_run(world: World, config: LoadConfig, name: str) -> list[object]:
    work = buffer_objects(config, world.services, run=name, is_active=lambda _: False, max_work=99)
    return [load(world, config, each.batch, 9, target=each.target) for each in work]


def overtaken(world: World, config: LoadConfig) -> Batch:
    """A batch that failed on a bad row, and was repaired when the next one was in the table already."""
    if len(config.targets) > 1:
        world.warehouse.create("public.other")
    world.put("orders/1.csv", content="1,old\n2,only here\nbad\n")
    world.put("orders/2.csv", content="1,new\n")
    next_run(world, config, "dag/run-1")
    world.put("orders/1.csv", content="1,old\n2,only here\n")
    (older,) = (each for each in world.ledger.batches("orders") if each.status is BatchStatus.ERROR)
    return older


def stored(world: World, batch: Batch) -> Batch:
    return world.ledger.get("orders", batch.batch)


def rows(world: World, table: str = "public.orders") -> list[str]:
    return sorted(world.warehouse.tables[table])


def test_a_repaired_batch_that_was_overtaken_is_merged_once_a_person_says_so(world: World):
    """It said that nothing needs repair, although the row that only it has was missing in the table."""
    batch = overtaken(world, MERGE)
    refused = load(world, MERGE, batch, 2, cleared=True)
    assert isinstance(refused, OutOfOrderError)
    command = f"rsloader reprocess orders {batch.batch} --target {TARGET} --out-of-order"
    assert command in str(refused)
    assert f"rsloader give-up orders {batch.batch} {TARGET}" in str(refused)
    assert "Nothing needs repair" not in str(refused)
    assert rows(world) == ["1,new"]
    plan = plan_reprocess(MERGE, world.services, batch.batch, targets=[TARGET], out_of_order=True)
    assert plan.sentences[-1] == "Its rows replace all that have the same key, also those of newer batches."
    reprocess_batch(MERGE, world.services, batch.batch, targets=[TARGET], out_of_order=True, by="alice-1")
    assert next_run(world, MERGE, "dag/run-2") == [Outcome.LOADED]
    assert rows(world) == ["1,old", "2,only here"]
    progress = stored(world, batch).progress(TARGET)
    assert (progress.generation, progress.out_of_order) == (1, None)
    assert not audit_load(MERGE, world.services, world.inventory).is_wrong
    assert isinstance(load(world, MERGE, batch, 3, cleared=True), OutOfOrderError), "it was asked for once"


def test_no_other_target_is_touched(world: World):
    """Reprocessing the objects would add their rows to the table that has them already."""
    batch = overtaken(world, BOTH)
    assert load(world, BOTH, batch, 2, target=OTHER, cleared=True) is Outcome.LOADED
    before = stored(world, batch).progress(OTHER)
    reprocess_batch(BOTH, world.services, batch.batch, targets=[TARGET], out_of_order=True, by="alice-1")
    assert next_run(world, BOTH, "dag/run-2") == [Outcome.LOADED]
    assert rows(world) == ["1,old", "2,only here"]
    assert rows(world, "public.other") == ["1,new", "1,old", "2,only here"]
    assert stored(world, batch).progress(OTHER) == before


@pytest.mark.parametrize(
    ("config", "targets", "mode"), [(BOTH, [], "append"), (BOTH, [OTHER], "append"), (REPLACE, [TARGET], "replace")]
)
def test_only_targets_that_merge_are_loaded_out_of_order(
    world: World, config: LoadConfig, targets: list[str], mode: str
):
    """In the others the older rows would take the place of all, or be added a second time unasked."""
    batch = overtaken(world, config)
    before = stored(world, batch)
    for ask in (plan_reprocess, lambda *args, **more: reprocess_batch(*args, **more, by="alice-1")):
        with pytest.raises(OperationRefusedError, match=f"has mode {mode}. Nothing was changed"):
            ask(config, world.services, batch.batch, targets=targets, out_of_order=True)
    assert stored(world, batch) == before


def test_a_mode_that_is_changed_afterwards_is_not_loaded_out_of_order(world: World):
    batch = overtaken(world, MERGE)
    reprocess_batch(MERGE, world.services, batch.batch, out_of_order=True, by="alice-1")
    (refused,) = next_run(world, REPLACE, "dag/run-2")
    assert isinstance(refused, OutOfOrderError)
    assert rows(world) == ["1,new"]


def test_a_batch_that_waits_already_is_told_too_and_a_plain_request_later_takes_it_back(world: World):
    batch = overtaken(world, MERGE)
    reprocess_batch(MERGE, world.services, batch.batch, by="alice-1")
    waiting = reprocess_batch(MERGE, world.services, batch.batch, out_of_order=True, by="alice-2")
    assert waiting.progress(TARGET).out_of_order
    assert reprocess_batch(MERGE, world.services, batch.batch, out_of_order=True, by="alice-3") == waiting
    world.put("orders/1.csv", content="bad\n")
    next_run(world, MERGE, "dag/run-2")
    assert stored(world, batch).progress(TARGET).out_of_order, "a repair and a clear go on with it"
    reprocess_batch(MERGE, world.services, batch.batch, by="alice-4")
    world.put("orders/1.csv", content="1,old\n")
    (refused,) = next_run(world, MERGE, "dag/run-3")
    assert isinstance(refused, OutOfOrderError)


@pytest.mark.parametrize("committed", [True, False])
def test_an_attempt_out_of_order_that_was_stopped_at_its_commit_is_loaded_once(world: World, committed: bool):
    batch = overtaken(world, MERGE)
    reprocess_batch(MERGE, world.services, batch.batch, out_of_order=True, by="alice-1")
    world.warehouse.accidents.append(Accident(sql.Commit, after=committed))
    assert isinstance(load(world, MERGE, batch, 2), ConnectionLostError)
    assert load(world, MERGE, batch, 3) is (Outcome.FOUND_LOADED if committed else Outcome.LOADED)
    assert [row.key.generation for row in world.warehouse.histories["public.orders"]] == [1, 1]
    assert rows(world) == ["1,old", "2,only here"]


@pytest.mark.parametrize("lost", [True, False])
def test_a_request_out_of_order_counts_once_though_others_write_in_between(world: World, lost: bool):
    batch = overtaken(world, MERGE)

    def ask(by: str, ledger: Any) -> Batch:
        services = replace(world.services, ledger=ledger)
        return reprocess_batch(MERGE, services, batch.batch, out_of_order=True, by=by)

    class Overtaken:
        """A ledger before whose first change somebody else asks plainly."""

        def __getattr__(self, name: str) -> Any:
            if name == "replace" and not others:
                others.append(reprocess_batch(MERGE, world.services, batch.batch, by="bob-1"))
            return getattr(world.ledger, name)

    others: list[Batch] = []
    ask("alice-1", LostAnswers(world.ledger, 1) if lost else Overtaken())
    progress = stored(world, batch).progress(TARGET)
    assert (progress.out_of_order, progress.opened_by, progress.generation) == (True, "alice-1", 1)


@pytest.mark.parametrize("config", [MERGE, REPLACE], ids=["merge", "replace"])
def test_a_batch_that_is_not_needed_any_more_is_given_up(world: World, config: LoadConfig):
    """It stayed in `error`, and an audit named it for ever."""
    batch = overtaken(world, config)
    refused = load(world, config, batch, 2, cleared=True)
    assert f"rsloader give-up orders {batch.batch} {TARGET}" in str(refused)
    assert audit_load(config, world.services, world.inventory).is_wrong
    given_up = give_up_target(config, world.services, batch.batch, TARGET, by="alice-1")
    assert (given_up.status, given_up.progress(TARGET).state) == (BatchStatus.COMPLETE, TargetState.GIVEN_UP)
    assert not audit_load(config, world.services, world.inventory).is_wrong
    assert rows(world) == ["1,new"]


def test_a_batch_that_was_loaded_and_overtaken_is_still_loaded_when_its_second_load_is_given_up(world: World):
    world.put("orders/1.csv", content="1,old\n")
    world.put("orders/2.csv", content="1,new\n")
    next_run(world, MERGE, "dag/run-1")
    older = min(
        (each for each in world.ledger.batches("orders") if each.status is BatchStatus.COMPLETE),
        key=lambda each: each.batch,
    )
    assert isinstance(load(world, MERGE, older, 2, cleared=True), OutOfOrderError)
    give_up_target(MERGE, world.services, older.batch, TARGET, by="alice-1")
    report = audit_load(MERGE, world.services, world.inventory)
    assert not report.is_wrong
    assert {str(state): tally.objects for state, tally in report.tallies.items() if tally.objects} == {"loaded": 2}
