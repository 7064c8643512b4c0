"""`make quick` tells Python to import the checkout, and the checkout is tested; everything else tests the wheel."""

import os
import subprocess
import sys
from pathlib import Path

from support.checkout import CHECKOUT

import rsloader_provider

ASKED_FOR = {Path(each).resolve() for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each}


def test_the_checkout_is_imported_when_it_is_asked_for_and_only_then():
    """Somebody who changes a file and sees the tests pass must have tested that file."""
    package = Path(rsloader_provider.__file__).resolve().parent
    assert (package == CHECKOUT / "rsloader_provider") == (CHECKOUT in ASKED_FOR)


def test_processes_that_tests_start_import_the_same_package():
    shown = subprocess.run(
        [sys.executable, "-c", "import rsloader_provider; print(rsloader_provider.__file__)"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert Path(shown.stdout.strip()).resolve() == Path(rsloader_provider.__file__).resolve()
