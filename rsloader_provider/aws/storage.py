"""Object storage in S3."""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from rsloader_provider.aws.errors import as_loader_errors
from rsloader_provider.core.ledger.objects import S3Object


class S3Storage:
    """S3 through a boto3 client.

    Args:
        client: A boto3 S3 client.
    """

    def __init__(self, client: Any):
        self._client = client

    def objects(self, bucket: str, prefix: str) -> Iterator[S3Object]:
        return self._listed(bucket, prefix, {})

    def find(self, bucket: str, key: str) -> S3Object | None:
        # HeadObject needs the right to read the object. For a missing object it answers 403 to a user who may list only
        # below a prefix. Of all keys that begin with this one, this one is listed first.
        first = next(self._listed(bucket, key, {"PageSize": 1}), None)
        return first if first is not None and first.key == key else None

    def read(self, bucket: str, key: str) -> bytes | None:
        with _as_loader_errors(bucket):
            try:
                content: bytes = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error.response["Error"]["Code"] not in {"404", "NoSuchKey"}:
                    raise
                return None
        return content

    def write(self, bucket: str, key: str, content: bytes) -> None:
        with _as_loader_errors(bucket):
            self._client.put_object(Bucket=bucket, Key=key, Body=content)

    def _listed(self, bucket: str, prefix: str, pages: Mapping[str, int]) -> Iterator[S3Object]:
        with _as_loader_errors(bucket):
            listing = self._client.get_paginator("list_objects_v2")
            for page in listing.paginate(Bucket=bucket, Prefix=prefix, PaginationConfig=pages):
                for each in page.get("Contents", ()):
                    yield S3Object(
                        bucket,
                        each["Key"],
                        each["Size"],
                        each["ETag"].strip('"'),
                        each["LastModified"],
                        each.get("StorageClass", "STANDARD"),
                    )


def _as_loader_errors(bucket: str) -> Any:
    return as_loader_errors(f"S3 bucket {bucket}", "Create the bucket, or correct its name in the load file.")
