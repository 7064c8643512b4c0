"""The containers' file, as far as it can be checked without an engine."""

import shutil
import subprocess

import pytest
from support.checkout import CHECKOUT


def test_compose_accepts_the_file():
    """`config` needs no engine, and catches misspelt keys and services that are not there."""
    for command in (["docker", "compose"], ["docker-compose"]):
        known = shutil.which(command[0]) and subprocess.run([*command, "version"], check=False, capture_output=True)
        if known and known.returncode == 0:
            subprocess.run([*command, "config", "-q"], cwd=CHECKOUT, check=True)
            return
    pytest.skip("neither docker compose nor docker-compose is installed on this machine")
