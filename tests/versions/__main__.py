"""`make versions`: install the wheel beside each Airflow that people run, ask it everything, write docs/versions.md."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from versions import report
from versions.checks import Result, ask
from versions.environments import Environment, Version, interpreter, known_versions

THIS = "{}.{}".format(*sys.version_info)


def main(
    wheel: Annotated[Path, typer.Argument(exists=True, help="What is installed.")],
    airflow: Annotated[str, typer.Option(help="The versions of Airflow, with spaces between; all by default.")] = "",
    python: Annotated[str, typer.Option(help="The versions of Python.")] = THIS,
    jobs: Annotated[int, typer.Option(help="How many at a time.")] = os.cpu_count() or 1,
    directory: Annotated[Path, typer.Option(help="Where the environments are kept.")] = Path(".venv/versions"),
) -> None:
    """Exits with 1 if anything went wrong, or a Python is missing. What is not asked keeps its row."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    unknown = set(airflow.split()) - set(known_versions())
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(known_versions())}")
    chosen = [Version(*each) for each in _pairs(airflow.split() or known_versions(), python.split())]
    found = {each: interpreter(each) for each in python.split()}
    results: dict[Version, Result] = {}
    directory.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        asked = {
            pool.submit(_ask, version, base, directory.resolve(), wheel.resolve()): version
            for version in chosen
            if version.is_possible and (base := found[version.python])
        }
        for done in as_completed(asked):
            version = asked[done]
            results[version], seconds = done.result()
            _tell(console, version, results[version], seconds)
    table = Table(*report.HEAD)
    for version in sorted(results, key=lambda each: each.key):
        table.add_row(*report.row(version, results[version]))
    console.print(table, markup=False)
    report.write(results)
    missing = [each for each, path in found.items() if path is None]
    if missing:
        console.print(f"This machine has no Python {' and no '.join(missing)}.")
    passed = sum(test.failure is None for result in results.values() for test in result.tests)
    failed = sum(result.failed for result in results.values())
    console.print(f"{passed} passed, {failed} failed", highlight=False)
    if failed or missing or not results:
        raise typer.Exit(1)


def _pairs(airflows: list[str], pythons: list[str]) -> list[tuple[str, str]]:
    return [(airflow, python) for airflow in airflows for python in pythons]


def _ask(version: Version, base: str, directory: Path, wheel: Path) -> tuple[Result, float]:
    began = time.monotonic()
    log = directory / f"{version.airflow}-python{version.python}.log"
    log.unlink(missing_ok=True)
    result = ask(Environment(version, directory, base, log), wheel, log)
    return result, time.monotonic() - began


def _tell(console: Console, version: Version, result: Result, seconds: float) -> None:
    verdict = "ok" if not result.failed else f"{result.failed} failed"
    console.print(f"Airflow {version}: {verdict} in {seconds:.0f} s", highlight=False)
    if result.error:
        console.print(result.error, markup=False, highlight=False)
    for test in result.tests:
        if test.failure is not None:
            console.print(f"{test.module}::{test.name}\n{test.failure}", markup=False, highlight=False)


if __name__ == "__main__":
    typer.run(main)
