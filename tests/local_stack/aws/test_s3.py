"""The local S3 keeps every legal key as it is, lists in pages and can be seeded."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from support.aws_fixtures import client, running_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rsloader_provider.local.aws import LocalAws

ODD_KEYS = [
    "in/a b.csv",
    "in/a+b.csv",
    "in/a%2Bb.csv",
    "in/a%20b.csv",
    "in/a\nb.csv",
    "in/a\r\nb.csv",
    "in/a\tb.csv",
    "in/'quoted\".csv",
    "in/naïve-日本-🚀.csv",
    "in/a&b=<c>?d#e;f.csv",
    "in/back\\slash.csv",
    "in//two-slashes",
    "in/folder/",
    "in/../dots",
    "/leading",
    "in/trailing ",
    "in/" + "x" * 1021,
    "in/" + "é" * 510,
    " leading space",
    "in/[brackets]{braces}^|~`",
    "in/:@,$*!()",
]


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with running_aws() as aws:
        yield aws


@pytest.fixture(scope="module")
def s3(aws: LocalAws) -> Any:
    return client(aws, "s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"b-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    return name


def listed(s3: Any, bucket: str, **options: Any) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, **options)
    return [each["Key"] for page in pages for each in page.get("Contents", [])]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_key_survives_put_list_get_head_copy_and_delete(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert listed(s3, bucket) == [key]
    assert listed(s3, bucket, Prefix=key) == [key]
    assert listed(s3, bucket, StartAfter=key) == []
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(key.encode())
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == key.encode()
    s3.delete_object(Bucket=bucket, Key="copy")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    assert listed(s3, bucket) == []


def test_odd_keys_are_listed_in_the_order_of_their_bytes_page_by_page(aws: LocalAws, s3: Any, bucket: str) -> None:
    aws.seed_objects({"bucket": bucket, "key": key, "size": 1} for key in ODD_KEYS)
    expected = sorted(ODD_KEYS, key=str.encode)
    assert listed(s3, bucket) == expected
    assert listed(s3, bucket, PaginationConfig={"PageSize": 2}) == expected
    for place, key in enumerate(expected):
        assert listed(s3, bucket, StartAfter=key, PaginationConfig={"PageSize": 3}) == expected[place + 1 :]


def test_a_key_longer_than_1024_bytes_is_refused(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError, match="KeyTooLong"):
        s3.put_object(Bucket=bucket, Key="é" * 513, Body=b"")


def test_a_delimiter_folds_keys_into_common_prefixes(aws: LocalAws, s3: Any, bucket: str) -> None:
    keys = ["a.csv", "day=1/x", "day=1/y", "day=1z", "day=2/x", "e/f/g"]
    aws.seed_objects({"bucket": bucket, "key": key, "body": key} for key in keys)
    for size in (1, 2, 1000):
        pages = list(
            s3.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size}
            )
        )
        assert [each["Key"] for page in pages for each in page.get("Contents", [])] == ["a.csv", "day=1z"]
        folded = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
        assert folded == ["day=1/", "day=2/", "e/"]


def test_a_seeded_object_is_like_one_that_was_put(aws: LocalAws, s3: Any, bucket: str) -> None:
    body = "1|a\n2|b\n"
    put = s3.put_object(Bucket=bucket, Key="put", Body=body.encode())
    when = "2025-01-02T03:04:05+00:00"
    aws.seed_objects(
        [
            {"bucket": bucket, "key": "seeded", "body": body, "last_modified": when},
            {"bucket": bucket, "key": "twin", "body": body},
            {"bucket": bucket, "key": "huge", "size": 5 * 1024**4},
        ]
    )
    s3.put_object(Bucket=bucket, Key="twin", Body=b"other")
    answer = s3.get_object(Bucket=bucket, Key="seeded")
    assert (answer["ETag"], answer["Body"].read().decode()) == (put["ETag"], body)
    contents = {each["Key"]: each for each in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert contents["seeded"]["LastModified"].isoformat() == when
    assert contents["huge"]["Size"] == 5 * 1024**4


def test_seeding_a_bucket_that_does_not_exist_is_refused(aws: LocalAws) -> None:
    with pytest.raises(Exception, match="400"):
        aws.seed_objects([{"bucket": "no-such-bucket", "key": "a", "size": 1}])


def test_a_listing_sees_what_was_just_written_and_deleted(s3: Any, bucket: str) -> None:
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"{number:02}", Body=b"x")
        assert len(listed(s3, bucket)) == number + 1
    s3.delete_object(Bucket=bucket, Key="07")
    assert "07" not in listed(s3, bucket)


def test_deleted_objects_of_a_versioned_bucket_are_not_listed(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="gone", Body=b"1")
    s3.put_object(Bucket=bucket, Key="stays", Body=b"1")
    s3.delete_object(Bucket=bucket, Key="gone")
    assert listed(s3, bucket) == ["stays"]


def test_a_missing_bucket_is_an_error_with_its_code(s3: Any) -> None:
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.list_objects_v2(Bucket="no-such-bucket-here")


def test_only_one_of_many_writers_creates_an_object(s3: Any, bucket: str) -> None:
    def put(number: int) -> bool:
        try:
            s3.put_object(Bucket=bucket, Key="once", Body=f"{number}".encode(), IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(put, range(64))) == 1


def test_a_multipart_upload_becomes_one_object(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big+1 é")["UploadId"]
    parts = []
    for number in (1, 2):
        answer = s3.upload_part(
            Bucket=bucket, Key="big+1 é", UploadId=upload, PartNumber=number, Body=b"x" * 5 * 1024 * 1024
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    s3.complete_multipart_upload(Bucket=bucket, Key="big+1 é", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.head_object(Bucket=bucket, Key="big+1 é")["ContentLength"] == 10 * 1024 * 1024


def test_20000_seeded_keys_are_listed_page_by_page(aws: LocalAws, s3: Any, bucket: str) -> None:
    """Moto sorts all keys for each page, which is why the listing is ours."""
    aws.seed_objects({"bucket": bucket, "key": f"in/{number:06}", "size": 9} for number in range(20_000))
    assert listed(s3, bucket, Prefix="in/") == [f"in/{number:06}" for number in range(20_000)]
