"""Every command meets keys, names and answers with control characters in them, and shows each of them."""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.hostile import HOSTILE, forged
from support.objects import a_config
from typer.testing import CliRunner, Result

from rsloader_provider.cli import app
from rsloader_provider.cli.commands import COMMANDS
from rsloader_provider.core.errors import BadDataError
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.visible import visible
from rsloader_provider.dag_factory import load_dags
from rsloader_provider.hooks.rsloader import RsloaderHook
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import load_batch

if TYPE_CHECKING:
    from conftest import Loads

GOOD, BAD, NEW = (f"{HOSTILE}{name}.csv" for name in ("good", "bad", "new"))
FILE = f"{HOSTILE[:80]}.yaml"
NOT_ASKED = {"demo": "takes nothing from anybody", "local": "starts servers", "schema": "takes nothing from anybody"}


@pytest.fixture
def hostile(loads: "Loads") -> tuple["Loads", str]:
    """A load with a batch that is loaded, one that COPY refuses, an object that nobody has seen; the refused batch."""
    loads.put(GOOD)
    loads.put(BAD, content="\x1b[31mred\n")
    config = a_config(**loads.write(batch={"max_files": 1}))
    services = RsloaderHook().get_conn()
    failed = ""
    for each in buffer_objects(config, services, run="dag/run", is_active=lambda _: False, max_work=9):
        with suppress(BadDataError):
            load_batch(config, services, each.batch.batch, each.target, Asker("try-1", "dag/run"))
            continue
        failed = each.batch.batch
    loads.put(NEW)
    return loads, failed


def arguments(loads: "Loads", failed: str, folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """What each command is called with, by people who mean it well and by those who do not."""
    load, at = loads.load, ("--loads", loads.folder)
    good, bad = (f"s3://{loads.bucket}/orders/{name}" for name in (GOOD, BAD))
    return {
        "setup": [at, (*at, "--load", HOSTILE), (*at, "--print-sql")],
        "permissions": [(loads.folder, "--load", load), (folder,), (folder, "--load", HOSTILE)],
        "validate": [(loads.folder,), (folder,), (folder / FILE,)],
        "encrypt": [(HOSTILE, "--key", HOSTILE)],
        "batches": [(load,), (HOSTILE,)],
        "batch": [(load, failed), (load, HOSTILE), (HOSTILE, failed)],
        "files": [(load,), (load, good), (load, HOSTILE)],
        "audit": [(load, *at), (load, *at, "--batch", HOSTILE), (HOSTILE, *at)],
        "explain": [(good, *at), (bad, *at), (HOSTILE, *at), (f"s3://{HOSTILE}/1", *at), (good, "--loads", folder)],
        "mark-loaded": [(load, failed, HOSTILE), (load, HOSTILE, HOSTILE)],
        "mark-not-loaded": [(load, failed, HOSTILE)],
        "reprocess": [
            (load, failed, "--without", bad, *at, "--dry-run"),
            (load, failed, "--target", HOSTILE, *at, "--yes"),
            (load, failed, "--without", HOSTILE, *at, "--yes"),
        ],
        "retarget": [(load, failed, HOSTILE, HOSTILE, *at, "--yes"), (load, HOSTILE, HOSTILE, HOSTILE, *at)],
        "give-up": [(load, failed, HOSTILE, *at, "--yes")],
        "close-now": [(load, *at, "--yes"), (HOSTILE, *at, "--yes")],
        "unlock": [(load,), (load, HOSTILE)],
        "forget": [(load, good, *at, "--dry-run"), (load, HOSTILE, *at, "--yes"), (load, "--prefix", HOSTILE, *at)],
        "reprocess-objects": [(load, good, *at, "--dry-run"), (load, f"{good}{HOSTILE}", *at, "--yes")],
        "backfill": [(load, *at, "--dry-run"), (load, "--prefix", HOSTILE, *at), (load, *at, "--mark-only", "--yes")],
        "delete-batches": [(load, "--before", "2100-01-01", "--dry-run"), (HOSTILE, "--before", "2100-01-01", "--yes")],
        "restore": [(HOSTILE, "--yes"), (folder / FILE, "--yes")],
        "rebuild-ledger": [(load, *at, "--dry-run"), (HOSTILE, *at, "--yes")],
        "reconcile": [(each, *at, "--since", "2000-01-01", "--yes") for each in (load, HOSTILE)],
        "rename-load": [(HOSTILE, load, *at, "--dry-run"), (load, HOSTILE, *at, "--yes")],
        "accept": [(load, HOSTILE, *at, "--dry-run"), (HOSTILE, load, *at, "--yes")],
        "import-lambda": [
            ("--only", HOSTILE),
            ("--schedule", HOSTILE),
            ("--load-batch", HOSTILE, "--mark-batch", HOSTILE),
        ],
        "shadow-report": [(load, *at), (HOSTILE, *at)],
        "new": [("--no-questions", "--load", HOSTILE, *at), ("--no-questions", "--loads", folder, "--source", HOSTILE)],
        "set": [(load, HOSTILE, HOSTILE, *at), (load, "source", f"s3://{loads.bucket}/{HOSTILE}/", *at)],
    }  # fmt: skip


def test_each_command_is_asked():
    """A new command has to say what it does with hostile names."""
    assert {*COMMANDS} == {*NOT_ASKED, *arguments(SimpleLoads(), "", Path())}


def test_no_command_prints_a_character_that_is_not_seen(hostile: tuple["Loads", str], tmp_path: Path):
    loads, failed = hostile
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / FILE).write_text(f'load: "{HOSTILE}', encoding="utf-8")
    printed = {
        (command, number): invoke(command, *each).output
        for command, calls in arguments(loads, failed, folder).items()
        for number, each in enumerate(calls)
    }
    assert {call: lines for call, text in printed.items() if (lines := forged(text))} == {}
    assert [call for call, text in printed.items() if not text.strip()] == []
    for call in (("batch", 0), ("files", 0), ("explain", 0), ("explain", 1), ("forget", 0), ("backfill", 0)):
        assert visible(HOSTILE[:9]) in printed[call], call


