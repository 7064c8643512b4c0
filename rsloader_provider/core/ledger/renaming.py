"""A load that gets another name, and loads that a person wants to load from one source."""

from dataclasses import dataclass
from datetime import datetime

from rsloader_provider.core.errors import RenamedLoadError


@dataclass(frozen=True, slots=True)
class Renaming:
    """A renaming that is under way: both loads bear it until its end, and claim and lock nothing meanwhile.

    Attributes:
        old: The name that the load had.
        new: Its name from now on.
        by: Who asked first.
        began_at: When (aware, UTC).
    """

    old: str
    new: str
    by: str
    began_at: datetime

    @property
    def command(self) -> str:
        """The command that goes on with it."""
        return f"rsloader rename-load {self.old} {self.new}"

    def refusal(self, load: str) -> RenamedLoadError:
        """Give the error for one of the two that is to work meanwhile."""
        return RenamedLoadError(
            f"Load {load} does nothing while load {self.old} is renamed to {self.new}, which began at "
            f"{self.began_at.isoformat()}, asked for by {self.by}, and has not come to its end. If nobody is at it, go "
            f"on with it: `{self.command}`"
        )


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a person has said: a load may load what another load has loaded from the same source into the same table.

    Attributes:
        by: Who.
        at: When (aware, UTC).
    """

    by: str
    at: datetime
