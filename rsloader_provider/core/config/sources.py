"""URLs in S3: of one object or prefix, and a pattern of prefixes with Hive wildcards."""

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import re2
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from rsloader_provider.core.config.filters import linear
from rsloader_provider.core.config.mistakes import holds_secret, mistake

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEY_LIMIT_BYTES = 1024


@dataclass(frozen=True, order=True)
class S3Url:
    """One object, or one prefix, in one bucket. An empty key means the whole bucket.

    >>> str(S3Url.parse("s3://acme-landing/orders/").join("a.csv"))
    's3://acme-landing/orders/a.csv'
    """

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `s3://bucket/key`; the key is taken as it stands, nothing in it is decoded.

        Raises:
            ValueError: It is not an S3 URL, S3 does not allow such a bucket, the key is over 1,024 bytes, or the text
                holds credentials.
        """
        return cls(*_bucket_and_key(text))

    @classmethod
    def of_object(cls, text: str) -> Self:
        """Read the URL of an object, or how the URLs of some begin, that a person names.

        A key is data, and S3 lets it look like a key or a password: only what stands before it may hold none.

        Raises:
            ValueError: As `parse` raises it.
        """
        return cls(*_bucket_and_key(text, key_is_data=True))

    def join(self, suffix: str) -> Self:
        """Return the URL with `suffix` added to the key as it is, without a '/' between them."""
        return type(self)(self.bucket, self.key + suffix)

    def as_prefix(self) -> Self:
        """Return the URL as a prefix to write under: with a key that is empty or ends with '/'."""
        return self if not self.key or self.key.endswith("/") else self.join("/")

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _written_as_text(cls, cls.parse)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": "^s3://", "examples": ["s3://acme-loader/manifests/"]}


@dataclass(frozen=True, order=True)
class SourcePattern:
    """The objects below a prefix, in which a '*' stands for any part of one folder's name.

    '*' never crosses a '/'. A pattern is empty (the whole bucket) or ends with '/', so that
    `orders/` never takes what lies in `orders_old/`.

    >>> SourcePattern.parse("s3://acme-landing/data/year=*/").matches("data/year=2024/a.csv")
    True
    """

    bucket: str
    pattern: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `s3://bucket/prefix/`, `s3://bucket/data/year=*/month=*/` or `s3://bucket`.

        Raises:
            ValueError: It is not an S3 URL, S3 does not allow such a bucket, a '/' is missing at the end, or it has a
                '**'.
        """
        bucket, pattern = _bucket_and_key(text)
        if "**" in pattern:
            raise mistake(f"'**' in {text!r} means nothing.", "A '*' stays within one folder: write a/*/b/ or a/.")
        if pattern.endswith("/*") or pattern == "*":
            raise mistake(
                f"{text!r} ends with '*'.",
                f"Write 's3://{bucket}/{pattern[:-1]}' for all below that prefix, "
                f"or 's3://{bucket}/{pattern}/' for its folders only.",
            )
        if pattern and not pattern.endswith("/"):
            raise mistake(
                f"{text!r} does not end with '/', so it could mean a folder or the start of many names.",
                f"Write 's3://{bucket}/{pattern}/', and choose among names with file_filter.",
            )
        return cls(bucket, pattern)

    @property
    def literal_prefix(self) -> str:
        """The key prefix up to the first wildcard: what S3 can list by."""
        return self.pattern.partition("*")[0]

    def matches(self, key: str) -> bool:
        """Tell whether the object `key` of this bucket lies below the pattern."""
        return key.startswith(self.pattern) if "*" not in self.pattern else self._regex.match(key) is not None

    def below(self, key: str) -> str:
        """Give what follows the pattern in the key of an object that lies below it.

        >>> SourcePattern.parse("s3://acme-landing/data/year=*/").below("data/year=2024/_SUCCESS")
        '_SUCCESS'
        """
        return key[len(self.pattern) if "*" not in self.pattern else self._regex.match(key).end() :]

    def covers(self, other: "SourcePattern") -> bool:
        """Tell whether every object below `other` is also below this pattern. A pattern covers itself."""
        # Read as a key, other's '*' is a character that only a '*' of ours accepts; and what accepts
        # that one character accepts whatever it stands for.
        return self.bucket == other.bucket and self.matches(other.pattern)

    def overlaps(self, other: "SourcePattern") -> bool:
        """Tell whether some object could be below both patterns."""
        # Up to the shorter pattern's depth each pair of folder names must be able to agree; below it all is allowed.
        return self.bucket == other.bucket and all(map(_names_meet, self._names, other._names))

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.pattern.split("/")[:-1])

    @cached_property
    def _regex(self) -> Any:
        return _regex(self.pattern)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.pattern}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _written_as_text(cls, cls.parse)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": "^s3://", "examples": ["s3://acme-landing/orders/year=*/month=*/"]}


