"""Scenarios that are played on a copy of the loader without one of its safeguards, where they must find a hole."""

import subprocess
import sys
from pathlib import Path

from support.mutations import environment

HOLE_FOUND = 3
"""The exit code where a hole was found, told from a runner that broke."""


def play_scenario(scenario: str, folder: Path) -> str | None:
    """Play a scenario on the copy in a folder, with two preemptions; give what was found, None if nothing was.

    Raises:
        RuntimeError: The runner broke, or it played another package.
    """
    played = subprocess.run(
        [sys.executable, "-m", "interleavings", "--scenario", scenario, "--preemptions", "2", "--without-teeth"],
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    if played.returncode not in {0, HOLE_FOUND} or str(folder) not in played.stdout:
        raise RuntimeError(f"{scenario}: code {played.returncode}\n{played.stdout}{played.stderr}")
    return played.stdout if played.returncode == HOLE_FOUND else None
