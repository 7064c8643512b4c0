"""A warehouse with one table and something to copy into it, for the contract of warehouses."""

import json
from typing import Any

from rsloader_provider.core.config import CopyOptions
from rsloader_provider.core.redshift import sql
from rsloader_provider.core.redshift.names import LoadKey, TableName

CSV = CopyOptions(format="csv")


class House:
    """A warehouse with one table `t(id integer)` and its history, and the storage that it copies from."""

    def __init__(
        self, warehouse: Any, storage: Any, bucket: str, table: TableName, count_rows: Any, make_history_old: Any
    ):
        self.warehouse, self.storage, self.bucket, self.table = warehouse, storage, bucket, table
        self.count_rows = count_rows
        self.make_history_old = make_history_old
        self.manifest_url = f"s3://{bucket}/manifest"
        self.key = LoadKey(table, "orders", "01ARZ3NDEKTSV4RRFFQ69G5FAV", 1)

    def connect(self) -> Any:
        return self.warehouse.connect("redshift_default")

    def copy(self, *objects: tuple[str, str]) -> sql.Copy:
        entries = [{"url": f"s3://{self.bucket}/{key}", "mandatory": True} for key, _ in objects]
        for key, content in objects:
            self.storage.write(self.bucket, key, content.encode())
        self.storage.write(self.bucket, "manifest", json.dumps({"entries": entries}).encode())
        return sql.Copy(self.table, None, f"s3://{self.bucket}/manifest", CSV)

    def recorded(self, rows: int = 3, query_id: int | None = 7, names_digest: str | None = None) -> sql.RecordLoaded:
        return sql.RecordLoaded(
            self.key, attempt=1, rows=rows, files=2, query_id=query_id, run="dag/run", names_digest=names_digest
        )
