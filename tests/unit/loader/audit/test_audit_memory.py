"""An audit's memory does not grow with the number of objects."""

import json
import subprocess
import sys

import pytest
from support.checkout import TESTS

OBJECTS = 200_000
MOST_MEGABYTES = 20

MEASURED = """
import json, re, sys
from pathlib import Path
from support.objects import NOON, a_config
from support.streams_for_audits import MadeUpLoad
from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.services import Services

def audit(objects):
    load = MadeUpLoad(objects, batch_files=100)
    return audit_load(a_config(), Services(load, load, load, None, lambda: NOON), load)

# Not getrusage: its peak is inherited from whoever started this process.
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
audit(100)
before = peak()
report = audit(int(sys.argv[1]))
print(json.dumps({"counts": report.counts, "megabytes": peak() - before}))
"""


@pytest.mark.slow
def test_200_000_objects_are_audited_in_little_memory(monkeypatch: pytest.MonkeyPatch):
    """`benchmarks/audit.py` measures 1,000,000; the names alone of these objects are 27 MB."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=":")
    measured = subprocess.run(
        [sys.executable, "-c", MEASURED, str(OBJECTS)], check=True, capture_output=True, text=True
    )
    result = json.loads(measured.stdout)
    assert (result["counts"]["loaded"], sum(result["counts"].values())) == (OBJECTS, OBJECTS)
    assert result["megabytes"] < MOST_MEGABYTES
