"""An object in S3, and the name under which it is claimed."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

LEDGER_KEY_BYTES = 1024
"""The longest sort key in DynamoDB. An S3 key alone may be that long, and the bucket comes before it."""

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
        storage_class: S3's storage class, for example `GLACIER`.
    """

    bucket: str
    key: str
    size_bytes: int
    etag: str
    last_modified: datetime
    storage_class: str = "STANDARD"

    @property
    def name(self) -> str:
        """Bucket and key in one: `bucket/key`."""
        return f"{self.bucket}/{self.key}"

    @property
    def url(self) -> str:
        """The object's URL as COPY's manifest wants it, nothing encoded."""
        return f"s3://{self.name}"

    @property
    def is_archived(self) -> bool:
        """Whether S3 gives it to nobody unless it was restored, which a listing does not show."""
        return self.storage_class in {"GLACIER", "DEEP_ARCHIVE"}

    @property
    def may_be_archived(self) -> bool:
        """Whether it may lie in an archive: of objects that S3 moves by itself, a listing does not show where to."""
        return self.is_archived or self.storage_class == "INTELLIGENT_TIERING"

    @property
    def is_folder_marker(self) -> bool:
        """Whether it only stands for a folder, as the S3 console makes them."""
        return self.key.endswith("/") and self.size_bytes == 0


def ledger_key(name: str) -> str:
    """Give the sort key under which an object is claimed.

    It is the object's name, so that claims sort as S3 lists. Only a name that is too long for DynamoDB is cut and made
    unique by a digest; it then sorts near its neighbours, in no particular order.

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
    """Give the beginning that the ledger keys of all objects below a prefix share.

    That is the prefix itself. Only a prefix that is longer than what is kept of long names is cut as they are; the keys
    of other objects may then begin with it too.

    Args:
        prefix: How names begin, `bucket/…`.
    """
    return prefix.encode()[: LEDGER_KEY_BYTES - _DIGEST_CHARACTERS].decode(errors="ignore")
