"""What the commands print of an operation, on fakes."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
import typer
from support.fakes.world import World
from support.objects import NOON, TARGET, a_config

from rsloader_provider.cli.operate.operating import carry_out
from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.loader.operate.backfill import Part
from rsloader_provider.loader.operate.objects_named import ObjectsNamed
from rsloader_provider.loader.operate.operations.backfill import backfilling, marking
from rsloader_provider.loader.operate.operations.batches import closing_now, reprocessing
from rsloader_provider.loader.operate.operations.objects import forgetting, reprocessing_objects
from rsloader_provider.loader.operate.operations.operation import Operation
from rsloader_provider.loader.operate.requests import Action, Request, operate
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch

CONFIG = a_config()
PREFIX = "s3://landing/orders/"


def filled() -> tuple[World, str]:
    """A load with a complete batch, an open one, and an object that nobody has seen; and the complete batch's id."""
    world = World()
    world.put("orders/1.csv", "orders/2.csv", "orders/3.csv")
    for each in buffer_objects(CONFIG, world.services, run="dag/run-1", is_active=lambda _: False, max_work=9):
        load_batch(CONFIG, world.services, each.batch.batch, each.target, Asker("try-1", "dag/run-1"))
    world.put("orders/4.csv")
    (batch,) = [each for each in world.ledger.batches("orders") if each.status is BatchStatus.COMPLETE]
    return world, batch.batch


def logged(action: Action, fields: dict[str, Any], *, confirmed: bool) -> list[str]:
    world, batch = filled()
    given = {name: batch if value == "the batch" else value for name, value in fields.items()}
    lines: list[str] = []
    operate(CONFIG, world.services, Request(action, "alice", confirmed=confirmed, **given), lines.append)
    return lines


@pytest.mark.parametrize(
    ("action", "fields", "make"),
    [
        (
            Action.REPROCESS,
            {"batch": "the batch", "targets": (TARGET,), "objects": (f"{PREFIX}1.csv",)},
            lambda world, batch: reprocessing(CONFIG, world.services, batch, [TARGET], [f"{PREFIX}1.csv"]),
        ),
        (Action.CLOSE_NOW, {}, lambda world, _: closing_now(CONFIG, world.services)),
        (
            Action.FORGET,
            {"prefix": PREFIX},
            lambda world, _: forgetting(CONFIG, world.services, ObjectsNamed(prefix=PREFIX)),
        ),
        (
            Action.REPROCESS_OBJECTS,
            {"prefix": PREFIX},
            lambda world, _: reprocessing_objects(CONFIG, world.services, ObjectsNamed(prefix=PREFIX)),
        ),
        (
            Action.BACKFILL,
            {"until": NOON.replace(year=2027)},
            lambda world, _: backfilling(CONFIG, world.services, Part(until=NOON.replace(year=2027))),
        ),
        (Action.MARK_ONLY, {}, lambda world, _: marking(CONFIG, world.services, Part())),
    ],
)
def test_the_command_prints_what_the_form_logs(
    capsys: pytest.CaptureFixture[str], action: Action, fields: dict[str, Any], make: Callable[[World, str], Operation]
):
    """The form logs each object besides, where the command shows a bar."""
    *plan, unconfirmed = logged(action, fields, confirmed=False)
    assert unconfirmed == "Nothing was changed: the request was not confirmed."
    done = [line for line in logged(action, fields, confirmed=True) if not line.startswith("s3://")]
    carry_out(make(*filled()), str(action), yes=True, quiet=False)
    assert capsys.readouterr().out.splitlines() == [*plan, *done]


def test_without_a_yes_nothing_is_done_and_of_nothing_nobody_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    world, _ = filled()
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    part = Part(prefix=f"{PREFIX}nothing/")
    with pytest.raises(typer.Abort):
        carry_out(closing_now(CONFIG, world.services), "close-now", yes=False, quiet=False)
    assert world.ledger.open_batch("orders", NOON).files == 1
    capsys.readouterr()
    plan, done = carry_out(backfilling(CONFIG, world.services, part), "backfill", yes=False, quiet=False)
    assert (plan, done) == ({"objects": 0, "size_bytes": 0, "examples": []}, {})
    assert capsys.readouterr().out == (
        "0 objects that nothing has claimed, 0 bytes, would be loaded by the next runs.\n"
    )
