"""Many objects: memory stays small, and each stream is read once. `make scale` takes 100,000 of them."""

import json
import subprocess
import sys

import boto3
import pytest
from support.checkout import TESTS
from support.loader_services import aws_client_arguments, loader_services, make_tables
from support.objects import a_config

from rsloader_provider.loader.run.discover import new_objects
from rsloader_provider.local.aws import LocalAws

OBJECTS = 10_000
MOST_MEGABYTES = 150
PAGE_OBJECTS = 1_000

MEASURED = """
import json, re, sys
from pathlib import Path
from support.loader_services import loader_services
from support.objects import a_config
from rsloader_provider.loader.run.buffer import buffer_objects
services = loader_services(sys.argv[1], "scale_")
config = a_config(source="s3://scale/orders/", batch={"max_files": 5000})
next(services.storage.objects("scale", "orders/"))
# Not getrusage, which shows the parent's peak where that is higher.
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before = peak()
work = buffer_objects(config, services, run="dag/run", is_active=lambda _: True, max_work=1024)
print(json.dumps({"files": sum(each.batch.files for each in work), "megabytes": peak() - before}))
"""


def test_buffering_many_objects_takes_little_memory_and_finding_10_more_reads_each_stream_once(
    monkeypatch: pytest.MonkeyPatch,
):
    buffer_and_find(OBJECTS, monkeypatch)


def buffer_and_find(objects: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buffer so many objects in a process of its own, then find ten more."""
    with LocalAws() as aws:
        s3 = boto3.client("s3", **aws_client_arguments(aws.endpoint_url))
        s3.create_bucket(Bucket="scale")
        aws.seed_objects({"bucket": "scale", "key": f"orders/{n:07}.csv", "body": "1\n"} for n in range(objects))
        make_tables(aws.endpoint_url, "scale_")
        monkeypatch.setenv("PYTHONPATH", str(TESTS))
        measured = subprocess.run(
            [sys.executable, "-c", MEASURED, aws.endpoint_url], check=True, capture_output=True, text=True
        )
        result = json.loads(measured.stdout)
        assert result["files"] == objects
        assert result["megabytes"] < MOST_MEGABYTES

        for number in range(10):
            s3.put_object(Bucket="scale", Key=f"orders/{number:07}.csv.new", Body=b"1\n")
        sent: list[str] = []
        services = loader_services(aws.endpoint_url, "scale_", sent=sent)
        config = a_config(source="s3://scale/orders/", batch={"max_files": 5000})
        assert len(list(new_objects(config, services))) == 10
        assert sent.count("ListObjectsV2") == objects // PAGE_OBJECTS + 1
        assert sent.count("Query") + sent.count("ListObjectsV2") == len(sent), "nothing is asked object by object"
        # A claim is at most 1 KB, and a page of claims at least 1 MB.
        assert sent.count("Query") <= objects * 1024 / 2**20 + 1
