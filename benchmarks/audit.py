"""How much memory and time an audit of 1,000,000 objects takes, on streams that are generated while they are read.

Promised: 300 MB, everything included. What S3, DynamoDB and Redshift take to answer comes on top of the time.
`python benchmarks/audit.py [OBJECTS]`
"""

import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.objects import NOON, a_config
from support.streams_for_audits import MadeUpLoad

from rsloader_provider.loader.audit.audit import audit_load
from rsloader_provider.loader.services import Services

OBJECTS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
BATCH_FILES = 100


def main() -> None:
    """Audit once, print both."""
    load = MadeUpLoad(OBJECTS, BATCH_FILES)
    services = Services(load, load, load, None, lambda: NOON)
    start = time.perf_counter()
    report = audit_load(a_config(), services, load)
    seconds = time.perf_counter() - start
    # Not getrusage: its peak is inherited from the process that started this one.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    megabytes = int(peak[1]) / 1024 if peak else 0
    assert (report.objects, report.is_wrong) == (OBJECTS, False)
    print(f"audit of {OBJECTS:,} objects in batches of {BATCH_FILES}: {megabytes:.0f} MB (promised: at most 300)")
    print(f"                    {seconds:.0f} s, partly spent on generating the streams")


if __name__ == "__main__":
    main()
