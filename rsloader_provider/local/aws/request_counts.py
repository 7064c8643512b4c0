"""Counts requests by service and operation, for the tests that count cost."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


class RequestCounts:
    """How often each operation was asked for; a failed request and a retried one count as AWS would bill them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, service: str, operation: str) -> None:
        """Count one request."""
        with self._lock:
            self._counts[service, operation] += 1

    def reset(self) -> None:
        """Set all counts to zero."""
        with self._lock:
            self._counts.clear()

    def report(self) -> dict[str, object]:
        """Return the sum and each operation's share: `{"total": 3, "operations": {"s3": {"PutObject": 3}}}`."""
        with self._lock:
            counts = dict(self._counts)
        operations: dict[str, dict[str, int]] = {}
        for (service, operation), count in sorted(counts.items()):
            operations.setdefault(service, {})[operation] = count
        return {"total": sum(counts.values()), "operations": operations}


def operation_of(service: str, environ: WSGIEnvironment) -> str:
    """Return the name of the operation that a request asks for, in AWS's spelling."""
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return target.rpartition(".")[2]
    if service == "s3":
        return _s3_operation(environ)
    body = environ["wsgi.input"].read()
    environ["wsgi.input"].seek(0)
    return str(parse_qs(body.decode("utf-8", "replace")).get("Action", ["?"])[0])


# What S3's query strings ask for; the first that stands in the query decides.
_S3_SUBRESOURCES = {
    "list-type": "ListObjectsV2",
    "delete": "DeleteObjects",
    "uploads": "MultipartUploads",
    "uploadId": "MultipartUpload",
    "versions": "ListObjectVersions",
    "location": "BucketLocation",
    "notification": "BucketNotification",
    "versioning": "BucketVersioning",
    "policy": "BucketPolicy",
    "encryption": "BucketEncryption",
    "lifecycle": "BucketLifecycle",
    "tagging": "Tagging",
    "acl": "Acl",
    "select": "SelectObjectContent",
}
_VERBS = {"GET": "Get", "PUT": "Put", "POST": "Post", "DELETE": "Delete", "HEAD": "Head"}
_WHOLE_NAMES = frozenset({"ListObjectsV2", "DeleteObjects", "ListObjectVersions", "SelectObjectContent"})


def _s3_operation(environ: WSGIEnvironment) -> str:
    method = environ["REQUEST_METHOD"]
    verb = _VERBS.get(method, method.title())
    asked = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    for name, subject in _S3_SUBRESOURCES.items():
        if name in asked:
            return subject if subject in _WHOLE_NAMES else verb + subject
    bucket, _, key = environ.get("PATH_INFO", "/").lstrip("/").partition("/")
    if key:
        return "CopyObject" if "HTTP_X_AMZ_COPY_SOURCE" in environ else f"{verb}Object"
    if not bucket:
        return "ListBuckets"
    return {"GET": "ListObjects", "PUT": "CreateBucket"}.get(method, f"{verb}Bucket")
