"""Which claimed objects a person named: some by their URLs, or all below a prefix."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.sources import S3Url
from rsloader_provider.core.errors import ConfigurationError, UnknownObjectError
from rsloader_provider.core.ledger.claims import Claim
from rsloader_provider.core.ledger.objects import S3Object
from rsloader_provider.loader.hidden_objects import leaves_out
from rsloader_provider.loader.operate.object_names import object_name, prefix_name
from rsloader_provider.loader.services import Services

WINDOW_OBJECTS = 2_000
"""Objects that are read together, so that a prefix with millions of them fits into memory."""


@dataclass(frozen=True, slots=True)
class ObjectsNamed:
    """What a person named: one of the two.

    Attributes:
        urls: URLs of objects.
        prefix: The URL of a prefix; None for the objects.
    """

    urls: tuple[str, ...] = ()
    prefix: str | None = None

    def check(self) -> None:
        """Refuse both, and neither.

        Raises:
            ConfigurationError: Both are given, or neither.
        """
        if bool(self.urls) == (self.prefix is not None):
            raise ConfigurationError("Name either objects or one prefix. Nothing was changed.")


@dataclass(frozen=True, slots=True)
class ClaimedObject:
    """An object that the load has claimed.

    Attributes:
        claim: Its claim.
        found: The object as S3 lists it; where S3 was not asked, as it was when it was claimed.
    """

    claim: Claim
    found: S3Object


def claimed_objects(config: LoadConfig, services: Services, named: ObjectsNamed) -> Iterator[ClaimedObject]:
    """Give the claims of what a person named; S3 is not asked.

    Raises:
        UnknownObjectError: The load has not claimed one of the objects, or nothing below the prefix.
        ConfigurationError: Objects and prefix are both given, or neither, or a URL is not an S3 URL.
    """
    named.check()
    if named.prefix is None:
        yield from map(as_claimed, _claims_of(config, services, named.urls))
        return
    is_empty = True
    for claim in services.ledger.claims(config.load, prefix_name(named.prefix)):
        is_empty = False
        yield as_claimed(claim)
    if is_empty:
        raise _nothing_below(config, named.prefix)


def listed_objects(
    config: LoadConfig, services: Services, named: ObjectsNamed, pass_over: Callable[[int], None] = lambda _: None
) -> Iterator[ClaimedObject]:
    """Give the claims of what a person named and S3 has, each with the object as S3 lists it.

    Args:
        config: The load.
        services: The ports and the clock.
        named: The objects, or the prefix.
        pass_over: Called with the number of objects below the prefix that have no claim.

    Raises:
        UnknownObjectError: As for `claimed_objects`; or one of the objects is no longer in S3.
        ConfigurationError: As for `claimed_objects`.
    """
    named.check()
    if named.prefix is None:
        yield from _all_in_s3(config, services, named.urls)
        return
    bucket, _, key = prefix_name(named.prefix).partition("/")
    objects = services.storage.objects(bucket, key)
    is_empty = True
    while page := [*islice(objects, WINDOW_OBJECTS)]:
        claimed = services.ledger.find_claims(config.load, [each.name for each in page])
        pass_over(sum(not each.is_folder_marker for each in page) - len(claimed))
        for each in page:
            if each.name in claimed:
                is_empty = False
                yield ClaimedObject(claimed[each.name], each)
    if is_empty:
        raise _nothing_below(config, named.prefix)


def some(names: Sequence[str]) -> str:
    """Name the first few objects, for a message."""
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return ", ".join(f"s3://{name}" for name in names[:5]) + more


def _claims_of(config: LoadConfig, services: Services, urls: Sequence[str]) -> list[Claim]:
    names = [*dict.fromkeys(map(object_name, urls))]
    claims = services.ledger.find_claims(config.load, names)
    if unknown := [name for name in names if name not in claims]:
        bucket, _, key = unknown[0].partition("/")
        why = (
            "The next run claims it by itself, if it is in S3."
            if config.matches(bucket, key) and not leaves_out(config, services, bucket, key)
            else f"It does not belong to the load: `rsloader explain {S3Url(bucket, key)}` shows whose it is."
        )
        raise UnknownObjectError(f"Load {config.load} has not claimed {some(unknown)}. {why} Nothing was changed.")
    return list(claims.values())


def _all_in_s3(config: LoadConfig, services: Services, urls: Sequence[str]) -> list[ClaimedObject]:
    listed: list[ClaimedObject] = []
    gone: list[str] = []
    for claim in _claims_of(config, services, urls):
        bucket, _, key = claim.name.partition("/")
        found = services.storage.find(bucket, key)
        if found is None:
            gone.append(claim.name)
        else:
            listed.append(ClaimedObject(claim, found))
    if gone:
        raise UnknownObjectError(
            f"Load {config.load}: no longer in S3: {some(gone)}. Put them back first. Nothing was changed."
        )
    return listed


def as_claimed(claim: Claim) -> ClaimedObject:
    """Give a claimed object as it was when it was claimed."""
    bucket, _, key = claim.name.partition("/")
    return ClaimedObject(claim, S3Object(bucket, key, claim.size_bytes, claim.etag, claim.last_modified))


def _nothing_below(config: LoadConfig, prefix: str) -> UnknownObjectError:
    return UnknownObjectError(
        f"Load {config.load} has claimed nothing below {prefix} that is in S3 or in the ledger; it loads "
        f"from {' and '.join(map(str, config.sources))}. Nothing was changed."
    )
