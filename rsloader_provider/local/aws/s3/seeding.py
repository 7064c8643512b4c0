"""Puts many objects into moto's S3 at once, for tests that need 100,000 of them."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import FakeKey, s3_backends

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_REAL_BYTES = 1024 * 1024


class SeededKey(FakeKey):
    """An object that shares its content with others of the same size: an object of moto's own takes 6 KB of memory."""

    def dispose(self, garbage: bool = False) -> None:
        """Keep the content, which other objects share."""


def seed_objects(lines: Iterable[bytes]) -> int:
    """Put objects, one per JSON line, and return how many.

    An object given by its size holds that many zero bytes, up to 1 MiB; a larger one has its size but no content.
    Objects in a bucket with versioning cannot be seeded.

    Raises:
        KeyError: A line has no bucket, no key, or neither size nor body.
        ValueError: A line is not JSON, or a bucket has versioning.
        MissingBucket: A bucket does not exist.
    """
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    patterns: dict[bytes, SeededKey] = {}
    now = datetime.now(UTC).replace(tzinfo=None)
    count = 0
    for line in lines:
        if not line.strip():
            continue
        wanted: dict[str, Any] = json.loads(line)
        bucket = backend.get_bucket(wanted["bucket"])
        if bucket.is_versioned:
            raise ValueError(f"{wanted['bucket']} has versioning: put its objects one by one")
        body = wanted["body"].encode() if "body" in wanted else None
        size = len(body) if body is not None else int(wanted["size"])
        content = body if body is not None else bytes(size if size <= _MAX_REAL_BYTES else 0)
        if content not in patterns:
            etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
            patterns[content] = SeededKey("", content, backend.account_id, backend.region_name, etag=etag)
        added = copy.copy(patterns[content])
        added.name, added.bucket_name, added.contentsize = wanted["key"], wanted["bucket"], size
        added.last_modified = now
        if "last_modified" in wanted:
            added.last_modified = datetime.fromisoformat(wanted["last_modified"]).astimezone(UTC).replace(tzinfo=None)
        bucket.keys.setlist(wanted["key"], [added])
        count += 1
    return count
