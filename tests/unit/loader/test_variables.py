"""A load that is another one on another machine: its last run says so, and commands refuse."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from support.fakes.world import World
from support.objects import NOON, a_config

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.load_file.variables import resolved
from rsloader_provider.loader.load_files.folder import read_load_folder, read_one
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.variables import refuse_other_values

FILE = """\
load: {name}
source: {source}
schedule: "@hourly"
copy: {{format: csv}}
manifests: s3://loader/{name}/
targets: [{{table: public.orders}}]
"""


def on(**environment: str) -> LoadConfig:
    """The load as a machine with this environment reads it."""
    text = "".join(f"${{env:{name}}}" for name in environment)
    return a_config().resolved_with(resolved(text, environment).variables)


def run(world: World, config: LoadConfig) -> None:
    buffer_objects(config, world.services, run="dag/run", is_active=lambda _: False, max_work=9)


def test_a_command_that_resolves_otherwise_than_the_last_run_is_refused():
    world = World()
    refuse_other_values(on(STAGE="dev"), world.services)  # there was no run yet
    run(world, on(STAGE="prod", TEAM="sales"))
    refuse_other_values(on(STAGE="prod", TEAM="sales"), world.services)
    with pytest.raises(ConfigurationError, match=r"load orders: STAGE had another value .* Nothing was done"):
        refuse_other_values(on(STAGE="dev", TEAM="sales"), world.services)
    refuse_other_values(on(STAGE="prod"), world.services)
    refuse_other_values(a_config(), world.services)


def test_the_last_run_counts_and_says_what_it_found_changed(caplog: pytest.LogCaptureFixture):
    world = World()
    run(world, on(STAGE="prod"))
    assert "STAGE" not in caplog.text
    with caplog.at_level(logging.WARNING):
        run(world, on(STAGE="dev"))
    assert "the last run had other values in STAGE" in caplog.text
    refuse_other_values(on(STAGE="dev"), world.services)
    with pytest.raises(ConfigurationError):
        refuse_other_values(on(STAGE="prod"), world.services)


def test_it_is_written_when_it_changes_and_costs_nothing_without_variables():
    class Counting:
        def __init__(self, world: World):
            self.world = world
            self.calls: list[str] = []

        def __getattr__(self, name: str) -> object:
            if "variables" in name:
                self.calls.append(name)
            return getattr(self.world.ledger, name)

    counting = Counting(World())
    services = replace(counting.world.services, ledger=counting)  # type: ignore[arg-type]
    for config in (a_config(), on(STAGE="prod"), on(STAGE="prod"), a_config()):
        buffer_objects(config, services, run="dag/run", is_active=lambda _: False, max_work=9)
        refuse_other_values(a_config(), services)
    assert counting.calls == ["record_variables"]


def test_a_race_for_the_record_is_looked_at_again():
    world = World()
    ledger = world.ledger
    ledger.open_batch("orders", NOON)
    seen = ledger.open_batch("orders", NOON)
    ledger.record_variables("orders", seen.variables, on(STAGE="dev").variables)
    run(world, on(STAGE="prod"))
    assert ledger.variables("orders") == on(STAGE="prod").variables


@pytest.mark.parametrize("read", ["folder", "one"])
def test_who_owns_an_object_is_decided_by_what_variables_stand_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: str
):
    """Also where one load is read: the other file's bytes do not show where its source lies."""
    (tmp_path / "all.yaml").write_text(FILE.format(name="all", source="s3://landing/prod/"))
    (tmp_path / "orders.yaml").write_text(FILE.format(name="orders", source="${env:LANDING}/orders/"))

    def whole() -> LoadConfig:
        found = read_load_folder(tmp_path).loads["all"] if read == "folder" else read_one(tmp_path, "all")
        assert isinstance(found, LoadConfig)
        return found

    monkeypatch.setenv("LANDING", "s3://landing/prod")
    assert [*map(str, whole().exclude)] == ["s3://landing/prod/orders/"]
    monkeypatch.setenv("LANDING", "s3://landing/dev")
    assert whole().exclude == ()
    monkeypatch.delenv("LANDING")
    assert whole().unread_files == ("orders.yaml",), (
        "what it takes is not known here, so nothing new is claimed round it"
    )
