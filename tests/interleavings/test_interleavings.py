"""A part of `make interleavings`, a few seconds of it; and that the runner itself finds what is to be found."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from mutations.judges import Interleaving, Safeguard
from mutations.safeguards import SAFEGUARDS
from support.mutations import mutate

from interleavings.actors import Actor
from interleavings.explore import EVERY_ORDER, Bound, explore, replay
from interleavings.foresight import Foresight, Step
from interleavings.scenarios import THREE, TWO, Scenario
from interleavings.schedules import Move, Turn, as_text, parse
from interleavings.stage import Stage, State
from interleavings.teeth import play_scenario
from interleavings.use_cases import Command, enter

QUICK = ("two runs buffer", "reprocessed by two", "reprocessed and forgotten")


@pytest.mark.parametrize("name", QUICK)
def test_no_order_of_two_actors_makes_a_hole(name: str):
    explored = explore(TWO[name], EVERY_ORDER)
    assert explored.hole is None


def test_three_runs_that_buffer_at_once_make_no_hole():
    explored = explore(THREE["three runs buffer"], Bound(preemptions=1, stops=0))
    assert explored.hole is None


class _Blind(Foresight):
    """Foresees nothing, so that every way is played."""

    def foresee(self, last: Step | None, step: Step) -> State | None:
        return None


@pytest.mark.parametrize(
    ("scenario", "bound"),
    [
        (TWO["two batches"], Bound(preemptions=2, stops=1)),
        (TWO["reprocessed and forgotten"], EVERY_ORDER),
        (TWO["a run and a person lock"], EVERY_ORDER),
        (THREE["three runs buffer"], Bound(preemptions=1, stops=0)),
    ],
)
def test_what_is_foreseen_need_not_be_played(scenario: Scenario, bound: Bound):
    """The same states are seen, and the same ends, in fewer schedules."""
    played, all_played = explore(scenario, bound), explore(scenario, bound, _Blind())
    assert (played.states, played.ends, played.hole) == (all_played.states, all_played.ends, all_played.hole)
    assert played.schedules < all_played.schedules


@dataclass
class _Tidy(Command):
    """Wants to leave things in order, whatever ends it."""

    def do(self, stage: Stage, actor: Actor) -> object:
        try:
            return actor.call("begin", lambda: None)
        finally:
            actor.call("clear up", lambda: stage.objects.append("cleared up"))


def test_a_process_that_is_stopped_clears_nothing_up():
    stage = Stage(CARELESS.config)
    enter(stage, _Tidy("one"))
    stage.make(Move(0, Turn.STOP))
    assert (stage.actors[0].is_over, stage.objects) == (True, [])


HOLES = [each for each in SAFEGUARDS if isinstance(each.judge, Interleaving)]


@pytest.mark.slow
@pytest.mark.parametrize("safeguard", HOLES, ids=lambda safeguard: safeguard.mutation.name)
def test_a_safeguard_that_is_taken_out_is_missed(safeguard: Safeguard, tmp_path: Path):
    """What may have committed with a history stays known; a clear concerns only what was handed out before it."""
    mutate(safeguard.mutation, tmp_path)
    assert isinstance(safeguard.judge, Interleaving)
    found = play_scenario(safeguard.judge.scenario, tmp_path)
    assert found is not None
    assert "--schedule" in found


@dataclass
class _Careless(Command):
    """Looks whether a row is there, and then writes it, in two calls."""

    def do(self, stage: Stage, actor: Actor) -> object:
        rows = stage.warehouse.tables["public.orders"]
        if not actor.call("look", lambda: len(rows)):
            actor.call("write", lambda: rows.append("1"))
        return None


def _two_careless(stage: Stage) -> None:
    stage.objects.append("1")
    enter(stage, _Careless("one"), _Careless("other"))


CARELESS = Scenario(_two_careless)


def test_a_hole_is_found_with_the_schedule_that_makes_it():
    """It takes a turn from the first between its look and its write."""
    assert explore(CARELESS, Bound(preemptions=0, stops=0)).hole is None
    hole = explore(CARELESS, Bound(preemptions=1, stops=0)).hole
    assert hole is not None
    assert hole.problems == ("object 1 is in redshift_default/public.orders 2 times, and was asked for 1 times",)
    assert as_text(hole.schedule) == "a b2 a"
    assert list(replay(CARELESS, hole.schedule)) == [
        "a  one                                      look",
        "b  other                                    look",
        "b  other                                    write",
        "a  one                                      write",
        f"=> {hole.problems[0]}",
    ]


def test_an_actor_is_stopped_after_each_of_its_calls_and_before_the_first():
    """A write that a stopped actor leaves undone is missed here; the loader's next run makes up for it."""
    hole = explore(CARELESS, Bound(preemptions=0, stops=2)).hole
    assert hole is not None
    assert hole.problems == ("object 1 is in redshift_default/public.orders 0 times, and was asked for 1 times",)


def test_the_same_is_explored_every_time():
    scenario, bound = THREE["three runs buffer"], Bound(preemptions=1, stops=0)
    assert explore(scenario, bound) == explore(scenario, bound)


def test_a_schedule_is_text_and_plays_the_same_story_again():
    moves = [Move(0), Move(0), Move(1), Move(0, Turn.STOP), Move(1, Turn.TIME_OUT), Move(1, Turn.TIME_OUT)]
    assert as_text(moves) == "a2 b A b! b!"
    assert parse(as_text(moves)) == moves
    with pytest.raises(ValueError, match="'2a' is not a valid turn"):
        parse("a 2a")


def test_every_actor_of_every_scenario_stands_before_its_first_call():
    for scenario in (*TWO.values(), *THREE.values()):
        stage = scenario.stage()
        assert all(actor.place and not actor.is_over for actor in stage.actors)
        stage.clear()
