"""COPY's manifest: the JSON list of the objects that one batch loads."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

_SUFFIX = ".manifest"


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


def read_manifest(content: bytes) -> tuple[Entry, ...]:
    """Read what `render_manifest` wrote.

    >>> read_manifest(render_manifest([Entry("landing/1.csv", 5)]))
    (Entry(name='landing/1.csv', size_bytes=5),)

    Raises:
        ValueError: It is something else.
    """
    try:
        listed = json.loads(content)["entries"]
        return tuple(
            Entry(str(each["url"]).removeprefix("s3://"), int(each["meta"]["content_length"])) for each in listed
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"it is not a manifest of the loader ({error!r})") from error


def batch_of_manifest(name: str) -> str | None:
    """Give the batch that a manifest belongs to, by its name below the load's prefix; None if it is no manifest.

    After the batch id and a '-' comes the number of objects that had been taken out of it. In a manifest with sizes of
    its own, a text that no other has comes there.

    >>> batch_of_manifest("01J-2.manifest")
    '01J'
    """
    if not name.endswith(_SUFFIX) or "/" in name:
        return None
    return name.removesuffix(_SUFFIX).partition("-")[0]


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
    return f"{name.removesuffix(_SUFFIX)}-{hashlib.sha256(content).hexdigest()[:16]}{_SUFFIX}"
