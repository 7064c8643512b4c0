"""Virtual environments with Airflow as it was pinned, and the wheel on top; they are kept for the next time."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.checkout import CHECKOUT

PINS = Path(__file__).parent / "pins"
CONSTRAINTS = CHECKOUT / "constraints.txt"
TOOLS = ["pytest", "pytest-timeout", "pytest-xdist"]
_NEWEST_PYTHON = {"2.11": (3, 12), "3.0": (3, 12)}
"""Where Airflow does not run on every Python that we do."""


@dataclass(frozen=True)
class Version:
    """An Airflow on a Python, `3.0.6` on `3.12`."""

    airflow: str
    python: str

    def __str__(self) -> str:
        return f"{self.airflow} on Python {self.python}"

    @property
    def key(self) -> list[int]:
        """What versions are sorted by."""
        return [int(part) for part in f"{self.airflow}.{self.python}".split(".")]

    @property
    def pins(self) -> Path:
        """What is installed with it, as `name==version`."""
        managed = PINS / f"{self.airflow}.txt"
        return managed if managed.exists() else CONSTRAINTS

    @property
    def amazon(self) -> str:
        """The version of the amazon provider."""
        (found,) = re.findall(r"^apache-airflow-providers-amazon==(.+)$", self.pins.read_text(), re.MULTILINE)
        return str(found)

    @property
    def is_possible(self) -> bool:
        """Whether that Airflow runs on that Python."""
        newest = _NEWEST_PYTHON.get(self.airflow.rpartition(".")[0])
        return newest is None or tuple(map(int, self.python.split("."))) <= newest


def known_versions() -> list[str]:
    """Give the versions of Airflow: managed Airflow's, and the one that the loader is developed on."""
    (newest,) = re.findall(r"^apache-airflow==(.+)$", CONSTRAINTS.read_text(), re.MULTILINE)
    found = {file.stem for file in PINS.glob("*.txt")} | {newest}
    return sorted(found, key=lambda each: [int(part) for part in each.split(".")])


def interpreter(python: str) -> str | None:
    """Find a Python on this machine, `3.12`; None if it has none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    installed = sorted(map(str, pyenv.glob(f"versions/{python}.*/bin/python{python}")))
    for candidate in (sys.executable, shutil.which(f"python{python}"), *installed):
        if candidate and _version_of(candidate) == python:
            return candidate
    return None


def _version_of(candidate: str) -> str:
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([candidate, "-c", program], capture_output=True, text=True, check=False).stdout.strip()


class Environment:
    """One of them.

    Args:
        version: What it holds.
        directory: Where environments lie.
        python: The interpreter to make it with.
        log: Receives what uv says.
    """

    def __init__(self, version: Version, directory: Path, python: str, log: Path):
        self.version = version
        self.folder = directory / f"{version.airflow}-python{version.python}"
        self.python = self.folder / "bin" / "python"
        self._base = python
        self._log = log
        self._before = self.folder / "before-the-wheel.txt"

    def prepare(self) -> None:
        """Make it, unless it is there with the same pins.

        Raises:
            subprocess.CalledProcessError: uv cannot; the log says why.
        """
        made_from = self.folder / "made-from.txt"
        asked_for = [
            f"apache-airflow=={self.version.airflow}",
            f"apache-airflow-providers-amazon=={self.version.amazon}",
        ]
        wanted = "\n".join([*asked_for, *TOOLS, self.version.pins.read_text()])
        if made_from.exists() and made_from.read_text() == wanted:
            return
        self._uv("venv", "--clear", "--python", self._base, self.folder)
        self._install(*asked_for, *TOOLS)
        self._before.write_text("\n".join(self._installed()))
        made_from.write_text(wanted)

    def install(self, wheel: Path) -> list[str]:
        """Install the wheel as people do, with the pins; gives what it changed of what was there before.

        Raises:
            subprocess.CalledProcessError: The pins do not allow it; the log says why.
        """
        self._install("--reinstall-package", "airflow-provider-rsloader", str(wheel))
        return sorted(set(self._before.read_text().splitlines()) - set(self._installed()))

    def is_consistent(self) -> bool:
        """Whether `pip check` finds nothing."""
        try:
            self._uv("pip", "check", "--python", self.python)
        except subprocess.CalledProcessError:
            return False
        return True

    def _install(self, *what: str) -> None:
        self._uv("pip", "install", "--python", self.python, "--constraint", self.version.pins, *what)

    def _installed(self) -> Iterator[str]:
        yield from self._uv("pip", "freeze", "--python", self.python).splitlines()

    def _uv(self, *arguments: str | Path) -> str:
        uv = Path(sys.executable).with_name("uv")
        with self._log.open("a") as log:
            log.write(f"$ uv {' '.join(map(str, arguments))}\n")
            log.flush()
            return subprocess.run(
                [uv, "--quiet", *arguments], check=True, stdout=subprocess.PIPE, stderr=log, text=True
            ).stdout
