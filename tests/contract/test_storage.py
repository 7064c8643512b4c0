"""What every storage keeps to, in memory as in S3."""

from typing import Any

import boto3
import pytest
from support.fakes.storage import MemoryStorage

from rsloader_provider.aws.storage import S3Storage
from rsloader_provider.core.errors import NotSetUpError

KEYS = ["a b.csv", "a%2Bb.csv", "a+b.csv", "q\"uo'te.csv", "new\nline.csv", "ünï/日本.csv", "z" * 1024]


def test_objects_are_listed_in_the_order_of_their_bytes_with_every_key_as_it_is(storage: tuple[str, Any]):
    bucket, port = storage
    for key in KEYS:
        port.write(bucket, key, key.encode())
    listed = list(port.objects(bucket, ""))
    assert [each.key for each in listed] == sorted(KEYS, key=str.encode)
    assert all(each.size_bytes == len(each.key.encode()) and each.last_modified.tzinfo for each in listed)
    assert all(len(each.etag) == 32 for each in listed), "without S3's quotes"


def test_only_objects_under_the_prefix_are_listed(storage: tuple[str, Any]):
    bucket, port = storage
    for key in ("orders/1.csv", "orders/2.csv", "orders_old/1.csv", "other"):
        port.write(bucket, key, b"")
    assert [each.key for each in port.objects(bucket, "orders/")] == ["orders/1.csv", "orders/2.csv"]


@pytest.mark.slow
def test_more_objects_than_one_page_are_listed(storage: tuple[str, Any]):
    bucket, port = storage
    keys = [f"{number:05}" for number in range(1_005)]
    for key in keys:
        port.write(bucket, key, b"")
    assert [each.key for each in port.objects(bucket, "")] == keys


def test_an_object_is_found_as_the_listing_shows_it(storage: tuple[str, Any]):
    bucket, port = storage
    for key in KEYS:
        assert port.find(bucket, key) is None
        port.write(bucket, key, key.encode())
    assert [port.find(bucket, each.key) for each in port.objects(bucket, "")] == [*port.objects(bucket, "")]


def test_a_key_that_only_begins_others_is_not_found(storage: tuple[str, Any]):
    bucket, port = storage
    for key in ("orders/1", "orders/1.csv", "orders/1/a"):
        port.write(bucket, key, key.encode())
    assert [port.find(bucket, key) for key in ("", "o", "orders", "orders/", "orders/1.", "orders/1/")] == [None] * 6
    assert port.find(bucket, "orders/1.csv/") is None
    assert port.find(bucket, "orders/1").size_bytes == len("orders/1")
    assert port.find(bucket, "orders/1.csv").size_bytes == len("orders/1.csv")


def test_an_object_that_was_written_again_is_found_with_its_new_size(storage: tuple[str, Any]):
    bucket, port = storage
    port.write(bucket, "1.csv", b"1")
    before = port.find(bucket, "1.csv")
    port.write(bucket, "1.csv", b"22")
    after = port.find(bucket, "1.csv")
    assert (before.size_bytes, after.size_bytes) == (1, 2)
    assert before.etag != after.etag


def test_of_a_versioned_object_only_the_newest_version_is_found(aws_arguments: dict[str, Any]):
    client = boto3.client("s3", **aws_arguments)
    client.create_bucket(Bucket="versioned")
    client.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    port = S3Storage(client)
    for content in (b"1", b"22"):
        port.write("versioned", "1.csv", content)
    assert port.find("versioned", "1.csv").size_bytes == 2
    client.delete_object(Bucket="versioned", Key="1.csv")
    assert port.find("versioned", "1.csv") is None


def test_the_listing_tells_the_storage_class(aws_arguments: dict[str, Any]):
    """Only the listing tells an archived object from one that may not be read."""
    client = boto3.client("s3", **aws_arguments)
    client.create_bucket(Bucket="archived")
    for key, storage_class in (("1", "STANDARD"), ("2", "GLACIER"), ("3", "DEEP_ARCHIVE"), ("4", "STANDARD_IA")):
        client.put_object(Bucket="archived", Key=key, Body=b"1", StorageClass=storage_class)
    memory = MemoryStorage("archived")
    for key, storage_class in (("1", "STANDARD"), ("2", "GLACIER"), ("3", "DEEP_ARCHIVE"), ("4", "STANDARD_IA")):
        memory.write("archived", key, b"1")
        memory.archive("archived", key, storage_class)
    for port in (S3Storage(client), memory):
        shown = [(each.key, each.storage_class, each.is_archived) for each in port.objects("archived", "")]
        assert shown == [
            ("1", "STANDARD", False), ("2", "GLACIER", True), ("3", "DEEP_ARCHIVE", True), ("4", "STANDARD_IA", False),
        ]  # fmt: skip


def test_an_object_is_found_by_one_request_that_lists_one_key(aws_arguments: dict[str, Any]):
    """Nothing is read, and thousands of keys that begin like this one are not listed for it."""
    client = boto3.client("s3", **aws_arguments)
    client.create_bucket(Bucket="asked")
    port = S3Storage(client)
    for key in ("1", "1.csv", "1.json"):
        port.write("asked", key, b"1")
    sent: list[tuple[str, str]] = []
    client.meta.events.register(
        "before-call", lambda model, params, **_: sent.append((model.name, params["query_string"].get("max-keys")))
    )
    assert port.find("asked", "1") is not None
    assert sent == [("ListObjectsV2", 1)]


def test_an_object_is_read_as_it_was_written(storage: tuple[str, Any]):
    bucket, port = storage
    assert port.read(bucket, "a+b") is None
    port.write(bucket, "a+b", b"\x00\xff")
    assert port.read(bucket, "a+b") == b"\x00\xff"
    with pytest.raises(NotSetUpError, match="nowhere"):
        port.read("nowhere", "a+b")


def test_a_missing_bucket_is_an_error_that_names_it(storage: tuple[str, Any]):
    port = storage[1]
    for use in (
        lambda: list(port.objects("nowhere", "")),
        lambda: port.find("nowhere", "k"),
        lambda: port.write("nowhere", "k", b""),
    ):
        with pytest.raises(NotSetUpError, match="nowhere"):
            use()
