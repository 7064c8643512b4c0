"""One scheduler and worker of the soak: when it starts, and at every tick of the schedule, it does what a DAG run does.

Reads its settings, as JSON, from the environment variable SOAK. It keeps nothing: whoever takes its place goes by
what DynamoDB and Redshift know.
"""

import itertools
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import boto3
import psutil
import redshift_connector

from rsloader_provider.aws.dynamodb.tables import TableNames
from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import RsloaderError
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.discover import Found, look_for_work
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.loader.run.take_over import Work
from rsloader_provider.loader.services import Services
from rsloader_provider.wiring import Wiring

MAX_WORK = 1024
TRIES = 3

log = logging.getLogger("soak.worker")


class Runs:
    """Which run each process is at, for all to see, as Airflow's database tells it of DAG runs.

    Args:
        folder: A file for each process.
    """

    def __init__(self, folder: Path):
        self._mine = folder / f"{os.getpid()}"
        self._folder = folder
        self._born = psutil.Process().create_time()

    def begin(self, number: int) -> str:
        """Begin a run and give its id."""
        run = f"soak/{os.getpid()}-{self._born}-{number}"
        self._tell(run)
        return run

    def end(self) -> None:
        """The process waits for its next tick."""
        self._tell("")

    def is_active(self, run: str) -> bool:
        """Tell whether some process is at this run and alive."""
        pid, born, _ = run.partition("/")[2].split("-")
        try:
            told = (self._folder / pid).read_text()
            return told == run and psutil.Process(int(pid)).create_time() == float(born)
        except (FileNotFoundError, psutil.NoSuchProcess):
            return False

    def _tell(self, run: str) -> None:
        new = self._mine.with_suffix(".new")
        new.write_text(run)
        new.replace(self._mine)


def services(settings: dict[str, Any]) -> Services:
    arguments = settings["aws"]
    clients = {service: boto3.client(service, **arguments) for service in ("s3", "sns")}
    clients["dynamodb"] = boto3.resource("dynamodb", **arguments).meta.client
    return Wiring(
        client=clients.__getitem__,
        connect=lambda _: redshift_connector.connect(ssl=False, **settings["redshift"]),
        names=TableNames(settings["tables"]),
    ).services()


def one_run(config: LoadConfig, ports: Services, runs: Runs, run: str) -> None:
    if look_for_work(config, ports) is Found.NOTHING:
        return
    for work in buffer_objects(config, ports, run=run, is_active=runs.is_active, max_work=MAX_WORK):
        load(config, ports, run, work)


def load(config: LoadConfig, ports: Services, run: str, work: Work) -> None:
    for number in range(1, TRIES + 1):
        try:
            load_batch(config, ports, work.batch.batch, work.target, Asker(f"{run}/{work.batch.batch}/{number}", run))
        except RsloaderError as error:
            log.warning("%s, try %d: %s: %s", work.batch, number, type(error).__name__, error)
            if not error.retryable:
                return
        else:
            return


def main() -> None:
    settings = json.loads(os.environ["SOAK"])
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(process)d %(message)s")
    config, ports = LoadConfig.model_validate(settings["load"]), services(settings)
    runs, interval = Runs(Path(settings["runs"])), float(settings["interval"])
    # The first run begins at once, as a task that was killed is tried again.
    for number in itertools.count(1):
        try:
            one_run(config, ports, runs, runs.begin(number))
        except RsloaderError as error:
            log.warning("run %d failed, the next one goes on: %s: %s", number, type(error).__name__, error)
        runs.end()
        # Past the tick for certain: a sleep that ends a moment early would see the same tick again.
        time.sleep(interval - time.time() % interval + 0.01)


if __name__ == "__main__":
    main()
