"""A batch whose target the load no longer has asks a person; no row is loaded twice, lost, or into the wrong table."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from support.fakes.lost_answers import LostAnswers
from support.fakes.warehouse import Accident
from support.fakes.world import FAILED_TOPIC, OK_TOPIC, World
from support.objects import TARGET, a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import (
    ConnectionLostError,
    NotSetUpError,
    OperationRefusedError,
    RsloaderError,
    TargetRemovedError,
    TransientError,
    UndecidedError,
    UnknownBatchError,
)
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, Notification, TargetState
from rsloader_provider.core.ledger.transitions import Asker, begin_attempt
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.operate.batches import plan_reprocess, reprocess_batch
from rsloader_provider.loader.operate.change_targets import (
    give_up_target,
    plan_give_up,
    plan_retarget,
    retarget_batch,
)
from rsloader_provider.loader.operate.decide import decide_by_person
from rsloader_provider.loader.operate.forget_objects import forget_objects
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, load_batch

OLD = "redshift_default/public.old"
OTHER = "redshift_default/public.other"


def a_load(*tables: str, **settings: Any) -> LoadConfig:
    return a_config(
        targets=[{"table": f"public.{table}", **settings} for table in tables],
        notify={"success": OK_TOPIC, "failure": FAILED_TOPIC},
    )


BEFORE, AFTER = a_load("old"), a_load("orders")
BOTH_BEFORE, BOTH_AFTER = a_load("old", "other"), a_load("orders", "other")
SILENT_BEFORE, SILENT_AFTER = a_load("old", history="none"), a_load("orders", history="none")


def run(world: World, config: LoadConfig, name: str) -> list[object]:
    """One DAG run: buffer, and load what it gives; gives the outcomes and errors."""
    work = buffer_objects(config, world.services, run=name, is_active=lambda _: False, max_work=99)
    return [load(world, config, each.batch, each.target, Asker(f"{name}/{each.target}", name)) for each in work]


def load(world: World, config: LoadConfig, batch: Batch, target: str, asker: Asker) -> object:
    try:
        return load_batch(config, world.services, batch.batch, target, asker).outcome
    except RsloaderError as error:
        return error


def the_batch(world: World) -> Batch:
    (batch,) = (each for each in world.ledger.batches("orders") if each.status is not BatchStatus.OPEN)
    return batch


def rows(world: World, table: str) -> list[str]:
    return sorted(world.warehouse.tables[f"public.{table}"])


def locked(world: World, config: LoadConfig) -> Batch:
    """A batch of two objects that no attempt has begun."""
    world.put("orders/1.csv", "orders/2.csv")
    buffer_objects(config, world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    return the_batch(world)


def stopped(world: World, config: LoadConfig, *, committed: bool, target: str = OLD) -> Batch:
    """A batch whose attempt was stopped at its COMMIT, and that has not recorded how that went."""
    batch = locked(world, config)
    world.warehouse.accidents.append(Accident(sql.Commit, after=committed))
    assert isinstance(load(world, config, batch, target, Asker("try-1", "dag/run-1")), ConnectionLostError)
    return the_batch(world)


@pytest.fixture
def world(world: World) -> World:
    """The tables of all loads here."""
    world.warehouse.create("public.old")
    world.warehouse.create("public.other")
    return world


def test_a_corrected_table_name_reaches_a_batch_that_is_locked_already(world: World):
    """Each run went on trying the old name, for ever, whatever the load file said."""
    del world.warehouse.tables["public.old"], world.warehouse.histories["public.old"]
    del world.warehouse.locks["public.old"]
    world.put("orders/1.csv", "orders/2.csv")
    (missing,) = run(world, BEFORE, "dag/run-1")
    assert isinstance(missing, NotSetUpError)
    (asked,) = run(world, AFTER, "dag/run-2")
    assert isinstance(asked, TargetRemovedError)
    batch = the_batch(world)
    assert f"rsloader retarget orders {batch.batch} {OLD} {TARGET}\n" in str(asked)
    assert f"rsloader give-up orders {batch.batch} {OLD}\n" in str(asked)
    assert (batch.status, batch.progress(OLD).error) == (BatchStatus.ERROR, str(asked))
    assert run(world, AFTER, "dag/run-3") == [], "it is told once, and waits for the person"
    assert plan_retarget(AFTER, world.services, batch.batch, OLD, TARGET).sentences == (
        f"{TARGET}: the next run loads the batch into it, in the place of {OLD}.",
        "The batch has no other target.",
    )
    waiting = retarget_batch(AFTER, world.services, batch.batch, OLD, TARGET, by="alice-1")
    assert (waiting.status, [*waiting.targets]) == (BatchStatus.LOCKED, [TARGET])
    assert run(world, AFTER, "dag/run-4") == [Outcome.LOADED]
    assert rows(world, "orders") == ["1", "1"]
    assert not audit_load(AFTER, world.services, world.inventory).is_wrong


def test_an_audit_names_both_commands_for_a_removed_target_and_a_clear_for_another(world: World):
    batch = locked(world, BOTH_BEFORE)
    world.put("orders/2.csv", content="bad\n")
    run(world, BOTH_AFTER, "dag/run-2")
    told = "\n".join(audit_load(BOTH_AFTER, world.services, world.inventory).lines())
    assert f"Batch {batch.batch}, target {OLD}: the load no longer has this target: load it elsewhere:" in told
    assert f"rsloader retarget orders {batch.batch} {OLD} {TARGET}; or do not load it there:" in told
    assert f"clear load_batch of run dag/run-2 in Airflow (batch {batch.batch})" in told
    world.put("orders/2.csv")
    reprocess_batch(BOTH_AFTER, world.services, batch.batch, targets=[OTHER], by="alice-1")
    run(world, BOTH_AFTER, "dag/run-3")
    told = "\n".join(audit_load(BOTH_AFTER, world.services, world.inventory).lines())
    assert "rsloader give-up" in told
    assert "clear load_batch" not in told, "it would change nothing"


def test_a_removed_target_is_not_loaded_into_although_its_table_is_there(world: World):
    batch = locked(world, BOTH_BEFORE)
    outcomes = {type(each) for each in run(world, a_load("other"), "dag/run-2")}
    assert outcomes == {TargetRemovedError, Outcome}
    assert (rows(world, "old"), rows(world, "other")) == ([], ["1", "1"])
    told = [message["errorText"] for _, message in world.notifier.messages[FAILED_TOPIC]]
    assert ["rsloader give-up" in each and "rsloader retarget" not in each for each in told] == [True]
    assert the_batch(world).progress(OLD).state is TargetState.FAILED
    assert batch.batch == the_batch(world).batch


def test_a_target_that_comes_back_is_loaded_when_the_task_is_cleared(world: World):
    batch = locked(world, BEFORE)
    run(world, AFTER, "dag/run-2")
    assert load(world, BEFORE, batch, OLD, Asker("try-9", "dag/run-2", cleared=True)) is Outcome.LOADED


@pytest.mark.parametrize("decision", ["retarget", "give up"])
def test_neither_touches_the_other_targets(world: World, decision: str):
    batch = locked(world, BOTH_BEFORE)
    load(world, BOTH_BEFORE, batch, OTHER, Asker("try-1", "dag/run-1"))
    other = the_batch(world).progress(OTHER)
    if decision == "retarget":
        changed = retarget_batch(BOTH_AFTER, world.services, batch.batch, OLD, TARGET, by="alice-1")
    else:
        changed = give_up_target(BOTH_AFTER, world.services, batch.batch, OLD, by="alice-1")
    assert changed.progress(OTHER) == other
    assert changed.status is (BatchStatus.LOCKED if decision == "retarget" else BatchStatus.COMPLETE)
    assert run(world, BOTH_AFTER, "dag/run-2") == ([Outcome.LOADED] if decision == "retarget" else [])
    assert rows(world, "other") == ["1", "1"]
    assert rows(world, "orders") == (["1", "1"] if decision == "retarget" else [])
    assert rows(world, "old") == []


@pytest.mark.parametrize(("before", "after"), [(BEFORE, AFTER), (SILENT_BEFORE, SILENT_AFTER)], ids=["table", "none"])
def test_what_was_committed_before_the_table_was_renamed_is_found_where_it_was(
    world: World, before: LoadConfig, after: LoadConfig
):
    """The new table's history, or its silence, says nothing of it."""
    batch = stopped(world, before, committed=True)
    for change in (
        lambda: retarget_batch(after, world.services, batch.batch, OLD, TARGET, by="alice-1"),
        lambda: give_up_target(after, world.services, batch.batch, OLD, by="alice-2"),
    ):
        with pytest.raises(OperationRefusedError, match="not known yet what attempt 1 of run dag/run-1 has loaded"):
            change()
    assert run(world, after, "dag/run-2") == [Outcome.FOUND_LOADED]
    assert (rows(world, "old"), rows(world, "orders")) == (["1", "1"], [])
    assert the_batch(world).status is BatchStatus.COMPLETE
    with pytest.raises(OperationRefusedError, match="is loaded into"):
        retarget_batch(after, world.services, batch.batch, OLD, TARGET, by="alice-3")


