"""What a person asks for in a form is told first, and done only when it is confirmed."""

import json
from typing import Any

import pytest
from support.fakes.ledger import MemoryLedger
from support.fakes.world import World
from support.objects import NOON, TARGET, a_config, counting_randomness

from rsloader_provider.core.errors import ConfigurationError, OperationRefusedError, UnknownBatchError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.loader.operate.requests import Action, Request, operate
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch

CONFIG = a_config()
LATER = {"days": 40}


class Form:
    """Fills in the form, and keeps what was told."""

    def __init__(self, world: World):
        self.world = world
        self.told: list[str] = []

    def send(self, action: Action, **fields: Any) -> dict[str, Any]:
        self.told = []
        request = Request(action, by="rsloader_operations/run-1", **fields)
        found = operate(CONFIG, self.world.services, request, self.told.append)
        assert json.loads(json.dumps(found)) == found, "an XCom is plain JSON"
        assert found["done"] is (action.changes and request.confirmed)
        assert ("Nothing was changed: the request was not confirmed." in self.told) is (action.changes != found["done"])
        return found

    def state(self) -> object:
        """Everything that a request could change."""
        ledger = self.world.ledger
        batches = [*ledger.batches("orders")]
        return batches, [ledger.entries(each) for each in batches], [*ledger.claims("orders", "")]


@pytest.fixture
def form(world: World) -> Form:
    """A load with a complete batch of two objects, an open one of one, and an object that nobody has seen."""
    world.put("orders/1.csv", "orders/2.csv", "orders/3.csv")
    run(world)
    world.put("orders/4.csv")
    return Form(world)


def run(world: World, name: str = "dag/run-1") -> list[Batch]:
    work = buffer_objects(CONFIG, world.services, run=name, is_active=lambda _: False, max_work=9)
    return [load_batch(CONFIG, world.services, each.batch.batch, each.target, Asker(name, name)).batch for each in work]


def complete(form: Form) -> Batch:
    return next(each for each in form.world.ledger.batches("orders") if each.status is BatchStatus.COMPLETE)


def requests(batch: str) -> dict[Action, dict[str, Any]]:
    """A request of each kind that can be carried out as things are."""
    return {
        Action.BATCHES: {},
        Action.BATCH: {"batch": batch},
        Action.UNLOCK: {"batch": batch},
        Action.FILES: {"prefix": "s3://landing/orders/"},
        Action.REPROCESS: {"batch": batch, "targets": (TARGET,), "objects": ("s3://landing/orders/1.csv",)},
        Action.CLOSE_NOW: {},
        Action.REPROCESS_OBJECTS: {"objects": ("s3://landing/orders/1.csv",)},
        Action.FORGET: {"prefix": "s3://landing/orders/"},
        Action.BACKFILL: {},
        Action.MARK_ONLY: {},
        Action.DELETE_BATCHES: {"until": NOON.replace(year=2027)},
    }


@pytest.mark.parametrize("action", [each for each in Action if each in requests("")])
def test_nothing_is_changed_before_it_is_confirmed(form: Form, action: Action):
    """And what only looks changes nothing whatever is written into the form."""
    fields = requests(complete(form).batch)[action]
    before = form.state()
    form.send(action, **fields)
    assert form.state() == before
    assert form.told
    form.send(action, confirmed=True, **fields)
    assert (form.state() == before) is not action.changes


def test_batches_are_shown_by_status_and_dates(form: Form):
    form.world.clock.go(**LATER)
    form.world.put("orders/5.csv", "orders/6.csv")
    run(form.world, "dag/run-2")
    done = form.send(Action.BATCHES, status="complete")
    assert (done["count"], {each["status"] for each in done["items"]}) == (3, {"complete"})
    newest = form.send(Action.BATCHES, since=NOON.replace(month=2))["items"]
    assert [each["batch"] for each in newest] == sorted([each["batch"] for each in newest], reverse=True)
    assert form.send(Action.BATCHES, until=NOON.replace(month=2))["count"] + len(newest) == done["count"] + 1
    assert form.told[-1] == f"{form.send(Action.BATCHES, until=NOON.replace(month=2))['count']} found."
    with pytest.raises(OperationRefusedError, match="Give the earlier moment first"):
        form.send(Action.BATCHES, since=NOON.replace(month=2), until=NOON)


