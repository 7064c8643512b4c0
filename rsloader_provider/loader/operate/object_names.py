"""The objects and prefixes that a person names, as the ledger knows them: `bucket/key`."""

from rsloader_provider.core.config.sources import S3Url
from rsloader_provider.core.errors import ConfigurationError


def object_name(url: str) -> str:
    """Read the URL of one object.

    Raises:
        ConfigurationError: It is not an S3 URL, or names only a bucket.
    """
    parsed = _parsed(url)
    if not parsed.key:
        raise ConfigurationError(f"{url!r} is a bucket; write the URL of one object, s3://bucket/key.")
    return f"{parsed.bucket}/{parsed.key}"


def prefix_name(url: str) -> str:
    """Read a prefix, with or without a `/` at its end; a bucket alone is one too.

    Raises:
        ConfigurationError: It is not an S3 URL.
    """
    parsed = _parsed(url)
    return f"{parsed.bucket}/{parsed.key}"


def _parsed(url: str) -> S3Url:
    try:
        return S3Url.of_object(url)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
