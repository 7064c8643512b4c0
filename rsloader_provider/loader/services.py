"""Everything that a use case works with, in one typed object."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import ConfigurationError
from rsloader_provider.core.logs import logger_of
from rsloader_provider.core.redshift.access_key import AccessKey
from rsloader_provider.loader.ports.ledger import Ledger
from rsloader_provider.loader.ports.notifier import Notifier
from rsloader_provider.loader.ports.steps import Step, Steps
from rsloader_provider.loader.ports.storage import Storage
from rsloader_provider.loader.ports.warehouse import Warehouse

log = logger_of(__name__)


class LoggedSteps:
    """Writes one line for each step taken."""

    @contextmanager
    def taking(self, step: Step, subject: object) -> Iterator[None]:
        """Log the step once it is taken."""
        yield
        log.info("%s: %s", subject, step)


def roles_only(config: LoadConfig) -> None:
    """Give no key: Redshift can only read with roles of its own.

    Raises:
        ConfigurationError: The load asks for one.
    """
    if config.copy_options.reads_with_key:
        raise ConfigurationError(
            f"load {config.load}: Redshift is to read with {config.copy_options.reader}, but these services cannot get "
            "it. Load it with the services of RsloaderHook."
        )


@dataclass(frozen=True, slots=True)
class Services:
    """The ports and the clock. `wiring` makes the real one, `tests/support/fakes` the other.

    Attributes:
        now: Tells the time (aware, UTC).
        steps: Hears of each change outside.
        sleep: Waits so many seconds.
        access_key: Gives the key that Redshift reads a load's objects with, as it is now; None for a role of its own.
    """

    ledger: Ledger
    storage: Storage
    warehouse: Warehouse
    notifier: Notifier
    now: Callable[[], datetime]
    steps: Steps = field(default_factory=LoggedSteps)
    sleep: Callable[[float], None] = time.sleep
    access_key: Callable[[LoadConfig], AccessKey | None] = roles_only
