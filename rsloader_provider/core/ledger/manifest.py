"""COPY's manifest: the JSON list of the objects that one batch loads."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One object of a batch, as its segment keeps it.

    Attributes:
        name: Bucket and key, `bucket/key`.
        size_bytes: The size it had when it was claimed.
    """

    name: str
    size_bytes: int

    @property
    def url(self) -> str:
        """The object's URL."""
        return f"s3://{self.name}"

    @property
    def bucket(self) -> str:
        """Its bucket."""
        return self.name.partition("/")[0]

    @property
    def key(self) -> str:
        """Its key as S3 has it."""
        return self.name.partition("/")[2]


def render_manifest(entries: Iterable[Entry]) -> bytes | None:
    """Write the manifest: sorted and without duplicates, so that every attempt writes the same bytes.

    COPY loads an object twice when a manifest names it twice. An empty object is left out: it holds no rows,
    and some formats refuse it.

    Returns:
        The manifest, or None when there is nothing to copy.

    Source: https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html
    """
    listed = [
        {"url": entry.url, "mandatory": True, "meta": {"content_length": entry.size_bytes}}
        for entry in sorted({entry.name: entry for entry in entries}.values())
        if entry.size_bytes > 0
    ]
    return json.dumps({"entries": listed}, indent=1).encode() if listed else None


def digest_of_names(names: Iterable[str]) -> str:
    """Give what tells a batch's objects from any others: they are the same exactly if their digests are.

    Sizes are left out: a person may have repaired an object before it was loaded.

    >>> digest_of_names(["landing/2.csv", "landing/1.csv"]) == digest_of_names(["landing/1.csv", "landing/2.csv"])
    True

    Args:
        names: Bucket and key of each, `bucket/key`, in any order.

    Returns:
        64 hexadecimal digits.
    """
    # As JSON, because a key may hold any character that could stand between two.
    return hashlib.sha256(json.dumps(sorted({*names})).encode()).hexdigest()


def name_by_content(name: str, content: bytes) -> str:
    """Name a manifest that has other sizes than the batch's own, so that nobody writes another one under its name.

    >>> name_by_content("orders/01J.manifest", b"{}")
    'orders/01J-44136fa355b3678a.manifest'
    """
    return f"{name.removesuffix('.manifest')}-{hashlib.sha256(content).hexdigest()[:16]}.manifest"
