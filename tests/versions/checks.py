"""What is asked of each version, and what came of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from support.checkout import CHECKOUT, TESTS

from versions.environments import Environment

_FILES = ["on_each_version.py", "test_clearing.py", "test_several_targets.py"]

CHECKS = {
    "commands": ("on_each_version", "test_every_command_"),
    "DAGs": ("on_each_version", "test_every_dag_"),
    "`dag.test`": ("on_each_version", "test_a_load_"),
    "clearing": ("test_clearing", ""),
    "several targets": ("test_several_targets", ""),
}
"""The columns that tests fill: the module, and what the names of their tests begin with."""


@dataclass(frozen=True)
class Test:
    """One that ran: its module, its name, and why it failed; None if it did not."""

    module: str
    name: str
    failure: str | None


@dataclass(frozen=True)
class Result:
    """What came of a version.

    Attributes:
        error: Why it could not be installed or its tests not be collected; None if they were.
        changed: What the wheel's installation changed of what was there.
        is_consistent: Whether `pip check` finds nothing.
        tests: Those that ran.
    """

    error: str | None = None
    changed: tuple[str, ...] = ()
    is_consistent: bool = True
    tests: tuple[Test, ...] = ()

    @property
    def failed(self) -> int:
        """How many things are wrong."""
        wrong = [self.error, self.changed, not self.is_consistent, *(test.failure for test in self.tests)]
        return sum(map(bool, wrong)) + sum(not self.of(check) for check in CHECKS)

    def of(self, check: str) -> list[Test]:
        """Give the tests of a check."""
        module, begins = CHECKS[check]
        return [test for test in self.tests if test.module == module and test.name.startswith(begins)]

    def cells(self) -> Iterator[str]:
        """Give what the table says of it."""
        if self.error is not None:
            yield from ["**cannot be installed**", *[""] * (1 + len(CHECKS))]
            return
        yield f"**{', '.join(self.changed)}**" if self.changed else "nothing"
        yield "passes" if self.is_consistent else "**fails**"
        for check in CHECKS:
            tests = self.of(check)
            failed = sum(test.failure is not None for test in tests)
            yield f"**{failed} of {len(tests)} failed**" if failed or not tests else f"{len(tests)} passed"


def ask(environment: Environment, wheel: Path, log: Path) -> Result:
    """Install the wheel into an environment, and run everything there."""
    try:
        environment.prepare()
        changed = environment.install(wheel)
    except subprocess.CalledProcessError:
        return Result(error=f"see {log}")
    is_consistent = environment.is_consistent()
    report = environment.folder / "tests.xml"
    report.unlink(missing_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "PYTEST_"))}
    with log.open("a") as output:
        subprocess.run(
            [environment.python, "-m", "pytest", "-q", "-n0", f"--junitxml={report}",
             *(TESTS / "airflow" / name for name in _FILES)],
            # The stand-ins run here: the pins of some versions allow no package of the extra `local`.
            env=inherited | {"PYTHONSAFEPATH": "1", "RSLOADER_TESTS_LOCAL_PYTHON": sys.executable},
            cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    return Result(None, tuple(changed), is_consistent, tuple(_tests(report)) if report.exists() else ())


def _tests(report: Path) -> Iterator[Test]:
    for case in ElementTree.parse(report).iter("testcase"):
        wrong = [each.text or "" for kind in ("failure", "error") for each in case.iter(kind)]
        yield Test(case.get("classname", "").rpartition(".")[2], case.get("name", ""), wrong[0] if wrong else None)
