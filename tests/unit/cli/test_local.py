"""`rsloader local up`, as far as it starts nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RSLOADER = "from rsloader_provider.cli import app; app()"


@pytest.mark.parametrize("command", ["local up --airflow --dags .", "demo"])
def test_a_local_airflow_of_another_version_is_refused_and_not_tried(tmp_path: Path, command: str):
    """Airflow 2 has other components: its usage text came, from a process that nobody had started knowingly."""
    installed = tmp_path / "apache_airflow-2.11.2.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: apache-airflow\nVersion: 2.11.2\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    ended = subprocess.run(
        [sys.executable, "-c", RSLOADER, *command.split()],
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "250"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "Airflow 2.11.2 is installed here, and the local Airflow needs Airflow 3" in ended.stderr
    assert ended.stdout == ""
