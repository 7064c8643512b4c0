"""Objects that Spark and Hadoop leave beside data: whether a load takes them, which it may not say itself."""

from collections.abc import Iterator

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.loader.services import Services


class HiddenObjects:
    """What a walk over objects and claims meets of hidden ones.

    Args:
        config: The whole load.

    Attributes:
        are_taken: Whether the load takes them; None as long as that is not known. What it has claimed once, it goes on
            claiming, until a person decides.
        claimed: The claim that tells so; None if there is none, or the load file tells.
        left_out: How many were passed over.
        last: The last of them.
    """

    def __init__(self, config: LoadConfig):
        self.config = config
        self.are_taken = None if config.hidden_files is None else config.hidden_files == "load"
        self.claimed: str | None = None
        self.left_out = 0
        self.last = ""

    def is_hidden(self, name: str) -> bool:
        """Tell whether an object `bucket/key` is hidden."""
        return self.config.hides(*name.partition("/")[::2])

    def see_claim(self, name: str) -> None:
        """Notice that a hidden object was claimed."""
        if self.are_taken is None and self.is_hidden(name):
            self.are_taken = True
            self.claimed = name

    def leaves_out(self, name: str) -> bool:
        """Tell whether an object that has no claim is to be passed over, and count it."""
        if self.are_taken or not self.is_hidden(name):
            return False
        self.left_out += 1
        self.last = name
        return True


def leaves_out(config: LoadConfig, services: Services, bucket: str, key: str) -> bool:
    """Tell whether a load passes over an object because it is hidden. Reads all claims, unless the load file tells."""
    if config.hidden_files == "load" or not config.hides(bucket, key):
        return False
    if config.hidden_files == "ignore":
        return True
    return not any(map(HiddenObjects(config).is_hidden, claimed_keys(config, services)))


def claimed_keys(config: LoadConfig, services: Services) -> Iterator[str]:
    """Give the ledger keys of all claims below what the load lists, sorted."""
    for place in config.listed_prefixes:
        yield from services.ledger.claimed_keys(config.load, f"{place.bucket}/{place.key}")
