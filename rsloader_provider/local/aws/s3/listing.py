"""ListObjectsV2 over moto's buckets, by bisection.

moto filters and sorts all keys of a bucket for every page, which makes a walk over 100,000 keys quadratic. Here they
are sorted once after each change.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, quote
from xml.sax.saxutils import escape

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeDeleteMarker, s3_backends

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

_MAX_KEYS = 1000
_AFTER_ALL = "\U0010ffff"


class _Query(NamedTuple):
    """The parameters of one request; `after` is exclusive."""

    prefix: str
    delimiter: str
    after: str
    max_keys: int
    encode: bool


class S3Listing:
    """Answers ListObjectsV2. Not safe for threads: its owner holds a lock, and calls `forget` before each change."""

    def __init__(self) -> None:
        self._sorted_keys: dict[str, list[str]] = {}

    def forget(self) -> None:
        """Drop the sorted keys, because a bucket may be about to change."""
        self._sorted_keys.clear()

    @staticmethod
    def answers(environ: WSGIEnvironment) -> bool:
        """Tell whether a request is a ListObjectsV2 on a path-style bucket that exists; moto answers the others."""
        if environ["REQUEST_METHOD"] != "GET" or "list-type=2" not in environ.get("QUERY_STRING", ""):
            return False
        return _bucket(environ) is not None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        bucket = _bucket(environ)
        asked = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"], keep_blank_values=True).items()}
        token = asked.get("continuation-token")
        query = _Query(
            prefix=asked.get("prefix", ""),
            delimiter=asked.get("delimiter", ""),
            after=urlsafe_b64decode(token).decode() if token else asked.get("start-after", ""),
            max_keys=min(int(asked.get("max-keys", _MAX_KEYS)), _MAX_KEYS),
            encode=asked.get("encoding-type") == "url",
        )
        body = self._render(bucket, query, asked).encode()
        start_response("200 OK", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    def _keys(self, bucket: Any) -> list[str]:
        if bucket.name not in self._sorted_keys:
            self._sorted_keys[bucket.name] = sorted(bucket.keys)
        return self._sorted_keys[bucket.name]

    def _page(self, bucket: Any, query: _Query) -> tuple[list[Any], list[str], str | None]:
        """Return one page: its objects, its common prefixes, and what the next page starts after (None at the end)."""
        keys = self._keys(bucket)
        place = max(bisect_left(keys, query.prefix), bisect_right(keys, query.after) if query.after else 0)
        if query.delimiter and query.after.endswith(query.delimiter) and len(query.after) > len(query.prefix):
            # The previous page ended with a common prefix, which stands for every key under it.
            place = max(place, bisect_left(keys, query.after + _AFTER_ALL))
        objects: list[Any] = []
        prefixes: list[str] = []
        last = ""
        while place < len(keys) and keys[place].startswith(query.prefix):
            name = keys[place]
            cut = name.find(query.delimiter, len(query.prefix)) if query.delimiter else -1
            found = bucket.keys.get(name)
            if found is None or isinstance(found, FakeDeleteMarker):
                place += 1
                continue
            if len(objects) + len(prefixes) >= query.max_keys:
                return objects, prefixes, last or query.after
            if cut >= 0:
                last = name[: cut + len(query.delimiter)]
                prefixes.append(last)
                place = bisect_left(keys, last + _AFTER_ALL, lo=place)
            else:
                last = name
                objects.append(found)
                place += 1
        return objects, prefixes, None

    def _render(self, bucket: Any, query: _Query, asked: dict[str, str]) -> str:
        objects, prefixes, after = self._page(bucket, query)

        def name(text: str) -> str:
            return quote(text, safe="/-_.~*") if query.encode else escape(text, {"\n": "&#10;", "\r": "&#13;"})

        parts = [
            '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{bucket.name}</Name><Prefix>{name(query.prefix)}</Prefix><MaxKeys>{query.max_keys}</MaxKeys>"
            f"<KeyCount>{len(objects) + len(prefixes)}</KeyCount><IsTruncated>{str(bool(after)).lower()}</IsTruncated>"
        ]
        for parameter, element in (
            ("delimiter", "Delimiter"),
            ("encoding-type", "EncodingType"),
            ("start-after", "StartAfter"),
            ("continuation-token", "ContinuationToken"),
        ):
            if asked.get(parameter):
                parts.append(f"<{element}>{name(asked[parameter])}</{element}>")
        if after:
            token = urlsafe_b64encode(after.encode()).decode()
            parts.append(f"<NextContinuationToken>{token}</NextContinuationToken>")
        parts.extend(
            f"<Contents><Key>{name(each.name)}</Key><LastModified>{each.last_modified_ISO8601}</LastModified>"
            f"<ETag>{escape(each.etag)}</ETag><Size>{each.size}</Size><StorageClass>{each.storage_class}</StorageClass>"
            "</Contents>"
            for each in objects
        )
        parts.extend(f"<CommonPrefixes><Prefix>{name(prefix)}</Prefix></CommonPrefixes>" for prefix in prefixes)
        return "".join(parts) + "</ListBucketResult>"


def _bucket(environ: WSGIEnvironment) -> Any:
    """Return moto's bucket that a path-style request is about, None when there is none."""
    name = environ.get("PATH_INFO", "").strip("/")
    if not name or "/" in name:
        return None
    try:
        return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_bucket(name)
    except MissingBucket:
        return None
