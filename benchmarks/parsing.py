"""How long Airflow's DAG processor takes for load files, against DAGs written by hand with the same tasks.

Prints ratios; nothing here decides whether a test passes. `python benchmarks/parsing.py [LOADS]`
"""

import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

LOADS = int(sys.argv[1]) if len(sys.argv) > 1 else 500
ROUNDS = 5

LOAD_FILE = """
load: load_{number}
source: s3://acme-landing/load_{number}/
schedule: "*/5 * * * *"
batch: {{max_files: 100, max_bytes: 1GiB, max_age: 5m}}
copy: {{format: csv, delimiter: "|", ignore_header: 1}}
manifests: s3://acme-loader/manifests/
targets:
  - {{conn_id: redshift_default, table: public.load_{number}}}
"""

BY_HAND = """# for airflow
from datetime import datetime, timedelta, timezone
from rsloader_provider.airflow_compat import DAG
from rsloader_provider.operators.buffer_objects import BufferObjectsOperator
from rsloader_provider.operators.load_batch import LoadBatchOperator
from rsloader_provider.sensors.new_objects import NewObjectsSensor
"""
ONE_BY_HAND = """# for airflow
with DAG(
    dag_id="by_hand_{number}", schedule="*/5 * * * *", start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False, max_active_runs=1, tags=["rsloader"], doc_md="Loads load_{number}.",
    default_args={{"owner": "rsloader", "retries": 3, "retry_delay": timedelta(seconds=30)}},
):
    config = {{
        "load": "load_{number}", "source": "s3://acme-landing/load_{number}/", "schedule": "*/5 * * * *",
        "copy": {{"format": "csv", "delimiter": "|", "ignore_header": 1}},
        "manifests": "s3://acme-loader/manifests/", "targets": [{{"table": "public.load_{number}"}}],
    }}
    detect = NewObjectsSensor(task_id="detect_new_objects", load_config=config, poke_interval=15, timeout=0)
    buffer = BufferObjectsOperator(task_id="buffer_objects", load_config=config)
    load = LoadBatchOperator.partial(
        task_id="load_batch", load_config=config, map_index_template="{{{{ task.summary }}}}"
    ).expand_kwargs(buffer.output)
    detect >> buffer >> load
"""

BY_FILE = """# for airflow
from pathlib import Path
from rsloader_provider import load_dags
globals().update(load_dags(Path({loads!r})))
"""


def main() -> None:
    """Make both, parse both, print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ |= {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
        loads = home / "loads"
        loads.mkdir()
        for number in range(LOADS):
            (loads / f"load_{number}.yaml").write_text(LOAD_FILE.format(number=number))
        by_hand, by_file = home / "by_hand", home / "by_file"
        for folder_of_one in (by_hand, by_file):
            folder_of_one.mkdir()
        (by_hand / "dags.py").write_text(BY_HAND + "".join(ONE_BY_HAND.format(number=n) for n in range(LOADS)))
        (by_file / "dags.py").write_text(BY_FILE.format(loads=str(loads)))

        from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 (reads AIRFLOW_HOME)

        def parse(dags: Path) -> set[str]:
            return set(DagBag(dags).dags)

        def parse_one() -> set[str]:
            os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = "rsloader_load_0"
            try:
                return parse(by_file)
            finally:
                del os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"]

        # Beside the loads' DAGs may be others, such as the one with which people operate them.
        assert parse(by_hand) >= {f"by_hand_{number}" for number in range(LOADS)}
        assert parse(by_file) >= {f"rsloader_load_{number}" for number in range(LOADS)}
        assert parse_one() == {"rsloader_load_0"}
        hand, files, one = seconds(lambda: parse(by_hand), lambda: parse(by_file), parse_one)
        print(f"{LOADS} DAGs by hand: {hand:.2f} s")
        print(f"{LOADS} load files: {files:.2f} s, {files / hand:.2f} times the DAGs by hand (promised: at most 1.5)")
        print(f"one of {LOADS} in a worker, which builds 1 DAG: {one * 1000:.0f} ms, {one / hand:.3f} times")


def seconds(*works: Callable[[], object]) -> list[float]:
    """Give the median of several rounds for each; they take turns, and none pays for another one's garbage."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, times in zip(works, taken, strict=True):
            gc.collect()
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
    return [median(times) for times in taken]


if __name__ == "__main__":
    main()
