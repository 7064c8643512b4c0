"""How long moving over takes: 100,000 processed files, from the Lambda loader's tables to claims, on the local stack.

Promised: 2 minutes. Both sides share this machine; on AWS most of the time is waiting for the network.
`python benchmarks/import_lambda.py [FILES]`
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import boto3
from support.fakes.keys import MemoryKeys
from support.lambda_items import REGION, a_batch, a_config_item, a_file, a_manifest, as_base64
from support.lambda_tables import LambdaTablesInDynamo
from support.loader_services import aws_client_arguments, loader_services, make_tables

from rsloader_provider.aws.dynamodb.lambda_tables import DynamoLambdaTables
from rsloader_provider.core.lambda_loader.load_file import lambda_context
from rsloader_provider.loader.move_in.choices import ImportChoices, ImportPorts
from rsloader_provider.loader.move_in.connections import ConnectionFile
from rsloader_provider.loader.move_in.import_lambda import apply_import, plan_import
from rsloader_provider.local.aws import LocalAws

FILES = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
BATCH_FILES = 100
PREFIX = "landing/orders"


def main() -> None:
    """Move over once, and once more, and print both."""
    names = [f"{PREFIX}/year=2023/month=01/part-{number:08}-0123456789abcdef.csv" for number in range(FILES)]
    batches = [names[start : start + BATCH_FILES] for start in range(0, FILES, BATCH_FILES)]
    with LocalAws() as aws, tempfile.TemporaryDirectory() as folder:
        s3 = boto3.client("s3", **aws_client_arguments(aws.endpoint_url))
        dynamodb = boto3.resource("dynamodb", **aws_client_arguments(aws.endpoint_url)).meta.client
        for bucket in ("landing", "loader"):
            s3.create_bucket(Bucket=bucket)
        keys = MemoryKeys("alias/k")
        password = as_base64(keys.encrypt("alias/k", "x", lambda_context(REGION), subject="a benchmark"))
        aws.seed_objects({"bucket": "landing", "key": name.partition("/")[2], "body": "1\n"} for name in names)
        aws.seed_objects(
            {"bucket": "loader", "key": f"m/{number}", "body": a_manifest(*batch).decode()}
            for number, batch in enumerate(batches)
        )
        LambdaTablesInDynamo(dynamodb).put(
            [a_config_item(password)],
            [a_batch(f"b{n}", "complete", *each, manifestFile=f"loader/m/{n}") for n, each in enumerate(batches)],
            [a_file(name, f"b{number}") for number, batch in enumerate(batches) for name in batch],
        )
        make_tables(aws.endpoint_url, "bench_")
        services = loader_services(aws.endpoint_url, "bench_")
        sink = ConnectionFile(Path(folder) / "connections.json")
        ports = ImportPorts(DynamoLambdaTables(dynamodb), services, keys, sink, Path(folder))
        for number in (1, 2):
            _move(ports, number)


def _move(ports: ImportPorts, number: int) -> None:
    start = time.perf_counter()
    stages: list[tuple[str, float]] = []

    def stage(name: str, _: int | None) -> Callable[[int], None]:
        stages.append((name, time.perf_counter()))
        return lambda _: None

    choices = ImportChoices(REGION)
    report = plan_import(ports, choices, stage)
    apply_import(report, ports, choices, stage)
    end = time.perf_counter()
    marked = report.loads[0].marked
    print(
        f"import {number} of {FILES:,} processed files: {end - start:.0f} s (promised: at most 120), {marked:,} marked"
    )
    for (name, began), (_, ended) in zip(stages, [*stages[1:], ("", end)], strict=True):
        print(f"    {name}: {ended - began:.1f} s")


if __name__ == "__main__":
    main()
