"""How the files are shared out between processes, and which package is tested; servers start where a test asks."""

import os
from pathlib import Path
from typing import Any

import pytest
from support.botocore_once import share_loader
from xdist.scheduler import LoadScopeScheduling

import rsloader_provider

pytest_plugins = ["support.servers"]

# Processes that tests start import the package that is tested here, and not the checkout only because they run in it.
os.environ["PYTHONSAFEPATH"] = "1"

share_loader()


class _ByFile(LoadScopeScheduling):
    """Keeps together what shares something slow to start: a file's servers, the end-to-end tests' Airflow."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "end_to_end" if "/end_to_end/" in file else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _ByFile(config, log)


def pytest_report_header() -> str:
    """The wheel's package with `make test`, the checkout's with `make quick`."""
    return f"tested: {Path(rsloader_provider.__file__).parent}"
