"""The three tables of the Lambda loader, to be read only."""

from collections.abc import Iterator
from typing import Protocol

from rsloader_provider.core.lambda_loader.tables import Item


class LambdaTables(Protocol):
    """What they hold, page by page.

    Raises, all of them:
        NotSetUpError: The table is not there.
        AccessDeniedError, TransientError: As their names say.
    """

    def configs(self) -> Iterator[Item]:
        """Give all configurations."""
        ...

    def batches(self, prefix: str) -> Iterator[Item]:
        """Give all batches of one configuration."""
        ...

    def files(self) -> Iterator[Item]:
        """Give all processed files, in no order."""
        ...
