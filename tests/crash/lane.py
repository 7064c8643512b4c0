"""A process that plays cells and races, one after the other, and the other side that hands them to it.

It is a process of its own because it forks, which a process with threads should not.
"""

import json
import logging
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.mutations import environment

from crash.cells import Cell, Recovery, Side
from crash.play import Verdict, play
from crash.races import RACES, Race
from crash.stage import Addresses, Stage
from crash.stories import STORIES
from crash.worker import StuckError
from rsloader_provider.loader.ports.steps import Step


class Lane:
    """A process that plays what it is given; it ends when the context is left, or with its starter.

    Args:
        addresses: Where its AWS and its Redshifts are. No other lane may use the AWS.
        package: The folder that holds the `rsloader_provider` which it plays; None for the one that we use.
    """

    def __init__(self, addresses: Addresses, package: Path | None = None):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "crash.lane", addresses.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(package),
            text=True,
        )
        self.package = Path(self._ask(None)["package"])
        """The folder of the `rsloader_provider` that it has imported."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def play(self, played: Cell | Race) -> Verdict:
        """Play one cell or one race."""
        answer = self._ask(_to_json(played))
        return Verdict(answer["outcome"], tuple(answer["problems"]))

    def _ask(self, question: Mapping[str, Any] | None) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if question is not None:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"the lane ended with code {self._process.wait()}; its error stands above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _to_json(played: Cell | Race) -> dict[str, Any]:
    if isinstance(played, Race):
        return {"race": played.name, "isolation": played.isolation}
    return {
        "step": played.step,
        "side": played.side,
        "recovery": played.recovery,
        "isolation": played.isolation,
        "targets": played.targets,
        "mode": played.mode,
        "transport": played.transport,
    }


def _from_json(read: Mapping[str, Any]) -> Cell | Race:
    if "race" in read:
        return Race(read["race"], read["isolation"])
    place = Step(read["step"]), Side(read["side"]), Recovery(read["recovery"])
    return Cell(*place, read["isolation"], read["targets"], read["mode"], read["transport"])


def _main(addresses: str) -> None:
    import rsloader_provider  # noqa: PLC0415 (of the package's path only the process itself can tell)

    # The loader warns of what is done here on purpose.
    logging.getLogger("rsloader_provider").setLevel(logging.ERROR)
    stage = Stage(Addresses.from_json(addresses))
    print(json.dumps({"package": str(Path(rsloader_provider.__file__).parent)}), flush=True)
    for line in sys.stdin:
        played = _from_json(json.loads(line))
        verdict = _verdict(stage, played)
        print(json.dumps({"outcome": verdict.outcome, "problems": verdict.problems}), flush=True)


def _verdict(stage: Stage, played: Cell | Race) -> Verdict:
    try:
        if isinstance(played, Race):
            return {**RACES, **STORIES}[played.name](stage, played.isolation)
        return play(stage, played)
    except (AssertionError, StuckError) as error:
        return Verdict(None, (str(error),))
    except Exception:  # noqa: BLE001 a loader that lacks a safeguard may do anything, and the next is played all the same
        return Verdict(None, (traceback.format_exc(),))


if __name__ == "__main__":
    _main(sys.argv[1])