@pytest.mark.parametrize(("before", "after"), [(BEFORE, AFTER), (SILENT_BEFORE, SILENT_AFTER)], ids=["table", "none"])
def test_what_was_not_committed_is_loaded_once_where_the_person_says(
    world: World, before: LoadConfig, after: LoadConfig
):
    batch = stopped(world, before, committed=False)
    (asked,) = run(world, after, "dag/run-2")
    assert isinstance(asked, TargetRemovedError)
    progress = the_batch(world).progress(OLD)
    assert (progress.session, progress.unanswered) == (None, None), "it is certain that nothing is there"
    retarget_batch(after, world.services, batch.batch, OLD, TARGET, by="alice-1")
    assert run(world, after, "dag/run-3") == [Outcome.LOADED]
    assert (rows(world, "old"), rows(world, "orders")) == ([], ["1", "1"])


def test_an_attempt_that_has_announced_nothing_is_certain_without_its_connection(world: World):
    """Without a history, a COMMIT is announced first; and the attempt that would announce it has lost its place."""
    batch = locked(world, SILENT_BEFORE)
    world.warehouse.accidents.append(Accident(sql.Copy, after=True))
    load(world, SILENT_BEFORE, batch, OLD, Asker("try-1", "dag/run-1"))
    world.warehouse.connections.clear()
    (asked,) = run(world, SILENT_AFTER, "dag/run-2")
    assert isinstance(asked, TargetRemovedError)
    assert not the_batch(world).progress(OLD).may_commit


