"""Copies of the loader that lack a mend, and the scenarios that find the hole again.

A mend whose hole no scenario finds is not watched over: `make interleavings` fails then.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from support.mutations import Mutation, Replacement, environment, mutate

HOLE_FOUND = 3
"""The exit code where a hole was found, told from a runner that broke."""

TEETH: Mapping[Mutation, str] = {
    Mutation(
        "an attempt that never looked into the history forgets that an earlier one may have committed",
        (
            Replacement(
                "loader/run/attempt.py",
                "had_session = self.has_session and not self.may_be_in_history",
                "had_session = self.has_session",
            ),
        ),
    ): "history switched off",
    Mutation(
        "a history that was dropped counts as one that does not know the batch",
        (Replacement("loader/run/attempt.py", "        if not self.may_be_in_history:\n", "        if True:\n"),),
    ): "history dropped",
    Mutation(
        "a clear counts for a batch that was handed out after it",
        (Replacement("core/ledger/transitions.py", "if self.task is not None:", "if False:"),),
    ): "buffering cleared with downstream",
}
"""The scenario that finds each."""


def bite(mutation: Mutation, scenario: str) -> str | None:
    """Play a scenario on a copy of the loader, with two preemptions; give what was found, None if nothing was.

    Raises:
        RuntimeError: The runner broke, or it played another package.
    """
    with tempfile.TemporaryDirectory(prefix="rsloader-mutation-") as name:
        folder = Path(name).resolve()
        mutate(mutation, folder)
        played = subprocess.run(
            [sys.executable, "-m", "interleavings", "--scenario", scenario, "--preemptions", "2", "--without-teeth"],
            env=environment(folder),
            capture_output=True,
            text=True,
            check=False,
        )
    if played.returncode not in {0, HOLE_FOUND} or str(folder) not in played.stdout:
        raise RuntimeError(f"{mutation.name}: code {played.returncode}\n{played.stdout}{played.stderr}")
    return played.stdout if played.returncode == HOLE_FOUND else None
