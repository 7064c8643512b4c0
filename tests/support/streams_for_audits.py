"""A load of any size, generated while it is read: an audit sees everything, and nothing is kept."""

import hashlib
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ulid import ULID

from rsloader_provider.core.errors import UnknownBatchError
from rsloader_provider.core.ledger.batch import Batch, BatchStatus, TargetProgress, TargetState
from rsloader_provider.core.ledger.claims import Claim, Segment
from rsloader_provider.core.ledger.manifest import Entry, render_manifest
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.rows import CopiedFile, HistoryRow
from rsloader_provider.loader.ports.inventory import StoredBatch, TableProtection
from support.objects import NOON, TARGET

RUN = "rsloader_orders/scheduled__2026-01-01T00:00:00+00:00"


@dataclass
class MadeUpLoad:
    """`objects` objects in complete batches of `batch_files`, with keys of 80 bytes; claims are spread over batches.

    Behaves as the ledger, the inventory, the storage and the warehouse of that load.
    """

    objects_number: int
    batch_files: int

    @property
    def batches_number(self) -> int:
        return -(-self.objects_number // self.batch_files)

    def name(self, number: int) -> str:
        return f"landing/orders/{number:09}-{'x' * 60}.csv"

    def batch_id(self, number: int) -> str:
        return str(ULID.from_datetime(NOON + timedelta(seconds=number)))[:10] + f"{number:016}"

    def members(self, number: int) -> range:
        """Every n-th object, so that claims of one batch lie far from each other."""
        return range(number, self.objects_number, self.batches_number)

    def batch(self, number: int) -> Batch:
        progress = TargetProgress({}, TargetState.LOADED, attempt=1, rows=7, query_id=number + 1)
        files = len(self.members(number))
        return Batch(
            "orders", self.batch_id(number), BatchStatus.COMPLETE, files, 10 * files, NOON, NOON, "max_files", RUN,
            {TARGET: progress}, None, 3,
        )  # fmt: skip

    # the inventory

    def claims(self, load: str) -> Iterator[Claim]:
        ids = [self.batch_id(number) for number in range(self.batches_number)]
        for number in range(self.objects_number):
            # As boto3 gives them: each with strings of its own.
            batch = (ids[number % self.batches_number] + " ")[:-1]
            yield Claim(load, self.name(number), batch, 10, f"{number:032}", NOON, NOON)

    def batches(self, load: str) -> Iterator[StoredBatch]:
        return (StoredBatch(self.batch(number), is_indexed_right=True) for number in range(self.batches_number))

    def segments(self, load: str) -> Iterator[Segment]:
        for number in range(self.batches_number):
            packed = zlib.compress(json.dumps([[self.name(each), 10] for each in self.members(number)]).encode())
            entries = tuple(Entry(name, size) for name, size in json.loads(zlib.decompress(packed)))
            yield Segment(self.batch_id(number), entries)

    def deleted(self, load: str) -> Iterator[str]:
        return iter(())

    def current(self, load: str) -> str | None:
        return None

    def protection(self) -> Iterator[TableProtection]:
        return iter(())

    # the ledger, which is asked only about what looks wrong

    def get(self, load: str, batch: str) -> Batch:
        raise UnknownBatchError(batch)

    def left_alone(self, load: str) -> None:
        return None

    # the storage

    def objects(self, bucket: str, prefix: str) -> Iterator[S3Object]:
        if bucket == "landing":
            for number in range(self.objects_number):
                key = self.name(number).removeprefix("landing/")
                yield S3Object(bucket, key, 10, f"{number:032}", NOON)
        else:
            for number in range(self.batches_number):
                content = render_manifest(Entry(self.name(each), 10) for each in self.members(number)) or b""
                digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
                yield S3Object(bucket, f"{prefix}{self.batch_id(number)}.manifest", len(content), digest, NOON)

    # the warehouse and its session

    @contextmanager
    def connect(self, conn_id: str, transport: str = "driver") -> Iterator["MadeUpLoad"]:
        yield self

    def execute(self, statement: sql.Statement) -> list[Any]:
        match statement:
            case sql.ReadHistory(_, _, after, limit):
                first = 0 if not after else int(after[10:]) + 1
                numbers = range(first, min(first + limit, self.batches_number))
                moment = datetime(2026, 1, 2, 13, tzinfo=UTC)
                files = [len(self.members(number)) for number in numbers]
                return [
                    HistoryRow(self.batch_id(number), 1, 1, 7, each, number + 1, RUN, moment)
                    for number, each in zip(numbers, files, strict=True)
                ]
            case sql.ReadLoadedFiles(query_ids):
                return [
                    CopiedFile(query_id, f"s3://{self.name(each)}")
                    for query_id in query_ids
                    for each in self.members(query_id - 1)
                ]
        raise NotImplementedError(statement)
