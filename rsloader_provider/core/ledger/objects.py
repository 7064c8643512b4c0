"""An object in S3, and the name under which it is claimed."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

LEDGER_KEY_BYTES = 1024
"""The longest sort key of DynamoDB. An S3 key alone may be that long, and the bucket comes before it."""

_DIGEST_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object as a listing shows it.

    Attributes:
        bucket: Name of the bucket.
        key: The object's key, as S3 has it: never URL-encoded.
        size_bytes: Its size; 0 for an object that holds nothing.
        etag: S3's ETag without its quotes.
        last_modified: When it was written (aware, UTC).
    """

    bucket: str
    key: str
    size_bytes: int
    etag: str
    last_modified: datetime

    @property
    def name(self) -> str:
        """Bucket and key in one: `bucket/key`."""
        return f"{self.bucket}/{self.key}"

    @property
    def url(self) -> str:
        """The object's URL as COPY's manifest wants it, nothing encoded."""
        return f"s3://{self.name}"

    @property
    def is_folder_marker(self) -> bool:
        """Whether it only stands for a folder, as the S3 console makes them."""
        return self.key.endswith("/") and self.size_bytes == 0


def ledger_key(name: str) -> str:
    """Give the sort key under which an object is claimed.

    It is the object's name, so that claims sort as S3 lists; only a name that is too long for
    DynamoDB is cut and told apart by a digest, and then sorts beside its neighbours in no particular order.

    Args:
        name: Bucket and key, `bucket/key`.

    >>> ledger_key("landing/orders/1.csv")
    'landing/orders/1.csv'
    """
    encoded = name.encode()
    if len(encoded) <= LEDGER_KEY_BYTES:
        return name
    return ledger_prefix(name) + hashlib.sha256(encoded).hexdigest()


def ledger_prefix(prefix: str) -> str:
    """Give what every ledger key of the objects begins with whose names begin with a prefix.

    That is the prefix, but for one that reaches into what is cut from long names: then it is less, and the keys of
    other objects may begin with it too.

    Args:
        prefix: How names begin, `bucket/…`.
    """
    return prefix.encode()[: LEDGER_KEY_BYTES - _DIGEST_CHARACTERS].decode(errors="ignore")
