"""What a COPY reads from S3: the manifest or the listing, then each object in pieces.

Everything here blocks, and is therefore run in threads, never on the event loop.
"""

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from threading import Lock
from typing import IO, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from rsloader_provider.local.redshift.copy.options import COLUMNAR, CopyOptions, Credentials
from rsloader_provider.local.redshift.errors import RedshiftError, mandatory_object_missing, s3_error

PIECE_BYTES = 256 * 1024
_URL = re.compile(r"s3://([^/]+)/(.*)", re.DOTALL)
_WORDS = {
    "NoSuchKey": "The specified key does not exist.",
    "NoSuchBucket": "The specified bucket does not exist",
}
_FAULTS = {404: ("NoSuchKey", _WORDS["NoSuchKey"]), 503: ("SlowDown", "Please reduce your request rate.")}
_ROLE = Credentials("local", "local")  # what a role is here: the local AWS's own key
_making_a_client = Lock()

S3Fault = Callable[[str], int | None]
"""Tells which HTTP status S3 is to answer for a URL, or None for its own answer."""


@dataclass(frozen=True)
class S3Object:
    """One object to load. The same object may stand in a list twice, and is then loaded twice.

    Attributes:
        url: Where it is.
        bucket: Its bucket.
        key: Its key.
        content_length: Its size in bytes as the manifest has it; None if nothing says it.
    """

    url: str
    bucket: str
    key: str
    content_length: int | None = None


