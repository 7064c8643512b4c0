"""`make interleavings`: play every scenario, and copies of the loader that lack a mend, in which it must find holes."""

import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from mutations.judges import Interleaving
from mutations.safeguards import SAFEGUARDS
from rich.console import Console
from support.mutations import mutate

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
    copies = [
        number
        for number, each in enumerate(SAFEGUARDS)
        if teeth and isinstance(each.judge, Interleaving) and each.judge.scenario in wanted
    ]
    began, played, holes, missed = time.monotonic(), Explored(), 0, 0
    with ProcessPoolExecutor() as pool:
        # What takes longest comes first, so that no processor is left to wait for it.
        order = sorted(wanted, key=lambda name: name not in THREE)
        running = {name: pool.submit(_explored, name, wanted[name][1]) for name in order}
        biting = [pool.submit(_bites, number) for number in copies]
        for name in wanted:
            explored, seconds = running[name].result()
            holes += explored.hole is not None
            played.states += explored.states
            played.schedules += explored.schedules
            console.print(told(name, explored, seconds))
        for number, bites in zip(copies, biting, strict=True):
            missed += not bites.result()
            said = "noticed" if bites.result() else "NOT NOTICED"
            console.print(f"on a copy {SAFEGUARDS[number].mutation.name}: {said}")
    console.print(
        f"{len(wanted)} scenarios, {played.states:,} states, {played.schedules:,} schedules: {holes} holes. "
        f"{len(copies)} copies without a safeguard: {len(copies) - missed} noticed. {time.monotonic() - began:.0f} s"
    )
    if holes or missed:
        raise typer.Exit(HOLE_FOUND)


def everything() -> dict[str, tuple[Scenario, Bound]]:
    """Give all scenarios, each with its bound."""
    two = {name: (scenario, EVERY_ORDER) for name, scenario in TWO.items()}
    return two | {name: (scenario, THREE_AT_ONCE) for name, scenario in THREE.items()}


def told(name: str, explored: Explored, seconds: float) -> str:
    """Say how a scenario went; where there is a hole, also how to play it again."""
    line = (
        f"{name}: {explored.states:,} states, {explored.schedules:,} schedules, the longest of {explored.longest} "
        f"turns, {seconds:.1f} s"
    )
    if explored.hole is None:
        return f"{line}: no hole"
    problems = "\n".join(f"  {problem}" for problem in explored.hole.problems)
    schedule = f"--scenario '{name}' --schedule '{as_text(explored.hole.schedule)}'"
    return f"{line}: A HOLE\n{problems}\n  {schedule}"


def _explored(name: str, bound: Bound) -> tuple[Explored, float]:
    began = time.process_time()
    return explore(everything()[name][0], bound), time.process_time() - began


def _bites(number: int) -> bool:
    safeguard = SAFEGUARDS[number]
    assert isinstance(safeguard.judge, Interleaving)
    with tempfile.TemporaryDirectory(prefix="rsloader-mutation-") as name:
        folder = Path(name).resolve()
        mutate(safeguard.mutation, folder)
        return play_scenario(safeguard.judge.scenario, folder) is not None


if __name__ == "__main__":
    typer.run(main)