def gone(world: World) -> None:
    world.warehouse.connections.discard("redshift_default")


def unreachable(world: World) -> None:
    world.warehouse.unreachable = True


def refuses(world: World) -> None:
    def refuse() -> None:
        raise TransientError("LockHistory: canceled")

    world.warehouse.before(sql.LockHistory, refuse)


RENAMED = a_config(targets=[{"conn_id": "renamed", "table": "public.old"}])
NEW = "renamed/public.old"


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("trouble", [gone, unreachable, refuses])
def test_what_cannot_be_asked_where_it_may_be_is_for_a_person_to_say(
    world: World, trouble: Callable[[World], None], committed: bool
):
    """A renamed connection: only what may have been committed under the old name is in question."""
    batch = stopped(world, BEFORE, committed=committed)
    trouble(world)
    (asked,) = run(world, RENAMED, "dag/run-2")
    assert isinstance(asked, UndecidedError)
    for named in (f"mark-loaded orders {batch.batch} {OLD}", f"mark-not-loaded orders {batch.batch} {OLD}, and then:"):
        assert named in str(asked)
    for change in (
        lambda: retarget_batch(RENAMED, world.services, batch.batch, OLD, NEW, by="alice-1"),
        lambda: give_up_target(RENAMED, world.services, batch.batch, OLD, by="alice-1"),
    ):
        with pytest.raises(OperationRefusedError, match=r"(?s)not known whether.*mark-loaded.*mark-not-loaded"):
            change()
    assert run(world, RENAMED, "dag/run-3") == []
    told = "\n".join(audit_load(RENAMED, world.services, world.inventory).lines())
    assert f"If they are: rsloader mark-loaded orders {batch.batch} {OLD}; otherwise: rsloader mark-not-loaded" in told
    assert "clear load_batch" not in told, "that would say that they are not"
    decided = decide_by_person(world.ledger, "orders", batch.batch, OLD, loaded=committed)
    assert decided.progress(OLD).session is None
    world.warehouse.unreachable = False
    world.warehouse.connections.add("renamed")
    if committed:
        assert decided.status is BatchStatus.COMPLETE
        assert run(world, RENAMED, "dag/run-4") == []
    else:
        retarget_batch(RENAMED, world.services, batch.batch, OLD, NEW, by="alice-1")
        assert run(world, RENAMED, "dag/run-4") == [Outcome.LOADED]
    assert rows(world, "old") == ["1", "1"]


