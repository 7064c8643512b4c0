"""Everything that a use case works with, in one typed object."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.redshift.access_key import AccessKey
from rsloader_provider.loader.copy_access import roles_only
from rsloader_provider.loader.ports.ledger import Ledger
from rsloader_provider.loader.ports.notifier import Notifier
from rsloader_provider.loader.ports.steps import Steps
from rsloader_provider.loader.ports.storage import Storage
from rsloader_provider.loader.ports.warehouse import Warehouse
from rsloader_provider.loader.steps import LoggedSteps


@dataclass(frozen=True, slots=True)
class Services:
    """The ports and the clock. `aws.wiring` makes the real one, `tests/fakes` the other.

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
