"""What every storage keeps to, in memory as in S3."""

from typing import Any

import pytest

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


def test_more_objects_than_one_page_are_listed(storage: tuple[str, Any]):
    bucket, port = storage
    keys = [f"{number:05}" for number in range(1_005)]
    for key in keys:
        port.write(bucket, key, b"")
    assert [each.key for each in port.objects(bucket, "")] == keys


def test_an_object_exists_once_it_is_written(storage: tuple[str, Any]):
    bucket, port = storage
    assert not port.exists(bucket, "a+b")
    port.write(bucket, "a+b", b"1")
    port.write(bucket, "a+b", b"22")
    assert port.exists(bucket, "a+b")
    assert [each.size_bytes for each in port.objects(bucket, "a")] == [2]


def test_an_object_is_read_as_it_was_written(storage: tuple[str, Any]):
    bucket, port = storage
    assert port.read(bucket, "a+b") is None
    port.write(bucket, "a+b", b"\x00\xff")
    assert port.read(bucket, "a+b") == b"\x00\xff"
    with pytest.raises(NotSetUpError, match="nowhere"):
        port.read("nowhere", "a+b")


def test_a_missing_bucket_is_an_error_that_names_it(storage: tuple[str, Any]):
    port = storage[1]
    for use in (lambda: list(port.objects("nowhere", "")), lambda: port.write("nowhere", "k", b"")):
        with pytest.raises(NotSetUpError, match="nowhere"):
            use()
