"""What a COPY reads from S3: the manifest or the listing, then each object in pieces.

Everything here blocks, and is therefore run in threads, never on the event loop.
"""

import json
import re
import zlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from rsloader_provider.local.redshift.errors import RedshiftError, mandatory_object_missing, s3_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rsloader_provider.local.redshift.copy_statement import CopyStatement

PIECE_BYTES = 256 * 1024
_URL = re.compile(r"s3://([^/]+)/(.*)", re.DOTALL)
_WORDS = {
    "NoSuchKey": "The specified key does not exist.",
    "NoSuchBucket": "The specified bucket does not exist",
}
_GZIP_WINDOW = 16 + zlib.MAX_WBITS  # zlib's way of saying that a gzip header is expected


@dataclass(frozen=True)
class S3Object:
    """One object to load. The same object may stand in a list twice, and is then loaded twice."""

    url: str
    bucket: str
    key: str


class S3Source:
    """The objects of one COPY.

    Args:
        endpoint: The local S3; None means AWS itself.
        copy: What to load.
        query_id: The COPY's id, for error details.
    """

    def __init__(self, endpoint: str | None, copy: "CopyStatement", query_id: int):
        self._copy = copy
        self._query_id = query_id
        self._s3: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=copy.region or "us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the credentials of every local AWS
            config=Config(
                retries={"max_attempts": 2}, connect_timeout=3, read_timeout=20, s3={"addressing_style": "path"}
            ),
        )
        self.bytes_read = 0

    def objects(self) -> list[S3Object]:
        """Return the objects to load, in order.

        Objects that a manifest names and does not call mandatory may be missing; all others must be there.

        Raises:
            RedshiftError: S3 refused, the manifest is malformed, or an object is missing.
        """
        bucket, key = self._split(self._copy.source)
        return self._from_manifest(bucket, key) if self._copy.manifest else self._from_prefix(bucket, key)

    def pieces(self, wanted: S3Object) -> "Iterator[bytes]":
        """Yield an object's content, decompressed, piece by piece.

        Raises:
            RedshiftError: S3 refused, or the object is not what the COPY says it is.
        """
        body = self._call(self._s3.get_object, Bucket=wanted.bucket, Key=wanted.key)["Body"]
        try:
            raw = iter(partial(body.read, PIECE_BYTES), b"")
            yield from self._gunzip(wanted, raw) if self._copy.gzip else self._count(raw)
        except BotoCoreError as error:
            raise RedshiftError(f"S3ServiceException:{error}") from error
        finally:
            body.close()

    def _count(self, raw: "Iterator[bytes]") -> "Iterator[bytes]":
        for piece in raw:
            self.bytes_read += len(piece)
            yield piece

    def _gunzip(self, wanted: S3Object, raw: "Iterator[bytes]") -> "Iterator[bytes]":
        inflate = zlib.decompressobj(_GZIP_WINDOW)
        started = False
        try:
            for piece in self._count(raw):
                pending, started = piece, True
                while True:
                    if inflate.eof:
                        if not pending:
                            break
                        inflate = zlib.decompressobj(_GZIP_WINDOW)  # a gzip file may have several members
                    # A bound on the output keeps a small object from filling the memory.
                    inflated = inflate.decompress(pending, PIECE_BYTES)
                    yield inflated
                    pending = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
                    if not pending and len(inflated) < PIECE_BYTES:
                        break
        except zlib.error as error:
            raise RedshiftError(f"failed to inflate input file: {wanted.url}: {error}") from error
        if started and not inflate.eof:
            raise RedshiftError(f"failed to inflate input file: {wanted.url}: it ends too early")

    def _from_manifest(self, bucket: str, key: str) -> list[S3Object]:
        answer = self._call(self._s3.get_object, reading_manifest=True, Bucket=bucket, Key=key)
        try:
            entries = [(str(e["url"]), bool(e.get("mandatory", False))) for e in json.load(answer["Body"])["entries"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RedshiftError(
                f"Problem reading manifest file - invalid manifest {self._copy.source}: {error!r}"
            ) from error
        found: list[S3Object] = []
        for url, mandatory in entries:
            bucket, key = self._split(url)
            if self._exists(bucket, key):
                found.append(S3Object(url, bucket, key))
            elif mandatory:
                raise mandatory_object_missing(url, self._query_id)
        return found

    def _from_prefix(self, bucket: str, prefix: str) -> list[S3Object]:
        found: list[S3Object] = []
        page: dict[str, Any] = {}
        token: dict[str, Any] = {}
        while not page or page["IsTruncated"]:
            page = self._call(self._s3.list_objects_v2, Bucket=bucket, Prefix=prefix, **token)
            found += [S3Object(f"s3://{bucket}/{o['Key']}", bucket, o["Key"]) for o in page.get("Contents", [])]
            token = {"ContinuationToken": page.get("NextContinuationToken", "")}
        if not found:
            raise RedshiftError(f"The specified S3 prefix '{prefix}' does not exist")
        return found

    def _exists(self, bucket: str, key: str) -> bool:
        try:
            self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            # HEAD has no body, so S3's code for a missing key is the bare status.
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return False
            raise self._translate(error) from error
        except BotoCoreError as error:
            raise RedshiftError(f"S3ServiceException:{error}") from error
        return True

    def _call(self, operation: "Callable[..., Any]", *, reading_manifest: bool = False, **parameters: Any) -> Any:
        try:
            return operation(**parameters)
        except ClientError as error:
            raise self._translate(error, reading_manifest=reading_manifest) from error
        except BotoCoreError as error:
            raise RedshiftError(f"S3ServiceException:{error}") from error

    def _translate(self, error: ClientError, *, reading_manifest: bool = False) -> RedshiftError:
        code = error.response["Error"]["Code"]
        metadata = error.response["ResponseMetadata"]
        return s3_error(
            message=_WORDS.get(code, error.response["Error"].get("Message", "")),
            status=metadata["HTTPStatusCode"],
            code=code,
            request_id=metadata.get("RequestId", ""),
            query_id=self._query_id,
            reading_manifest=reading_manifest,
        )

    def _split(self, url: str) -> tuple[str, str]:
        match = _URL.fullmatch(url)
        if match is None:
            raise RedshiftError(f"The specified S3 path is invalid: {url}")
        return match[1], match[2]
