"""How much CPU each way into the package costs, most of it imports: user and system seconds, the least of a few rounds.

Prints ratios to an empty program; nothing here decides whether a test passes.
`python benchmarks/imports.py [ROUNDS [WAY …]]`
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
CHOSEN = sys.argv[2:]
LOADS = Path(__file__).parents[1] / "dags" / "loads"

# Nobody listens there, so that what is measured is ours and Airflow's, up to the request.
NOWHERE = {
    "conn_type": "aws",
    "login": "local",
    "password": "local",
    "extra": {
        "endpoint_url": "http://127.0.0.1:1",
        "region_name": "us-east-1",
        "config_kwargs": {"retries": {"total_max_attempts": 1}},
    },
}
COMMAND = "import sys; from rsloader_provider.cli import app; app(sys.argv[1:])"
WAYS = {
    "import rsloader_provider": ["import rsloader_provider"],
    "rsloader --help": [COMMAND, "--help"],
    "rsloader validate": [COMMAND, "validate", str(LOADS)],
    "rsloader schema": [COMMAND, "schema"],
    "rsloader new --help": [COMMAND, "new", "--help"],
    "import airflow": ["import airflow"],
    "rsloader batches --json": [COMMAND, "batches", "orders", "--json"],
    "a worker's LoadBatchOperator": ["from rsloader_provider import LoadBatchOperator"],
    "a worker's load_dags": ["from rsloader_provider import load_dags"],
}


def main() -> None:
    """Run each way several times, and print what it costs."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "AIRFLOW_HOME": home, "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(NOWHERE)}
        empty = cpu_seconds(["pass"], environment)
        print(f"python -c pass: {empty:.3f} s of CPU")
        for name in CHOSEN or WAYS:
            seconds = cpu_seconds(WAYS[name], environment)
            print(f"{name}: {seconds:.2f} s of CPU, {seconds / empty:.0f} times an empty program")


def cpu_seconds(arguments: list[str], environment: dict[str, str]) -> float:
    """Give the least that a process needed."""
    taken = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", *arguments], env=environment, check=False, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


if __name__ == "__main__":
    main()
