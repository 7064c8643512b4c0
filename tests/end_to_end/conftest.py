"""The whole stack with Airflow, once for all tests here; each test has a load of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from running_stack import BUCKET, Stack

from rsloader_provider.local.stack import LocalStack

LOADS = ("scheduled", "cleared", "bad", "shown")

# The defaults wait half a minute before a retry, which is right for users and long for a test.
QUICK_RETRIES = """
# Airflow looks for DAGs only where both words stand.
from datetime import timedelta
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.dag_factory import load_dag

for name in ("killed_in_copy", "killed_after_commit"):
    own = {"load": name, "source": f"s3://landing/{name}/", "targets": [{"table": name}]}
    config = LoadConfig.model_validate(SETTINGS | own)
    globals()[name] = load_dag(config, default_args={"retries": 3, "retry_delay": timedelta(seconds=1)})
"""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    dags = tmp_path_factory.mktemp("dags")
    shutil.copy(Path(__file__).parents[2] / "dags" / "rsloader_dags.py", dags)
    (dags / "loads").mkdir()
    settings = {
        "schedule": "@yearly",
        "batch": {"max_files": 2, "max_age": "1h"},
        "copy": {"format": "csv"},
        "manifests": f"s3://{BUCKET}/manifests/",
    }
    for load in LOADS:
        own = {"load": load, "source": f"s3://{BUCKET}/{load}/", "targets": [{"table": load}]}
        if load == "scheduled":
            own |= {"schedule": "5s", "batch": {"max_files": 2, "max_age": "10s"}}
        (dags / "loads" / f"{load}.yaml").write_text(yaml.safe_dump(settings | own))
    (dags / "loads" / "broken.yaml").write_text("load: broken\nschedule: '61 * * * *'\n")
    (dags / "by_hand.py").write_text(f"SETTINGS = {settings!r}\n{QUICK_RETRIES}")
    with LocalStack(dags=dags, paused_at_creation=True) as running:
        yield Stack(running)