def test_a_long_answer_is_in_the_log_and_its_beginning_in_the_xcom(form: Form):
    """Airflow keeps XComs in its database."""
    form.world.put(*(f"orders/more/{number}.csv" for number in range(150)))
    run(form.world, "dag/run-2")
    found = form.send(Action.FILES)
    assert (found["count"], len(found["items"]), len(form.told)) == (153 + 1, 100, 154 + 1)
    assert form.send(Action.FILES, objects=("s3://landing/orders/1.csv",))["count"] == 1


def test_a_batch_that_is_reprocessed_is_loaded_by_the_next_run(form: Form):
    batch = complete(form)
    form.send(Action.REPROCESS, batch=batch.batch)
    assert form.told[0] == f"{batch}: 2 objects, complete."
    assert "AGAIN as generation 2" in form.told[1]
    form.send(Action.REPROCESS, batch=batch.batch, confirmed=True)
    again = next(each for each in run(form.world, "dag/run-2") if each.batch == batch.batch)
    assert (again.progress(TARGET).generation, again.status) == (2, BatchStatus.COMPLETE)


def test_the_open_batch_is_locked_now_and_an_empty_one_is_left(form: Form):
    assert form.send(Action.CLOSE_NOW)["batch"]["files"] == 1
    assert form.send(Action.CLOSE_NOW, confirmed=True)["batch"]["files"] == 1
    assert form.send(Action.UNLOCK)["count"] == 1, "it waits for the next run"
    run(form.world, "dag/run-2")
    form.send(Action.CLOSE_NOW, confirmed=True)
    assert form.send(Action.CLOSE_NOW, confirmed=True) == {
        "action": "close-now", "load": "orders", "done": True, "batch": None,
    }  # fmt: skip
    assert form.told == ["Nothing waits in the open batch of load orders."]
    assert form.send(Action.CLOSE_NOW)["batch"] is None
    assert form.told[0] == "Nothing waits in the open batch of load orders.", "nothing would be locked"
    assert form.send(Action.UNLOCK, batch=complete(form).batch)["items"][0]["target"] == TARGET


def test_forgotten_objects_are_loaded_again_by_the_next_run(form: Form):
    assert form.send(Action.FORGET, objects=("s3://landing/orders/1.csv",))["objects"] == {"forgotten": 1}
    assert form.send(Action.FORGET, prefix="s3://landing/orders/")["objects"] == {"forgotten": 3}
    assert form.told[4].startswith("left without objects: 1 batches. A run that loads one of them finishes it without")
    assert form.send(Action.FORGET, confirmed=True, prefix="s3://landing/orders/")["objects"] == {"forgotten": 3}
    assert sum(batch.files for batch in run(form.world, "dag/run-2")) == 4


def test_objects_are_loaded_again_by_name_or_prefix(form: Form):
    assert form.send(Action.REPROCESS_OBJECTS, prefix="s3://landing/orders/")["objects"] == {
        "reprocessed": 2, "waits already": 1,
    }  # fmt: skip
    assert "not claimed yet, and left to the next run: 1 objects" in form.told
    assert "The next run of rsloader_orders loads them into all targets." in form.told[-2]
    one = form.send(Action.REPROCESS_OBJECTS, confirmed=True, objects=("s3://landing/orders/1.csv",))
    assert one["objects"] == {"reprocessed": 1}
    batch = complete(form).batch
    assert form.told == [f"s3://landing/orders/1.csv of batch {batch}: reprocessed", "reprocessed: 1 objects"]


