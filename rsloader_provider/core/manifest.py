"""COPY's manifest: the JSON list of the objects that one batch loads."""

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


def render_manifest(entries: Iterable[Entry]) -> bytes | None:
    """Write the manifest: sorted and without duplicates, so that every attempt writes the same bytes.

    Only an attempt that a person asked for may write other sizes, as repaired objects have them.

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


def is_manifest_of(content: bytes, entries: Iterable[Entry], *, sizes_may_differ: bool) -> bool:
    """Tell whether an attempt at a batch wrote a manifest.

    Args:
        content: What lies there.
        entries: The batch's objects, with the sizes of their claims.
        sizes_may_differ: Whether a person asked for the batch, so that the sizes may be later ones.
    """
    listed = list(entries)
    if content == render_manifest(listed):
        return True
    try:
        sizes = {each["url"]: int(each["meta"]["content_length"]) for each in json.loads(content)["entries"]}
    except (ValueError, KeyError, TypeError):
        return False
    later = (Entry(entry.name, sizes.get(entry.url, entry.size_bytes)) for entry in listed)
    return sizes_may_differ and content == render_manifest(later)
