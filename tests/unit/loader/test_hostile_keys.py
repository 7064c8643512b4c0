"""Keys, values and answers with control characters in them, through everything that the loader says on fakes."""

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from support.fakes.world import FAILED_TOPIC, OK_TOPIC, World
from support.hostile import HOSTILE, forged
from support.objects import NOON, TARGET, a_config

from rsloader_provider.cli.console import say
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.sources import S3Url
from rsloader_provider.core.errors import AccessDeniedError, RsloaderError
from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.visible import visible, visible_json
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.load_files.folder import LoadFolder
from rsloader_provider.loader.look.explain import explain_object
from rsloader_provider.loader.operate.requests import Action, Request, operate
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch

GOOD, BAD = f"orders/{HOSTILE}1.csv", f"orders/{HOSTILE[:80]}2.csv"


def a_hostile_load(**settings: Any) -> LoadConfig:
    return a_config(
        batch={"max_files": 1},
        failed_manifests="s3://loader/failed/",
        notify={"success": OK_TOPIC, "failure": FAILED_TOPIC},
        **settings,
    )


@pytest.fixture
def world() -> World:
    """A batch that is loaded and one that is refused, each with one object, and an object that nobody has seen."""
    made = World()
    made.put(GOOD)
    made.put(BAD, content="bad\n")
    config = a_hostile_load()
    for each in buffer_objects(config, made.services, run="dag/run-1", is_active=lambda _: False, max_work=9):
        with suppress(RsloaderError):
            load_batch(config, made.services, each.batch.batch, each.target, Asker("try-1", "dag/run-1"))
    made.put(f"orders/{HOSTILE}3.csv")
    return made


def test_messages_and_the_errors_file_have_the_key_itself_and_sentences_in_which_it_is_seen(world: World):
    """Programs take `key` and `errors`; people read `errorText`."""
    ((_, ok),), ((_, failed),) = world.notifier.messages[OK_TOPIC], world.notifier.messages[FAILED_TOPIC]
    assert [ok["key"], failed["key"]] == [GOOD, BAD]
    by_cluster = json.loads(failed["error"])
    assert forged(failed["errorText"]) == forged(by_cluster["redshift_default"]["error"]["message"]) == []
    assert [forged(visible_json(each)) for each in (ok, failed)] == [[], []]
    (place,) = (each.key for each in world.storage.objects("loader", "failed/") if each.key.endswith(".errors.json"))
    written = (world.storage.read("loader", place) or b"").decode()
    assert forged(written) == []
    assert [each["file"] for each in json.loads(written)["errors"]] == [f"s3://landing/{BAD}"]


def asked(world: World) -> Iterator[Request]:
    """Each action of the form, about the hostile objects."""
    batches = {each.status: each.batch for each in world.ledger.batches("orders")}
    failed, complete = batches[BatchStatus.ERROR], batches[BatchStatus.COMPLETE]
    good, bad, late = f"s3://landing/{GOOD}", f"s3://landing/{BAD}", NOON.replace(year=2027)
    fields: dict[Action, dict[str, Any]] = {
        Action.BATCH: {"batch": failed},
        Action.FILES: {"prefix": f"s3://landing/orders/{HOSTILE}"},
        Action.REPROCESS: {"batch": failed, "objects": (bad,)},
        Action.REPROCESS_OBJECTS: {"objects": (good,)},
        Action.FORGET: {"objects": (good,)},
        Action.MARK_LOADED: {"batch": complete, "targets": (TARGET,)},
        Action.MARK_NOT_LOADED: {"batch": complete, "targets": (TARGET,)},
        Action.DELETE_BATCHES: {"until": late},
        Action.RESTORE: {"deleted": HOSTILE},
    }
    for action in Action:
        for confirmed in (False, True):
            yield Request(action, HOSTILE, confirmed=confirmed, **fields.get(action, {}))
            yield Request(
                action, HOSTILE, confirmed=confirmed, batch=HOSTILE, targets=(HOSTILE,), prefix=HOSTILE,
                deleted=HOSTILE, until=late,
            )  # fmt: skip


def test_no_line_of_a_log_is_forged(world: World, caplog: pytest.LogCaptureFixture):
    """By nothing that the form's DAG is asked for, and by no run."""
    log = logger_of("rsloader_provider.operators.operate")
    config = a_hostile_load()
    with caplog.at_level(logging.INFO):
        for request in asked(world):
            try:
                operate(config, world.services, request, lambda line: log.info("%s", line))
            except RsloaderError as error:
                log.warning("%s", error)
        for each in buffer_objects(config, world.services, run=HOSTILE, is_active=lambda _: False, max_work=9):
            with suppress(RsloaderError):
                load_batch(config, world.services, each.batch.batch, each.target, Asker(HOSTILE, HOSTILE))
    assert len(caplog.messages) > 2 * len(Action)
    assert [*filter(None, map(forged, caplog.messages))] == []
    assert any(visible(GOOD) in each for each in caplog.messages)


def test_what_redshift_says_is_seen_wherever_it_is_repeated(world: World, capsys: pytest.CaptureFixture[str]):
    """In the batch, by `explain`, and where the audit repeats an error."""
    said = f"relation {HOSTILE} does not exist"
    world.warehouse.before(sql.FindLoaded, lambda: _refuse(said))
    config = a_hostile_load()
    for each in buffer_objects(config, world.services, run="dag/run-2", is_active=lambda _: False, max_work=9):
        with suppress(RsloaderError):
            load_batch(config, world.services, each.batch.batch, each.target, Asker("try-1", "dag/run-2"))
    errors = [each.targets[TARGET].error for each in world.ledger.batches("orders") if each.targets]
    assert [forged(each or "") for each in errors] == [[]] * len(errors)
    assert any(visible(said) in (each or "") for each in errors)
    story = explain_object(
        S3Url("landing", f"orders/{HOSTILE}3.csv"), LoadFolder({"orders": config}, {}), lambda _: world.services
    )
    say([story.url, *story.sentences, *story.loads[0].sentences])
    report = audit_load(config, world.services, world.inventory)
    say(report.lines())
    printed = capsys.readouterr().out
    assert forged(printed) == []
    assert visible(said) in printed


def _refuse(said: str) -> None:
    raise AccessDeniedError(said)
