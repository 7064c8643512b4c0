"""Each benchmark of `make bench` in a small form: it runs to its end and finds what it made. No time is asserted."""

import subprocess
import sys

import pytest
from support.checkout import CHECKOUT

BENCHMARKS = CHECKOUT / "benchmarks"

SMALL_FORMS = {
    "audit.py": (["1000"], "audit of 1,000 objects in batches of 100: "),
    "import_lambda.py": (["200"], ", 200 marked"),
    "imports.py": (["1", "rsloader schema", "a worker's load_dags"], "a worker's load_dags: "),
    "local_redshift.py": (["1000", "1"], "1,000 rows x 5 columns, "),
    "parsing.py": (["10"], "10 load files: "),
}


@pytest.mark.parametrize("benchmark", [path.name for path in sorted(BENCHMARKS.glob("*.py"))])
def test_a_benchmark_runs_in_its_small_form(benchmark: str) -> None:
    sizes, printed = SMALL_FORMS[benchmark]
    ran = subprocess.run([sys.executable, BENCHMARKS / benchmark, *sizes], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert printed in ran.stdout
