"""S3 in memory."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from rsloader_provider.core.errors import NotSetUpError
from rsloader_provider.core.ledger.objects import S3Object

WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryStorage:
    """Buckets; `now` tells when an object is written, where a test cares."""

    def __init__(self, *buckets: str):
        self.now: Callable[[], datetime] = lambda: WRITTEN
        self._buckets: dict[str, dict[str, bytes]] = {name: {} for name in buckets}
        self._written: dict[tuple[str, str], datetime] = {}
        self._classes: dict[tuple[str, str], str] = {}
        self._restored: set[tuple[str, str]] = set()

    def objects(self, bucket: str, prefix: str) -> Iterator[S3Object]:
        for key, content in sorted(self._bucket(bucket).items(), key=lambda item: item[0].encode()):
            if key.startswith(prefix):
                yield self._shown(bucket, key, content)

    def find(self, bucket: str, key: str) -> S3Object | None:
        content = self.read(bucket, key)
        return None if content is None else self._shown(bucket, key, content)

    def write(self, bucket: str, key: str, content: bytes) -> None:
        self._bucket(bucket)[key] = content
        self._written[bucket, key] = self.now()
        self._classes.pop((bucket, key), None)

    def read(self, bucket: str, key: str) -> bytes | None:
        return self._bucket(bucket).get(key)

    def create(self, bucket: str) -> None:
        """Not in the port: for tests of several buckets."""
        self._buckets[bucket] = {}

    def write_at(self, bucket: str, key: str, content: bytes, moment: datetime) -> None:
        """Not in the port: for tests that care when an object was written."""
        self.write(bucket, key, content)
        self._written[bucket, key] = moment

    def archive(self, bucket: str, key: str, storage_class: str = "GLACIER") -> None:
        """Not in the port: an object goes where nobody can read it."""
        self._classes[bucket, key] = storage_class
        self._restored.discard((bucket, key))

    def restore(self, bucket: str, key: str) -> None:
        """Not in the port: it can be read again; its storage class stays."""
        self._restored.add((bucket, key))

    def is_readable(self, bucket: str, key: str) -> bool:
        """Not in the port: for the fake warehouse."""
        return (bucket, key) not in self._classes or (bucket, key) in self._restored

    def delete(self, bucket: str, key: str) -> None:
        """Not in the port: for tests."""
        del self._bucket(bucket)[key]

    def _shown(self, bucket: str, key: str, content: bytes) -> S3Object:
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        written = self._written.get((bucket, key), WRITTEN)
        return S3Object(bucket, key, len(content), etag, written, self._classes.get((bucket, key), "STANDARD"))

    def _bucket(self, name: str) -> dict[str, bytes]:
        try:
            return self._buckets[name]
        except KeyError:
            raise NotSetUpError(f"S3 bucket {name}: NoSuchBucket") from None
