"""Objects, moments and configurations that many tests need."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.ledger.objects import S3Object

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TARGET = "redshift_default/public.orders"


def an_object(key: str, size_bytes: int = 10, bucket: str = "landing") -> S3Object:
    return S3Object(bucket, key, size_bytes, f"etag-of-{len(key)}", NOON - timedelta(hours=1))


def a_config(**settings: Any) -> LoadConfig:
    """A load of `s3://landing/orders/`, two files a batch, into one table."""
    return LoadConfig.model_validate(
        {
            "load": "orders",
            "source": "s3://landing/orders/",
            "schedule": "@hourly",
            "batch": {"max_files": 2, "max_age": "1m"},
            "copy": {"format": "csv"},
            "manifests": "s3://loader/manifests/",
            "targets": [{"table": "public.orders"}],
            **settings,
        }
    )


class Clock:
    """Tells the time that a test sets."""

    def __init__(self, now: datetime = NOON):
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def go(self, **duration: float) -> None:
        self.now += timedelta(**duration)


def counting_randomness() -> Callable[[int], bytes]:
    """Bytes that never repeat and are the same in every run."""
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size)
