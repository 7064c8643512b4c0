"""The sample of the demo: a table of orders, five files of 10,000 rows in all, and the DAG that loads them."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

LOAD = "orders"
DAG_ID = "rsloader_orders"
LANDING_BUCKET = "acme-landing"
LOADER_BUCKET = "acme-loader"
PREFIX = "orders/"
ROWS_PER_FILE = (2_310, 1_870, 2_145, 1_695, 1_980)
# The count of rows in all files, told apart by their order_id.
ROWS = sum(ROWS_PER_FILE)

CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS public.orders (
    order_id    BIGINT NOT NULL,
    customer_id BIGINT NOT NULL,
    ordered_at  TIMESTAMP NOT NULL,
    status      VARCHAR(12) NOT NULL,
    amount      DECIMAL(12, 2) NOT NULL,
    currency    CHAR(3) NOT NULL,
    email       VARCHAR(256),
    note        VARCHAR(400)
)
"""

_HEADER = "order_id|customer_id|ordered_at|status|amount|currency|email|note"
_FIRST_DAY = datetime(2025, 6, 2, tzinfo=UTC)
_STATUSES = ("placed", "paid", "shipped", "delivered", "returned")
_STATUS_WEIGHTS = (8, 14, 23, 51, 4)
_CURRENCIES = ("EUR", "USD", "GBP", "CHF")
_FIRST_NAMES = ("amélie", "björn", "carla", "dimitri", "esra", "fatima", "george", "hana", "ivo", "june")
_NOTES = (
    "",
    "",
    "",
    "",
    '"leave at the door, please"',
    '"gift | no invoice"',
    '"say ""hello"" to the team"',
    "näher → links",
)


class SampleFile(NamedTuple):
    """One object of the sample."""

    key: str
    body: bytes
    rows: int


def files() -> list[SampleFile]:
    """Return the five files, the same bytes each time."""
    chance = random.Random(20250602)  # noqa: S311 the sample is no secret
    made: list[SampleFile] = []
    order_id = 100_000
    for day, rows in enumerate(ROWS_PER_FILE):
        date = _FIRST_DAY + timedelta(days=day)
        lines = [_HEADER]
        for row in range(rows):
            order_id += 1
            lines.append(_line(chance, order_id, date + timedelta(seconds=86_400 * row // rows)))
        body = "\n".join(lines) + "\n"
        made.append(SampleFile(f"{PREFIX}orders-{date:%Y-%m-%d}.csv", body.encode(), rows))
    return made


def create_buckets(s3: Any) -> None:
    """Create the sample's buckets, through a boto3 client."""
    for bucket in (LANDING_BUCKET, LOADER_BUCKET):
        s3.create_bucket(Bucket=bucket)


def drop_files(s3: Any) -> None:
    """Put the sample's files under the load's prefix, through a boto3 client."""
    for file in files():
        s3.put_object(Bucket=LANDING_BUCKET, Key=file.key, Body=file.body)


def _line(chance: random.Random, order_id: int, ordered_at: datetime) -> str:
    customer = chance.randint(1, 3_500)
    name = _FIRST_NAMES[customer % len(_FIRST_NAMES)]
    fields = (
        str(order_id),
        str(customer),
        f"{ordered_at:%Y-%m-%d %H:%M:%S}",
        chance.choices(_STATUSES, _STATUS_WEIGHTS)[0],
        f"{Decimal(chance.randint(199, 89_999)) / 100:.2f}",
        chance.choices(_CURRENCIES, (60, 25, 10, 5))[0],
        "" if chance.random() < 0.03 else f"{name}.{customer}@example.com",
        chance.choice(_NOTES),
    )
    return "|".join(fields)


def copy_dags(target: Path) -> None:
    """Copy the sample's DAGs folder, which lies beside this file in the wheel and at the top of a checkout.

    Raises:
        FileNotFoundError: It is in neither place.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "local" / "sample_dags", package.parent / "dags"):
        if (folder / "rsloader_dags.py").exists():
            shutil.copytree(folder, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            return
    raise FileNotFoundError("the sample DAGs are neither in the package nor beside it")
