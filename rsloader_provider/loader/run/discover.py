"""Find the objects of a load that no batch has claimed."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import chain, takewhile

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.sources import S3Url
from rsloader_provider.core.ledger.boundary import boundary
from rsloader_provider.core.ledger.limits import due_reason
from rsloader_provider.core.ledger.objects import S3Object, ledger_key
from rsloader_provider.core.ledger.shadow_name import as_recorded
from rsloader_provider.core.logs import logger_of
from rsloader_provider.loader.hidden_objects import HiddenObjects, claimed_keys
from rsloader_provider.loader.services import Services

log = logger_of(__name__)


def new_objects(config: LoadConfig, services: Services, whole: LoadConfig | None = None) -> Iterator[S3Object]:
    """Walk S3's listing and the claims side by side, and give what is in the first only.

    Both streams are sorted the same way and read page by page, once, so that memory does not grow with
    either. A claim that has just been made may be missed: claiming the object then fails.

    Args:
        config: The load, or a part of it.
        services: The ports and the clock.
        whole: The load of which `config` is a part; None if it is whole.

    Yields:
        Objects that the load matches, each once, sorted by bucket and key as S3 sorts; hidden ones may follow at the
        end, sorted too. Folder markers are passed over, and hidden objects unless the load takes them, and empty ones
        that are younger than `max_age`.
    """
    hidden = HiddenObjects(whole or config)
    yield from _walk(config, services, hidden)
    if hidden.claimed is not None:
        log.warning(
            "load %s: hidden objects are taken as before, since s3://%s was claimed. Write 'hidden_files: ignore' to "
            "leave them out from now on, or 'hidden_files: load' to keep taking them without this warning.",
            config.load, hidden.claimed,
        )  # fmt: skip
    if hidden.left_out:
        log.info("load %s: %d hidden objects left out (hidden_files)", config.load, hidden.left_out)


def _walk(config: LoadConfig, services: Services, hidden: HiddenObjects) -> Iterator[S3Object]:
    for place in config.listed_prefixes:
        yield from _new_under(place, config, services, hidden)
    if hidden.left_out and hidden.are_taken is None and hidden.config is not config:
        for name in claimed_keys(hidden.config, services):
            hidden.see_claim(name)
    if hidden.left_out and hidden.are_taken and hidden.config.hidden_files is None:
        # The first claim of a hidden object came behind the first such object.
        hidden.left_out = 0
        again = chain.from_iterable(_new_under(place, config, services, hidden) for place in config.listed_prefixes)
        for found in takewhile(lambda each: each.name <= hidden.last, again):
            if hidden.is_hidden(found.name):
                yield found


def _new_under(place: S3Url, config: LoadConfig, services: Services, hidden: HiddenObjects) -> Iterator[S3Object]:
    claimed = services.ledger.claimed_keys(config.load, f"{place.bucket}/{place.key}")
    claim = next(claimed, None)
    for found in services.storage.objects(place.bucket, place.key):
        if found.is_folder_marker or not config.matches(place.bucket, found.key):
            continue
        if found.size_bytes == 0 and services.now() - found.last_modified < config.batch.max_age:
            # Some writers put an empty object first and its content later: once claimed, it would be loaded as empty.
            continue
        key = ledger_key(found.name)
        if key != found.name:
            # A cut key does not sort as S3 lists, so it is looked up instead of met on the walk.
            if services.ledger.find_claim(config.load, found.name) is None and not hidden.leaves_out(found.name):
                yield found
            continue
        while claim is not None and claim < key:
            hidden.see_claim(claim)
            claim = next(claimed, None)
        if claim == key:
            hidden.see_claim(claim)
        elif not hidden.leaves_out(found.name):
            yield found
    if hidden.left_out and hidden.are_taken is None:
        # What was claimed behind the last object that is there counts too.
        for behind in chain(() if claim is None else (claim,), claimed):
            hidden.see_claim(behind)


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
    if not now.holds_still and next(_walk(now.config, services, HiddenObjects(now.config)), None) is not None:
        return Found.NEW_OR_DUE
    if next(services.ledger.unfinished(config.load), None) is not None:
        return Found.LEFT_OVER
    return Found.NOTHING
