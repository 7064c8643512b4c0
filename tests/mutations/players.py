"""Plays a copy of the loader to what must notice that it lacks a safeguard."""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crash.cells import BY_DRIVER, ISOLATIONS, Isolation
from crash.lanes import Played, play_all
from crash.races import RACES, Race
from crash.report import place_of
from crash.stage import Addresses
from interleavings.teeth import play_scenario
from support.checkout import CHECKOUT
from support.mutations import environment

from mutations.judges import Cells, Interleaving, Judge
from rsloader_provider.loader.ports.steps import Step

if TYPE_CHECKING:
    from crash.play import Verdict

_PLAYED_STEPS = {Step.CLAIM, Step.LOCK, Step.COMMIT, Step.FINISH_ATTEMPT}
PLAYED: tuple[Played, ...] = (
    *(Race(name, isolation) for name in RACES for isolation in ISOLATIONS),
    *(cell for cell in BY_DRIVER if cell.step in _PLAYED_STEPS and cell.targets == 1),
)
"""The races and the cells that judge."""

_TESTS_FAILED = 1
"""pytest's exit code where tests ran and some failed."""


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a copy.

    Attributes:
        by: What was played.
        where: What of it failed; empty if nothing did.
        first: The first problem found.
    """

    by: str
    where: str = ""
    first: str = ""


def play(judge: Judge, folder: Path, addresses: Mapping[Isolation, Addresses]) -> Told:
    """Play the copy in a folder.

    Args:
        judge: What must notice.
        folder: It holds the copy.
        addresses: The lanes of the crash matrix that are running.

    Raises:
        RuntimeError: It was not played, or another package was.
    """
    match judge:
        case Cells():
            return play_cells(folder, addresses)
        case Interleaving(scenario):
            return _play_interleaving(scenario, folder)
        case _:
            return _play_tests(judge.named, folder)


def play_cells(folder: Path | None, addresses: Mapping[Isolation, Addresses]) -> Told:
    """Play the cells and the races; without a folder on the loader as it is."""
    verdicts: dict[Played, Verdict] = {}
    play_all(addresses, PLAYED, verdicts.__setitem__, folder)
    failed = {each: verdicts[each] for each in PLAYED if verdicts[each].problems}
    by = f"{len(failed)} of {len(PLAYED)} cells"
    if not failed:
        return Told(by)
    return Told(by, "; ".join(dict.fromkeys(map(place_of, failed))), next(iter(failed.values())).problems[0])


def _play_interleaving(scenario: str, folder: Path) -> Told:
    by = f"interleavings: {scenario}"
    told = play_scenario(scenario, folder)
    if told is None:
        return Told(by)
    problem, *_, schedule = re.findall(r"^  (\S.*)$", told, re.MULTILINE)
    return Told(by, schedule.partition("--schedule ")[2].strip("'"), problem)


def _play_tests(named: str, folder: Path) -> Told:
    played = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", named],
        cwd=CHECKOUT,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    if played.returncode not in {0, _TESTS_FAILED} or f"tested: {folder}" not in played.stdout:
        raise RuntimeError(f"{named}: code {played.returncode}\n{played.stdout}{played.stderr}")
    by = f"`{named.partition('::')[0].removeprefix('tests/')}`"
    failed = re.findall(r"^FAILED \S*?::(\S+)", played.stdout, re.MULTILINE)
    said = re.search(r"^E +(.+)$", played.stdout, re.MULTILINE)
    return Told(by, "; ".join(failed), said[1] if failed and said else "")
