"""Find the objects of a load that no batch has claimed."""

import logging
from collections.abc import Iterator
from enum import StrEnum

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.sources import S3Url
from rsloader_provider.core.ledger.boundary import boundary
from rsloader_provider.core.ledger.limits import due_reason
from rsloader_provider.core.ledger.objects import S3Object, ledger_key
from rsloader_provider.core.ledger.shadow_name import as_recorded
from rsloader_provider.loader.services import Services

log = logging.getLogger(__name__)


def new_objects(config: LoadConfig, services: Services) -> Iterator[S3Object]:
    """Walk S3's listing and the claims side by side, and give what is in the first only.

    Both streams are sorted the same way and read page by page, once, so that memory does not grow with
    either. A claim that has just been made may be missed: claiming the object then fails.

    Yields:
        Objects that the load matches, each once, sorted by bucket and key as S3 sorts. Folder markers are passed over.
    """
    for place in config.listed_prefixes:
        yield from _new_under(place, config, services)


def _new_under(place: S3Url, config: LoadConfig, services: Services) -> Iterator[S3Object]:
    claimed = services.ledger.claimed_keys(config.load, f"{place.bucket}/{place.key}")
    claim = next(claimed, None)
    for found in services.storage.objects(place.bucket, place.key):
        if found.is_folder_marker or not config.matches(place.bucket, found.key):
            continue
        key = ledger_key(found.name)
        if key != found.name:
            # A cut key does not sort as S3 lists, so it is looked up instead of met on the walk.
            if services.ledger.find_claim(config.load, found.name) is None:
                yield found
            continue
        while claim is not None and claim < key:
            claim = next(claimed, None)
        if claim != key:
            yield found


class Found(StrEnum):
    """What a run would have to do."""

    NOTHING = "nothing"
    LEFT_OVER = "left over"
    """Only batches that earlier runs did not get loaded: worth a try, but no reason to hurry."""
    NEW_OR_DUE = "new or due"


def look_for_work(config: LoadConfig, services: Services) -> Found:
    """Tell whether a run would have something to do: a new object, a batch that is due, or a batch left to load."""
    config = as_recorded(config)
    batch = services.ledger.open_batch(config.load, services.now())
    if due_reason(batch, config.batch, services.now()):
        return Found.NEW_OR_DUE
    now = boundary(config, batch.left_alone, config.unread_files, services.now())
    for sentence in now.sentences():
        log.warning("%s", sentence)
    if not now.holds_still and next(new_objects(now.config, services), None) is not None:
        return Found.NEW_OR_DUE
    if next(services.ledger.unfinished(config.load), None) is not None:
        return Found.LEFT_OVER
    return Found.NOTHING
