"""Part of the crash matrix; `make crash-matrix` plays all of it."""

from collections.abc import Iterator

import pytest

from crash.cells import ISOLATIONS, SELECTED, Cell
from crash.lane import Lane
from crash.races import RACES, Race
from crash.stage import Addresses
from crash.stories import STORIES
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift


@pytest.fixture(scope="module")
def lane(local_aws: LocalAws, redshift: LocalRedshift) -> Iterator[Lane]:
    with (
        LocalRedshift(s3_endpoint=local_aws.endpoint_url, isolation="serializable") as serializable,
        Lane(Addresses.of(local_aws, {"snapshot": redshift, "serializable": serializable})) as lane,
    ):
        yield lane


@pytest.mark.parametrize("cell", SELECTED, ids=str)
def test_every_row_is_there_once_wherever_a_process_is_stopped(lane: Lane, cell: Cell):
    """The promise: exactly once, whatever stops, wherever, and whoever goes on."""
    assert lane.play(cell).problems == ()


@pytest.mark.parametrize("race", [Race(name, isolation) for name in RACES for isolation in ISOLATIONS], ids=str)
def test_every_row_is_there_once_whoever_comes_in_between(lane: Lane, race: Race):
    """A killed process does not make these moments, and each is what one of the safeguards is for."""
    assert lane.play(race).problems == ()


@pytest.mark.parametrize("story", [Race(name, isolation) for name in STORIES for isolation in ISOLATIONS], ids=str)
def test_every_row_is_there_as_often_as_asked_whatever_people_do_after_a_crash(lane: Lane, story: Race):
    """They clear, change the load file, and take objects out."""
    assert lane.play(story).problems == ()
