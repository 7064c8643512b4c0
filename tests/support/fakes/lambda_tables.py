"""The Lambda loader's tables in memory."""

from collections.abc import Iterator
from typing import Any

from rsloader_provider.core.lambda_loader.tables import Item


class MemoryLambdaTables:
    def __init__(self, configs: Any = (), batches: Any = (), files: Any = ()):
        self.config_items = [*configs]
        self.batch_items = [*batches]
        self.file_items = [*files]

    def configs(self) -> Iterator[Item]:
        return iter(self.config_items)

    def batches(self, prefix: str) -> Iterator[Item]:
        return (item for item in self.batch_items if item["s3Prefix"] == prefix)

    def files(self) -> Iterator[Item]:
        return iter(self.file_items)
