"""The soak: objects arrive while the processes that load them are killed at random; then everything is counted.

`python tests/soak/run.py [--objects N] [--minutes N] [--interval SECONDS] [--workers N] [--kill-every SECONDS]
[--seed N]` prints a log that ends with the counts; the exit code is 1 unless each
row is in the table once and nothing is left.
Several processes act as schedulers and workers at once, on the same ticks of a schedule, without Airflow, whose own
processes `make airflow-kills` kills.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import boto3
import redshift_connector
import typer
from rich.console import Console

from rsloader_provider.aws.dynamodb.ledger import DynamoLedger
from rsloader_provider.aws.dynamodb.tables import TableNames, create_tables
from rsloader_provider.core.ledger.batch import Batch
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.core.redshift.render import render
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

HERE = Path(__file__).parent
BUCKET, PREFIX, LOAD, TABLE, TABLES = "soak", "in/", "soak", "soak", "soak_"
ROWS_PER_OBJECT = 2
INTERVALS = 3
"""The last row has to be there within so many schedule intervals of the last arrival."""

GIVE_UP_INTERVALS = 20
STEP_SECONDS = 0.2
REPORT_SECONDS = 60

console = Console(highlight=False, soft_wrap=True)


def say(text: str) -> None:
    console.print(f"{time.strftime('%H:%M:%S', time.gmtime())}  {text}")


class Workers:
    """The processes, some of which are killed now and then; each killed one is replaced at once.

    Args:
        count: How many run at a time.
        environment: Theirs.
        runs: Where they tell whether they are at a run.
        choose: Decides whom a kill hits, and when.
        every: Seconds between two kills, on average.
        log: Where their output goes.
    """

    def __init__(
        self, count: int, environment: dict[str, str], runs: Path, choose: random.Random, every: float, log: Path
    ):
        self._environment, self._runs, self._choose, self._every = environment, runs, choose, every
        self._log = log.open("ab")
        self._running = [self._start() for _ in range(count)]
        self._next = time.monotonic() + choose.expovariate(1 / every)
        self.kills = self.kills_at_work = 0

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, HERE / "worker.py"], env=self._environment, stderr=self._log)

    def is_at_work(self, process: "subprocess.Popen[bytes]") -> bool:
        told = self._runs / str(process.pid)
        return told.exists() and told.read_text() != ""

    def kill_if_due(self) -> None:
        """Kill one when its time has come, whichever it is."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._choose.expovariate(1 / self._every)
        victim = self._choose.choice(self._running)
        self.kills += 1
        self.kills_at_work += self.is_at_work(victim)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        self._running[self._running.index(victim)] = self._start()

    def check(self) -> None:
        """Raise when one has ended that nobody killed."""
        for each in self._running:
            if each.poll() is not None:
                raise SystemExit(f"a worker ended by itself, with code {each.returncode}; see its log")

    def stop(self) -> None:
        for each in self._running:
            each.kill()
            each.wait()
        self._log.close()


@dataclass
class Place:
    """What is loaded and where to."""

    aws: LocalAws
    redshift: LocalRedshift

    def __post_init__(self) -> None:
        self.aws_arguments = {
            "endpoint_url": self.aws.endpoint_url,
            "region_name": "us-east-1",
            "aws_access_key_id": "local",
            "aws_secret_access_key": "local",
        }
        self.login = {name: getattr(self.redshift, name) for name in ("host", "port", "database", "user", "password")}
        dynamodb = boto3.resource("dynamodb", **self.aws_arguments).meta.client
        create_tables(dynamodb, TableNames(TABLES), created=lambda _: None)
        self.ledger = DynamoLedger(dynamodb, TableNames(TABLES))
        boto3.client("s3", **self.aws_arguments).create_bucket(Bucket=BUCKET)
        self.query(f"CREATE TABLE public.{TABLE} (id integer)")
        self.query(render(sql.CreateHistorySchema()))
        self.query(render(sql.CreateHistory(TableName("public", TABLE))))

    def query(self, text: str) -> Any:
        with redshift_connector.connect(ssl=False, **self.login) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else ()

    def put(self, first: int, beyond: int, order: list[int]) -> None:
        self.aws.seed_objects(
            {"bucket": BUCKET, "key": f"{PREFIX}{order[place]:07}.csv", "body": content(order[place])}
            for place in range(first, beyond)
        )

    def rows(self) -> tuple[int, int]:
        """All rows, and those that differ."""
        rows, different = self.query(f"SELECT count(*), count(DISTINCT id) FROM public.{TABLE}")[0]
        return int(rows), int(different)

    def batches(self) -> list[Batch]:
        """All but the open batch, which is not a batch yet while it is empty."""
        return [batch for batch in self.ledger.batches(LOAD) if batch.files]


def content(number: int) -> str:
    return "".join(f"{number * ROWS_PER_OBJECT + row}\n" for row in range(ROWS_PER_OBJECT))