def test_what_was_there_before_is_loaded_or_only_marked(form: Form):
    assert form.send(Action.MARK_ONLY)["objects"] == 1
    assert form.send(Action.MARK_ONLY, confirmed=True)["marked"] == 1
    assert form.told == ["1 objects count as loaded now; 0 were claimed before."]
    assert form.send(Action.BACKFILL)["objects"] == 0
    form.world.put("orders/5.csv", "orders/6.csv")
    found = form.send(Action.BACKFILL, confirmed=True, prefix="s3://landing/orders/")
    assert (found["claimed"], len(found["locked_batches"])) == (2, 1)
    assert len(run(form.world, "dag/run-2")) == 1


def test_deleted_batches_are_put_back_from_the_log(form: Form):
    before = {each.batch for each in form.world.ledger.batches("orders")}
    until = NOON.replace(year=2027)
    assert form.send(Action.DELETE_BATCHES, until=until)["count"] == 1
    assert form.send(Action.DELETE_BATCHES, until=until, confirmed=True)["count"] == 1
    deleted = "\n".join(line for line in form.told if line.startswith("{"))
    assert form.send(Action.RESTORE, deleted=deleted)["count"] == 1
    assert form.told[1].startswith("1 batches would be put back")
    restored = form.send(Action.RESTORE, deleted=deleted, confirmed=True)
    assert [each["outcome"] for each in restored["items"]] == ["restored"]
    assert {each.batch for each in form.world.ledger.batches("orders")} == before
    other = deleted.replace('"load":"orders"', '"load":"returns"')
    with pytest.raises(ConfigurationError, match="belong to load returns, not to orders"):
        form.send(Action.RESTORE, deleted=other, confirmed=True)


@pytest.mark.parametrize(
    ("action", "fields", "said"),
    [
        (Action.BATCH, {}, "batch needs 'batch'"),
        (Action.REPROCESS, {}, "reprocess needs 'batch'"),
        (Action.FORGET, {}, "forget needs either 'objects' or 'prefix'"),
        (Action.REPROCESS_OBJECTS, {"objects": ("s3://a-b/c",), "prefix": "s3://a-b/"}, "needs either"),
        (Action.DELETE_BATCHES, {}, "delete-batches needs 'until'"),
        (Action.RESTORE, {}, "restore needs 'deleted'"),
        (Action.RESTORE, {"deleted": "{"}, "Line 1 is not what"),
        (Action.MARK_LOADED, {"batch": "b"}, "mark-loaded needs 'targets'"),
        (Action.MARK_NOT_LOADED, {"batch": "b", "targets": ("a", "b")}, "takes one target at a time"),
        (Action.RETARGET, {"targets": ("a", "b")}, "retarget needs 'batch'"),
        (Action.RETARGET, {"batch": "b"}, "retarget needs 'targets'"),
        (Action.RETARGET, {"batch": "b", "targets": ("a",)}, "takes two targets: the old one, and in the next line"),
        (Action.GIVE_UP, {"batch": "b", "targets": ("a", "b")}, "give-up takes one target at a time"),
    ],
)
def test_a_form_that_is_not_filled_in_says_what_is_missing(
    form: Form, action: Action, fields: dict[str, Any], said: str
):
    for confirmed in (False, True):
        with pytest.raises(ConfigurationError, match=said):
            form.send(action, confirmed=confirmed, **fields)


OLD = "redshift_default/public.old"