def is_hidden(path: str) -> bool:
    """Tell whether the name of a folder or of the file in a path is one that Spark passes over when it reads.

    Spark, Hadoop and what is like them write such names while they work: `_temporary/`, `_SUCCESS`, `.part-0.crc`,
    `1.csv._COPYING_`. A name with a `=` is a partition, whatever it begins with.

    Source: HadoopFSUtils.shouldFilterOutPathName in Spark 3.5.

    >>> is_hidden("dt=1/_temporary/0/part-0.parquet"), is_hidden("_date=2026-12-01/1.csv")
    (True, False)
    """
    return any(
        name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith("._COPYING_")
        for name in path.split("/")
    )


def prefixes_to_list(patterns: Iterable[SourcePattern]) -> tuple[S3Url, ...]:
    """Give the prefixes to list in S3, so that all objects below the patterns are listed, and none twice.

    None of them begins with another, and they are sorted as the claims are: one listing after the other is one
    sorted stream of `bucket/key`.

    >>> patterns = map(SourcePattern.parse, ["s3://two/b/", "s3://one/a/x=*/c/", "s3://one/a/x=1/d/"])
    >>> list(map(str, prefixes_to_list(patterns)))
    ['s3://one/a/x=', 's3://two/b/']
    """
    kept: list[S3Url] = []
    for url in sorted({S3Url(each.bucket, each.literal_prefix) for each in patterns}, key=str):
        # Sorted, what begins with a prefix follows it closely.
        if not (kept and str(url).startswith(str(kept[-1]))):
            kept.append(url)
    return tuple(kept)


def _bucket_and_key(text: str, *, key_is_data: bool = False) -> tuple[str, str]:
    scheme, separator, rest = text.partition("://")
    bucket, _, key = rest.partition("/")
    has_clean_bucket = key_is_data and scheme == "s3" and _BUCKET.fullmatch(bucket)
    if not has_clean_bucket and holds_secret(text):
        raise mistake(
            "this URL holds a key, a password or a signature.",
            "Write s3://bucket/prefix/; the credentials belong in the Airflow connection of aws_conn_id.",
        )
    if not separator or scheme.lower() not in {"s3", "s3a", "s3n"}:
        raise mistake(f"{text!r} is not an S3 URL.", "Write s3://bucket/prefix/.")
    if scheme != "s3":
        raise mistake(f"{text!r} does not begin with s3://.", f"Write 's3://{rest}'.")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket or _is_ip_address(bucket):
        raise mistake(
            f"{bucket!r} is not a valid bucket name.",
            "A bucket's name has 3 to 63 small letters, digits, '-' and '.', and no wildcard.",
        )
    if not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text):
        raise mistake(f"the key in this URL of bucket {bucket!r} is not Unicode.", "S3's keys are UTF-8.")
    if len(key.encode()) > _KEY_LIMIT_BYTES:
        raise mistake(f"the key in this URL of bucket {bucket!r} is over 1,024 bytes.", "Keys in S3 are not longer.")
    return bucket, key


def _is_ip_address(bucket: str) -> bool:
    try:
        ipaddress.IPv4Address(bucket)
    except ValueError:
        return False
    return True


def _regex(glob: str) -> Any:
    # Many '*' in one name are as slow in Python's engine as nested repetitions.
    return linear("[^/]*".join(map(re2.escape, glob.split("*"))))


def _names_meet(one: str, other: str) -> bool:
    """Tell whether some folder name fits both globs."""
    if "*" not in other:
        return _regex(one).fullmatch(other) is not None
    if "*" not in one:
        return _regex(other).fullmatch(one) is not None
    # With a '*' in both, each can take up the middle of the other: only the fixed ends can disagree.
    (head, *_, tail), (other_head, *_, other_tail) = one.split("*"), other.split("*")
    heads_agree = head.startswith(other_head) or other_head.startswith(head)
    return heads_agree and (tail.endswith(other_tail) or other_tail.endswith(tail))


def _written_as_text(cls: type[object], parse: Callable[[str], object]) -> CoreSchema:
    """Let pydantic read a class from a string, and write it as one."""

    def read(value: object) -> object:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise PydanticKnownError("string_type")
        return parse(value)

    return core_schema.no_info_plain_validator_function(
        read, serialization=core_schema.plain_serializer_function_ser_schema(str)
    )
