r"""The local Redshift's COPY against `\copy` of the same bytes in the PostgreSQL underneath, and its memory.

Prints ratios; nothing here decides whether a test passes. `python benchmarks/local_redshift.py [ROWS] [MEMORY_MB]`
"""

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import boto3
import psutil
import psycopg

from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
MEMORY_MB = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
OBJECTS = 10
ROUNDS = 3
BUCKET = "benchmark"
TABLE = "CREATE TABLE {} (id int, name varchar(40), day date, at timestamp, amount decimal(12,2))"


def lines(first: int, count: int) -> Iterator[str]:
    numbers = random.Random(first)
    for number in range(first, first + count):
        day = f"2026-01-{1 + number % 31:02d}"
        amount = numbers.randrange(1, 99_999) / 100
        yield f"{number},customer {numbers.randrange(9_999)},{day},{day} 10:{number % 60:02d}:00,{amount:.2f}\n"


def seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def underneath(redshift: LocalRedshift) -> "psycopg.Connection[tuple[object, ...]]":
    """Connect to PostgreSQL itself, past the proxy."""
    server = next(p for p in psutil.Process(redshift.pid).children(recursive=True) if p.name() == "postgres")
    socket = Path(server.cwd()).parent / "socket"
    return psycopg.connect(host=str(socket), user="rdsdb", dbname=redshift.database, autocommit=True)


def copy_in(postgres: "psycopg.Connection[tuple[object, ...]]", bodies: list[bytes]) -> None:
    with postgres.cursor().copy("COPY plain FROM STDIN (FORMAT csv)") as copy:
        for body in bodies:
            copy.write(body)


class PeakMemory:
    """The most memory of a process while the block runs, in MB above what it had when this was made."""

    def __init__(self, pid: int):
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._before = self._peak = self._resident()

    def _resident(self) -> int:
        return int(self._process.memory_info().rss)

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self._peak = max(self._peak, self._resident())

    def __enter__(self) -> "PeakMemory":
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()

    @property
    def added_mb(self) -> float:
        return (self._peak - self._before) / 1e6


def start_and_stop() -> None:
    with LocalRedshift():
        pass


def main() -> None:
    print(f"started and stopped: {median(seconds(start_and_stop) for _ in range(ROUNDS)):.2f} s")
    with LocalAws() as aws, LocalRedshift(s3_endpoint=aws.endpoint_url) as redshift:
        memory = PeakMemory(redshift.pid)
        s3 = boto3.client("s3", endpoint_url=aws.endpoint_url, region_name="us-east-1",
                          aws_access_key_id="local", aws_secret_access_key="local")  # fmt: skip
        s3.create_bucket(Bucket=BUCKET)
        with (
            psycopg.connect(
                host=redshift.host, port=redshift.port, dbname=redshift.database, user=redshift.user,
                password=redshift.password, autocommit=True,
            ) as client,
            underneath(redshift) as postgres,
        ):  # fmt: skip
            for table in ("loaded", "plain"):
                client.execute(TABLE.format(table))
            bodies = ["".join(lines(each * ROWS // OBJECTS, ROWS // OBJECTS)).encode() for each in range(OBJECTS)]
            for number, body in enumerate(bodies):
                s3.put_object(Bucket=BUCKET, Key=f"speed/{number}.csv", Body=body)
            speeds = {"quick": "CSV", "record by record": "CSV TRIMBLANKS"}
            taken: dict[str, list[float]] = {name: [] for name in (*speeds, "\\copy")}
            for _ in range(ROUNDS):
                for name, options in speeds.items():
                    client.execute("TRUNCATE loaded")
                    sql = f"COPY loaded FROM 's3://{BUCKET}/speed/' IAM_ROLE default {options}"
                    taken[name].append(seconds(lambda sql=sql: client.execute(sql)))
                postgres.execute("TRUNCATE plain")
                taken["\\copy"].append(seconds(lambda: copy_in(postgres, bodies)))
            plain = median(taken["\\copy"])
            print(f"{ROWS:,} rows x 5 columns, {sum(map(len, bodies)) / 1e6:.0f} MB in {OBJECTS} objects")
            for name, times in taken.items():
                print(f"{name:>17}: {median(times):6.2f} s   ratio to \\copy {median(times) / plain:5.2f}")

            body = "".join(lines(0, 100_000)).encode()
            body *= max(1, MEMORY_MB * 1_000_000 // len(body))
            s3.put_object(Bucket=BUCKET, Key="memory/large.csv", Body=body)
            client.execute("TRUNCATE loaded")
            with memory:
                client.execute(f"COPY loaded FROM 's3://{BUCKET}/memory/' IAM_ROLE default CSV")
            ratio = memory.added_mb * 1e6 / len(body)
            print(f"one object of {len(body) / 1e6:.0f} MB: {memory.added_mb:.0f} MB more, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
