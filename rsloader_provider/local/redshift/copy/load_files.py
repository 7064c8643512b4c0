"""What a COPY read of one object, as the views of loaded files report it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LoadedFile:
    """One object of a COPY.

    Attributes:
        url: The object.
        size_bytes: Its size in S3.
        lines: Lines or records read from it, the refused ones among them.
        errors: Records of it that were refused.
    """

    url: str
    size_bytes: int
    lines: int
    errors: int = 0