class S3Source:
    """The objects of one COPY.

    Args:
        endpoint: The local S3; None means AWS itself.
        copy: What to load.
        query_id: The COPY's id, for error details.
        fault: Asked before each request, see S3Fault.

    Attributes:
        query_id: The COPY's id.
        bytes_read: Bytes taken from S3 so far, before decompression.
    """

    def __init__(self, endpoint: str | None, copy: CopyOptions, query_id: int, fault: S3Fault):
        self._copy = copy
        self.query_id = query_id
        self._fault = fault
        with _making_a_client:
            self._s3 = _client(endpoint, copy.region or "us-east-1", copy.credentials or _ROLE)
        self.bytes_read = 0

    def objects(self) -> list[S3Object]:
        """Return the objects to load, in order.

        Objects that a manifest names and does not call mandatory may be missing; all others must be there.

        Raises:
            RedshiftError: S3 refused, the manifest is malformed, or an object is missing.
        """
        bucket, key = self._split(self._copy.source)
        return self._from_manifest(bucket, key) if self._copy.manifest else self._from_prefix(bucket, key)

    def pieces(self, wanted: S3Object) -> Iterator[bytes]:
        """Yield an object's content, piece by piece.

        Raises:
            RedshiftError: S3 refused, or broke off.
        """
        body = self._call(self._s3.get_object, wanted.url, Bucket=wanted.bucket, Key=wanted.key)["Body"]
        try:
            for piece in iter(partial(body.read, PIECE_BYTES), b""):
                self.bytes_read += len(piece)
                yield piece
        except BotoCoreError as error:
            raise RedshiftError(f"S3ServiceException:{error}") from error
        finally:
            body.close()

    def content(self, url: str) -> bytes:
        """Return the whole of a small object, such as a jsonpaths file.

        Raises:
            RedshiftError: S3 refused.
        """
        bucket, key = self._split(url)
        body: bytes = self._call(self._s3.get_object, url, Bucket=bucket, Key=key)["Body"].read()
        return body

    def _from_manifest(self, bucket: str, key: str) -> list[S3Object]:
        answer = self._call(self._s3.get_object, self._copy.source, reading_manifest=True, Bucket=bucket, Key=key)
        try:
            entries = [_entry(each) for each in json.load(answer["Body"])["entries"]]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RedshiftError(
                f"Problem reading manifest file - invalid manifest {self._copy.source}: {error!r}"
            ) from error
        found: list[S3Object] = []
        for url, mandatory, content_length in entries:
            bucket, key = self._split(url)
            if self._copy.format in COLUMNAR and content_length is None:
                raise RedshiftError("File entry does not have 'meta' key.")
            size = self._size(url, bucket, key)
            if size is None and mandatory:
                raise mandatory_object_missing(url, self.query_id)
            if size is None:
                continue
            if self._copy.format in COLUMNAR and size != content_length:
                raise RedshiftError(
                    f"Manifest content_length {content_length} does not match the size of the file {size}: {url}"
                )
            found.append(S3Object(url, bucket, key, content_length))
        return found

    def _from_prefix(self, bucket: str, prefix: str) -> list[S3Object]:
        found: list[S3Object] = []
        page: dict[str, Any] = {}
        token: dict[str, Any] = {}
        while not page or page["IsTruncated"]:
            page = self._call(self._s3.list_objects_v2, self._copy.source, Bucket=bucket, Prefix=prefix, **token)
            found += [S3Object(f"s3://{bucket}/{o['Key']}", bucket, o["Key"]) for o in page.get("Contents", [])]
            token = {"ContinuationToken": page.get("NextContinuationToken", "")}
        if not found:
            raise RedshiftError(f"The specified S3 prefix '{prefix}' does not exist")
        return found

    def _size(self, url: str, bucket: str, key: str) -> int | None:
        try:
            return int(self._call(self._s3.head_object, url, Bucket=bucket, Key=key)["ContentLength"])
        except _MissingError:
            return None

    def _call(
        self, operation: Callable[..., Any], url: str, *, reading_manifest: bool = False, **parameters: Any
    ) -> Any:
        if status := self._fault(url):
            code, message = _FAULTS[status]
            raise self._refused(code, message, status, reading_manifest=reading_manifest)
        try:
            return operation(**parameters)
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            metadata = error.response["ResponseMetadata"]
            # HEAD has no body, so S3's code for a missing key is the bare status.
            if code == "404":
                code = "NoSuchKey"
            raise self._refused(
                code,
                _WORDS.get(code, message),
                metadata["HTTPStatusCode"],
                request_id=metadata.get("RequestId", ""),
                reading_manifest=reading_manifest,
            ) from error
        except BotoCoreError as error:
            raise RedshiftError(f"S3ServiceException:{error}") from error

    def _refused(
        self, code: str, message: str, status: int, *, request_id: str = "", reading_manifest: bool
    ) -> RedshiftError:
        error = s3_error(
            message=message,
            status=status,
            code=code,
            request_id=request_id,
            query_id=self.query_id,
            reading_manifest=reading_manifest,
        )
        return _MissingError(error.message, detail=error.detail) if code == "NoSuchKey" else error

    def _split(self, url: str) -> tuple[str, str]:
        match = _URL.fullmatch(url)
        if match is None:
            raise RedshiftError(f"The specified S3 path is invalid: {url}")
        return match[1], match[2]


@contextmanager
def as_file(pieces: Iterator[bytes]) -> Iterator[IO[bytes]]:
    """Keep an object's content in a temporary file, for formats that have to be read from their end."""
    with tempfile.TemporaryFile() as file:
        for piece in pieces:
            file.write(piece)
        file.seek(0)
        yield file


class _MissingError(RedshiftError):
    """S3 has no such object."""


def _entry(entry: dict[str, Any]) -> tuple[str, bool, int | None]:
    meta = entry.get("meta")
    return str(entry["url"]), bool(entry.get("mandatory", False)), None if meta is None else int(meta["content_length"])


@lru_cache(maxsize=32)
def _client(endpoint: str | None, region: str, credentials: Credentials) -> Any:
    """Make a client, which may be used in all threads; making one takes longer than a small COPY."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        config=Config(
            retries={"max_attempts": 2},
            connect_timeout=3,
            read_timeout=20,
            max_pool_connections=64,
            s3={"addressing_style": "path"},
        ),
    )