def test_a_person_who_is_wrong_about_a_renamed_connection_is_put_right_by_the_history(world: World):
    """It is the same table, so that its history knows the batch under whatever connection."""
    batch = stopped(world, BEFORE, committed=True)
    gone(world)
    run(world, RENAMED, "dag/run-2")
    decide_by_person(world.ledger, "orders", batch.batch, OLD, loaded=False)
    retarget_batch(RENAMED, world.services, batch.batch, OLD, NEW, by="alice-1")
    world.warehouse.connections.add("renamed")
    assert run(world, RENAMED, "dag/run-3") == [Outcome.FOUND_LOADED]
    assert rows(world, "old") == ["1", "1"]


@pytest.mark.parametrize("committed", [True, False])
def test_clearing_the_task_looks_once_more_and_ends_the_session_that_was_left(world: World, committed: bool):
    batch = stopped(world, BEFORE, committed=committed)
    unreachable(world)
    run(world, AFTER, "dag/run-2")
    session = the_batch(world).progress(OLD).session
    assert session is not None, "nobody has ended it"
    world.warehouse.unreachable = False
    cleared = load(world, AFTER, batch, OLD, Asker("try-3", "dag/run-2", cleared=True))
    assert sql.TerminateSession(session) in world.warehouse.log
    assert cleared is Outcome.FOUND_LOADED if committed else isinstance(cleared, TargetRemovedError)
    assert (rows(world, "old"), rows(world, "orders")) == (["1", "1"] if committed else [], [])


def test_looking_in_vain_twice_leaves_the_question_open(world: World):
    """The second time the connection answers, but not the history: what was in question stays so."""
    batch = stopped(world, BEFORE, committed=True)
    unreachable(world)
    run(world, AFTER, "dag/run-2")
    world.warehouse.unreachable = False
    kept = world.warehouse.histories.pop("public.old"), world.warehouse.locks.pop("public.old")
    for number in (3, 4):
        asker = Asker(f"try-{number}", "dag/run-2", cleared=True)
        assert isinstance(load(world, AFTER, batch, OLD, asker), UndecidedError)
        assert the_batch(world).progress(OLD).is_undecided
    world.warehouse.histories["public.old"], world.warehouse.locks["public.old"] = kept
    assert load(world, AFTER, batch, OLD, Asker("try-5", "dag/run-2", cleared=True)) is Outcome.FOUND_LOADED


@pytest.mark.parametrize("decision", ["retarget", "give up"])
@pytest.mark.parametrize("writer", ["somebody's attempt begins", "somebody decides the same", "the answer is lost"])
def test_a_decision_that_loses_a_race_looks_again(world: World, decision: str, writer: str):
    batch = locked(world, BEFORE)

    def decide(ledger: Any, by: str) -> Batch:
        services = replace(world.services, ledger=ledger)
        if decision == "retarget":
            return retarget_batch(AFTER, services, batch.batch, OLD, TARGET, by=by)
        return give_up_target(AFTER, services, batch.batch, OLD, by=by)

    def begins() -> None:
        world.ledger.replace(batch, begin_attempt(batch, OLD, Asker("try-1", "dag/run-1")))

    changed = TARGET if decision == "retarget" else OLD
    match writer:
        case "somebody's attempt begins":
            with pytest.raises(OperationRefusedError, match="not known yet what attempt 1"):
                decide(Overtaken(world, begins), "alice-1")
            assert [*the_batch(world).targets] == [OLD]
        case "somebody decides the same":
            bob = Overtaken(world, lambda: decide(world.ledger, "bob-1"))
            if decision == "retarget":
                with pytest.raises(UnknownBatchError, match=f"has no target {OLD}. Its targets: {TARGET}"):
                    decide(bob, "alice-1")
            else:
                decide(bob, "alice-1")
            assert the_batch(world).progress(changed).opened_by == "bob-1"
        case _:
            decide(LostAnswers(world.ledger, 1), "alice-1")
            assert the_batch(world).progress(changed).opened_by == "alice-1"
            again = decide(world.ledger, "alice-1")
            assert again == the_batch(world), "the same request counts once"
            assert again.version == batch.version + 1


