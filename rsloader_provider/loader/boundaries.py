"""What a load takes at this moment, for those who look or claim outside of runs."""

from rsloader_provider.core.config import LoadConfig
from rsloader_provider.core.errors import OperationRefusedError
from rsloader_provider.core.ledger.boundary import Boundary, boundary
from rsloader_provider.core.ledger.shadow_name import as_recorded
from rsloader_provider.loader.services import Services


def boundary_of(config: LoadConfig, services: Services) -> Boundary:
    """Tell what the next run of a load takes, as it would find out itself. Changes nothing."""
    known = services.ledger.left_alone(as_recorded(config).load)
    return boundary(config, known, config.unread_files, services.now())


def as_it_takes(config: LoadConfig, services: Services) -> LoadConfig:
    """Give a load as the next run takes it. Changes nothing.

    Raises:
        OperationRefusedError: It holds still: a load file cannot be read, and what it has named is not known.
    """
    now = boundary_of(config, services)
    if now.holds_still:
        raise OperationRefusedError(f"{' '.join(now.sentences())} Nothing was changed.")
    return now.config
