"""What people install is what was tested."""

import importlib.metadata
import re
from pathlib import Path

from support.checkout import CHECKOUT

import rsloader_provider


def test_the_tests_use_the_installed_wheel_and_not_the_checkout():
    """A file missing from the wheel would go unnoticed otherwise. `make test` installs the wheel."""
    assert CHECKOUT / "rsloader_provider" not in Path(rsloader_provider.__file__).parents


def test_the_wheel_holds_the_package_and_nothing_else():
    files = importlib.metadata.files("airflow-provider-rsloader")
    assert files is not None
    roots = {file.parts[0] for file in files if not file.parts[0].endswith(".dist-info")}
    assert roots == {"rsloader_provider", "airflow_provider_rsloader.py", ".."}, "'..' is the command in bin/"
    names = {str(file) for file in files}
    assert "rsloader_provider/py.typed" in names
    for script in ("catalog", "databases", "driver_lookups", "users"):
        assert f"rsloader_provider/local/redshift/catalog/{script}.sql" in names
    assert "rsloader_provider/local/sample_dags/rsloader_dags.py" in names


def test_pins_are_names_and_versions_and_say_nothing_else():
    """No address of a package registry, no marker of one machine."""
    lists = [CHECKOUT / "constraints.txt"]
    for folder in ("drivers", "versions/pins"):
        lists += (CHECKOUT / "tests" / folder).glob("*.txt")
    lines = [line for each in lists for line in each.read_text().splitlines()]
    assert len(lists) > 10
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line) for line in lines)


def test_the_version_is_the_same_everywhere():
    assert importlib.metadata.version("airflow-provider-rsloader") == rsloader_provider.__version__
    assert f"## {rsloader_provider.__version__}" in (CHECKOUT / "CHANGELOG.md").read_text()
