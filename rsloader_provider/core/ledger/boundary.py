"""What a load leaves to other loads, remembered: a load file that is missing or half-written for a moment widens none.

While a file is copied it may be away, empty or cut off, and what it names cannot be read. A claim that the load round
it makes in that moment stays. So each load remembers what it left alone when it last looked.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.config.sources import SourcePattern

AWAY = timedelta(minutes=10)
"""How long a load goes on leaving alone what no load file names any more."""

LeftAlone = Mapping[str, datetime | None]
"""Prefixes that a load leaves alone, each with the moment since which no file names it; None while one does."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """What a load takes at this moment.

    Attributes:
        config: The load; its `exclude` also holds what is only remembered.
        left_alone: What is to be remembered; None if that is not known yet.
        remembered: The part of it that no file names.
        unread_files: Files of the folder whose sources cannot be read.
    """

    config: LoadConfig
    left_alone: LeftAlone | None
    remembered: LeftAlone
    unread_files: tuple[str, ...]

    @property
    def holds_still(self) -> bool:
        """Whether nothing may be claimed: a file cannot be read, and nobody knows what it has named before."""
        return self.left_alone is None

    def sentences(self) -> list[str]:
        """Tell what is not taken at this moment, and until when."""
        name, files = f"load {self.config.load}", ", ".join(self.unread_files)
        if self.holds_still:
            return [
                f"{name} claims nothing for now: which prefixes belong to {files} cannot be read. Correct or delete it."
            ]
        told = []
        for prefix, since in sorted(self.remembered.items()):
            if since is None:
                until = f"which prefixes belong to {files} cannot be read. Correct or delete it."
            else:
                until = f"no load file has named it since {since:%Y-%m-%d %H:%M:%S} UTC; after {AWAY} it is given up."
            told.append(f"{name} still leaves {prefix} alone: {until}")
        return told


def boundary(config: LoadConfig, known: LeftAlone | None, unread_files: Collection[str], now: datetime) -> Boundary:
    """Tell what a load takes, by its file and by what it left alone when it last looked.

    What no file names any more is left alone for `AWAY`; while the sources of some file cannot be read, for as long as
    that lasts.

    Args:
        config: The load as its folder is now.
        known: What it left alone; None if that was never recorded.
        unread_files: Files of the folder whose sources cannot be read.
        now: The moment (aware, UTC).
    """
    unread = tuple(unread_files)
    if known is None and unread:
        return Boundary(config, None, {}, unread)
    named = {str(each) for each in config.exclude}
    remembered = {
        prefix: None if unread else (since or now)
        for prefix, since in (known or {}).items()
        if prefix not in named and (unread or now - (since or now) < AWAY) and _concerns(config, prefix)
    }
    left_alone = {**dict.fromkeys(named), **remembered}
    if remembered:
        patterns = {*config.exclude, *map(SourcePattern.parse, remembered)}
        config = config.model_copy(update={"exclude": tuple(sorted(patterns))})
    return Boundary(config, left_alone, remembered, unread)


def _concerns(config: LoadConfig, prefix: str) -> bool:
    try:
        pattern = SourcePattern.parse(prefix)
    except ValueError:
        return False
    return any(map(pattern.overlaps, config.sources))