def soak(
    objects: Annotated[int, typer.Option(min=1, help="Objects that arrive.")] = 20_000,
    minutes: Annotated[float, typer.Option(help="How long they arrive.")] = 10,
    interval: Annotated[float, typer.Option(help="Seconds between two runs of the schedule.")] = 60,
    workers: Annotated[int, typer.Option(min=1, help="Processes that schedule and load.")] = 3,
    kill_every: Annotated[float, typer.Option(help="Seconds between two kills, on average.")] = 15,
    seed: Annotated[int, typer.Option(help="Of everything that is random.")] = 1,
) -> None:
    """Let objects arrive, kill processes, and count."""
    choose = random.Random(seed)
    with (
        tempfile.TemporaryDirectory(prefix="rsloader-soak-") as folder,
        LocalAws() as aws,
        LocalRedshift(s3_endpoint=aws.endpoint_url) as redshift,
    ):
        place, runs, log = Place(aws, redshift), Path(folder) / "runs", Path(folder) / "workers.log"
        runs.mkdir()
        settings = {
            "aws": place.aws_arguments, "redshift": place.login, "tables": TABLES, "runs": str(runs),
            "interval": interval, "load": load_settings(interval),
        }  # fmt: skip
        say(
            f"{objects:,} objects in {minutes:g} minutes, a run every {interval:g} s, {workers} processes, "
            f"a SIGKILL every {kill_every:g} s on average, seed {seed}"
        )
        gang = Workers(workers, {**os.environ, "SOAK": json.dumps(settings)}, runs, choose, kill_every, log)
        try:
            arrive(place, gang, objects, minutes * 60, choose)
            arrived = time.monotonic()
            say("the last object has arrived; the kills go on")
            drain(place, gang, objects * ROWS_PER_OBJECT, arrived + GIVE_UP_INTERVALS * interval)
            took = time.monotonic() - arrived
            # One more round, so that a run that was killed after its last row can be finished by another.
            settle(place, gang, arrived + GIVE_UP_INTERVALS * interval)
        finally:
            gang.stop()
        good = report(place, gang, objects, took, interval)
        if not good:
            console.print(log.read_text()[-10_000:], markup=False)
    raise typer.Exit(0 if good else 1)


def load_settings(interval: float) -> dict[str, Any]:
    return {
        "load": LOAD,
        "source": f"s3://{BUCKET}/{PREFIX}",
        "schedule": f"{interval:g}s",
        "batch": {"max_files": 100, "max_age": f"{max(1, round(interval / 3))}s"},
        "copy": {"format": "csv"},
        "manifests": f"s3://{BUCKET}/manifests/",
        "targets": [{"table": f"public.{TABLE}"}],
    }


def arrive(place: Place, gang: Workers, objects: int, seconds: float, choose: random.Random) -> None:
    """Objects arrive evenly, in an order that has nothing to do with their keys."""
    order = list(range(objects))
    choose.shuffle(order)
    begun, there, reported = time.monotonic(), 0, 0.0
    while there < objects:
        passed = time.monotonic() - begun
        due = min(objects, int(objects * passed / seconds))
        if due > there:
            place.put(there, due, order)
            there = due
        if passed - reported >= REPORT_SECONDS:
            reported = passed
            say(f"{there:,} objects, {gang.kills} kills, {place.rows()[0]:,} rows")
        gang.check()
        gang.kill_if_due()
        time.sleep(STEP_SECONDS)


def drain(place: Place, gang: Workers, rows: int, until: float) -> None:
    begun, reported = time.monotonic(), 0.0
    while (there := place.rows()[0]) < rows and time.monotonic() < until:
        if time.monotonic() - begun - reported >= REPORT_SECONDS:
            reported += REPORT_SECONDS
            say(f"{gang.kills} kills, {there:,} rows")
        gang.check()
        gang.kill_if_due()
        time.sleep(STEP_SECONDS)


def settle(place: Place, gang: Workers, until: float) -> None:
    while not all_complete(place) and time.monotonic() < until:
        gang.check()
        time.sleep(STEP_SECONDS * 5)


def all_complete(place: Place) -> bool:
    return {str(batch.status) for batch in place.batches()} == {"complete"}


def report(place: Place, gang: Workers, objects: int, took: float, interval: float) -> bool:
    """Print the counts and tell whether they are as they must be."""
    rows, different = place.rows()
    expected = objects * ROWS_PER_OBJECT
    batches = place.batches()
    statuses = Counter(str(batch.status) for batch in batches)
    attempts = sum(progress.attempt for batch in batches for progress in batch.targets.values())
    claimed = sum(1 for _ in place.ledger.claims(LOAD, f"{BUCKET}/{PREFIX}"))
    left = len(batches) - statuses["complete"]
    for name, value in (
        ("objects", f"{objects:,}, claimed {claimed:,}"),
        ("kills", f"{gang.kills}, {gang.kills_at_work} of them in the middle of a run"),
        ("batches", f"{len(batches)}, complete {statuses['complete']}, left behind {left}"),
        ("attempts", f"{attempts}"),
        ("rows", f"{rows:,} of {expected:,}"),
        ("duplicates", f"{rows - different}"),
        ("lost", f"{expected - different}"),
        ("last arrival to last row", f"{took:.0f} s, {took / interval:.1f} schedule intervals (allowed {INTERVALS})"),
    ):
        say(f"{name:26}{value}")
    good = rows == different == expected and claimed == objects and left == 0 and took < INTERVALS * interval
    say("as it must be" if good else "NOT as it must be")
    return good


if __name__ == "__main__":
    typer.run(soak)