class Overtaken:
    """A ledger before whose first change of a batch somebody else writes."""

    def __init__(self, world: World, other: Callable[[], object]):
        self._ledger, self._other = world.ledger, [other]

    def __getattr__(self, name: str) -> Any:
        if name == "replace" and self._other:
            self._other.pop()()
        return getattr(self._ledger, name)


def test_an_attempt_that_loses_to_a_decision_begins_nothing(world: World):
    batch = locked(world, BEFORE)
    for change, found in (
        (lambda: give_up_target(BEFORE, world.services, batch.batch, OLD, by="alice-1"), Outcome.NOTHING_TO_DO),
        (lambda: retarget_batch(AFTER, world.services, batch.batch, OLD, TARGET, by="alice-2"), UnknownBatchError),
    ):
        services = replace(world.services, ledger=Overtaken(world, change))
        asker = Asker("try-1", "dag/run-1")
        if found is UnknownBatchError:
            reprocess_batch(BEFORE, world.services, batch.batch, targets=[OLD], by="alice-0")
            with pytest.raises(UnknownBatchError):
                load_batch(BEFORE, services, batch.batch, OLD, asker)
        else:
            assert load_batch(BEFORE, services, batch.batch, OLD, asker).outcome is found
    assert (rows(world, "old"), rows(world, "orders")) == ([], [])


def test_what_was_given_up_is_loaded_by_nobody_but_a_person_who_names_it(world: World):
    batch = locked(world, BEFORE)
    plan = plan_give_up(BEFORE, world.services, batch.batch, OLD)
    assert plan.sentences[0].endswith(f"The load still has {OLD}: only this batch is left out of it.")
    given_up = give_up_target(BEFORE, world.services, batch.batch, OLD, by="alice-1")
    assert (given_up.status, given_up.notification) == (BatchStatus.COMPLETE, None)
    report = audit_load(BEFORE, world.services, world.inventory)
    assert not report.is_wrong
    assert {str(state): tally.objects for state, tally in report.tallies.items() if tally.objects} == {
        "left out by a person": 2
    }
    for cleared in (False, True):
        asker = Asker(f"try-{cleared}", "dag/run-1", cleared=cleared)
        assert load(world, BEFORE, batch, OLD, asker) is Outcome.NOTHING_TO_DO
    assert run(world, BEFORE, "dag/run-2") == []
    with pytest.raises(OperationRefusedError, match="given up for all of its targets"):
        reprocess_batch(BEFORE, world.services, batch.batch, by="alice-2")
    assert "after all" in plan_reprocess(BEFORE, world.services, batch.batch, targets=[OLD]).sentences[0]
    reprocess_batch(BEFORE, world.services, batch.batch, targets=[OLD], by="alice-3")
    give_up_target(BEFORE, world.services, batch.batch, OLD, by="alice-1")
    assert run(world, BEFORE, "dag/run-3") == [Outcome.LOADED], "the old request to give it up does not count again"
    assert rows(world, "old") == ["1", "1"]


def test_objects_of_a_batch_that_was_given_up_are_new_again_once_they_are_forgotten(world: World):
    batch = locked(world, BEFORE)
    give_up_target(BEFORE, world.services, batch.batch, OLD, by="alice-1")
    [*forget_objects(AFTER, world.services, by="alice-2", urls=["s3://landing/orders/1.csv"])]
    world.put("orders/3.csv")
    assert run(world, AFTER, "dag/run-2") == [Outcome.LOADED]
    assert rows(world, "orders") == ["1", "1"]


