"""What the loader costs, counted at the HTTP layer and in DynamoDB's write units."""

from collections.abc import Iterator
from dataclasses import replace

import boto3
import pytest
from support.fakes.warehouse import MemoryWarehouse
from support.loader_services import aws_client_arguments, loader_services, make_tables
from support.objects import NOON, TARGET, a_config, an_object

from rsloader_provider.core.ledger.batch import BatchStatus
from rsloader_provider.core.ledger.clearing import TaskFacts
from rsloader_provider.core.ledger.renaming import Renaming
from rsloader_provider.core.ledger.transitions import Asker
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.other_loads import FindOtherLoads
from rsloader_provider.loader.run.buffer import buffer_objects
from rsloader_provider.loader.run.discover import Found, look_for_work
from rsloader_provider.loader.run.load_batch import load_batch
from rsloader_provider.local.aws import LocalAws

KEY = "{}/" + "k" * 64 + "/{:08}"
OBJECTS = {"orders": 10_000, "clicks": 2_000}
"""How many there are, below which prefix."""
MOST_REQUESTS_TO_BUFFER_PER_OBJECT = 0.04
MOST_REQUESTS_TO_LOAD = 12


@pytest.fixture(scope="module")
def counted_aws() -> Iterator[LocalAws]:
    """A local AWS that only this module uses, with objects whose keys have 80 bytes."""
    assert {len(KEY.format(folder, 0).encode()) for folder in OBJECTS} == {80}
    with LocalAws() as aws:
        s3 = boto3.client("s3", **aws_client_arguments(aws.endpoint_url))
        for bucket in ("landing", "loader"):
            s3.create_bucket(Bucket=bucket)
        for folder, objects in OBJECTS.items():
            keys = (KEY.format(folder, number) for number in range(objects))
            aws.seed_objects({"bucket": "landing", "key": key, "body": "1\n"} for key in keys)
        yield aws


class ManifestsInS3:
    """What the fake warehouse reads: real manifests, and objects of one row each that it does not ask S3 for."""

    def __init__(self, aws: LocalAws):
        self.s3 = boto3.client("s3", **aws_client_arguments(aws.endpoint_url))

    def read(self, bucket: str, key: str) -> bytes:
        if not key.endswith(".manifest"):
            return b"1\n"
        body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body


@pytest.mark.parametrize(("folder", "files", "most_write_units"), [("clicks", 100, 2.6), ("orders", 10_000, 2.4)])
def test_finding_buffering_and_loading_cost_no_more_than_promised(
    counted_aws: LocalAws, folder: str, files: int, most_write_units: float
):
    """Write units count twice in a transaction, index writes included."""
    objects = OBJECTS[folder]
    sent: list[str] = []
    warehouse = MemoryWarehouse(ManifestsInS3(counted_aws))  # type: ignore[arg-type]
    warehouse.create("public.orders")
    prefix = f"cost{files}_"
    make_tables(counted_aws.endpoint_url, prefix)
    services = replace(loader_services(counted_aws.endpoint_url, prefix, sent=sent), warehouse=warehouse)
    config = a_config(source=f"s3://landing/{folder}/", batch={"max_files": files}, notify={})
    counted_aws.reset_requests()

    assert look_for_work(config, services) is Found.NEW_OR_DUE
    work = buffer_objects(config, services, run="dag/run", is_active=lambda _: False, max_work=1024)
    buffered = len(sent)
    assert buffered / objects <= MOST_REQUESTS_TO_BUFFER_PER_OBJECT
    assert counted_aws.requests()["total"] == buffered, "nothing but what the loader's clients sent"
    asked = [type(each) for each in warehouse.log]
    assert asked == [sql.FindLoaded, FindOtherLoads], "Redshift is asked once, before the first claim"

    for number, each in enumerate(work):
        sent.clear()
        task = f"rsloader_orders/scheduled__2026-01-02T00:00:00+00:00/load_batch/{number}"
        facts = TaskFacts(task, 3, 0, "2026-01-02T00:00:00.123456+00:00", "2026-01-02T00:00:01.123456+00:00")
        load_batch(config, services, each.batch.batch, each.target, Asker(f"{task}/1", "dag/run", task=facts))
        assert len(sent) <= MOST_REQUESTS_TO_LOAD, sent

    write_units = counted_aws.requests()["write_units"]["total"]
    assert write_units / objects <= most_write_units
    print(f"{files} files: {buffered / objects:.4f} requests, {write_units / objects:.3f} write units an object")
    assert [batch.status for batch in services.ledger.batches("orders")].count(BatchStatus.COMPLETE) == objects // files
    assert len(warehouse.tables["public.orders"]) == objects
    assert work[0].target == TARGET

    kinds = [type(each) for each in warehouse.log]
    assert kinds.count(FindOtherLoads) == 2, "and before the first batch of the load in this history"
    sent_before = len(warehouse.log)
    assert not buffer_objects(config, services, run="dag/next", is_active=lambda _: False, max_work=1024)
    assert len(warehouse.log) == sent_before, "and never again"


def test_segments_are_handed_over_few_at_a_time_as_a_transaction_takes_four_megabytes(counted_aws: LocalAws):
    """A segment with long keys has up to 400 KB."""
    make_tables(counted_aws.endpoint_url, "pages_")
    sent: list[str] = []
    services = loader_services(counted_aws.endpoint_url, "pages_", sent=sent)
    ledger, limits = services.ledger, a_config(batch={"max_files": 20}).batch
    for number in range(20):
        ledger.claim(ledger.open_batch("orders", NOON), [an_object(f"orders/{number}")], limits, NOON)
    batch, _ = ledger.lock(
        ledger.open_batch("orders", NOON), reason="max_age", run="dag/run", targets={TARGET: {}}, now=NOON
    )
    ledger.open_batch("sales", NOON)
    renaming = Renaming("orders", "sales", "a test", NOON)
    ledger.begin_renaming(renaming)
    sent.clear()
    ledger.hand_over(renaming, batch)
    assert len(ledger.segments(ledger.get("sales", batch.batch))) == 20
    assert sent.count("TransactWriteItems") == 5, "three for 20 segments, one for the batch, one for what is dropped"
