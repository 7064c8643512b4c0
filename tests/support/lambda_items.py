"""Items as the Lambda loader's versions 1 to 2.8.3 wrote them, for tests of moving over."""

import base64
import json
from decimal import Decimal
from typing import Any

REGION = "us-east-1"
ORDERS = "landing/orders"


def as_base64(ciphertext: bytes) -> str:
    """Since 2.4.0."""
    return base64.b64encode(ciphertext).decode()


def as_bytes(ciphertext: bytes) -> str:
    """Before 2.4.0, on Node 0.10."""
    return json.dumps([*ciphertext])


def as_buffer(ciphertext: bytes) -> str:
    """Before 2.4.0, on Node 0.12."""
    return json.dumps({"type": "Buffer", "data": [*ciphertext]})


def a_cluster(password: str, **fields: Any) -> dict[str, Any]:
    return {
        "clusterEndpoint": "shop.abc.us-east-1.redshift.amazonaws.com",
        "clusterPort": Decimal(5439),
        "clusterDB": "dev",
        "connectUser": "loader",
        "connectPassword": password,
        "targetTable": "public.orders",
        "truncateTarget": False,
        "useSSL": True,
        **fields,
    }


def a_config_item(password: str, prefix: str = ORDERS, **fields: Any) -> dict[str, Any]:
    """A configuration of 2.8.3 with one cluster."""
    return {
        "s3Prefix": prefix,
        "version": "2.8.3",
        "currentBatch": "a4ad6ad5-6d4c-4c3d-b5a6-7e8c7e1d1f00",
        "lastBatchRotation": "2023-01-02 03:04:05",
        "loadClusters": [a_cluster(password)],
        "dataFormat": "CSV",
        "csvDelimiter": "|",
        "ignoreCsvHeader": False,
        "manifestBucket": "loader",
        "manifestKey": "lambda/manifests",
        "failedManifestKey": "lambda/failed",
        "batchSize": Decimal(2),
        "batchTimeoutSecs": Decimal(300),
        **fields,
    }


def a_version_1_config(password: str, prefix: str) -> dict[str, Any]:
    """No loadClusters, numbers as strings, nothing that came later."""
    return {
        "s3Prefix": prefix,
        "version": "1.1.0",
        "currentBatch": "b",
        **a_cluster(password, clusterPort="5439"),
        "dataFormat": "JSON",
        "manifestBucket": "loader",
        "manifestKey": "lambda/manifests",
        "batchSize": "10",
    }


def a_batch(batch: str, status: str, *names: str, prefix: str = ORDERS, **fields: Any) -> dict[str, Any]:
    """A batch of 2.7.9 and later."""
    return {
        "s3Prefix": prefix,
        "batchId": batch,
        "status": status,
        "entryMap": [{"file": name, "size": Decimal(2)} for name in names],
        "size": Decimal(2 * len(names)),
        "writeDates": {Decimal("1672628645.1")},
        "lastUpdate": Decimal("1900000000.5"),
        **fields,
    }


def an_old_batch(batch: str, status: str, *names: str, prefix: str = ORDERS, **fields: Any) -> dict[str, Any]:
    """A batch of 2.7.8 and before: a set of names, without sizes."""
    item = a_batch(batch, status, prefix=prefix, **fields)
    del item["entryMap"]
    return {**item, "entries": {*names}}


def a_file(name: str, batch: str | None = None) -> dict[str, Any]:
    item = {"loadFile": name, "receiveDateTime": "2023-01-02 03:04:05", "timesReceived": Decimal(1)}
    return item if batch is None else {**item, "batchId": batch}


def a_manifest(*names: str) -> bytes:
    entries = [{"url": f"s3://{name}", "mandatory": True, "meta": {"content_length": 2}} for name in names]
    return json.dumps({"entries": entries}).encode()
