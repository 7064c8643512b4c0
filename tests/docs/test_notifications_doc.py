"""docs/notifications.md shows the messages as they are."""

import json
import re
from dataclasses import replace
from typing import Any

from support.checkout import CHECKOUT

from rsloader_provider.core.config.sources import S3Url, SourcePattern
from rsloader_provider.core.errors import BadDataError, ObjectsMissingError, RowError
from rsloader_provider.core.ledger.batch import Batch, SkippedRows, TargetProgress
from rsloader_provider.core.messages import (
    errors_document,
    errors_file_name,
    failing_message,
    failure_message,
    recovery_message,
    success_message,
)

DOC = (CHECKOUT / "docs" / "notifications.md").read_text()
SUCCESS, FAILURE, ERRORS = (json.loads(each) for each in re.findall(r"^```json\n(.*?)^```$", DOC, re.M | re.S))
TARGET = "redshift_default/public.orders"
FACTS: dict[str, Any] = {
    "source": SourcePattern.parse("s3://acme-landing/orders/"),
    "key": "orders/2026-01-02/b.csv",
    "manifest": S3Url.parse("s3://acme-loader/manifests/orders/01KDZ98CG0WJ5T1V9M6Y3QX2AB.manifest"),
}


def batch(rows: int | None) -> Batch:
    return Batch(
        "orders",
        "01KDZ98CG0WJ5T1V9M6Y3QX2AB",
        files=2,
        size_bytes=51234,
        reason="max_files",
        run="rsloader_orders/scheduled__2026-01-02T12:00:00+00:00",
        targets={TARGET: TargetProgress({}, rows=rows)},
    )


def test_the_example_of_a_success_is_what_is_sent():
    assert success_message(batch(1204), **FACTS) == SUCCESS


def test_the_example_of_a_failure_is_what_is_sent():
    row = RowError(**FAILURE["errors"][0], query_id=4711)
    failed = S3Url.parse("s3://acme-loader/failed/")
    error = BadDataError(f"{batch(None)} into public.orders: Load into table 'orders' failed.", rows=(row,))
    assert (
        failure_message(
            batch(None),
            **FACTS,
            target=TARGET,
            error=error,
            failed_manifest=failed.join("orders/01KDZ98CG0WJ5T1V9M6Y3QX2AB.manifest"),
            errors_file=failed.join(f"orders/{errors_file_name(batch(None), TARGET)}"),
        )
        == FAILURE
    )


def test_the_example_of_an_errors_file_is_what_is_kept():
    error = ObjectsMissingError(ERRORS["error"].partition("\n")[0], tuple(ERRORS["missing"]))
    document = errors_document(batch(None), target=TARGET, manifest=FACTS["manifest"], error=error)
    assert json.loads(document) == ERRORS


def test_every_field_has_a_row():
    rows = {name for row in re.findall(r"^\| (`.+?) \|", DOC, re.M) for name in re.findall(r"`(\w+)`", row)}
    progress = TargetProgress({}, rows=1204, skipped=SkippedRows(2, is_exact=True))
    skipping = success_message(replace(batch(None), targets={TARGET: progress}), **FACTS)
    failing = failing_message(batch(None), **FACTS, target=TARGET, error=BadDataError("bad"))
    recovered = recovery_message(batch(1204), **FACTS, target=TARGET)
    told = SUCCESS.keys() | FAILURE.keys() | skipping.keys() | failing.keys() | recovered.keys()
    assert rows == told | {"truncated"}
