"""`make interleavings`: play every scenario, and copies of the loader that lack a mend, in which it must find holes."""

import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from mutations.safeguards import SAFEGUARDS, Interleaving
from rich.console import Console
from rich.table import Table
from support.mutations import Mutation, mutate

import rsloader_provider
from interleavings.explore import EVERY_ORDER, THREE_AT_ONCE, Bound, Explored, explore, replay
from interleavings.scenarios import THREE, TWO, Scenario
from interleavings.schedules import as_text, parse
from interleavings.teeth import HOLE_FOUND, play_scenario


def main(
    scenario: Annotated[list[str] | None, typer.Option(help="Play only this one; may be repeated.")] = None,
    schedule: Annotated[str | None, typer.Option(help="Play one schedule of the scenario, call by call.")] = None,
    preemptions: Annotated[int | None, typer.Option(help="At most so many, and one stop: a first look.")] = None,
    teeth: Annotated[bool, typer.Option("--teeth/--without-teeth", help="Play the copies too.")] = True,
) -> None:
    """Play every interleaving. Exits with 3 if one makes a hole, or if a copy that lacks a mend shows none."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"playing {Path(rsloader_provider.__file__).parent}")
    wanted = {name: found for name, found in everything().items() if not scenario or name in scenario}
    if preemptions is not None:
        wanted = {name: (played, Bound(preemptions, stops=1)) for name, (played, _) in wanted.items()}
    if schedule is not None:
        ((played, _),) = wanted.values()
        for line in replay(played, parse(schedule)):
            console.print(line)
        return
    failed = _play(console, wanted)
    if teeth:
        failed += sum(
            not _bites(console, each.mutation, each.judge.scenario)
            for each in SAFEGUARDS
            if isinstance(each.judge, Interleaving) and each.judge.scenario in wanted
        )
    if failed:
        raise typer.Exit(HOLE_FOUND)


def everything() -> dict[str, tuple[Scenario, Bound]]:
    """Give all scenarios, each with its bound."""
    two = {name: (scenario, EVERY_ORDER) for name, scenario in TWO.items()}
    return two | {name: (scenario, THREE_AT_ONCE) for name, scenario in THREE.items()}


def told(name: str, explored: Explored) -> str:
    """Say how a scenario went; where there is a hole, also how to play it again."""
    if explored.hole is None:
        return f"{name}: no hole"
    problems = "\n".join(f"  {problem}" for problem in explored.hole.problems)
    schedule = f"--scenario '{name}' --schedule '{as_text(explored.hole.schedule)}'"
    return f"{name}: A HOLE\n{problems}\n  {schedule}"


def _play(console: Console, wanted: dict[str, tuple[Scenario, Bound]]) -> int:
    """Play scenarios side by side, one on each processor; give the number of holes."""
    table = Table("scenario", "actors", "states", "stories to the end", "longest", "seconds", "hole")
    holes = 0
    with ProcessPoolExecutor() as pool:
        bounds = [bound for _, bound in wanted.values()]
        for name, (explored, seconds) in zip(wanted, pool.map(_explored, wanted, bounds), strict=True):
            holes += explored.hole is not None
            actors = "2" if name in TWO else "3"
            numbers = f"{explored.states:,}", f"{explored.ends:,}", str(explored.longest), f"{seconds:.1f}"
            table.add_row(name, actors, *numbers, "none" if explored.hole is None else "FOUND")
            console.print(told(name, explored))
    console.print(table)
    return holes


def _explored(name: str, bound: Bound) -> tuple[Explored, float]:
    began = time.process_time()
    return explore(everything()[name][0], bound), time.process_time() - began


def _bites(console: Console, mutation: Mutation, scenario: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="rsloader-mutation-") as name:
        folder = Path(name).resolve()
        mutate(mutation, folder)
        found = play_scenario(scenario, folder)
    console.print(f"{scenario}, on a copy {mutation.name}: {'noticed' if found else 'NOT NOTICED'}")
    return found is not None


if __name__ == "__main__":
    typer.run(main)
