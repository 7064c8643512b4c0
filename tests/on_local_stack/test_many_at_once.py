"""Many processes at the same objects, and many loaders at the same batch."""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import redshift_connector
from support.checkout import TESTS
from support.loader_services import aws_client_arguments, loader_services, make_tables
from support.objects import TARGET, a_config

from rsloader_provider.core.errors import RsloaderError
from rsloader_provider.core.ledger.batch import BatchStatus, TargetState
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import TableName
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.load_batch import Outcome, load_batch
from rsloader_provider.local.aws import LocalAws
from rsloader_provider.local.redshift import LocalRedshift

OBJECTS = 2_000
PROCESSES = 8

BUFFERING = """
import sys
from support.loader_services import loader_services
from support.objects import a_config
from rsloader_provider.loader.run.buffer import buffer_objects
endpoint, number = sys.argv[1:]
services = loader_services(endpoint, "many_")
config = a_config(source="s3://many/orders/", batch={"max_files": 150})
print("ready", flush=True)
sys.stdin.readline()
buffer_objects(config, services, run="dag/run-" + number, is_active=lambda _: True, max_work=1024)
"""


def test_eight_processes_that_buffer_the_same_objects_put_each_into_one_batch(
    local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch
):
    """A lost object is never loaded, a doubled one is loaded twice."""
    boto3.client("s3", **aws_client_arguments(local_aws.endpoint_url)).create_bucket(Bucket="many")
    names = {f"many/orders/{number:05}.csv" for number in range(OBJECTS)}
    local_aws.seed_objects({"bucket": "many", "key": name.partition("/")[2], "body": "1\n"} for name in names)
    make_tables(local_aws.endpoint_url, "many_")
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BUFFERING, local_aws.endpoint_url, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    assert [process.wait(120) for process in processes] == [0] * PROCESSES

    ledger = loader_services(local_aws.endpoint_url, "many_").ledger
    claims = {claim.name: claim.batch for claim in ledger.claims("orders", "many/")}
    batches = list(ledger.batches("orders"))
    members = [(entry.name, batch.batch) for batch in batches for entry in ledger.entries(batch)]
    assert set(claims) == names
    assert sorted(members) == sorted(claims.items()), "segments and claims agree, and no object is in two"
    assert all(batch.files == Counter(claims.values())[batch.batch] for batch in batches)
    assert all(batch.files <= 150 for batch in batches)
    assert [batch.status for batch in batches].count(BatchStatus.OPEN) == 1


@pytest.fixture(scope="module", params=["snapshot", "serializable"])
def login(request: pytest.FixtureRequest, local_aws: LocalAws) -> Iterator[Callable[[str], Any]]:
    with LocalRedshift(s3_endpoint=local_aws.endpoint_url, isolation=request.param) as server:
        yield lambda _: redshift_connector.connect(
            host=server.host,
            port=server.port,
            database=server.database,
            user=server.user,
            password=server.password,
            ssl=False,
        )


def test_three_loaders_of_one_batch_load_it_once(
    request: pytest.FixtureRequest, local_aws: LocalAws, login: Callable[[str], Any]
):
    """They take each other's place, end each other's sessions, or wait for the history; the rows come once."""
    bucket = f"three-{request.node.callspec.id}"
    boto3.client("s3", **aws_client_arguments(local_aws.endpoint_url)).create_bucket(Bucket=bucket)
    local_aws.seed_objects({"bucket": bucket, "key": f"orders/{n}.csv", "body": f"{n}\n" * 100} for n in range(20))
    prefix = f"{bucket}_"
    make_tables(local_aws.endpoint_url, prefix)
    config = a_config(source=f"s3://{bucket}/orders/", batch={"max_files": 20}, manifests=f"s3://{bucket}/manifests/")
    services = loader_services(local_aws.endpoint_url, prefix, login)
    with services.warehouse.connect("redshift_default") as session:
        session.execute(sql.UserStatement("CREATE TABLE public.orders (id integer)"))
        session.execute(sql.CreateHistorySchema())
        session.execute(sql.CreateHistory(TableName("public", "orders")))
    (work,) = buffer_objects(config, services, run="dag/run", is_active=lambda _: False, max_work=99)
    outcomes: list[Any] = []
    start = threading.Barrier(3)

    def load(number: int) -> None:
        mine = loader_services(local_aws.endpoint_url, prefix, login)
        start.wait()
        try:
            asker = Asker(f"try-{number}", "dag/run")
            outcomes.append(load_batch(config, mine, work.batch.batch, TARGET, asker).outcome)
        except RsloaderError as error:
            outcomes.append(error)

    loaders = [threading.Thread(target=load, args=(number,)) for number in range(3)]
    for loader in loaders:
        loader.start()
    for loader in loaders:
        loader.join(120)
    # Whatever they did to each other, one more try settles it.
    again = load_batch(config, services, work.batch.batch, TARGET, Asker("try-again", "dag/run"))
    assert len(outcomes) == 3
    assert again.batch.targets[TARGET].state is TargetState.LOADED
    assert again.outcome is not Outcome.LOADED or not any(each is Outcome.LOADED for each in outcomes), outcomes
    with services.warehouse.connect("redshift_default") as session:
        assert session.execute(sql.UserStatement("SELECT count(*) FROM public.orders"))[0][0] == 2_000
        assert session.execute(sql.UserStatement("SELECT count(*) FROM rsloader.public__orders"))[0][0] == 1
