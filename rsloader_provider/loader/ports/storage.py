"""Object storage: what S3 is asked for."""

from collections.abc import Iterator
from typing import Protocol

from rsloader_provider.core.ledger.objects import S3Object


class Storage(Protocol):
    """S3, as far as the loader needs it.

    Raises, all of them:
        NotSetUpError: The bucket is not there.
        AccessDeniedError, TransientError: As their names say.
    """

    def objects(self, bucket: str, prefix: str) -> Iterator[S3Object]:
        """List the objects under a prefix, sorted by the UTF-8 bytes of their keys, page by page."""
        ...

    def find(self, bucket: str, key: str) -> S3Object | None:
        """Give one object as a listing shows it, or None if it is not there. The object is not read."""
        ...

    def read(self, bucket: str, key: str) -> bytes | None:
        """Read an object whole, or give None if it is not there."""
        ...

    def write(self, bucket: str, key: str, content: bytes) -> None:
        """Write an object, over an older one of the same key."""
        ...