def test_a_success_is_told_of_the_targets_that_were_not_given_up(world: World):
    batch = locked(world, BOTH_BEFORE)
    give_up_target(BOTH_AFTER, world.services, batch.batch, OLD, by="alice-1")
    assert run(world, BOTH_AFTER, "dag/run-2") == [Outcome.LOADED]
    ((_, message),) = world.notifier.messages[OK_TOPIC]
    assert message["targets"] == [OTHER]
    assert the_batch(world).notification is Notification.SENT


def test_a_target_that_the_load_still_has_is_not_retargeted_by_mistake(world: World):
    batch = locked(world, BEFORE)
    with pytest.raises(OperationRefusedError, match=f"(?s)still has the target {OLD}.*--target {TARGET}.*give-up"):
        retarget_batch(a_load("old", "orders"), world.services, batch.batch, OLD, TARGET, by="alice-1")
    with pytest.raises(UnknownBatchError, match=f"Load orders has no target nowhere. Its targets: {TARGET}"):
        retarget_batch(AFTER, world.services, batch.batch, OLD, "nowhere", by="alice-1")
    with pytest.raises(UnknownBatchError, match=f"has no target nowhere. Its targets: {OLD}"):
        retarget_batch(AFTER, world.services, batch.batch, "nowhere", TARGET, by="alice-1")
    both = locked_with(world, "old", "other")
    with pytest.raises(OperationRefusedError, match=f"(?s)has the target {OTHER} already.*waiting.*give-up"):
        retarget_batch(a_load("other"), world.services, both.batch, OLD, OTHER, by="alice-1")


