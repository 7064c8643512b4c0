"""MAXERROR lets COPY skip rows, and the batch counts as loaded: somebody hears of the rows that are missing."""

import json
import logging
from dataclasses import replace

import pytest
from support.fakes.warehouse import Accident
from support.fakes.world import OK_TOPIC, World
from support.objects import TARGET, a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import BadDataError, ConnectionLostError
from rsloader_provider.core.ledger.batch import Batch, SkippedRows, TargetState
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, load_batch

CONFIG = a_config(
    copy={"format": "csv", "options": "MAXERROR 3"},
    notify={"success": OK_TOPIC},
    failed_manifests="s3://loader/failed/",
)
URL = "s3://landing/orders/1.csv"


def locked(world: World, content: str, config: LoadConfig = CONFIG) -> Batch:
    world.put("orders/1.csv", content=content)
    world.put("orders/2.csv", content="9\n")
    (work,) = buffer_objects(config, world.services, run="dag/run-1", is_active=lambda _: False, max_work=99)
    return work.batch


def load(world: World, batch: Batch, number: int = 1, config: LoadConfig = CONFIG) -> tuple[Outcome, list[float]]:
    waited: list[float] = []
    services = replace(world.services, sleep=waited.append)
    asker = Asker(f"run-1/load_batch/0/{number}", "dag/run-1")
    return load_batch(config, services, batch.batch, TARGET, asker).outcome, waited


def skipped(world: World, batch: Batch) -> SkippedRows | None:
    progress = world.ledger.get(batch.load, batch.batch).progress(TARGET)
    assert progress.state is TargetState.LOADED
    return progress.skipped


def test_skipped_rows_are_counted_in_ledger_log_message_and_errors_file(world: World, caplog: pytest.LogCaptureFixture):
    batch = locked(world, "1\nbad\nbad\n")
    assert load(world, batch) == (Outcome.LOADED, [])
    assert world.warehouse.tables["public.orders"] == ["1", "9"]
    assert skipped(world, batch) == SkippedRows(2, is_exact=True)
    assert "COPY skipped 2 rows" in caplog.text
    assert f"{URL}:2" in caplog.text
    ((_, message),) = world.notifier.messages[OK_TOPIC]
    assert message["skippedRows"] == {TARGET: {"rows": 2, "isExact": True}}
    assert [each["line"] for each in message["errors"]] == [2, 3]
    assert message["errorsFile"] == f"s3://loader/failed/orders/{batch.batch}.errors.json"
    document = json.loads(world.storage.read("loader", f"failed/orders/{batch.batch}.errors.json") or b"")
    assert (document["kind"], document["errors"]) == ("RowsSkipped", message["errors"])
    assert "COPY skipped 2 rows" in document["error"]


def test_where_none_was_skipped_nothing_is_told_and_nobody_waits(world: World):
    batch = locked(world, "1\n")
    assert load(world, batch) == (Outcome.LOADED, [])
    assert skipped(world, batch) is None
    ((_, message),) = world.notifier.messages[OK_TOPIC]
    assert not {"skippedRows", "errors", "errorsFile"} & {*message}
    assert world.storage.read("loader", f"failed/orders/{batch.batch}.errors.json") is None


@pytest.mark.parametrize("options", ["", "MAXERROR 1", "MAXERROR AS 0", "EMPTYASNULL NULL AS 'MAXERROR 9'"])
def test_a_load_that_may_not_skip_rows_asks_nothing_more(world: World, options: str):
    config = a_config(copy={"format": "csv", "options": options})
    load(world, locked(world, "1\n", config), config=config)
    assert sql.FindSkippedRows not in {*map(type, world.warehouse.log)}


@pytest.mark.parametrize("options", ["MAXERROR 2", "EMPTYASNULL MAXERROR AS 10 ACCEPTINVCHARS", "ignoreallerrors"])
def test_a_load_that_may_skip_rows_asks_once_after_its_commit(world: World, options: str):
    config = a_config(copy={"format": "csv", "options": options})
    load(world, locked(world, "1\n", config), config=config)
    assert [*map(type, world.warehouse.log)][-2:] == [sql.Commit, sql.FindSkippedRows]


def test_views_that_lag_are_asked_again(world: World):
    batch = locked(world, "bad\n")
    world.warehouse.views_lag = 3
    assert load(world, batch) == (Outcome.LOADED, [1, 2, 4])
    assert skipped(world, batch) == SkippedRows(1, is_exact=True)


def test_views_that_stay_away_for_a_minute_leave_an_open_number(world: World):
    batch = locked(world, "bad\n")
    world.warehouse.views_lag = 99
    outcome, waited = load(world, batch)
    assert (outcome, sum(waited)) == (Outcome.LOADED, 60)
    assert skipped(world, batch) == SkippedRows(0, is_exact=False)
    assert str(skipped(world, batch)) == "an unknown number of rows"
    assert str(SkippedRows(2, is_exact=False)) == "at least 2 rows"


@pytest.mark.parametrize("broken", [True, False])
def test_views_that_cannot_be_asked_do_not_undo_the_load(world: World, broken: bool):
    """The rows are committed: whatever happens now, the batch is loaded."""
    batch = locked(world, "bad\n")
    world.warehouse.unreadable_views = not broken
    if broken:
        world.warehouse.accidents.append(Accident(sql.FindSkippedRows, after=False))
    assert load(world, batch) == (Outcome.LOADED, [])
    assert skipped(world, batch) == SkippedRows(0, is_exact=False)


def test_the_attempt_that_finds_the_batch_loaded_tells_what_was_skipped(world: World, caplog: pytest.LogCaptureFixture):
    """The one that loaded it never heard of its COMMIT."""
    batch = locked(world, "1\nbad\n")
    world.warehouse.accidents.append(Accident(sql.Commit, after=True))
    with pytest.raises(ConnectionLostError):
        load(world, batch)
    with caplog.at_level(logging.WARNING):
        assert load(world, batch, 2)[0] is Outcome.FOUND_LOADED
    assert skipped(world, batch) == SkippedRows(1, is_exact=True)
    assert "COPY skipped 1 rows" in caplog.text


def test_maxerror_stays_the_limit(world: World):
    with pytest.raises(BadDataError):
        load(world, locked(world, "bad\nbad\nbad\n"))
