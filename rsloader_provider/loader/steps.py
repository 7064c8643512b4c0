"""Steps, as lines of the task's log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rsloader_provider.loader.ports.steps import Step

log = logging.getLogger(__name__)


class LoggedSteps:
    """Writes one line for each step taken."""

    @contextmanager
    def taking(self, step: Step, subject: object) -> Iterator[None]:
        """Log the step once it is taken."""
        yield
        log.info("%s: %s", subject, step)