def locked_with(world: World, *tables: str) -> Batch:
    world.put("orders/3.csv", "orders/4.csv")
    buffer_objects(a_load(*tables), world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    return next(each for each in world.ledger.batches("orders") if each.targets)


def test_where_several_targets_may_take_its_place_the_error_names_them(world: World):
    locked(world, BEFORE)
    errors = [each for each in run(world, a_load("orders", "other"), "dag/run-2") if not isinstance(each, Outcome)]
    assert [f"{OLD} NEW   (NEW is one of {TARGET}, {OTHER})" in str(each) for each in errors] == [True]


def test_a_generation_that_a_person_asked_for_goes_along(world: World):
    """The renamed connection leads to the same table, whose history has the first generation."""
    locked(world, BEFORE)
    run(world, BEFORE, "dag/run-1")
    batch = reprocess_batch(BEFORE, world.services, the_batch(world).batch, by="alice-1")
    world.warehouse.connections.add("renamed")
    moved = retarget_batch(RENAMED, world.services, batch.batch, OLD, NEW, by="alice-2")
    assert (moved.progress(NEW).generation, moved.progress(NEW).attempt) == (2, 1)
    assert run(world, RENAMED, "dag/run-2") == [Outcome.LOADED]
    assert rows(world, "old") == ["1", "1", "1", "1"]


def test_an_old_batch_is_loaded_into_a_target_that_was_added_since(world: World):
    locked(world, BEFORE)
    run(world, BEFORE, "dag/run-1")
    batch = the_batch(world)
    config = a_load("old", "orders")
    plan = plan_reprocess(config, world.services, batch.batch, targets=[TARGET])
    assert plan.sentences == (
        f"{TARGET}: the batch was locked without it; the next run loads it there for the first time.",
    )
    for _ in range(2):
        added = reprocess_batch(config, world.services, batch.batch, targets=[TARGET], by="alice-1")
        assert added.progress(TARGET).state is TargetState.WAITING
    assert run(world, config, "dag/run-2") == [Outcome.LOADED]
    reprocess_batch(config, world.services, batch.batch, targets=[TARGET], by="alice-1")
    assert run(world, config, "dag/run-3") == []
    assert (rows(world, "old"), rows(world, "orders")) == (["1", "1"], ["1", "1"])
    assert not audit_load(config, world.services, world.inventory).is_wrong


def test_a_target_is_added_once_though_others_write_in_between(world: World):
    locked(world, BEFORE)
    run(world, BEFORE, "dag/run-1")
    batch, config = the_batch(world), a_load("old", "orders")

    def add(by: str, ledger: Any) -> Batch:
        services = replace(world.services, ledger=ledger)
        return reprocess_batch(config, services, batch.batch, targets=[TARGET], by=by)

    add("alice-1", Overtaken(world, lambda: add("bob-1", LostAnswers(world.ledger, 1))))
    assert the_batch(world).progress(TARGET).opened_by == "bob-1"
    assert run(world, config, "dag/run-2") == [Outcome.LOADED]


def test_a_batch_in_a_table_whose_connection_was_renamed_is_found_there(world: World):
    locked(world, BEFORE)
    run(world, BEFORE, "dag/run-1")
    world.warehouse.connections.add("renamed")
    assert not audit_load(RENAMED, world.services, world.inventory).is_wrong, "nor is it taken for loaded twice"
    batch = the_batch(world).batch
    for history, told in (("table", "the load history tells so"), ("none", "ITS ROWS ARE ADDED A SECOND TIME")):
        renamed = a_config(targets=[{"conn_id": "renamed", "table": "public.old", "history": history}])
        (sentence,) = plan_reprocess(renamed, world.services, batch, targets=[NEW]).sentences
        assert f"It is loaded into {OLD}. If that is the same table over another connection, {told}" in sentence
    reprocess_batch(RENAMED, world.services, batch, targets=[NEW], by="alice-1")
    assert run(world, RENAMED, "dag/run-2") == [Outcome.FOUND_LOADED]
    assert rows(world, "old") == ["1", "1"]


def test_reprocessing_leaves_a_target_alone_that_the_load_no_longer_has(world: World):
    batch = locked(world, BOTH_BEFORE)
    run(world, BOTH_AFTER, "dag/run-2")
    before = the_batch(world).progress(OLD)
    plan = plan_reprocess(BOTH_AFTER, world.services, batch.batch)
    assert plan.targets == (OTHER,)
    assert f"rsloader retarget orders {batch.batch} {OLD} {TARGET}" in "\n".join(plan.sentences)
    reprocess_batch(BOTH_AFTER, world.services, batch.batch, by="alice-1")
    assert the_batch(world).progress(OLD) == before
    with pytest.raises(OperationRefusedError, match=f"(?s)no longer has the target {OLD}.*retarget.*give-up"):
        reprocess_batch(BOTH_AFTER, world.services, batch.batch, targets=[OLD], by="alice-2")


def test_a_loaded_batch_is_not_loaded_again_into_a_removed_target(world: World):
    batch = locked(world, BEFORE)
    run(world, BEFORE, "dag/run-1")
    cleared = load(world, AFTER, batch, OLD, Asker("try-9", "dag/run-1", cleared=True))
    assert isinstance(cleared, OperationRefusedError)
    assert f"rsloader reprocess orders {batch.batch} --target NEW" in str(cleared)
    with pytest.raises(OperationRefusedError, match=f"(?s)no longer has the target {OLD}.*--target {TARGET}"):
        reprocess_batch(AFTER, world.services, batch.batch, by="alice-1")
    assert load(world, AFTER, batch, OLD, Asker("try-2", "dag/run-1")) is Outcome.NOTHING_TO_DO
    assert the_batch(world).progress(OLD).generation == 1


def test_a_removed_target_waits_for_no_earlier_batch(world: World):
    """Order matters only where something is loaded."""
    merging = a_load("old", mode="merge", merge_on=["id"])
    locked(world, merging)
    world.put("orders/3.csv", "orders/4.csv")
    buffer_objects(merging, world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    newer = max(world.ledger.batches("orders"), key=lambda each: (bool(each.targets), each.batch))
    assert isinstance(load(world, AFTER, newer, OLD, Asker("t", "dag/run-1")), TargetRemovedError)


def test_a_batch_that_lost_its_objects_ends_without_a_question(world: World):
    batch = locked(world, BEFORE)
    [*forget_objects(BEFORE, world.services, by="alice-1", prefix="s3://landing/orders/")]
    assert load(world, AFTER, batch, OLD, Asker("t", "dag/run-1")) is Outcome.LOADED
    assert the_batch(world).status is BatchStatus.COMPLETE