def test_json_has_the_data_itself(hostile: tuple["Loads", str]):
    loads, failed = hostile
    at = ("--loads", loads.folder)
    good, bad = (f"s3://{loads.bucket}/orders/{name}" for name in (GOOD, BAD))

    def data(*given: object) -> Any:
        printed = invoke(*given, "--json").stdout
        assert forged(printed) == []
        return json.loads(printed)

    assert {each["url"] for each in data("files", loads.load)} == {good, bad}
    assert [each["url"] for each in data("batch", loads.load, failed)["entries"]] == [bad]
    assert data("explain", bad, *at)["url"] == bad
    assert data("audit", loads.load, *at)["states"]["failed"]["examples"] == [{"url": bad, "batch": failed}]
    assert data("backfill", loads.load, *at, "--dry-run")["plan"]["examples"] == [f"s3://{loads.bucket}/orders/{NEW}"]


def test_a_dags_page_shows_each_character_and_no_markup_of_a_name(loads: "Loads"):
    loads.write(source=f"s3://{loads.bucket}/``` {HOSTILE}/")
    (loads.folder / "broken.yaml").write_text(f'load: "a{HOSTILE}"\nsource: [', encoding="utf-8")
    pages = [dag.doc_md or "" for dag in load_dags(loads.folder).values()]
    assert [*map(forged, pages)] == [[]] * len(pages)
    assert any(f"```` s3://{loads.bucket}/``` {visible(HOSTILE)}/ ````" in each for each in pages)


def invoke(*given: object) -> Result:
    return CliRunner().invoke(
        app, [*map(str, given)], input="n\n", env={"COLUMNS": "4000", "TERM": "dumb"}, catch_exceptions=False
    )


class SimpleLoads:
    load = bucket = ""
    folder = Path()