@pytest.mark.parametrize(
    ("action", "targets", "planned", "done"),
    [
        (
            Action.RETARGET,
            (OLD, TARGET),
            f"{TARGET}: the next run loads the batch into it, in the place of {OLD}.",
            f"is locked; the next run of rsloader_orders loads it into {TARGET}.",
        ),
        (
            Action.GIVE_UP,
            (OLD,),
            f"{OLD}: no run loads the batch into it, and the batch would be complete.",
            f"is complete; {OLD} is given up.",
        ),
    ],
)
def test_a_batch_gets_another_target_or_gives_one_up(
    form: Form, action: Action, targets: tuple[str, ...], planned: str, done: str
):
    """By the commands of the same name, and with the same answers."""
    form.world.put("orders/5.csv")
    before_the_change = a_config(targets=[{"table": "public.old"}])
    (work,) = buffer_objects(
        before_the_change, form.world.services, run="dag/run-2", is_active=lambda _: False, max_work=9
    )
    before = form.state()
    form.send(action, batch=work.batch.batch, targets=targets)
    assert form.told[1].startswith(planned)
    assert form.state() == before
    form.send(action, batch=work.batch.batch, targets=targets, confirmed=True)
    assert form.told[0].endswith(done)
    assert form.state() != before


def test_a_batch_that_does_not_merge_is_not_loaded_out_of_order_from_the_form_either(form: Form):
    batch = complete(form).batch
    for confirmed in (False, True):
        with pytest.raises(OperationRefusedError, match=f"{TARGET} has mode append. Nothing was changed"):
            form.send(Action.REPROCESS, batch=batch, targets=(TARGET,), out_of_order=True, confirmed=confirmed)


def test_what_is_not_there_is_named(form: Form):
    with pytest.raises(UnknownBatchError, match="has no batch nowhere"):
        form.send(Action.REPROCESS, batch="nowhere")
    with pytest.raises(UnknownBatchError, match="has no target nowhere"):
        form.send(Action.MARK_LOADED, batch=complete(form).batch, targets=("nowhere",))


def test_a_batch_that_nobody_asked_about_is_not_decided(form: Form):
    assert form.send(Action.MARK_LOADED, batch=complete(form).batch, targets=(TARGET,))["is_undecided"] is False


def test_what_dynamodb_has_lost_is_put_back(form: Form):
    batch = complete(form)
    form.world.ledger = MemoryLedger(counting_randomness())
    assert form.send(Action.REBUILD_LEDGER)["batches"] == [batch.batch]
    assert form.send(Action.REBUILD_LEDGER, confirmed=True)["objects"] == 2
    assert complete(form).files == 2
    assert form.send(Action.REBUILD_LEDGER)["count"] == 0


def test_what_redshift_has_lost_waits_for_the_next_run(form: Form):
    with pytest.raises(ConfigurationError, match="since"):
        form.send(Action.RECONCILE)
    form.world.warehouse.histories["public.orders"].clear()
    form.world.warehouse.tables["public.orders"].clear()
    assert form.send(Action.RECONCILE, since=NOON)["count"] == 1
    assert form.send(Action.RECONCILE, since=NOON, confirmed=True)["count"] == 1
    run(form.world, "dag/run-2")
    assert len(form.world.warehouse.tables["public.orders"]) == 4


def test_a_renamed_load_is_handed_over_and_another_accepted_once_it_is_confirmed(form: Form):
    world, renamed = form.world, a_config(load="sales")

    def send(action: Action, *, confirmed: bool, declared: frozenset[str] = frozenset({"sales"})) -> dict[str, Any]:
        request = Request(action, "form/run-1", confirmed=confirmed, other="orders", declared=declared)
        return operate(renamed, world.services, request, form.told.append)

    with pytest.raises(ConfigurationError, match="accept needs 'other'"):
        form.send(Action.ACCEPT, confirmed=True)
    before = form.state()
    send(Action.ACCEPT, confirmed=False)
    assert not world.ledger.accepted("sales")
    send(Action.ACCEPT, confirmed=True)
    assert world.ledger.accepted("sales")["orders"].by == "form/run-1"
    with pytest.raises(OperationRefusedError, match="still has a load file"):
        send(Action.RENAME_LOAD, confirmed=True, declared=frozenset({"orders", "sales"}))
    send(Action.RENAME_LOAD, confirmed=False)
    assert form.state() == before
    assert send(Action.RENAME_LOAD, confirmed=True)["objects"] == 3
    assert form.state() == ([], [], [])
