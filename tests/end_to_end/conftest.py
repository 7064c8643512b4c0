"""The whole stack with Airflow, once for all tests here; each test has a load of its own.

It stops after the last of them: its loads go on running, which would take a core from all tests that follow.
"""

import shutil
from collections.abc import Iterator

import pytest
import yaml
from support import secret_search
from support.checkout import CHECKOUT
from support.killable_airflow import NOTICE_COMPONENTS, SETTINGS, write_by_hand
from support.running_stack import BUCKET, Stack

from rsloader_provider.local.stack import LocalStack

LOADS = ("scheduled", "cleared", "bad", "shown", "operated")

BY_HAND = [
    ("killed_in_copy", 3, "@yearly"),
    ("killed_after_commit", 3, "@yearly"),
    ("scheduler_killed", 3, "@yearly"),
    ("triggerer_killed", 3, "@continuous"),
    ("cleared_meanwhile", 3, "@continuous"),
    ("given_up", 0, "@yearly"),
]


PARSED_ONCE = {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600"}
"""No file changes here, and parsing them again every few seconds, as a person who edits them likes it, takes a core."""


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    dags = tmp_path_factory.mktemp("dags")
    shutil.copy(CHECKOUT / "dags" / "rsloader_dags.py", dags)
    (dags / "loads").mkdir()
    for load in LOADS:
        own = {"load": load, "source": f"s3://{BUCKET}/{load}/", "targets": [{"table": load}]}
        if load == "scheduled":
            own |= {"schedule": "5s", "batch": {"max_files": 2, "max_age": "10s"}}
        (dags / "loads" / f"{load}.yaml").write_text(yaml.safe_dump(SETTINGS | own))
    (dags / "loads" / "broken.yaml").write_text("load: broken\nschedule: '61 * * * *'\n")
    write_by_hand(dags, BY_HAND)
    with LocalStack(dags=dags, paused_at_creation=True, airflow_settings=NOTICE_COMPONENTS | PARSED_ONCE) as running:
        yield Stack(running)
        # Airflow's own processes have written these logs and this database.
        used = [*secret_search.use(the_password_of_Redshift=running.redshift.password), *secret_search.USED]
        assert secret_search.secrets_below(running.folder / "airflow", used) == []
