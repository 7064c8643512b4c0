"""The folders of tests: all are run, and those that `make quick` runs need no Airflow."""

import subprocess
import sys
import tomllib
from pathlib import Path

from support.checkout import CHECKOUT, TESTS

QUICK = ["tests/unit", "tests/contract", "tests/docs"]
COLLECTED = """\
import sys

import pytest

sys.modules["airflow"] = None  # whoever imports it fails
sys.exit(pytest.main(["--collect-only", "-q", *sys.argv[1:]]))
"""


def test_every_folder_with_tests_has_its_place_in_the_order():
    """A folder that pyproject.toml leaves out is not run by `make test`, and nobody would notice."""
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    folders = {f"tests/{file.relative_to(TESTS).parts[0]}" for file in TESTS.rglob("test_*.py")}
    assert sorted(settings["testpaths"]) == sorted(folders)


def test_the_quick_folders_import_no_airflow():
    """While they run, `support.without_airflow` looks; but where all tests run, others have imported it before."""
    ended = subprocess.run(
        [sys.executable, "-c", COLLECTED, *QUICK], cwd=CHECKOUT, check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout
    makefile = (CHECKOUT / "Makefile").read_text()
    assert f'-m "not slow" {" ".join(QUICK)}\n' in makefile, "the folders are those of `make quick`"


def test_the_check_for_airflow_finds_it(tmp_path: Path):
    """Otherwise the test above could only pass."""
    (tmp_path / "test_it.py").write_text("import airflow.sdk\n")
    ended = subprocess.run(
        [sys.executable, "-c", COLLECTED, str(tmp_path)], cwd=CHECKOUT, check=False, capture_output=True, text=True
    )
    assert ended.returncode != 0
    assert "airflow" in ended.stdout
