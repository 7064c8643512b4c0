"""The house stays as its contracts draw it: small modules, small folders, and no module without a room."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import median

from support.checkout import CHECKOUT

PACKAGE = CHECKOUT / "rsloader_provider"
LAYERS = ("core", "loader", "aws", "local", "local/redshift", "local/aws")


def modules() -> dict[Path, int]:
    """Lines of each module."""
    return {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}


def test_a_folder_and_a_module_stay_small_enough_to_be_read():
    sizes = modules()
    crowded = {folder: count for folder, count in Counter(path.parent for path in sizes).items() if count > 20}
    assert crowded == {}
    assert {path: lines for path, lines in sizes.items() if lines > 400} == {}
    assert median(sizes.values()) <= 100


def test_a_module_without_a_room_is_refused(tmp_path: Path):
    """The contracts list every room: whoever adds a module has to say where it belongs."""
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    for layer in LAYERS:
        (tmp_path / PACKAGE.name / layer / "misplaced.py").write_text('"""Beside the rooms."""\n')
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert linted.returncode == 1
    names = [f"- {PACKAGE.name}.{layer.replace('/', '.')}.misplaced" for layer in LAYERS]
    assert [name for name in names if name not in linted.stdout] == []
